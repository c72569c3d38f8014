"""The training rows of a fit, with their mean, scale and PCA, each found once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from skae._fit.large_pca import LargePCA
from skae._fit.pca import decompose
from skae._utils.blocks import mean_and_variance, row_blocks
from skae._utils.repeats import first_of_equal_rows

if TYPE_CHECKING:
    from skae._fit.pca import Decomposition
    from skae._fit.targets import Targets
    from skae._train.config import Split
    from skae._utils.blocks import DataRows

# With more multiplications than these, a decomposition of all rows takes seconds.
_MANY_MULTIPLICATIONS = 2**28

# The root mean variance of the features must exceed this, and its inverse must too.
_LEAST_SCALE = {"float32": 1e-30, "float64": 1e-150}


@dataclass(frozen=True, eq=False)
class HoldoutRequest:
    """What the user says of the rows to hold out; by default nothing.

    Attributes
    ----------
    groups : ndarray of int, of shape (n_samples,), or None
        Rows of a group stay on one side of a split.
    gap : int
        For rows in the order of time, within how many rows neighbours are alike; 0 for
        rows in no order.
    X_val : ndarray or SparseRows of shape (n_held_out, n_features), or None
        The rows to hold out in the place of a share of the training rows.
    splits : tuple of Split
        The splits of the user's splitter; `()` if the choice is ours.
    """

    groups: np.ndarray | None = None
    gap: int = 0
    X_val: DataRows | None = None
    splits: tuple[Split, ...] = ()


INDEPENDENT = HoldoutRequest()


class TrainingRows:
    """Training rows in the units of the data.

    Attributes
    ----------
    X : ndarray or SparseRows of shape (n_samples, n_features)
    estimator : str
        Name of the estimator's class, for messages.
    holdout : HoldoutRequest
        What the user says of the rows to hold out.
    targets : Targets or None
        What the network is trained to predict, beside the rows.
    """

    def __init__(
        self,
        X: DataRows,
        estimator: str,
        holdout: HoldoutRequest = INDEPENDENT,
        targets: Targets | None = None,
    ) -> None:
        self.X = X
        self.estimator = estimator
        self.holdout = holdout
        self.targets = targets

    @cached_property
    def mean_and_scale(self) -> tuple[np.ndarray, float]:
        """Mean of the features, and their root mean variance (1 if they are constant).

        Raises
        ------
        ValueError
            If the rows vary so much or so little that squares or weights in the units
            of the data leave the range of their precision.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = mean_and_variance(self.X)
            scale = float(np.sqrt(variance.mean()))
        least = _LEAST_SCALE[self.X.dtype.name]
        if least < scale < 1 / least:
            return mean, scale
        first = self.X[:1]
        if not any((block != first).any() for block in row_blocks(self.X)):
            return mean, 1.0
        raise ValueError(
            f"{self.estimator} got X with values from {self.X.min():g} to "
            f"{self.X.max():g}, which vary too "
            f"{'little' if scale <= least else 'much'} for {self.X.dtype} arithmetic. "
            "Scale X (for instance with MaxAbsScaler)."
        )

    def check_scale(self) -> None:
        """Raise ValueError if the rows vary too much or too little to be squared."""
        _ = self.mean_and_scale

    @property
    def are_many(self) -> bool:
        """Whether operations on all rows take so long that they have to be quick."""
        n_multiplications = self.X.size * min(self.X.shape)
        is_sparse = not isinstance(self.X, np.ndarray)
        return is_sparse or n_multiplications > _MANY_MULTIPLICATIONS

    @cached_property
    def large_pca(self) -> LargePCA | None:
        """PCA with products that are found once, if the rows are many; else `None`."""
        if not self.are_many:
            return None
        return LargePCA(self.X, self.mean_and_scale[0])

    def pca(self, n_components: int) -> Decomposition:
        """Return PCA of all rows, as exactly as scikit-learn does."""
        if self.large_pca is None:
            return decompose(self.X)
        return self.large_pca.decompose(n_components, exact=True)

    @cached_property
    def _variance_ratio(self) -> np.ndarray:
        """Shares of the variance along all components, though not to the last digit."""
        self.check_scale()
        if self.large_pca is None:
            return decompose(self.X, exact=False).variance_ratio
        variances = self.large_pca.variances()
        return variances / max(variances.sum(), np.finfo(np.float64).tiny)

    @cached_property
    def first_of_equal(self) -> np.ndarray | None:
        """Index of the first row that equals each row; `None` if all are different."""
        return first_of_equal_rows(self.X)

    def unexplained_by_pca(self, n_components: int) -> np.ndarray:
        """Return the share of the variance that the first components leave unexplained.

        It has shape (n_components,). As in scikit-learn, it is measured on the rows
        that PCA is fitted to. Constant rows leave nothing.
        """
        ratio = self._variance_ratio[:n_components]
        ratio = np.pad(ratio, (0, n_components - len(ratio)))
        return np.maximum(1 - np.cumsum(ratio), 0.0) if ratio.any() else ratio
