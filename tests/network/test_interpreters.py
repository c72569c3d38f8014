"""Keras and NumPy agree on what a description means."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from skae._network import (
    ACTIVATIONS,
    Activations,
    Dense,
    FeatureMaps,
    Network,
    Stack,
    Weights,
    conv_network,
)
from skae._numpy_backend import forward, forward_log_variance

WIDTHS = st.integers(1, 9)


def draw_arrays(stack, rng):
    return [
        rng.normal(0, shape[0] ** -0.5, shape).astype(np.float32)
        for shape in stack.array_shapes
    ]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(max_examples=5, deadline=None)
@given(
    sizes=st.tuples(WIDTHS, WIDTHS, WIDTHS),
    n_rows=st.integers(1, 20),
    shortcut=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_numpy_matches_keras(activation, sizes, n_rows, shortcut, seed):
    from skae._keras_backend import to_model

    # Keras warns that a softmax over one unit is constant.
    assume(activation != "softmax" or min(sizes) > 1)
    rng = np.random.default_rng(seed)
    n_inputs, n_hidden, n_outputs = sizes
    stack = Stack(
        (Dense(n_inputs, n_hidden, activation), Dense(n_hidden, n_outputs, activation)),
        shortcut,
    )
    arrays = draw_arrays(stack, rng)
    X = rng.normal(size=(n_rows, n_inputs)).astype(np.float32)
    model = to_model(Network(stack, stack), Weights(arrays, []), "encoder")
    output = forward(stack, arrays, X)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, np.asarray(model(X)), rtol=1e-6, atol=1e-6)


SHAPES = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 3)),
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3)),
)


@pytest.mark.parametrize("half", ["encoder", "decoder"])
@settings(max_examples=15, deadline=None)
@given(
    maps=st.builds(
        FeatureMaps,
        SHAPES,
        st.lists(st.integers(1, 4), min_size=1, max_size=2).map(tuple),
        st.integers(1, 4),
    ),
    n_components=st.sampled_from([None, 2]),
    shortcut=st.booleans(),
    activation=st.sampled_from(["relu", "gelu", "tanh"]),
    seed=st.integers(0, 1000),
)
def test_numpy_convolves_as_keras_does(
    half, maps, n_components, shortcut, activation, seed
):
    """Of any size, odd ones and single pixels too."""
    from skae._keras_backend import to_model

    rng = np.random.default_rng(seed)
    network = conv_network(
        maps,
        () if n_components is None else (5, n_components),
        Activations(activation, "linear", "sigmoid"),
        shortcut,
    )
    weights = network.split(
        [rng.normal(0, 0.3, shape).astype(np.float32) for shape in network.array_shapes]
    )
    stack, arrays = getattr(network, half), getattr(weights, half)
    X = rng.normal(size=(3, stack.n_inputs)).astype(np.float32)
    model = to_model(network, weights, half)
    output = forward(stack, arrays, X)
    assert output.shape == (3, stack.n_outputs)
    np.testing.assert_allclose(output, np.asarray(model(X)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "shape", "kernel_size"),
    [
        *[(activation, (6, 5, 1), 3) for activation in ("relu", "elu", "gelu")],
        *[("gelu", (12, 2), kernel_size) for kernel_size in (2, 3)],
        *[("gelu", (7, 5, 2), kernel_size) for kernel_size in (1, 2, 5)],
    ],
)
def test_layers_to_train_equal_the_view(activation, shape, kernel_size):
    """They are in an order, of operations and with gradients that suit training."""
    import tensorflow as tf

    from skae._keras_backend import StackLayers
    from skae._training_operations import TRAINING

    rng = np.random.default_rng(0)
    network = conv_network(
        FeatureMaps(shape, (4, 3), kernel_size),
        (5, 2),
        Activations(activation, activation, activation),
        shortcut=True,
    )
    for stack in (network.encoder, network.decoder):
        arrays = [rng.normal(0, 0.3, shape) for shape in stack.array_shapes]
        X = tf.constant(rng.normal(size=(7, stack.n_inputs)), "float32")
        weights = tf.constant(rng.normal(size=(7, stack.n_outputs)), "float32")
        results = []
        for layers in (
            StackLayers(stack.pooled_early(), "half", TRAINING),
            StackLayers(stack, "half"),
        ):
            layers.set_arrays(arrays)
            with tf.GradientTape() as tape:
                tape.watch(X)
                outputs = layers(X)
                total = tf.reduce_sum(weights * outputs)
            variables = [variable.value for variable in layers.variables]
            results.append([outputs, *tape.gradient(total, [X, *variables])])
        for trained, viewed in zip(*results, strict=True):
            np.testing.assert_allclose(trained, viewed, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            results[0][0], forward(stack, arrays, np.asarray(X, dtype=float)), atol=1e-5
        )


def test_single_precision_gelu_is_right_for_many_values():
    """It is computed in another way than for few of them, and than in double."""
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
def test_largest_values_are_kept_the_first_of_equal_ones(n_active):
    from skae._keras_backend import to_model

    stack = Stack((Dense(5, 5, n_active=n_active),))
    arrays = [np.eye(5, dtype=np.float32), np.zeros(5, np.float32)]
    X = np.float32([[3, 1, 2, 5, 4], [-1, -1, -2, -1, -1], [0, 0, 0, 0, 0]])
    expected = np.zeros_like(X)
    for row, kept in zip(expected, X, strict=True):
        order = sorted(range(5), key=lambda i: (-kept[i], i))[:n_active]
        row[order] = kept[order]
    np.testing.assert_array_equal(forward(stack, arrays, X), expected)
    model = to_model(Network(stack, stack), Weights(arrays, []), "encoder")
    np.testing.assert_array_equal(np.asarray(model(X)), expected)


def test_log_variance_shares_all_but_the_last_layer():
    rng = np.random.default_rng(0)
    stack = Stack((Dense(4, 3, "gelu"), Dense(3, 2)), True, log_variance=True)
    arrays = draw_arrays(stack, rng)
    X = rng.normal(size=(6, 4)).astype(np.float32)
    hidden = forward(Stack(stack.layers[:1]), arrays[:2], X)
    kernel, bias = arrays[-2:]
    np.testing.assert_allclose(
        forward_log_variance(stack, arrays, X), hidden @ kernel + bias, rtol=1e-6
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_extreme_inputs_stay_finite_and_are_not_overwritten(activation):
    stack = Stack((Dense(3, 3, activation),))
    X = np.array([[-800.0, 0.0, 800.0]])
    before = X.copy()
    with np.errstate(over="raise", invalid="raise"):
        output = forward(stack, [np.eye(3), np.zeros(3)], X)
    assert np.isfinite(output).all()
    np.testing.assert_array_equal(X, before)


def test_blocks_and_sparse_rows_give_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    stack = Stack((Dense(4, 3, "gelu"), Dense(3, 2)), shortcut=True)
    arrays = [array.astype(np.float64) for array in draw_arrays(stack, rng)]
    X = rng.normal(size=(2500, 4))
    X[X < 0] = 0
    whole = forward(stack, arrays, X)
    one_by_one = np.vstack([forward(stack, arrays, X[[i]]) for i in range(len(X))])
    np.testing.assert_allclose(whole, one_by_one, rtol=1e-12)
    np.testing.assert_array_equal(whole, forward(stack, arrays, csr_array(X)))
