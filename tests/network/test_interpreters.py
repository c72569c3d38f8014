"""NumPy and Keras compute the same outputs from the same description."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from skae._network.architectures import Activations, conv_network
from skae._network.description import ACTIVATIONS, Dense, Network, Stack, Weights
from skae._network.keras_interpreter import to_model
from skae._network.numpy_interpreter import forward, forward_log_variance
from tests.networks import FEATURE_MAPS, draw_weights

WIDTHS = st.integers(1, 9)


def draw_stack(*layers, seed=0, dtype=np.float32, **options):
    """Return a stack of the layers, and arrays for it."""
    stack = Stack(layers, **options)
    return stack, draw_weights(Network(stack, stack), seed).astype(dtype).encoder


def run_keras(stack, arrays, X, part="encoder"):
    model = to_model(Network(stack, stack), Weights(arrays, []), part)
    outputs = model(X)
    return [*map(np.asarray, outputs)] if part == "posterior" else np.asarray(outputs)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(max_examples=5, deadline=None)
@given(
    sizes=st.tuples(WIDTHS, WIDTHS, WIDTHS),
    n_rows=st.integers(1, 20),
    shortcut=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_dense_layers_agree(activation, sizes, n_rows, shortcut, seed):
    # Keras warns that a softmax over one unit is constant.
    assume(activation != "softmax" or min(sizes) > 1)
    n_inputs, n_hidden, n_outputs = sizes
    layers = (
        Dense(n_inputs, n_hidden, activation),
        Dense(n_hidden, n_outputs, activation),
    )
    stack, arrays = draw_stack(*layers, seed=seed, shortcut=shortcut)
    X = np.random.default_rng(seed).normal(size=(n_rows, n_inputs)).astype(np.float32)
    output = forward(stack, arrays, X)
    assert output.dtype == np.float32
    np.testing.assert_allclose(
        output, run_keras(stack, arrays, X), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("half", ["encoder", "decoder"])
@settings(max_examples=15, deadline=None)
@given(
    maps=FEATURE_MAPS,
    sizes=st.sampled_from([(), (5, 2)]),
    shortcut=st.booleans(),
    activation=st.sampled_from(["relu", "gelu", "tanh"]),
    seed=st.integers(0, 1000),
)
def test_convolutions_agree(half, maps, sizes, shortcut, activation, seed):
    activations = Activations(activation, "linear", "sigmoid")
    network = conv_network(maps, sizes, activations, shortcut)
    weights = draw_weights(network, seed).astype(np.float32)
    stack, arrays = getattr(network, half), getattr(weights, half)
    X = np.random.default_rng(seed).normal(size=(3, stack.n_inputs)).astype(np.float32)
    output = forward(stack, arrays, X)
    assert output.shape == (3, stack.n_outputs)
    np.testing.assert_allclose(
        output, np.asarray(to_model(network, weights, half)(X)), rtol=1e-5, atol=1e-5
    )


def test_single_precision_gelu_is_exact_for_many_values():
    """It is a polynomial there, and the error function for few values."""
    stack = Stack((Dense(1, 1, "gelu"),))
    x = np.linspace(-12, 12, 100_001)[:, np.newaxis]
    double = forward(stack, [np.eye(1), np.zeros(1)], x)
    single = forward(
        stack,
        [np.eye(1, dtype=np.float32), np.zeros(1, np.float32)],
        x.astype(np.float32),
    )
    assert (np.abs(single - double) <= 2.5e-7 * np.maximum(np.abs(x), 1)).all()


@pytest.mark.parametrize("n_active", [1, 2, 5])
def test_largest_values_are_kept_the_first_among_equals(n_active):
    stack = Stack((Dense(5, 5, n_active=n_active),))
    arrays = [np.eye(5, dtype=np.float32), np.zeros(5, np.float32)]
    X = np.float32([[3, 1, 2, 5, 4], [-1, -1, -2, -1, -1], [0, 0, 0, 0, 0]])
    expected = np.zeros_like(X)
    for row, values in zip(expected, X, strict=True):
        kept = sorted(range(5), key=lambda i: (-values[i], i))[:n_active]
        row[kept] = values[kept]
    np.testing.assert_array_equal(forward(stack, arrays, X), expected)
    np.testing.assert_array_equal(run_keras(stack, arrays, X), expected)


def test_log_variance_head_shares_all_but_the_last_layer():
    stack, arrays = draw_stack(
        Dense(4, 3, "gelu"), Dense(3, 2), shortcut=True, log_variance=True
    )
    X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    hidden = forward(Stack(stack.layers[:1]), arrays[:2], X)
    kernel, bias = arrays[-2:]
    log_variance = forward_log_variance(stack, arrays, X)
    np.testing.assert_allclose(log_variance, hidden @ kernel + bias, rtol=1e-6)
    by_keras = run_keras(stack, arrays, X, part="posterior")
    for found, expected in zip(
        by_keras, [forward(stack, arrays, X), log_variance], strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_extreme_inputs_stay_finite_and_are_not_overwritten(activation):
    stack = Stack((Dense(3, 3, activation),))
    X = np.array([[-800.0, 0.0, 800.0]])
    before = X.copy()
    with np.errstate(over="raise", invalid="raise"):
        output = forward(stack, [np.eye(3), np.zeros(3)], X)
    assert np.isfinite(output).all()
    np.testing.assert_array_equal(X, before)


def test_blocks_and_sparse_rows_give_the_same_as_single_rows():
    stack, arrays = draw_stack(
        Dense(4, 3, "gelu"), Dense(3, 2), shortcut=True, dtype=np.float64
    )
    X = np.random.default_rng(0).normal(size=(2500, 4)).clip(0)
    whole = forward(stack, arrays, X)
    single = np.vstack([forward(stack, arrays, X[[i]]) for i in range(len(X))])
    np.testing.assert_allclose(whole, single, rtol=1e-12)
    np.testing.assert_array_equal(whole, forward(stack, arrays, csr_array(X)))
