"""Operations that replace Keras's own while a network is trained.

They compute the same values with fewer or quicker operations. Keras models for the user
are built from Keras's own layers, as a model with these could not be saved.
"""

from __future__ import annotations

from functools import partial
from math import pi
from typing import Any

import keras
import tensorflow as tf

from skae._network.description import Conv, Upsample
from skae._network.keras_interpreter import (
    STANDARD,
    Operations,
    build_conv,
    build_upsample,
)


@keras.ops.custom_gradient
def _gelu(x: Any) -> Any:
    """Compute Keras's exact gelu, with a gradient of half as many operations.

    On small networks, these take a third of the time of a step.
    """
    below = 0.5 * keras.ops.erf(_SQRT_HALF * x) + 0.5

    def gradient(upstream: Any) -> Any:
        density = _NORMAL_DENSITY * keras.ops.exp(-0.5 * keras.ops.square(x))
        return upstream * (below + x * density)

    return x * below, gradient


_SQRT_HALF = 0.5**0.5
_NORMAL_DENSITY = (2 * pi) ** -0.5

_ACTIVATIONS = {"gelu": _gelu}

# TensorFlow 2.21 fuses a sum followed by one of these activations into an operation
# that it does not have, fails, and logs an error. Spelled out they are safe.
_SPELLED_OUT = {
    "relu": lambda x: keras.ops.maximum(x, 0.0),
    "elu": lambda x: keras.ops.where(
        x > 0, x, keras.ops.expm1(keras.ops.minimum(x, 0.0))
    ),
}


@tf.custom_gradient
def _convolve_to_fewer(x: tf.Tensor, kernel: tf.Tensor) -> Any:
    """Convolve images to fewer channels, with a gradient of convolutions to more.

    TensorFlow's gradient takes several times as long on processors without AVX-512.
    """
    *size, n_inputs, n_outputs = kernel.shape

    def flipped(kernel: tf.Tensor) -> tf.Tensor:
        return tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_flipped = tf.raw_ops.Conv2DBackpropFilter(
            input=upstream,
            filter_sizes=(*size, n_outputs, n_inputs),
            out_backprop=x,
            strides=(1, 1, 1, 1),
            padding="SAME",
        )
        of_inputs = tf.nn.conv2d(upstream, flipped(kernel), 1, "SAME")
        return of_inputs, flipped(of_flipped)

    return tf.nn.conv2d(x, kernel, 1, "SAME"), gradient


def _convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolve sequences or images."""
    *size, n_inputs, n_outputs = kernel.shape
    if len(size) == 1:
        return tf.squeeze(_convolve(x[:, tf.newaxis], kernel[tf.newaxis]), axis=1)
    # A kernel of even size is padded on one side more, and flipped on the other.
    if n_outputs < n_inputs and all(length % 2 for length in size):
        return _convolve_to_fewer(x, kernel)
    return tf.nn.conv2d(x, kernel, 1, "SAME")


class _Conv1D(keras.layers.Conv1D):
    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return _convolve(inputs, tf.convert_to_tensor(kernel))


class _Conv2D(keras.layers.Conv2D):
    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return _convolve(inputs, tf.convert_to_tensor(kernel))


def _repeat_twice(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Repeat each value along an axis.

    Keras computes with shapes for this, which is tens of operations in the gradient.
    """
    shape = x.shape.as_list()
    shape[axis] *= 2
    return tf.reshape(tf.stack([x, x], axis + 1), shape)


class _UpSampling1D(keras.layers.UpSampling1D):
    def call(self, inputs: Any) -> Any:
        return _repeat_twice(inputs, 1)


class _UpSampling2D(keras.layers.UpSampling2D):
    def call(self, inputs: Any) -> Any:
        return _repeat_twice(_repeat_twice(inputs, 1), 2)


def _keep_about_largest(x: Any, n_active: int) -> Any:
    """Keep the largest values of each row, and all that equal the smallest of them.

    This is quicker than to keep exactly `n_active` values.
    """
    largest, _ = keras.ops.top_k(x, n_active)
    return x * keras.ops.cast(x >= largest[:, -1:], "float32")


FAST = Operations(
    STANDARD.builders
    | {
        Conv: partial(build_conv, kinds={1: _Conv1D, 2: _Conv2D}),
        Upsample: partial(build_upsample, kinds={1: _UpSampling1D, 2: _UpSampling2D}),
    },
    activations=_ACTIVATIONS,
    sum_activations=_ACTIVATIONS | _SPELLED_OUT,
    keep_largest=_keep_about_largest,
)
