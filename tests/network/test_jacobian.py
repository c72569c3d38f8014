"""Derivatives by NumPy equal finite differences and Keras's gradients."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from skae._network import jacobian
from skae._network.architectures import (
    Activations,
    FeatureMaps,
    conv_network,
    dense_network,
)
from skae._network.description import ACTIVATIONS
from skae._network.jacobian import Trace, jacobian_blocks, summed_jacobian
from skae._network.keras_interpreter import to_model
from skae._network.numpy_interpreter import forward
from tests.networks import FEATURE_MAPS, draw_weights


def rows(n_features, n_rows=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


def finite_differences(stack, arrays, X, step=1e-6):
    """Return the Jacobian of each row, (n_rows, n_outputs, n_inputs)."""
    columns = []
    for j in range(stack.n_inputs):
        shift = np.zeros(stack.n_inputs)
        shift[j] = step
        change = forward(stack, arrays, X + shift) - forward(stack, arrays, X - shift)
        columns.append(change / (2 * step))
    return np.stack(columns, axis=2)


def assert_exact(stack, arrays, X):
    expected = finite_differences(stack, arrays, X)
    trace = Trace(stack, stack.split(arrays), X)
    outputs = np.broadcast_to(np.eye(stack.n_outputs), (len(X), *[stack.n_outputs] * 2))
    inputs = np.broadcast_to(np.eye(stack.n_inputs), (len(X), *[stack.n_inputs] * 2))
    pulled, pushed = trace.pull(outputs), trace.push(inputs)
    np.testing.assert_allclose(pulled, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pushed, expected.swapaxes(1, 2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense_networks_are_exact(activation, shortcut):
    activations = Activations(activation, activation, activation)
    network = dense_network((6, 5, 4, 3), activations, shortcut)
    weights = draw_weights(network)
    assert_exact(network.encoder, weights.encoder, rows(6))
    assert_exact(network.decoder, weights.decoder, rows(3))


@settings(deadline=None, max_examples=30)
@given(
    FEATURE_MAPS,
    st.lists(st.integers(1, 3), max_size=2).map(tuple),
    st.booleans(),
    st.sampled_from(["gelu", "leaky_relu", "softmax", "linear"]),
)
def test_convolutions_pooling_and_upsampling_are_exact(maps, sizes, shortcut, name):
    network = conv_network(maps, sizes, Activations(name, "linear", name), shortcut)
    weights = draw_weights(network)
    assert_exact(network.encoder, weights.encoder, rows(network.encoder.n_inputs, 2))
    assert_exact(network.decoder, weights.decoder, rows(network.decoder.n_inputs, 2))


def test_codes_that_are_not_kept_have_no_derivative():
    network = dense_network((6, 8), Activations("relu", "relu", "linear"), False)
    weights = draw_weights(network)
    stack = network.encoder.keeping_largest(2)
    assert_exact(stack, weights.encoder, rows(6))
    ((_, found),) = jacobian_blocks(stack, weights.encoder, rows(6), "outputs")
    assert ((found != 0).any(axis=2).sum(axis=1) <= 2).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["dense", "signals", "images"])
def test_derivatives_are_those_of_keras(kind, activation):
    activations = Activations(activation, "linear", activation)
    if kind == "dense":
        network = dense_network((6, 5, 2), activations, True)
    else:
        shape = (7, 2) if kind == "signals" else (5, 4, 1)
        maps = FeatureMaps(shape, (3, 2), 3)
        network = conv_network(maps, (2,), activations, True)
    weights = draw_weights(network)
    for half in ("encoder", "decoder"):
        stack, arrays = getattr(network, half), getattr(weights, half)
        X = rows(stack.n_inputs, 3)
        model = to_model(network, weights.astype(np.float32), half)
        inputs = tf.constant(X.astype(np.float32))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(inputs)
            outputs = model(inputs)
        expected = tape.batch_jacobian(outputs, inputs, experimental_use_pfor=False)
        ((_, found),) = jacobian_blocks(stack, arrays, X, "outputs")
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("by", ["outputs", "inputs"])
@pytest.mark.parametrize("absolute", [True, False])
def test_sums_do_not_depend_on_the_blocks(by, absolute, monkeypatch):
    network = dense_network((6, 5, 4), Activations("tanh", "tanh", "tanh"), True)
    arrays, X = draw_weights(network).encoder, rows(6, 50)
    expected = finite_differences(network.encoder, arrays, X)
    expected = (np.abs(expected) if absolute else expected).sum(axis=0)
    expected = expected if by == "outputs" else expected.T
    for n_values in (1, 30, 10**6):
        monkeypatch.setattr(jacobian, "_BLOCK_VALUES", n_values)
        found = summed_jacobian(network.encoder, arrays, X, by, absolute)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        for _, part in jacobian_blocks(network.encoder, arrays, X, by):
            assert part.shape[0] * part.shape[1] <= max(1, n_values // 6)
