"""Imports point one way, and TensorFlow is imported only where it is needed."""

import ast
import re
from pathlib import Path

import pytest

import skae
from tests.processes import run

PACKAGE = Path(skae.__file__).parent

# From the top down: a package may import those after it, and none before it. The
# estimators are the modules of `skae` itself.
ORDER = (
    "skae._displays",
    "skae",
    "skae._fit",
    "skae._train",
    "skae._network",
    "skae._utils",
)

# The modules that import TensorFlow or Keras when they are imported themselves.
NEED_TENSORFLOW = {
    "skae._network.keras_interpreter",
    "skae._train.chunks",
    "skae._train.fast_layers",
    "skae._train.loop",
    "skae._train.objectives",
    "skae._train.optimizer",
    "skae._train.program",
    "skae._train.tensorflow_internals",
}


def modules():
    """Return the source file of each module of the package, by the module's name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def package_of(module):
    """Return the entry of `ORDER` that a module belongs to."""
    if module == "skae._version":
        return "skae._utils"  # a constant that every package may read
    return max((name for name in ORDER if f"{module}.".startswith(f"{name}.")), key=len)


def imports_of(module, at_import_only=True):
    """Return the modules that a module imports: all, or only when it is imported."""
    tree = ast.parse(MODULES[module].read_text())
    names = set()
    for node in tree.body if at_import_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return names


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    own = ORDER.index(package_of(module))
    ours = [name for name in imports_of(module) if name in MODULES and name != "skae"]
    assert module not in ours
    for name in ours:
        assert ORDER.index(package_of(name)) >= own, name
    if own > ORDER.index("skae"):  # estimators are read by name, in any order
        typing = imports_of(module, at_import_only=False)
        ours = [name for name in typing if name in MODULES]
        assert not [name for name in ours if package_of(name) == "skae"]


def test_no_modules_import_each_other_in_a_circle():
    left = {module: imports_of(module) & set(MODULES) - {module} for module in MODULES}
    while left:
        free = [module for module, imported in left.items() if not imported & set(left)]
        assert free, f"a circle among {sorted(left)}"
        for module in free:
            del left[module]


def test_every_package_says_what_enters_what_leaves_and_what_may_not_go_in():
    for name in set(ORDER) - {"skae"}:
        text = ast.get_docstring(ast.parse(MODULES[name].read_text()))
        assert "In: " in text, name
        assert "Out: " in text, name


@pytest.mark.parametrize("module", MODULES)
def test_only_the_listed_modules_import_tensorflow(module):
    roots = {name.split(".")[0] for name in imports_of(module)}
    assert bool(roots & {"tensorflow", "keras"}) == (module in NEED_TENSORFLOW)
    # Nor is one of them imported by a module that is not.
    if module not in NEED_TENSORFLOW:
        assert not imports_of(module) & NEED_TENSORFLOW


def test_parameters_need_no_tensorflow():
    run(
        "import sys\n"
        "from sklearn.base import clone\n"
        "from skae import DenseAE\n"
        "repr(clone(DenseAE(3))), DenseAE().get_params(), DenseAE()._repr_html_()\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )


@pytest.fixture(scope="module")
def lines_beyond_tensorflow():
    """Tell which lines of a process's standard error TensorFlow does not log itself."""

    def messages(text):
        # Without the time and the process.
        return {re.sub(r"^[IWEF]\d+ \S+ +\d+ ", "", line) for line in text.splitlines()}

    alone = run(
        "import keras, tensorflow as tf\n"
        "tf.config.list_physical_devices('GPU')\n"
        "tf.zeros(())\n"
    )
    return lambda text: messages(text) - messages(alone.stderr)


FIT = (
    "import numpy as np\n"
    "from skae import DenseAE\n"
    "X = np.random.default_rng(0).normal(size=(60, 4))\n"
    "model = DenseAE(2, early_stopping=False, hidden_layer_sizes=(4,), max_iter=2)\n"
)


def test_fit_adds_no_line_and_leaves_settings_alone(lines_beyond_tensorflow):
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
    assert lines_beyond_tensorflow(result.stderr) == {"still here"}
    assert result.stdout == ""


@pytest.mark.parametrize(
    "autoencoder",
    [
        "DenseAE(3, ordered=True, **short)",
        "DenseAE(0.9, **short)",
        "DenoisingAE(2, noise='swap', **short)",
        "SparseAE(8, sparsity='topk', target_sparsity=2, **short)",
        "SparseAE(8, sparsity='kl', **short)",
        "SupervisedAE(2, **short)",
        "VAETransformer(2, **short)",
        "ConvAE(2, image_shape=(2, 2), early_stopping=False, max_iter=2)",
    ],
)
def test_no_kind_of_training_adds_a_line(autoencoder, lines_beyond_tensorflow):
    """TensorFlow logs an error for operations that oneDNN does not support."""
    result = run(
        "import numpy as np\n"
        "from skae import *\n"
        "short = dict(early_stopping=False, hidden_layer_sizes=(4,), max_iter=2)\n"
        "X = np.random.default_rng(0).normal(size=(60, 4))\n"
        f"{autoencoder}.fit(X, np.arange(60) % 3)\n"
    )
    assert lines_beyond_tensorflow(result.stderr) == set()
    assert result.stdout == ""


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


def test_threads_that_make_the_first_fit_together_all_succeed(lines_beyond_tensorflow):
    result = run(
        "import sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from sklearn.base import clone\n"
        f"{FIT}"
        "model.set_params(random_state=0)\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    fits = [pool.submit(clone(model).fit, X) for _ in range(4)]\n"
        "    codes = [fit.result().transform(X) for fit in fits]\n"
        "    print('theirs', file=sys.stderr)\n"
        "for other in codes[1:]:\n"
        "    np.testing.assert_allclose(other, codes[0], atol=1e-9)\n"
    )
    assert lines_beyond_tensorflow(result.stderr) == {"theirs"}


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
