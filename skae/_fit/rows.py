"""The training rows of a fit, with their mean, scale and PCA, each found once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from skae._fit.pca import decompose
from skae._utils.blocks import mean_and_variance
from skae._utils.repeats import first_of_equal_rows

if TYPE_CHECKING:
    from skae._fit.pca import Decomposition


class TrainingRows:
    """Training rows in the units of the data.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
    estimator : str
        Name of the estimator's class, for messages.
    """

    def __init__(self, X: np.ndarray, estimator: str) -> None:
        self.X = X
        self.estimator = estimator

    @cached_property
    def mean_and_scale(self) -> tuple[np.ndarray, float]:
        """Mean of the features, and their root mean variance (1 if they are constant).

        Raises
        ------
        ValueError
            If the variance is infinite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = mean_and_variance(self.X)
            scale = float(np.sqrt(variance.mean()))
        if not np.isfinite(scale):
            raise ValueError(
                f"{self.estimator} got X with values from {self.X.min():g} to "
                f"{self.X.max():g}, whose variance is infinite in double precision. "
                "Scale X (for instance with MaxAbsScaler)."
            )
        return mean, scale if scale > 0 else 1.0

    @cached_property
    def _pca(self) -> Decomposition:
        """The variances along the components, though not to the last digit."""
        return decompose(self.X, exact=False).keeping(0)

    @cached_property
    def first_of_equal(self) -> np.ndarray | None:
        """Index of the first row that equals each row; `None` if all are different."""
        return first_of_equal_rows(self.X)

    def unexplained_by_pca(self, n_components: int) -> np.ndarray:
        """Return the share of the variance that the first components leave unexplained.

        It has shape (n_components,). As in scikit-learn, it is measured on the rows
        that PCA is fitted to. Constant rows leave nothing.
        """
        ratio = self._pca.variance_ratio[:n_components]
        ratio = np.pad(ratio, (0, n_components - len(ratio)))
        return np.maximum(1 - np.cumsum(ratio), 0.0) if ratio.any() else ratio
