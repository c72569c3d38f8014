"""Units of training and units of the data, and the affine maps between them.

Training works on centred inputs of mean variance one and on codes of unit variance; a
fitted network takes and returns the user's units. The maps between the two are affine
and are folded into the first and the last layer of each half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skae._network.description import (
    Arrays,
    Dense,
    Layer,
    Network,
    Stack,
    StackArrays,
    Weights,
)

if TYPE_CHECKING:
    from skae._utils.blocks import DataRows


@dataclass(frozen=True, eq=False)
class Affine:
    """The map ``x @ matrix + shift``; a float stands for that multiple of identity."""

    matrix: np.ndarray | float
    shift: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return _product(X, self.matrix) + self.shift

    def apply_in_place(self, X: np.ndarray) -> None:
        """Overwrite the rows with their image; the matrix must be a float."""
        X *= self.matrix
        X += self.shift

    def inverse(self) -> Affine:
        """Return the inverse map."""
        if isinstance(self.matrix, float):
            inverse: Any = 1 / self.matrix
        else:
            inverse = np.linalg.inv(self.matrix)
        return Affine(inverse, -_product(self.shift, inverse))


def scaling(scale: np.ndarray) -> Affine:
    """Return the map that multiplies each coordinate by its scale."""
    return Affine(np.diag(scale), np.zeros(len(scale)))


class MappedRows:
    """Rows under an affine map, in single precision, computed when they are read.

    They are a `RowSource`, so that no copy of all rows is made.
    """

    def __init__(self, X: DataRows, units: Affine | None) -> None:
        self.shape = X.shape
        self._X = X
        # In the precision of the rows: double would take several times as long.
        self._units = units and Affine(units.matrix, units.shift.astype(X.dtype))

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: Any) -> np.ndarray:
        # For many rows, `take` is four times as quick as an index.
        by_index = isinstance(rows, np.ndarray)
        found = self._X.take(rows, axis=0) if by_index else self._X[rows]
        if self._units is not None:
            found = self._units(found)
        return found.astype(np.float32, copy=False)

    def take(self, indices: np.ndarray, axis: int, out: np.ndarray, mode: Any) -> None:
        """Write rows to `out`, which is quicker than to return copies of them."""
        if self._X.dtype != out.dtype:
            out[...] = self[indices]
            return
        self._X.take(indices, axis, out, mode)
        if self._units is not None:
            self._units.apply_in_place(out)


def _product(a: Any, b: Any) -> Any:
    return a * b if isinstance(a, float) or isinstance(b, float) else a @ b


def fold_before(affine: Affine, stack: Stack, parts: StackArrays) -> StackArrays:
    """Return the arrays of ``x -> stack(affine(x))``.

    Before a convolution, the map must be a multiple of identity without a shift.
    """
    layers, shortcut = list(parts.layers), list(parts.shortcut)
    head = parts.log_variance_head
    layers[:2] = _layer_before(affine, stack.layers[0], *layers[:2])
    if head and len(stack.layers) == 1:
        head = _layer_before(affine, stack.layers[0], *head)
    if shortcut:
        # The linear path has its own bias, or shares that of the last layer.
        biases = layers if len(shortcut) == 1 else shortcut
        biases[-1] = biases[-1] + affine.shift @ shortcut[0]
        shortcut[0] = _product(affine.matrix, shortcut[0])
    target_head = parts.target_head
    if target_head:
        target_head = _layer_before(affine, stack.target_head, *target_head)
    return StackArrays(layers, shortcut, head, target_head)


def _layer_before(
    affine: Affine, layer: Layer, kernel: np.ndarray, bias: np.ndarray
) -> Arrays:
    if isinstance(layer, Dense):
        bias = bias + affine.shift @ kernel
    return [_product(affine.matrix, kernel), bias]


def fold_after(affine: Affine, stack: Stack, parts: StackArrays) -> StackArrays:
    """Return the arrays of ``x -> affine(stack(x))``, whose last layer is linear.

    If the stack has a log-variance head, the matrix must be diagonal.
    """
    *hidden, kernel, bias = parts.layers
    last = [_product(kernel, affine.matrix), _product(bias, affine.matrix)]
    shortcut = [_product(array, affine.matrix) for array in parts.shortcut]
    biases = shortcut if len(shortcut) == 2 else last
    if isinstance(stack.layers[-1], Dense) or shortcut:
        biases[-1] = biases[-1] + affine.shift
    head = parts.log_variance_head
    if head:
        head = [head[0], head[1] + np.log(np.diag(affine.matrix) ** 2)]
    return StackArrays([*hidden, *last], shortcut, head, parts.target_head)


class Units(NamedTuple):
    """Maps from the units that weights are in to the units that are wanted.

    Attributes
    ----------
    inputs : Affine or None
        Map of the rows. `None` leaves them unchanged, as a nonlinear output requires.
    codes : Affine or None
        Map of the codes. `None` leaves them unchanged, as a nonlinear code requires.
    """

    inputs: Affine | None
    codes: Affine | None

    def inverse(self) -> Units:
        """Return the inverse maps."""
        return Units(
            self.inputs and self.inputs.inverse(), self.codes and self.codes.inverse()
        )


def change_units(network: Network, weights: Weights, units: Units) -> Weights:
    """Return weights for inputs and codes in other units.

    The network computes the same function of the rows, expressed in the new units.
    """
    encoder = network.encoder.split(weights.encoder)
    decoder = network.decoder.split(weights.decoder)
    if units.inputs is not None:
        encoder = fold_before(units.inputs.inverse(), network.encoder, encoder)
        decoder = fold_after(units.inputs, network.decoder, decoder)
    if units.codes is not None:
        encoder = fold_after(units.codes, network.encoder, encoder)
        decoder = fold_before(units.codes.inverse(), network.decoder, decoder)
    return Weights(encoder.joined(), decoder.joined())
