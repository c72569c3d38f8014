"""The network run by NumPy: a description, its arrays and rows to the output."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import erf, expit
from sklearn.utils import gen_batches

from skae._network.description import Conv, Dense, MaxPool, Upsample

if TYPE_CHECKING:
    from collections.abc import Callable

    from skae._network.description import Arrays, Layer, Stack, StackArrays

# Rows are processed in blocks whose intermediate results stay in the processor's cache.
# That also bounds the memory of a call, and the part of a sparse input that is dense.
_BLOCK_ROWS = 1024
_BLOCK_BYTES = 2**21

# Shared with the derivatives (:mod:`skae._network.jacobian`), as are the functions,
# operations and helpers without an underscore. Klambauer et al. (2017),
# "Self-Normalizing Neural Networks".
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)


def _leaky_relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, x.dtype.type(0.2) * x, out=x)


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _selu(x: np.ndarray) -> np.ndarray:
    scale, alpha = x.dtype.type(SELU_SCALE), x.dtype.type(SELU_ALPHA)
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


# In single precision, SciPy's error function would take most of a network's time. The
# normal distribution function is approximated by (1 + tanh(x p(x^2))) / 2 to within
# 1e-7. The polynomial p was fitted by weighted least squares (coefficients from the
# highest power on); beyond the largest square the result no longer changes. For few
# values the error function is quicker, as the approximation is many operations.
_GELU_POLYNOMIAL = (
    1.75627762e-09,
    -1.32266285e-07,
    3.96477322e-06,
    -5.53063171e-05,
    -3.25947438e-05,
    3.63330844e-02,
    7.97884941e-01,
)
_GELU_LARGEST_SQUARE = 32.0
_FEW_VALUES = 2048
# This many values stay in the processor's first cache with all intermediate results.
_GELU_VALUES = 2**15


def _gelu(x: np.ndarray) -> np.ndarray:
    if x.dtype != np.float32 or x.size < _FEW_VALUES:
        cdf = x * x.dtype.type(np.sqrt(0.5))
        erf(cdf, out=cdf)
        cdf += 1
        cdf *= x
        cdf *= x.dtype.type(0.5)
        return cdf
    values = x.ravel()
    for part in gen_batches(len(values), _GELU_VALUES):
        _gelu_in_place(values[part])
    return values.reshape(x.shape)


def _gelu_in_place(x: np.ndarray) -> None:
    square = x * x
    np.minimum(square, np.float32(_GELU_LARGEST_SQUARE), out=square)
    highest, *others, constant = map(np.float32, _GELU_POLYNOMIAL)
    y = square * highest
    for coefficient in others:
        y += coefficient
        y *= square
    y += constant
    y *= x
    np.tanh(y, out=y)
    y += 1
    y *= np.float32(0.5)
    x *= y


def _silu(x: np.ndarray) -> np.ndarray:
    return np.multiply(x, expit(x), out=x)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, x.dtype.type(0))


def _softmax(x: np.ndarray) -> np.ndarray:
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


# Each function may overwrite its argument, which the forward pass owns.
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "tanh": lambda x: np.tanh(x, out=x),
    "sigmoid": lambda x: expit(x, out=x),
    "softplus": _softplus,
    "softmax": _softmax,
}


def _dense(layer: Dense, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    kernel, bias = arrays
    y = x @ kernel
    y += bias
    return y


def _convolve(layer: Conv, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    """Multiply the kernel with the patches around all positions, one patch a row.

    A column of ones multiplies the bias, which saves a pass over the result.
    """
    kernel, bias = arrays
    n_rows, *sizes, n_channels = x.shape
    before, after = (layer.kernel_size - 1) // 2, layer.kernel_size // 2
    x = np.pad(x, [(0, 0), *[(before, after)] * len(sizes), (0, 0)])
    n_inputs = kernel.size // layer.filters
    patches = np.empty((n_rows, *sizes, n_inputs + 1), x.dtype)
    patches[..., -1] = 1
    for i, offset in enumerate(product(range(layer.kernel_size), repeat=len(sizes))):
        window = [slice(i, i + size) for i, size in zip(offset, sizes, strict=True)]
        channels = slice(i * n_channels, (i + 1) * n_channels)
        patches[..., channels] = x[(slice(None), *window)]
    matrix = np.vstack([kernel.reshape(n_inputs, -1), bias])
    y = patches.reshape(-1, n_inputs + 1) @ matrix
    return y.reshape(n_rows, *layer.output_shape)


def _max_pool(layer: MaxPool, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    for axis in range(1, x.ndim - 1):
        first, second = (every_other(x, axis, start) for start in (0, 1))
        n_pairs = second.shape[axis]
        y = first.copy()
        paired = y[along(axis, slice(n_pairs))]
        np.maximum(paired, second, out=paired)
        x = y
    return x


def _upsample(layer: Upsample, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    for axis, size in enumerate(layer.output_shape[:-1], start=1):
        y = np.empty((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype)
        for start in (0, 1):
            target = every_other(y, axis, start)
            target[...] = x[along(axis, slice(target.shape[axis]))]
        x = y
    return x


def along(axis: int, index: slice) -> tuple[slice, ...]:
    return (*[slice(None)] * axis, index)


def every_other(x: np.ndarray, axis: int, start: int) -> np.ndarray:
    return x[along(axis, slice(start, None, 2))]


# Each operation returns a new array, the values before the activation.
OPERATIONS: dict[type[Layer], Callable[[Any, Arrays, np.ndarray], np.ndarray]] = {
    Dense: _dense,
    Conv: _convolve,
    MaxPool: _max_pool,
    Upsample: _upsample,
}


def _keep_largest(x: np.ndarray, n_active: int) -> np.ndarray:
    order = np.argsort(-x, axis=1, kind="stable")
    np.put_along_axis(x, order[:, n_active:], 0, axis=1)
    return x


def add_shortcut(y: np.ndarray, shortcut: Arrays, X: np.ndarray) -> np.ndarray:
    kernel, *biases = shortcut
    y = y.reshape(len(X), -1)
    y += X @ kernel
    for bias in biases:
        y += bias
    return y


def forward(stack: Stack, arrays: Arrays, X: np.ndarray) -> np.ndarray:
    """Run the stack on the rows of `X`, a dense or CSR array of the arrays' dtype.

    Activations may underflow to zero, whatever `np.seterr` is set to.

    Returns
    -------
    Y : ndarray of shape (n_rows, stack.n_outputs)
    """
    stack, parts = stack.pooled_early, stack.split(arrays)
    n_rows = X.shape[0]
    with np.errstate(under="ignore"):
        if n_rows == 1 and not issparse(X):
            return _forward_block(stack, parts, X)
        Y = np.empty((n_rows, stack.n_outputs), dtype=arrays[0].dtype)
        fitting = _BLOCK_BYTES // (Y.dtype.itemsize * stack.max_width)
        for rows in gen_batches(n_rows, min(max(fitting, 1), _BLOCK_ROWS)):
            block = X[rows].toarray() if issparse(X) else X[rows]
            Y[rows] = _forward_block(stack, parts, block)
        return Y


def _forward_block(stack: Stack, parts: StackArrays, X: np.ndarray) -> np.ndarray:
    last = len(stack.layers) - 1
    remaining = iter(parts.layers)
    H = X
    for i, (layer, shape) in enumerate(
        zip(stack.layers, stack.input_shapes, strict=True)
    ):
        if H.shape[1:] != shape:
            H = H.reshape(-1, *shape)
        own = [next(remaining), next(remaining)] if layer.has_weights else []
        H = OPERATIONS[type(layer)](layer, own, H)
        if i == last and parts.shortcut:
            H = add_shortcut(H, parts.shortcut, X)
        H = FUNCTIONS[layer.activation](H)
        if isinstance(layer, Dense) and layer.n_active is not None:
            H = _keep_largest(H, layer.n_active)
    return H if H.ndim == 2 else H.reshape(len(H), -1)


def forward_log_variance(stack: Stack, arrays: Arrays, X: np.ndarray) -> np.ndarray:
    """Run the stack with its log-variance head in the place of the last layer."""
    parts = stack.split(arrays)
    head = type(stack)((*stack.layers[:-1], stack.head))
    return forward(head, parts.layers[:-2] + parts.log_variance_head, X)
