from dataclasses import fields, replace

import numpy as np
import pytest

from skae._fit.code_kinds import NestedCode, PrincipalCode
from skae._fit.pca import decompose
from skae._fit.result import FitResult, mean_curve
from skae._network.affine import Affine, Units, scaling
from skae._network.nested import decoder_at, nested_network
from skae._network.numpy_interpreter import forward
from tests.fit.plans import make_network, random_rows
from tests.networks import draw_weights

N_COMPONENTS = 5
NETWORK = make_network(6, N_COMPONENTS)
INPUT_UNITS = Affine(3.0, np.arange(6.0))
CODE_UNITS = Affine(np.diag([2.0, -1.0, 0.5, 3.0, -2.0]), np.arange(5.0))


def make_result(network, weights, **values):
    """Return a result whose errors decrease by code."""
    curve = np.linspace(0.5, 0.1, N_COMPONENTS)
    shared = {
        "mean": np.zeros(6),
        "scale": 3.0,
        "code_scale": np.arange(1.0, 6),
        "history": {"loss": [0.2, 0.1], "val_loss": [0.3, 0.2]},
        "reconstruction_error": 0.1,
        "pca_reconstruction_error": 0.2,
        "held_out": True,
        "variance_ratio": np.array([0.4, 0.2, 0.1, 0.1, 0.1]),
        "curve": curve,
        "pca_curve": 2 * curve,
    }
    return FitResult(network=network, weights=weights, **{**shared, **values})


@pytest.fixture
def trained():
    """Weights of nested codes as trained, with a decoder that differs by level."""
    return draw_weights(nested_network(NETWORK))


@pytest.fixture
def nested(trained):
    """The result of nested codes, in the units of the data."""
    units = Units(INPUT_UNITS, CODE_UNITS)
    weights, decoder = NestedCode().fold(NETWORK, trained, units)
    return make_result(NETWORK, weights, nested=decoder)


@pytest.fixture
def pca():
    network, weights, _ = PrincipalCode().pca(decompose(random_rows()).axes(5))
    return make_result(network, weights, used_network=False)


# --- The first codes alone ---


@pytest.mark.parametrize("n_kept", range(1, N_COMPONENTS + 1))
def test_truncated_network_is_the_trained_one_at_that_cut(trained, nested, n_kept):
    X = random_rows()
    first = nested.truncated(n_kept)
    codes = forward(first.network.encoder, first.weights.encoder, X)
    all_codes = forward(NETWORK.encoder, nested.weights.encoder, X)
    np.testing.assert_allclose(codes, all_codes[:, :n_kept])

    wide = nested_network(NETWORK).decoder
    decoder = decoder_at(wide, trained.decoder, N_COMPONENTS, n_kept)
    trained_codes = CODE_UNITS.inverse()(all_codes)
    np.testing.assert_allclose(
        forward(first.network.decoder, first.weights.decoder, codes),
        INPUT_UNITS(forward(*decoder, trained_codes[:, :n_kept])),
    )


@pytest.mark.parametrize("n_kept", [1, 3, 5])
def test_truncated_pca_is_pca_of_that_size(pca, n_kept):
    X = random_rows()
    first = pca.truncated(n_kept)
    codes = forward(first.network.encoder, first.weights.encoder, X)
    outputs = forward(first.network.decoder, first.weights.decoder, codes)
    expected = decompose(X).axes(n_kept).reconstruct(X)
    np.testing.assert_allclose(outputs, expected)


@pytest.mark.parametrize("kind", ["nested", "pca"])
def test_truncated_values_are_those_of_the_first_codes(kind, request):
    result = request.getfixturevalue(kind)
    first = result.truncated(3)
    assert first.reconstruction_error == result.curve[2]
    assert first.pca_reconstruction_error == result.pca_curve[2]
    for name in ("curve", "pca_curve", "variance_ratio", "code_scale"):
        np.testing.assert_array_equal(getattr(first, name), getattr(result, name)[:3])
    assert first.nested is None
    assert first.used_network == result.used_network


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_truncated_weights_keep_the_dtype(nested, dtype):
    weights, decoder = nested.weights.astype(dtype), nested.nested.astype(dtype)
    first = replace(nested, weights=weights, nested=decoder).truncated(2)
    assert {array.dtype for array in first.weights.joined()} == {np.dtype(dtype)}


def test_curves_for_all_numbers_of_codes_may_be_kept(nested):
    first = nested.truncated_with_curves(2)
    assert first.network.encoder.n_outputs == 2
    assert first.reconstruction_error == nested.curve[1]
    assert first.curve is nested.curve
    assert first.pca_curve is nested.pca_curve


# --- Continued fits ---


def test_later_fit_gets_the_history_of_both(nested):
    later = replace(nested, history={"loss": [0.05], "val_loss": []}, scale=4.0)
    continued = nested.continued_by(later)
    assert continued.history == {"loss": [0.2, 0.1, 0.05], "val_loss": [0.3, 0.2]}
    for field in fields(FitResult):
        if field.name != "history":
            assert getattr(continued, field.name) is getattr(later, field.name)


def test_code_map_of_nested_codes_is_theirs(nested):
    np.testing.assert_allclose(nested.code_map.matrix, CODE_UNITS.matrix)
    np.testing.assert_allclose(nested.code_map.shift, CODE_UNITS.shift)


def test_code_map_of_other_codes_is_their_scale(pca):
    expected = scaling(pca.code_scale)
    np.testing.assert_array_equal(pca.code_map.matrix, expected.matrix)
    np.testing.assert_array_equal(pca.code_map.shift, 0)


@pytest.mark.parametrize(
    ("curves", "mean"),
    [
        ([[1.0, 2.0]], [1.0, 2.0]),
        ([[1.0, 2.0, 3.0], [3.0, 4.0]], [2.0, 3.0]),
        ([[], [1.0]], []),
    ],
)
def test_mean_curve_ends_with_the_shortest(curves, mean):
    assert mean_curve(curves) == mean
