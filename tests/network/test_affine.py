"""Changes of units are folded into the arrays of a network."""

from dataclasses import replace

import numpy as np
import pytest

from skae._network.affine import Affine, MappedRows, Units, change_units, scaling
from skae._network.architectures import (
    Activations,
    FeatureMaps,
    conv_network,
    dense_network,
)
from skae._network.description import Network
from skae._network.numpy_interpreter import forward, forward_log_variance
from tests.networks import draw_weights

LINEAR_ENDS = Activations("gelu", "linear", "linear")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# --- Affine maps ---


@pytest.mark.parametrize("matrix", [0.5, np.array([[1.0, 2.0], [0.0, -4.0]])])
def test_inverse_map_undoes_the_map(matrix, rng):
    affine = Affine(matrix, np.array([3.0, -1.0]))
    X = rng.normal(size=(5, 2))
    by_hand = X * matrix if isinstance(matrix, float) else X @ matrix
    np.testing.assert_allclose(affine(X), by_hand + affine.shift)
    np.testing.assert_allclose(affine.inverse()(affine(X)), X, atol=1e-12)


def test_scaling_multiplies_each_coordinate(rng):
    X = rng.normal(size=(5, 3))
    np.testing.assert_allclose(scaling(np.array([1.0, 2.0, -3.0]))(X), X * [1, 2, -3])


# --- Networks in other units ---


def assert_same_function(network, old, new, units):
    """Compare the networks on random rows, each in its own units."""
    X = np.random.default_rng(1).normal(size=(20, network.encoder.n_inputs))
    inputs, codes = (affine or (lambda values: values) for affine in units)
    old_codes = forward(network.encoder, old.encoder, X)
    new_codes = forward(network.encoder, new.encoder, inputs(X))
    np.testing.assert_allclose(new_codes, codes(old_codes), atol=1e-12)
    np.testing.assert_allclose(
        forward(network.decoder, new.decoder, new_codes),
        inputs(forward(network.decoder, old.decoder, old_codes)),
        atol=1e-12,
    )


@pytest.mark.parametrize("which", ["inputs", "codes", "both"])
@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("sizes", [(5, 4, 3), (5, 3)])
def test_dense_network_computes_the_same_function_in_other_units(
    sizes, shortcut, which, rng
):
    network = dense_network(sizes, LINEAR_ENDS, shortcut)
    old = draw_weights(network)
    inputs = Affine(3.0, rng.normal(size=5)) if which != "codes" else None
    codes = Affine(rng.normal(size=(3, 3)), rng.normal(size=3))
    units = Units(inputs, codes if which != "inputs" else None)
    new = change_units(network, old, units)
    assert_same_function(network, old, new, units)
    back = change_units(network, new, units.inverse())
    for array, original in zip(back.joined(), old.joined(), strict=True):
        np.testing.assert_allclose(array, original, atol=1e-12)


@pytest.mark.parametrize("shortcut", [False, True])
def test_convolutions_compute_the_same_function_of_scaled_rows(shortcut, rng):
    """Their inputs may only be scaled, but codes may be mapped at will."""
    maps = FeatureMaps((5, 3, 2), (3,), 3)
    network = conv_network(maps, (4, 2), LINEAR_ENDS, shortcut)
    old = draw_weights(network)
    units = Units(
        Affine(3.0, np.zeros(30)),
        Affine(rng.normal(size=(2, 2)), rng.normal(size=2)),
    )
    assert_same_function(network, old, change_units(network, old, units), units)


@pytest.mark.parametrize("sizes", [(5, 4, 3), (5, 3)])
def test_posterior_deviation_scales_with_the_codes(sizes, rng):
    network = dense_network(sizes, LINEAR_ENDS, shortcut=True)
    encoder = replace(network.encoder, log_variance=True)
    network = Network(encoder, network.decoder)
    old = draw_weights(network)
    inputs = Affine(3.0, rng.normal(size=5))
    scale = np.array([0.5, 2.0, 3.0])
    new = change_units(
        network, old, Units(inputs, Affine(np.diag(scale), rng.normal(size=3)))
    )
    X = rng.normal(size=(20, 5))
    before = forward_log_variance(encoder, old.encoder, X)
    after = forward_log_variance(encoder, new.encoder, inputs(X))
    np.testing.assert_allclose(np.exp(after / 2), np.exp(before / 2) * scale)


# --- Rows in other units ---


@pytest.mark.parametrize("units", [None, Affine(0.5, np.arange(4.0))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_mapped_when_they_are_read(dtype, units, rng):
    X = rng.normal(size=(50, 4)).astype(dtype)
    before = X.copy()
    mapped = MappedRows(X, units)
    assert mapped.shape == X.shape
    assert len(mapped) == len(X)
    indices = np.array([7, 3, 3, 40, 49])
    for rows in (slice(2, 9), indices):
        expected = X[rows] if units is None else 0.5 * X[rows] + np.arange(4)
        found = mapped[rows]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    copies = np.empty((5, 4), np.float32)
    mapped.take(indices, axis=0, out=copies, mode="clip")
    np.testing.assert_array_equal(copies, mapped[indices])
    np.testing.assert_array_equal(X, before)


def test_head_for_targets_is_of_the_codes_in_their_units(rng):
    """It is a layer beside the decoder, with the same inputs."""
    network = dense_network((4, 3, 2), LINEAR_ENDS, shortcut=True)
    network = Network(network.encoder, replace(network.decoder, n_targets=3))
    old = draw_weights(network)
    units = Units(None, Affine(rng.normal(size=(2, 2)), rng.normal(size=2)))
    new = change_units(network, old, units)
    codes = rng.normal(size=(5, 2))
    kernel, bias = network.decoder.split(old.decoder).target_head
    new_kernel, new_bias = network.decoder.split(new.decoder).target_head
    np.testing.assert_allclose(
        units.codes(codes) @ new_kernel + new_bias, codes @ kernel + bias, atol=1e-12
    )
    assert_same_function(network, old, new, units)
