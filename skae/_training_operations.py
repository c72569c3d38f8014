"""Operations that stand for Keras's own while a network is trained."""

from __future__ import annotations

from functools import partial
from math import pi
from typing import Any

import keras
import tensorflow as tf

from skae._keras_backend import VIEW, Operations, build_conv, build_upsample
from skae._network import Conv, Upsample


@keras.ops.custom_gradient
def _gelu(x: Any) -> Any:
    """Compute Keras's exact gelu, with a gradient in half of the operations.

    On small networks these take a third of the time of a step.
    """
    below = 0.5 * keras.ops.erf(_SQRT_HALF * x) + 0.5

    def gradient(upstream: Any) -> Any:
        density = _NORMAL_DENSITY * keras.ops.exp(-0.5 * keras.ops.square(x))
        return upstream * (below + x * density)

    return x * below, gradient


_SQRT_HALF = 0.5**0.5
_NORMAL_DENSITY = (2 * pi) ** -0.5

# What takes the place of activations. A model with them could not be saved.
_ACTIVATIONS = {"gelu": _gelu}

# TensorFlow 2.21 fuses a sum with these activations into an operation that it does not
# have, fails, and reports it for all to see. Spelled out they are safe.
_SPELLED_OUT = {
    "relu": lambda x: keras.ops.maximum(x, 0.0),
    "elu": lambda x: keras.ops.where(
        x > 0, x, keras.ops.expm1(keras.ops.minimum(x, 0.0))
    ),
}


@tf.custom_gradient
def _narrowing(x: tf.Tensor, kernel: tf.Tensor) -> Any:
    """Convolve images to fewer channels, with a gradient that only widens.

    That of TensorFlow takes several times as long on processors without AVX-512.
    """
    *size, n_inputs, n_outputs = kernel.shape

    def turned(kernel: tf.Tensor) -> tf.Tensor:
        return tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_turned = tf.raw_ops.Conv2DBackpropFilter(
            input=upstream,
            filter_sizes=(*size, n_outputs, n_inputs),
            out_backprop=x,
            strides=(1, 1, 1, 1),
            padding="SAME",
        )
        return tf.nn.conv2d(upstream, turned(kernel), 1, "SAME"), turned(of_turned)

    return tf.nn.conv2d(x, kernel, 1, "SAME"), gradient


def _convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolve sequences, or images."""
    *size, n_inputs, n_outputs = kernel.shape
    if len(size) == 1:
        return tf.squeeze(_convolve(x[:, tf.newaxis], kernel[tf.newaxis]), axis=1)
    # An even kernel is padded on one side more, and turned on the other.
    if n_outputs < n_inputs and all(length % 2 for length in size):
        return _narrowing(x, kernel)
    return tf.nn.conv2d(x, kernel, 1, "SAME")


class _Conv1D(keras.layers.Conv1D):
    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return _convolve(inputs, tf.convert_to_tensor(kernel))


class _Conv2D(keras.layers.Conv2D):
    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return _convolve(inputs, tf.convert_to_tensor(kernel))


def _twice(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Repeat each value along an axis.

    Keras computes with shapes for it, which is tens of operations in the gradient.
    """
    shape = x.shape.as_list()
    shape[axis] *= 2
    return tf.reshape(tf.stack([x, x], axis + 1), shape)


class _UpSampling1D(keras.layers.UpSampling1D):
    def call(self, inputs: Any) -> Any:
        return _twice(inputs, 1)


class _UpSampling2D(keras.layers.UpSampling2D):
    def call(self, inputs: Any) -> Any:
        return _twice(_twice(inputs, 1), 2)


def _keep_about_largest(x: Any, n_active: int) -> Any:
    """Keep the largest values of each row, and all that equal the last of them.

    That is quicker than to keep as many as asked.
    """
    largest, _ = keras.ops.top_k(x, n_active)
    return x * keras.ops.cast(x >= largest[:, -1:], "float32")


TRAINING = Operations(
    VIEW.builders
    | {
        Conv: partial(build_conv, kinds={1: _Conv1D, 2: _Conv2D}),
        Upsample: partial(build_upsample, kinds={1: _UpSampling1D, 2: _UpSampling2D}),
    },
    activations=_ACTIVATIONS,
    sum_activations=_ACTIVATIONS | _SPELLED_OUT,
    keep_largest=_keep_about_largest,
)
