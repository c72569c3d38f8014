"""The operations of training compute what Keras's own layers compute."""

import numpy as np
import pytest
import tensorflow as tf

from skae._network.architectures import Activations, FeatureMaps, conv_network
from skae._network.description import Dense, Stack
from skae._network.keras_interpreter import StackLayers
from skae._network.numpy_interpreter import forward
from skae._train.fast_layers import FAST
from tests.networks import draw_weights


def outputs_and_gradients(layers, arrays, X, output_weights):
    """Return the outputs, and gradients of a weighted sum of them."""
    layers.set_arrays(arrays)
    with tf.GradientTape() as tape:
        tape.watch(X)
        outputs = layers(X)
        total = tf.reduce_sum(output_weights * outputs)
    variables = [variable.value for variable in layers.variables]
    return [outputs, *tape.gradient(total, [X, *variables])]


@pytest.mark.parametrize("half", ["encoder", "decoder"])
@pytest.mark.parametrize(
    ("activation", "shape", "kernel_size"),
    [
        *[(activation, (6, 5, 1), 3) for activation in ("relu", "elu", "gelu")],
        *[("gelu", (12, 2), kernel_size) for kernel_size in (2, 3)],
        *[("gelu", (7, 5, 2), kernel_size) for kernel_size in (1, 2, 5)],
    ],
)
def test_outputs_and_gradients_equal_those_of_standard_layers(
    half, activation, shape, kernel_size
):
    rng = np.random.default_rng(0)
    network = conv_network(
        FeatureMaps(shape, (4, 3), kernel_size),
        (5, 2),
        Activations(activation, activation, activation),
        shortcut=True,
    )
    stack, arrays = getattr(network, half), getattr(draw_weights(network), half)
    X = tf.constant(rng.normal(size=(7, stack.n_inputs)), tf.float32)
    output_weights = tf.constant(rng.normal(size=(7, stack.n_outputs)), tf.float32)
    fast, standard = (
        outputs_and_gradients(layers, arrays, X, output_weights)
        for layers in (
            StackLayers(stack.pooled_early, "half", FAST),
            StackLayers(stack, "half"),
        )
    )
    for found, expected in zip(fast, standard, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    by_numpy = forward(stack, arrays, X.numpy().astype(float))
    np.testing.assert_allclose(fast[0], by_numpy, atol=1e-5)


def test_largest_values_are_kept_with_all_that_equal_them():
    layers = StackLayers(Stack((Dense(5, 5, n_active=2),)), "half", FAST)
    layers.set_arrays([np.eye(5), np.zeros(5)])
    X = tf.constant([[3.0, 1, 2, 5, 4], [-1, -2, -3, -4, -5], [7, 1, 6, 6, 0]])
    expected = [[0, 0, 0, 5, 4], [-1, -2, 0, 0, 0], [7, 0, 6, 6, 0]]
    np.testing.assert_array_equal(layers(X), expected)
