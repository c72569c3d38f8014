"""Imports point one way, and TensorFlow is imported only where it is needed."""

import ast
from pathlib import Path

import pytest

import skae
from tests.processes import run

PACKAGE = Path(skae.__file__).parent
LAYERS = [
    [
        *["_blocks", "_compat", "_corruption", "_logging", "_losses", "_network"],
        *["_optional", "_tensorflow", "_threads", "_version"],
    ],
    [
        *["_graphs", "_initialization", "_keras_backend", "_numpy_backend"],
        *["_onnx_backend", "_ordering", "_persistence", "_units"],
    ],
    ["_plan", "_skl2onnx", "_training_operations"],
    ["_choosing", "_epochs", "_judging"],
    ["_objective", "_optimizer"],
    ["_training", "_runs"],
    ["_answers"],
    ["_fitting", "_exports", "_parameters", "_scoring"],
    ["_base"],
    ["_conv", "_dense"],
    ["_comparison", "_denoising", "_sparse", "_vae"],
    ["_skops"],
    ["__init__"],
]
NEEDS_TENSORFLOW = {
    *["_epochs", "_graphs", "_keras_backend", "_objective", "_optimizer"],
    *["_training", "_training_operations"],
}
# `_tensorflow` imports it inside functions; TYPE_CHECKING blocks import nothing.
HEAVY = {"tensorflow", "keras"}


def top_level_imports(module):
    """Yield the names that a module imports when it is imported."""
    for node in ast.parse((PACKAGE / f"{module}.py").read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_every_module_has_a_layer():
    listed = sorted(module for layer in LAYERS for module in layer)
    assert listed == sorted(path.stem for path in PACKAGE.glob("*.py"))


@pytest.mark.parametrize("level", range(len(LAYERS)))
def test_modules_import_only_lower_layers(level):
    lower = {module for layer in LAYERS[:level] for module in layer}
    for module in LAYERS[level]:
        ours = {
            name.removeprefix("skae.")
            for name in top_level_imports(module)
            if name.startswith("skae.")
        }
        assert ours <= lower, module


@pytest.mark.parametrize("module", [m for layer in LAYERS for m in layer])
def test_only_training_and_keras_import_tensorflow(module):
    roots = {name.split(".")[0] for name in top_level_imports(module)}
    assert bool(roots & HEAVY) == (module in NEEDS_TENSORFLOW)


def test_parameters_need_no_tensorflow():
    run(
        "import sys\n"
        "from sklearn.base import clone\n"
        "from skae import DenseAE\n"
        "repr(clone(DenseAE(3))), DenseAE().get_params(), DenseAE()._repr_html_()\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )


FIT = (
    "import numpy as np\n"
    "from skae import DenseAE\n"
    "X = np.random.default_rng(0).normal(size=(60, 4))\n"
    "model = DenseAE(2, early_stopping=False, hidden_layer_sizes=(4,), max_iter=2)\n"
)


def test_fit_is_quiet_and_leaves_settings_alone():
    result = run(
        "import logging, os, sys\n"
        f"{FIT}"
        "environment = dict(os.environ)\n"
        "model.fit(X)\n"
        "assert environment.items() <= os.environ.items()\n"
        "import keras, tensorflow as tf\n"
        "assert logging.getLogger().level == logging.WARNING\n"
        "assert tf.get_logger().level == logging.NOTSET, tf.get_logger().level\n"
        "assert tf.config.threading.get_intra_op_parallelism_threads() == 0\n"
        "assert keras.layers.Dense(1).name == 'dense'\n"
        "os.write(2, b'still here')\n"
    )
    assert result.stderr == "still here"
    assert result.stdout == ""


@pytest.mark.parametrize(
    "autoencoder",
    [
        "DenseAE(3, ordered=True, **short)",
        "DenseAE(0.9, **short)",
        "DenoisingAE(2, noise='swap', **short)",
        "SparseAE(8, sparsity='topk', target_sparsity=2, **short)",
        "SparseAE(8, sparsity='kl', **short)",
        "VAETransformer(2, **short)",
        "ConvAE(2, image_shape=(2, 2), early_stopping=False, max_iter=2)",
    ],
)
def test_training_of_any_kind_is_quiet(autoencoder):
    """TensorFlow reports operations that it would rather have by oneDNN."""
    result = run(
        "import numpy as np\n"
        "from skae import *\n"
        "short = dict(early_stopping=False, hidden_layer_sizes=(4,), max_iter=2)\n"
        "X = np.random.default_rng(0).normal(size=(60, 4))\n"
        f"{autoencoder}.fit(X)\n"
    )
    assert result.stderr == result.stdout == ""


def test_keras_models_and_policies_of_the_user_are_left_alone():
    run(
        "import keras\n"
        "keras.config.set_dtype_policy('mixed_float16')\n"
        "theirs = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
        "name = theirs.layers[0].name\n"
        f"{FIT}"
        "model.fit(X)\n"
        "assert keras.config.dtype_policy().name == 'mixed_float16'\n"
        "assert theirs.layers[0].name == name\n"
        "assert keras.layers.Dense(1).name == 'dense_1'\n"
        "view = model.to_keras()\n"
        "difference = np.abs(np.asarray(view(X)) - model.reconstruct(X)).max()\n"
        "assert difference < 1e-5, difference\n"
    )


def test_other_keras_backend_is_refused_with_advice():
    run(
        f"{FIT}"
        "try:\n"
        "    model.fit(X)\n"
        "except RuntimeError as error:\n"
        "    assert 'KERAS_BACKEND=tensorflow' in str(error)\n"
        "else:\n"
        "    raise AssertionError\n"
        "assert not hasattr(model, 'n_features_in_')\n",
        KERAS_BACKEND="jax",
    )


def test_missing_tensorflow_is_reported_with_advice():
    run(
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"
        f"{FIT}"
        "try:\n"
        "    model.fit(X)\n"
        "except ImportError as error:\n"
        "    assert 'pip install tensorflow' in str(error)\n"
        "else:\n"
        "    raise AssertionError\n"
    )
