"""Derivatives of a network run by NumPy: description, arrays and rows to Jacobians.

They are exact for every layer and activation of :mod:`skae._network.numpy_interpreter`.
A `Trace` is a forward pass over a block of rows that keeps what the derivatives need.
Directions are pushed from the inputs to the outputs, or gradients are pulled back from
the outputs to the inputs: whichever are fewer cost less.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import erf, expit
from sklearn.utils import gen_batches

from skae._network.description import Conv, Dense, MaxPool, Upsample
from skae._network.numpy_interpreter import (
    FUNCTIONS,
    OPERATIONS,
    SELU_ALPHA,
    SELU_SCALE,
    add_shortcut,
    along,
    every_other,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skae._network.description import Arrays, Layer, Stack, StackArrays

# Values of a block's widest intermediate result, for all of its directions.
_BLOCK_VALUES = 2**21

_ROOT_OF_HALF = np.sqrt(0.5)
_NORMAL_DENSITY_AT_0 = 1 / np.sqrt(2 * np.pi)


def _gelu(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    density = _NORMAL_DENSITY_AT_0 * np.exp(-0.5 * x * x)
    slope: np.ndarray = 0.5 * (1 + erf(x * _ROOT_OF_HALF)) + x * density
    return slope


def _silu(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    sigmoid = expit(x)
    slope: np.ndarray = sigmoid * (1 + x * (1 - sigmoid))
    return slope


# Derivatives of the elementwise functions, given their arguments and values. Where a
# function has a corner, the derivative is the one that Keras takes.
_SLOPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "relu": lambda x, y: np.where(x > 0, 1.0, 0.0),
    "leaky_relu": lambda x, y: np.where(x > 0, 1.0, 0.2),
    "elu": lambda x, y: np.where(x > 0, 1.0, np.exp(np.minimum(x, 0))),
    "selu": lambda x, y: (
        SELU_SCALE * np.where(x > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(x, 0)))
    ),
    "gelu": _gelu,
    "silu": _silu,
    "tanh": lambda x, y: 1 - y * y,
    "sigmoid": lambda x, y: y * (1 - y),
    "softplus": lambda x, y: expit(x),
}


class _Step(NamedTuple):
    """A layer in a forward pass, with what its derivative depends on.

    Attributes
    ----------
    layer : Layer
    arrays : list of ndarray
        Kernel and bias, if the layer has them.
    shape : tuple of int
        Shape of the values of a row that the activation gets. They are flat after a
        linear path, which matters to a softmax.
    chosen : list of ndarray of bool
        For each axis that is pooled, whether the second of each pair is the larger.
    slope : ndarray or None
        Derivative of the activation at each value; `None` for a linear one.
    softmax : ndarray or None
        Values of a softmax, whose derivative is no slope.
    kept : ndarray of bool or None
        The values that a layer with `n_active` keeps.
    """

    layer: Layer
    arrays: Arrays
    shape: tuple[int, ...]
    chosen: list[np.ndarray]
    slope: np.ndarray | None
    softmax: np.ndarray | None
    kept: np.ndarray | None

    def through_activation(self, D: np.ndarray) -> np.ndarray:
        """Multiply by the derivative of the activation, which is symmetric."""
        D = D.reshape(*D.shape[:2], *self.shape)
        if self.kept is not None:
            D = D * self.kept[:, None]
        if self.softmax is not None:
            y = self.softmax[:, None]
            D = y * (D - (D * y).sum(axis=-1, keepdims=True))
        return D if self.slope is None else D * self.slope[:, None]


class Trace:
    """A forward pass over a block of rows, for the derivatives at these rows."""

    def __init__(self, stack: Stack, parts: StackArrays, X: np.ndarray) -> None:
        self.stack = stack
        self._shortcut = parts.shortcut
        self._steps: list[_Step] = []
        remaining = iter(parts.layers)
        last, H = len(stack.layers) - 1, X
        for i, layer in enumerate(stack.layers):
            H = H.reshape(-1, *layer.input_shape)
            own = [next(remaining), next(remaining)] if layer.has_weights else []
            chosen = _chosen(H) if isinstance(layer, MaxPool) else []
            H = OPERATIONS[type(layer)](layer, own, H)
            if i == last and parts.shortcut:
                H = add_shortcut(H, parts.shortcut, X)
            H, step = _activate(layer, own, chosen, H)
            self._steps.append(step)

    def push(self, directions: np.ndarray) -> np.ndarray:
        """Return the changes of the outputs along changes of the inputs.

        Parameters
        ----------
        directions : ndarray of shape (n_rows, n_directions, n_inputs)

        Returns
        -------
        changes : ndarray of shape (n_rows, n_directions, n_outputs)
        """
        D = directions
        for step in self._steps:
            D = _by_layer(_PUSH, step, D, step.layer.input_shape)
            if step is self._steps[-1] and self._shortcut:
                D += (directions @ self._shortcut[0]).reshape(D.shape)
            D = step.through_activation(D)
        return D.reshape(*D.shape[:2], -1)

    def pull(self, gradients: np.ndarray) -> np.ndarray:
        """Return gradients with respect to the inputs, from those of the outputs.

        Parameters
        ----------
        gradients : ndarray of shape (n_rows, n_gradients, n_outputs)

        Returns
        -------
        gradients : ndarray of shape (n_rows, n_gradients, n_inputs)
        """
        D, by_shortcut = gradients, None
        for step in self._steps[::-1]:
            D = step.through_activation(D)
            if by_shortcut is None and self._shortcut:
                by_shortcut = D.reshape(*D.shape[:2], -1) @ self._shortcut[0].T
            D = _by_layer(_PULL, step, D, step.layer.output_shape)
        D = D.reshape(*D.shape[:2], -1)
        return D if by_shortcut is None else D + by_shortcut


def _activate(
    layer: Layer, arrays: Arrays, chosen: list[np.ndarray], x: np.ndarray
) -> tuple[np.ndarray, _Step]:
    """Return the values of the layer, and the step of the trace."""
    name = layer.activation
    y = FUNCTIONS[name](x.copy())
    slope = _SLOPES[name](x, y).astype(x.dtype) if name in _SLOPES else None
    softmax = y if name == "softmax" else None
    kept = None
    if isinstance(layer, Dense) and layer.n_active is not None:
        order = np.argsort(-y, axis=1, kind="stable")
        kept = np.zeros(y.shape, dtype=bool)
        np.put_along_axis(kept, order[:, : layer.n_active], True, axis=1)
        y = y * kept
    return y, _Step(layer, arrays, y.shape[1:], chosen, slope, softmax, kept)


# --- The linear part of each layer, and its transpose ---


def _by_layer(
    operations: dict[type[Layer], Callable[[_Step, np.ndarray], np.ndarray]],
    step: _Step,
    D: np.ndarray,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Apply an operation to all directions of all rows, as if they were rows."""
    n_rows, n_directions = D.shape[:2]
    flat = operations[type(step.layer)](step, D.reshape(-1, *shape))
    return flat.reshape(n_rows, n_directions, *flat.shape[1:])


def _push_dense(step: _Step, D: np.ndarray) -> np.ndarray:
    pushed: np.ndarray = D @ step.arrays[0]
    return pushed


def _pull_dense(step: _Step, D: np.ndarray) -> np.ndarray:
    pulled: np.ndarray = D @ step.arrays[0].T
    return pulled


def _push_conv(step: _Step, D: np.ndarray) -> np.ndarray:
    kernel, bias = step.arrays
    return OPERATIONS[Conv](step.layer, [kernel, np.zeros_like(bias)], D)


def _pull_conv(step: _Step, D: np.ndarray) -> np.ndarray:
    """Convolve with the kernel turned round, its channels and filters exchanged.

    Padding of an even size is one longer after the values than before, and has to be
    turned round as well: the values are turned instead, before and after.
    """
    kernel, _ = step.arrays
    layer = step.layer
    assert isinstance(layer, Conv)
    n_channels = layer.input_shape[-1]
    axes = tuple(range(1, D.ndim - 1))
    turned = Conv(layer.output_shape, n_channels, layer.kernel_size)
    exchanged = [np.swapaxes(kernel, -1, -2), np.zeros(n_channels, kernel.dtype)]
    pulled = OPERATIONS[Conv](turned, exchanged, np.flip(D, axes))
    return np.flip(pulled, axes)


def _chosen(x: np.ndarray) -> list[np.ndarray]:
    """Tell for each axis whether the second of each pair is the larger one."""
    chosen = []
    for axis in range(1, x.ndim - 1):
        first, second = (every_other(x, axis, start) for start in (0, 1))
        y = first.copy()
        paired = y[along(axis, slice(second.shape[axis]))]
        chosen.append(second > paired)
        np.maximum(paired, second, out=paired)
        x = y
    return chosen


def _repeated(chosen: np.ndarray, n: int) -> np.ndarray:
    """Repeat each row for its directions."""
    return np.repeat(chosen, n // len(chosen), axis=0)


def _push_pool(step: _Step, D: np.ndarray) -> np.ndarray:
    for axis, chosen in enumerate(step.chosen, start=1):
        first, second = (every_other(D, axis, start) for start in (0, 1))
        D = first.copy()
        paired = D[along(axis, slice(second.shape[axis]))]
        np.copyto(paired, second, where=_repeated(chosen, len(D)))
    return D


def _pull_pool(step: _Step, D: np.ndarray) -> np.ndarray:
    sizes = step.layer.input_shape[:-1]
    pairs = [*enumerate(zip(step.chosen, sizes, strict=True), start=1)]
    for axis, (chosen, size) in pairs[::-1]:
        pulled = np.zeros((*D.shape[:axis], size, *D.shape[axis + 1 :]), D.dtype)
        is_second = _repeated(chosen, len(D))
        n_pairs = slice(is_second.shape[axis])
        paired = D[along(axis, n_pairs)]
        every_other(pulled, axis, 0)[...] = D
        np.copyto(
            every_other(pulled, axis, 0)[along(axis, n_pairs)], 0, where=is_second
        )
        np.copyto(every_other(pulled, axis, 1), paired, where=is_second)
        D = pulled
    return D


def _push_upsample(step: _Step, D: np.ndarray) -> np.ndarray:
    return OPERATIONS[Upsample](step.layer, [], D)


def _pull_upsample(step: _Step, D: np.ndarray) -> np.ndarray:
    for axis in range(1, D.ndim - 1):
        first, second = (every_other(D, axis, start) for start in (0, 1))
        D = first.copy()
        paired = D[along(axis, slice(second.shape[axis]))]
        paired += second
    return D


_PUSH: dict[type[Layer], Callable[[_Step, np.ndarray], np.ndarray]] = {
    Dense: _push_dense,
    Conv: _push_conv,
    MaxPool: _push_pool,
    Upsample: _push_upsample,
}
_PULL: dict[type[Layer], Callable[[_Step, np.ndarray], np.ndarray]] = {
    Dense: _pull_dense,
    Conv: _pull_conv,
    MaxPool: _pull_pool,
    Upsample: _pull_upsample,
}


# --- Jacobians of blocks of rows ---


def jacobian_blocks(
    stack: Stack, arrays: Arrays, X: np.ndarray, by: str
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield parts of the Jacobian, small enough for the memory.

    Parameters
    ----------
    stack : Stack
    arrays : list of ndarray
    X : ndarray of shape (n_rows, n_inputs)
    by : {"outputs", "inputs"}
        Whether each row of the Jacobian belongs to an output, pulled back to the
        inputs, or to an input, pushed to the outputs.

    Yields
    ------
    part : slice
        The rows of the Jacobian.
    jacobian : ndarray of shape (n_rows_of_block, n_part, n_inputs or n_outputs)
    """
    parts = stack.split(arrays)
    n_units = stack.n_outputs if by == "outputs" else stack.n_inputs
    width = max(stack.max_width, *(prod(layer.output_shape) for layer in stack.layers))
    n_together = min(n_units, max(1, _BLOCK_VALUES // width))
    n_rows = max(1, _BLOCK_VALUES // (width * n_together))
    with np.errstate(under="ignore"):
        for block in gen_batches(len(X), n_rows):
            trace = Trace(stack, parts, X[block])
            for part in gen_batches(n_units, n_together):
                seeds = np.eye(n_units, dtype=arrays[0].dtype)[part]
                seeds = np.broadcast_to(seeds, (len(X[block]), *seeds.shape))
                yield part, (trace.pull if by == "outputs" else trace.push)(seeds)


def summed_jacobian(
    stack: Stack, arrays: Arrays, X: np.ndarray, by: str, absolute: bool
) -> np.ndarray:
    """Return the sum over rows of the Jacobian, or of its absolute values.

    Returns
    -------
    total : ndarray of shape (n_outputs, n_inputs), or its transpose
        A row for each output with ``by="outputs"``, or for each input.
    """
    shape = (stack.n_outputs, stack.n_inputs)
    total = np.zeros(shape if by == "outputs" else shape[::-1])
    for part, jacobian in jacobian_blocks(stack, arrays, X, by):
        values = np.abs(jacobian) if absolute else jacobian
        total[part] += values.sum(axis=0, dtype=np.float64)
    return total
