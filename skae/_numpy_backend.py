"""The network run by NumPy: description and arrays in, output out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import issparse
from scipy.special import erf, expit
from sklearn.utils import gen_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from skae._network import Arrays, Stack

# Rows are taken in blocks whose intermediate results stay in the processor's cache;
# it also bounds the memory of a call and the part of a sparse input that is densified.
_BLOCK_ROWS = 1024

# Klambauer et al. (2017), "Self-Normalizing Neural Networks".
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)


def _leaky_relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, x.dtype.type(0.2) * x, out=x)


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _selu(x: np.ndarray) -> np.ndarray:
    scale, alpha = x.dtype.type(_SELU_SCALE), x.dtype.type(_SELU_ALPHA)
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x: np.ndarray) -> np.ndarray:
    cdf = erf(x * x.dtype.type(np.sqrt(0.5)))
    cdf += 1
    cdf *= x
    cdf *= x.dtype.type(0.5)
    return cdf


def _silu(x: np.ndarray) -> np.ndarray:
    return np.multiply(x, expit(x), out=x)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, x.dtype.type(0))


def _softmax(x: np.ndarray) -> np.ndarray:
    x -= x.max(axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    return x


# Each may overwrite its argument, which the forward pass owns.
_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
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


def _forward_block(stack: Stack, arrays: Arrays, X: np.ndarray) -> np.ndarray:
    H = X
    last = len(stack.layers) - 1
    for i, layer in enumerate(stack.layers):
        H = H @ arrays[2 * i]
        H += arrays[2 * i + 1]
        if stack.shortcut and i == last:
            H += X @ arrays[-1]
        H = _FUNCTIONS[layer.activation](H)
    return H


def forward(stack: Stack, arrays: Arrays, X: np.ndarray) -> np.ndarray:
    """Run the stack on the rows of `X`, a dense or CSR array of the arrays' dtype.

    Returns
    -------
    Y : ndarray of shape (n_rows, stack.n_outputs)
    """
    n_rows = X.shape[0]
    if n_rows <= _BLOCK_ROWS and not issparse(X):
        return _forward_block(stack, arrays, X)
    Y = np.empty((n_rows, stack.n_outputs), dtype=arrays[0].dtype)
    for rows in gen_batches(n_rows, _BLOCK_ROWS):
        block = X[rows].toarray() if issparse(X) else X[rows]
        Y[rows] = _forward_block(stack, arrays, block)
    return Y
