"""Units of training and units of the data.

Training works on centred inputs of mean variance one and on codes of unit variance;
a fitted network takes and returns the user's units. The maps between them are affine
and are folded into the first and the last layer of each half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skae._blocks import moments
from skae._network import Arrays, Dense, Layer, Network, Parts, Stack, Weights

if TYPE_CHECKING:
    from collections.abc import Iterable

# Codes that vary less than this share of the most variable one count as constant.
_SMALLEST_RELATIVE_CODE = 1e-6


@dataclass(frozen=True)
class Affine:
    """The map ``x @ matrix + shift``; a float stands for that multiple of identity."""

    matrix: np.ndarray | float
    shift: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return _product(X, self.matrix) + self.shift

    def apply_in_place(self, X: np.ndarray) -> None:
        """Map the rows where they are, by a multiple of identity."""
        X *= self.matrix
        X += self.shift

    def inverse(self) -> Affine:
        """Return the map that undoes this one."""
        if isinstance(self.matrix, float):
            inverse: Any = 1 / self.matrix
        else:
            inverse = np.linalg.inv(self.matrix)
        return Affine(inverse, -_product(self.shift, inverse))


class RowsInUnits:
    """Rows in other units, and of single precision, computed where they are asked for.

    They are a `RowSource`, of which no copy of all rows is made.
    """

    def __init__(self, X: np.ndarray, units: Affine | None) -> None:
        self.shape = X.shape
        self._X = X
        # As precise as the rows are: double would take several times as long.
        self._units = units and Affine(units.matrix, units.shift.astype(X.dtype))

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: Any) -> np.ndarray:
        # Four times as quick as an index, of many rows.
        by_index = isinstance(rows, np.ndarray)
        found = self._X.take(rows, axis=0) if by_index else self._X[rows]
        if self._units is not None:
            found = self._units(found)
        return found.astype(np.float32, copy=False)

    def take(self, indices: np.ndarray, axis: int, out: np.ndarray, mode: Any) -> None:
        """Write rows to `out`, which is quicker than to take copies of them."""
        if self._X.dtype != out.dtype:
            out[...] = self[indices]
            return
        self._X.take(indices, axis, out, mode)
        if self._units is not None:
            self._units.apply_in_place(out)


def _product(a: Any, b: Any) -> Any:
    return a * b if isinstance(a, float) or isinstance(b, float) else a @ b


def fold_before(affine: Affine, stack: Stack, arrays: Arrays) -> Arrays:
    """Return the arrays of ``x -> stack(affine(x))``.

    A convolution takes a multiple of identity without a shift.
    """
    parts = stack.split(arrays)
    layers, shortcut, head = (
        list(parts.layers),
        list(parts.shortcut),
        parts.log_variance,
    )
    layers[:2] = _layer_before(affine, stack.layers[0], *layers[:2])
    if head and len(stack.layers) == 1:
        head = _layer_before(affine, stack.layers[0], *head)
    if shortcut:
        # The bias of the linear path, wherever that is.
        biases = layers if len(shortcut) == 1 else shortcut
        biases[-1] = biases[-1] + affine.shift @ shortcut[0]
        shortcut[0] = _product(affine.matrix, shortcut[0])
    return Parts(layers, shortcut, head).all


def _layer_before(
    affine: Affine, layer: Layer, kernel: np.ndarray, bias: np.ndarray
) -> Arrays:
    if isinstance(layer, Dense):
        bias = bias + affine.shift @ kernel
    return [_product(affine.matrix, kernel), bias]


def _fold_after(affine: Affine, stack: Stack, arrays: Arrays) -> Arrays:
    """Return the arrays of ``x -> affine(stack(x))``, whose last layer is linear.

    A log-variance follows a diagonal matrix.
    """
    parts = stack.split(arrays)
    *hidden, kernel, bias = parts.layers
    last = [_product(kernel, affine.matrix), _product(bias, affine.matrix)]
    shortcut = [_product(array, affine.matrix) for array in parts.shortcut]
    biases = shortcut if len(shortcut) == 2 else last
    if isinstance(stack.layers[-1], Dense) or shortcut:
        biases[-1] = biases[-1] + affine.shift
    head = parts.log_variance
    if head:
        head = [head[0], head[1] + np.log(np.diag(affine.matrix) ** 2)]
    return Parts([*hidden, *last], shortcut, head).all


class Units(NamedTuple):
    """Maps from the units that the weights expect to the units wanted.

    Attributes
    ----------
    inputs : Affine or None
        Of the rows; `None` leaves them, as a nonlinear output must.
    codes : Affine or None
        Of the codes; `None` leaves them, as a nonlinear code must.
    """

    inputs: Affine | None
    codes: Affine | None

    def inverse(self) -> Units:
        return Units(*(affine and affine.inverse() for affine in self))


def change_units(network: Network, weights: Weights, units: Units) -> Weights:
    """Return weights for inputs and codes in other units.

    The function from old inputs to old codes and back stays the same.
    """
    encoder, decoder = weights
    if units.inputs is not None:
        encoder = fold_before(units.inputs.inverse(), network.encoder, encoder)
        decoder = _fold_after(units.inputs, network.decoder, decoder)
    if units.codes is not None:
        encoder = _fold_after(units.codes, network.encoder, encoder)
        decoder = fold_before(units.codes.inverse(), network.decoder, decoder)
    return Weights(encoder, decoder)


class CodeMoments(NamedTuple):
    """Moments of codes as trained, about unit variance.

    Attributes
    ----------
    mean : ndarray of shape (n_components,)
    covariance : ndarray of shape (n_components, n_components)
    loadings : ndarray of shape (n_features, n_components)
        Multiples of their covariances with the features.
    """

    mean: np.ndarray
    covariance: np.ndarray
    loadings: np.ndarray

    def under(self, affine: Affine) -> CodeMoments:
        """Return those of the mapped codes."""
        matrix = np.asarray(affine.matrix)
        return CodeMoments(
            affine(self.mean),
            matrix.T @ self.covariance @ matrix,
            self.loadings @ matrix,
        )

    @property
    def scale(self) -> np.ndarray:
        """The codes' standard deviations, with 1 for constant ones."""
        scale = np.sqrt(np.clip(np.diag(self.covariance), 0.0, None))
        varies = scale > _SMALLEST_RELATIVE_CODE * scale.max(initial=0)
        return np.where(varies, scale, 1.0)

    @property
    def signs(self) -> np.ndarray:
        """The signs with which codes covary positively with a feature.

        Of each code, it is the feature with which it covaries most, as with PCA.
        """
        strongest = np.abs(self.loadings).argmax(axis=0)
        signs = np.sign(self.loadings[strongest, np.arange(len(self.mean))])
        return np.where(signs == 0, 1, signs)


def code_moments(blocks: Iterable[tuple[np.ndarray, np.ndarray]]) -> CodeMoments:
    """Return the moments of codes, from blocks of them and of the rows encoded."""
    found = moments((codes, np.hstack([codes, rows])) for codes, rows in blocks)
    n_components = len(found.means[0])
    own, others = np.hsplit(found.scatter, [n_components])
    return CodeMoments(found.means[0], own / max(found.n_rows - 1, 1), others.T)


def principal_codes(
    trained: CodeMoments, unit_scale: np.ndarray, whiten: bool
) -> Affine:
    """Find the map of trained codes to centred ones along their principal axes.

    Parameters
    ----------
    trained : CodeMoments
    unit_scale : ndarray of shape (n_components,)
        What a code of unit variance stands for; the axes are found in these units.
    whiten : bool
        Whether the codes get unit variance.

    Returns
    -------
    affine : Affine
        Codes under this map are uncorrelated and sorted by variance.
    """
    scaled = trained.under(Affine(np.diag(unit_scale), np.zeros(len(unit_scale))))
    _, axes = np.linalg.eigh(scaled.covariance)
    return _centred(trained, unit_scale[:, np.newaxis] * axes[:, ::-1], whiten)


def centred_codes(trained: CodeMoments, unit_scale: np.ndarray, whiten: bool) -> Affine:
    """Find the map of trained codes to centred ones, each with PCA's sign.

    The parameters are those of `principal_codes`; the codes keep their order and are
    not mixed.
    """
    return _centred(trained, np.diag(unit_scale), whiten)


def _centred(trained: CodeMoments, matrix: np.ndarray, whiten: bool) -> Affine:
    mapped = trained.under(Affine(matrix, -trained.mean @ matrix))
    factors = mapped.signs / mapped.scale if whiten else mapped.signs
    return Affine(matrix * factors, -trained.mean @ matrix * factors)


def prior_codes(mean: np.ndarray, log_variance: np.ndarray) -> Affine:
    """Find the map of variational codes that brings them closest to the prior.

    Of all maps of single codes, this one has the least divergence from a standard
    normal: over the rows, means and variances add up to mean 0 and variance 1.

    Parameters
    ----------
    mean, log_variance : ndarray of shape (n_samples, n_components)
        Of the codes as trained.
    """
    centre = mean.mean(axis=0)
    scale = np.sqrt(mean.var(axis=0) + np.exp(log_variance).mean(axis=0))
    return Affine(np.diag(1 / scale), -centre / scale)
