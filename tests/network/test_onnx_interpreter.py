"""ONNX models compute the same outputs as NumPy, in a runtime and by definition."""

import pickle
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from sklearn.exceptions import NotFittedError

import skae
from skae import ConvAE, DenseAE, SparseAE
from skae._network.architectures import Activations, conv_network, dense_network
from skae._network.description import ACTIVATIONS, Dense, Network, Stack, Weights
from skae._network.numpy_interpreter import forward
from skae._network.onnx_interpreter import to_model
from tests.estimators import NAMES
from tests.networks import FEATURE_MAPS, draw_weights
from tests.processes import run

NETWORK = {"early_stopping": False, "hidden_layer_sizes": (8,), "max_iter": 2}


def run_onnx(model, X):
    """Check a model and run it in a runtime, on rows in single precision."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (name,) = (value.name for value in session.get_inputs())
    (output,) = session.run(None, {name: X.astype(np.float32)})
    return output


def assert_close(output, expected):
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


def assert_all_parts_equal_numpy(network, seed, n_rows):
    weights = draw_weights(network, seed)
    X = np.random.default_rng(seed).normal(size=(n_rows, network.encoder.n_inputs))
    codes = forward(network.encoder, weights.encoder, X)
    rows = forward(network.decoder, weights.decoder, codes)
    for part, inputs, expected in [
        ("encoder", X, codes),
        ("decoder", codes, rows),
        ("reconstruction", X, rows),
    ]:
        model = to_model(network, weights, part)
        assert_close(run_onnx(model, inputs), expected)
        (output,) = ReferenceEvaluator(model).run(
            None, {model.graph.input[0].name: inputs.astype(np.float32)}
        )
        assert_close(output, expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(max_examples=5, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    n_rows=st.integers(1, 20),
    shortcut=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_dense_networks_agree_with_numpy(activation, sizes, n_rows, shortcut, seed):
    activations = Activations(activation, activation, activation)
    assert_all_parts_equal_numpy(
        dense_network(sizes, activations, shortcut), seed, n_rows
    )


@settings(max_examples=40, deadline=None)
@given(
    maps=FEATURE_MAPS,
    sizes=st.sampled_from([(), (2,), (5, 2)]),
    shortcut=st.booleans(),
    activation=st.sampled_from(ACTIVATIONS),
    n_rows=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_convolutional_networks_agree_with_numpy(
    maps, sizes, shortcut, activation, n_rows, seed
):
    activations = Activations(activation, "linear", activation)
    network = conv_network(maps, sizes, activations, shortcut)
    assert_all_parts_equal_numpy(network, seed, n_rows)


@pytest.mark.parametrize("n_active", [1, 2, 5])
def test_largest_values_are_kept_the_first_among_equals(n_active):
    stack = Stack((Dense(5, 5, n_active=n_active),))
    arrays = [np.eye(5), np.zeros(5)]
    X = np.array([[3, 1, 2, 5, 4], [-1, -1, -2, -1, -1], [0, 7, 7, 7, 0]], dtype=float)
    model = to_model(Network(stack, stack), Weights(arrays, []), "encoder")
    np.testing.assert_array_equal(run_onnx(model, X), forward(stack, arrays, X))


# --- Exports of fitted estimators ---


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).gamma(1.0, size=(60, 35)) + 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "estimator",
    [
        *(getattr(skae, name)(3, **NETWORK) for name in NAMES),
        ConvAE(None, image_shape=(5, 7), **NETWORK),
        ConvAE(3, image_shape=(7, 5), **NETWORK),
        SparseAE(8, sparsity="topk", target_sparsity=2, **NETWORK),
        DenseAE(3, whiten=True, output_activation="softplus", **NETWORK),
        DenseAE(3, ordered=True, **NETWORK),
        *(getattr(skae, name)(3, max_iter=1) for name in ("DenseAE", "VAETransformer")),
    ],
    ids=repr,
)
def test_fitted_estimators_agree_with_their_methods(images, estimator, dtype):
    # The last ones hold out rows, and few rows make them PCA.
    X = images.astype(dtype)[: 60 if not estimator.early_stopping else 40]
    model = estimator.set_params(random_state=0).fit(X, np.arange(len(X)) % 2)
    assert model.used_network_ is not estimator.early_stopping
    codes = model.transform(X)
    for part, rows, expected in [
        ("encoder", X, codes),
        ("decoder", codes, model.inverse_transform(codes)),
        ("reconstruction", X, model.reconstruct(X)),
    ]:
        exported = model.to_onnx(part)
        for some in (slice(None), slice(1)):  # all rows, and a single one
            assert_close(run_onnx(exported, rows[some]), expected[some])


def test_truncated_codes_are_exported(images):
    model = DenseAE(4, ordered=True, random_state=0, **NETWORK).fit(images).truncate(2)
    assert_close(run_onnx(model.to_onnx(), images), model.reconstruct(images))


def test_names_types_and_versions_are_fixed(images):
    model = DenseAE(3, random_state=0, **NETWORK).fit(images)
    for part, names in [
        ("encoder", ["X", "codes"]),
        ("decoder", ["codes", "reconstruction"]),
        ("reconstruction", ["X", "reconstruction"]),
    ]:
        exported = model.to_onnx(part)
        ends = [*exported.graph.input, *exported.graph.output]
        assert [end.name for end in ends] == names
        for end in ends:
            tensor = end.type.tensor_type
            assert tensor.elem_type == onnx.TensorProto.FLOAT
            assert tensor.shape.dim[0].dim_param == "n_samples"
        assert [opset.version for opset in exported.opset_import] == [17]
        assert exported.ir_version == 8
        assert exported.producer_name == "skae"
        assert exported.producer_version == skae.__version__
    assert model.to_onnx() == exported


def test_unfitted_estimators_and_unknown_parts_are_refused(images):
    with pytest.raises(NotFittedError):
        DenseAE().to_onnx()
    model = DenseAE(3, random_state=0, **NETWORK).fit(images)
    with pytest.raises(
        ValueError, match=r"'encoder', 'decoder', 'reconstruction'.*'code'"
    ):
        model.to_onnx("code")


@pytest.mark.parametrize("change", ["layer", "activation"])
def test_layer_without_an_export_is_named(change):
    class Recurrent(Dense):
        pass

    layer = Recurrent(2, 2) if change == "layer" else Dense(2, 2, "swish")
    stack = Stack((layer,))
    weights = Weights([np.eye(2), np.zeros(2)], [])
    named = "Recurrent" if change == "layer" else "'swish'"
    with pytest.raises(NotImplementedError, match=named):
        to_model(Network(stack, stack), weights, "encoder")


def test_missing_onnx_is_reported_with_the_extra_to_install(images, monkeypatch):
    model = DenseAE(3, random_state=0, **NETWORK).fit(images)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"'onnx'.*pip install 'skae\[onnx\]'"):
        model.to_onnx()


def test_loaded_estimator_is_exported_without_tensorflow(images, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(DenseAE(3, random_state=0, **NETWORK).fit(images)))
    run(
        "import pickle, sys\n"
        f"model = pickle.load(open({str(path)!r}, 'rb'))\n"
        "assert 'onnx' not in sys.modules\n"
        "model.to_onnx()\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
