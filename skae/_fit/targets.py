"""Targets beside the rows, and the linear head on PCA's codes that predicts them.

A network that is trained beside targets has to beat PCA with this head, and its own
head starts there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skae._network.losses import LOSSES, TARGET_LOSSES
from skae._utils.blocks import row_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skae._fit.pca import PrincipalAxes
    from skae._network.affine import Affine
    from skae._network.description import Arrays
    from skae._utils.blocks import RowSource

# The units of both losses are at least these shares of what the mean of the rows and no
# codes at all leave: where PCA or its head is nearly exact, a unit of next to nothing
# would make the other loss worthless.
_LEAST_ERROR = 1e-3
_LEAST_TARGET_LOSS = 0.1

# Strength of the L2 penalty on the head of PCA's codes, which have unit variance: that
# of one row. It is the default of scikit-learn's LogisticRegression and Ridge.
_PENALTY = 1.0

# Steps in which the head of classes is found: about, as it is only a start.
_MAX_ITER = 200

# A class without a row to train on is as frequent as so many rows would make it.
_ROWS_OF_ABSENT_CLASS = 0.5


@dataclass(frozen=True, eq=False)
class Targets:
    """Labels of the rows of a fit.

    Attributes
    ----------
    kind : {"classes", "numbers"}
    labels : ndarray of shape (n_rows, n_labels), float32
        As the loss of that kind takes them, for the rows of `X` followed by those of
        `X_val`. Rows without a label have weight 0, and the mean weight is 1.
    n_outputs : int
        Number of classes, or of numbers of a row.
    """

    kind: str
    labels: np.ndarray
    n_outputs: int

    @property
    def strata(self) -> np.ndarray | None:
        """For classes, the class of each row as an integer, and -1 without a label."""
        if self.kind != "classes":
            return None
        classes = self.labels.argmax(axis=1)
        return np.where(self.weights > 0, classes, -1)

    @property
    def weights(self) -> np.ndarray:
        """The weight of each row; 0 without a label."""
        if self.kind == "classes":
            weights: np.ndarray = self.labels.sum(axis=1)
            return weights
        return self.labels[:, -1]


class TargetHead(NamedTuple):
    """A linear layer from codes to targets.

    Attributes
    ----------
    kind : {"classes", "numbers"}
    kernel : ndarray of shape (n_components, n_outputs)
    bias : ndarray of shape (n_outputs,)
    unit : float
        What a target loss of 1 is in the units of the reconstruction loss, if the
        losses of PCA and its head are both to count as 1.
    """

    kind: str
    kernel: np.ndarray
    bias: np.ndarray
    unit: float

    @property
    def arrays(self) -> Arrays:
        """Kernel and bias, as a network has them."""
        return [self.kernel, self.bias]

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        outputs: np.ndarray = codes @ self.kernel + self.bias
        return outputs

    def losses(self, labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Return the loss of each row, of shape (n_rows, 1)."""
        found: np.ndarray = TARGET_LOSSES[self.kind](np, labels.astype(float), outputs)
        return found

    def with_arrays(self, arrays: Arrays) -> TargetHead:
        """Return the head with another kernel and bias."""
        kernel, bias = (array.astype(np.float64) for array in arrays)
        return self._replace(kernel=kernel, bias=bias)

    def after(self, units: Affine | None) -> TargetHead:
        """Return the head of codes that `units` maps to those of this head."""
        if units is None:
            return self
        bias = self.bias + units.shift @ self.kernel
        return self._replace(kernel=units.matrix @ self.kernel, bias=bias)

    def without_codes(self) -> TargetHead:
        """Return the head with a kernel of zeros."""
        return self._replace(kernel=np.zeros_like(self.kernel))

    def astype(self, dtype: np.typing.DTypeLike) -> TargetHead:
        """Return the head with arrays in another precision."""
        return self._replace(
            kernel=self.kernel.astype(dtype), bias=self.bias.astype(dtype)
        )


def pca_codes(axes: PrincipalAxes, Z: np.ndarray) -> np.ndarray:
    """Return PCA's codes of unit variance."""
    codes: np.ndarray = (Z - axes.mean) @ axes.components.T / axes.unit_scale
    return codes


def head_of_pca(
    axes: PrincipalAxes, Z: RowSource, rows: np.ndarray, targets: Targets, loss: str
) -> TargetHead:
    """Fit the linear head to PCA's codes of the given rows, and find the units."""
    codes, losses, least = [], 0.0, 0.0
    for block in row_blocks(Z, rows):
        codes.append(pca_codes(axes, block))
        output = axes.reconstruct(block)
        losses += LOSSES[loss](np, block, output).mean(axis=1, dtype=float).sum()
        mean = np.broadcast_to(axes.mean, block.shape)
        least += LOSSES[loss](np, block, mean).mean(axis=1, dtype=float).sum()
    error = max(losses, _LEAST_ERROR * least) / len(rows)
    labels = targets.labels[rows].astype(np.float64)
    head = fitted_head(np.concatenate(codes), labels, targets.kind)
    target_loss = _mean_loss(head, np.concatenate(codes), labels)
    return head._replace(unit=float(error / target_loss) if error > 0 else 1.0)


def _mean_loss(head: TargetHead, codes: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean loss of the head, which is not taken to be next to nothing."""
    constant = np.tile(_constant_outputs(labels, head.kind), (len(codes), 1))
    least = _LEAST_TARGET_LOSS * head.losses(labels, constant).mean()
    reached = head.losses(labels, head(codes)).mean()
    return float(max(reached, least, np.finfo(np.float64).tiny))


def _constant_outputs(labels: np.ndarray, kind: str) -> np.ndarray:
    """Return the best outputs that do not depend on the codes."""
    if kind == "classes":
        totals = labels.sum(axis=0)
        n_labelled = max((labels.sum(axis=1) > 0).sum(), 1)
        share = totals / max(totals.sum(), np.finfo(np.float64).tiny)
        least = _ROWS_OF_ABSENT_CLASS / n_labelled
        outputs: np.ndarray = np.log(np.maximum(share, least))
        return outputs
    weights = labels[:, -1]
    total = max(weights.sum(), np.finfo(np.float64).tiny)
    return weights @ labels[:, :-1] / total


def fitted_head(codes: np.ndarray, labels: np.ndarray, kind: str) -> TargetHead:
    """Fit a linear head to codes of unit variance."""
    fit = _head_of_classes if kind == "classes" else _head_of_numbers
    return TargetHead(kind, *fit(codes, labels), unit=1.0)


def _head_of_numbers(
    codes: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit ridge regression."""
    numbers, weights = labels[:, :-1], labels[:, -1]
    share = weights / max(weights.sum(), np.finfo(np.float64).tiny)
    center, mean = share @ codes, share @ numbers
    n_labelled = max((weights > 0).sum(), 1)
    weighted = (codes - center).T * (share * n_labelled)
    scatter = weighted @ (codes - center) + _PENALTY * np.eye(codes.shape[1])
    kernel = np.linalg.solve(scatter, weighted @ (numbers - mean))
    return kernel, mean - center @ kernel


def _head_of_classes(
    codes: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit logistic regression; a class without a row has a small constant share."""
    from sklearn.exceptions import ConvergenceWarning  # serving needs neither
    from sklearn.linear_model import LogisticRegression

    kernel = np.zeros((codes.shape[1], labels.shape[1]))
    bias = _constant_outputs(labels, "classes")
    weights = labels.sum(axis=1)
    is_labelled = weights > 0
    classes = labels[is_labelled].argmax(axis=1)
    present = np.unique(classes)
    if len(present) < 2:
        return kernel, bias
    weights = weights[is_labelled] / weights[is_labelled].mean()
    model = LogisticRegression(C=1 / _PENALTY, max_iter=_MAX_ITER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(codes[is_labelled], classes, weights)
    coefficients, intercepts = model.coef_.T, model.intercept_
    if len(present) == 2:  # the log-odds of the second class
        halves = np.array([-0.5, 0.5])
        coefficients, intercepts = coefficients * halves, intercepts * halves
    # Relative to the rows, the others keep their share.
    outputs = codes[is_labelled] @ coefficients + intercepts
    level = np.log(np.exp(outputs - outputs.max()).sum(axis=1)).mean() + outputs.max()
    kernel[:, present] = coefficients
    bias[present] = intercepts - level
    return kernel, bias


def errors_by_row(
    kind: str, labels: np.ndarray, outputs: Sequence[np.ndarray]
) -> np.ndarray:
    """Return the error of each row by each of the outputs, and last by a constant.

    The error of a class is 0 or 1, and a constant's is 1: the score is the accuracy.
    The error of numbers is squared, and the constant is their mean: the score is R2.
    Rows without a label have no error.

    Returns
    -------
    errors : ndarray of shape (n_rows, n_outputs + 1)
    """
    if kind == "classes":
        is_labelled, classes = labels.sum(axis=1) > 0, labels.argmax(axis=1)
        wrong = [output.argmax(axis=1) != classes for output in outputs]
        errors = [*wrong, np.ones(len(labels))]
    else:
        is_labelled, numbers = labels[:, -1] > 0, labels[:, :-1]
        all_outputs = [*outputs, np.zeros_like(numbers)]
        errors = [np.square(output - numbers).mean(axis=1) for output in all_outputs]
    return np.column_stack(errors) * is_labelled[:, np.newaxis]


def scores(errors: np.ndarray) -> list[float]:
    """Return one minus each column's share of the last one, which is left out."""
    *sums, constant = errors.sum(axis=0).tolist()
    # Without any label on the rows, the score is not defined.
    return [1 - total / constant if constant > 0 else float("nan") for total in sums]
