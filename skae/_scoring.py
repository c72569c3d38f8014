"""Scores of the reconstruction."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sklearn.utils import check_array, gen_batches
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skae._transaction import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scipy.sparse import csr_array

    from skae._utils.blocks import DataRows

Rows: TypeAlias = "np.ndarray | csr_array"

_BLOCK_ROWS = 1024


class ScoreMixin:
    """Mixin that scores rows by the error of their reconstruction."""

    mean_: np.ndarray

    @abstractmethod
    def _validate_rows(self, X: Any) -> Rows:
        """Return the rows as an array of floats, or raise ValueError."""

    @abstractmethod
    def _encode(self, X: Rows) -> np.ndarray:
        """Return the codes of the rows."""

    @abstractmethod
    def _decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of the codes."""

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the share of the variance explained by the reconstruction.

        The score is ``1 - sum(|x - x_reconstructed|^2) / sum(|x - mean|^2)`` over the
        rows, where the mean is that of the training rows. It does not depend on the
        training loss. Higher is better, but the score rises with `n_components`: a
        search over `n_components` should use the score of a downstream model instead.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in both sums.

        Returns
        -------
        score : float
            Explained share of the variance, at most 1. If all rows equal the mean, 1 if
            they are reconstructed exactly and 0 otherwise.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        weights = np.ones(X.shape[0])
        if sample_weight is not None:
            weights = check_array(
                sample_weight,
                ensure_2d=False,
                dtype=np.float64,
                input_name="sample_weight",
            )
            check_consistent_length(X, weights)
        fitted = snapshot(self)
        error = weights @ fitted._squared_errors(X)
        total = weights @ fitted._squared_distances_to_mean(X)
        if total == 0:
            return 1.0 if error == 0 else 0.0
        return float(1 - error / total)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the negative squared reconstruction error of each row.

        The lower the value, the more unusual the row. The squared errors are summed
        over the features. The mean over rows differs from `score`, which is a share of
        the variance. The values are not log-likelihoods, unlike those of the method of
        the same name of :class:`~sklearn.decomposition.PCA`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``-sum((x - x_reconstructed)^2)`` of each row.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        return -fitted._squared_errors(fitted._validate_rows(X))

    def _squared_errors(self, X: Rows) -> np.ndarray:
        def error(block: np.ndarray) -> np.ndarray:
            return block - self._decode(self._encode(block))

        return _row_norms(X, error)

    def _squared_distances_to_mean(self, X: Rows) -> np.ndarray:
        return _row_norms(X, lambda block: block - self.mean_)


def _as_dense(X: Rows) -> np.ndarray:
    return X if isinstance(X, np.ndarray) else X.toarray()


def _row_norms(X: Rows, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the squared norm of each row of ``function(X)``."""

    def norms(rows: np.ndarray) -> np.ndarray:
        block = function(rows)
        return np.einsum("ij,ij->i", block, block, dtype=np.float64)

    return by_blocks(X, norms)


def dense_blocks(X: Rows | DataRows) -> Iterator[np.ndarray]:
    """Yield the rows block by block, as dense arrays."""
    for rows in gen_batches(X.shape[0], _BLOCK_ROWS):
        yield _as_dense(X[rows])


def by_blocks(X: Rows, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return one number for each row, computed block by block to bound the memory."""
    with np.errstate(under="ignore"):
        return np.concatenate([function(block) for block in dense_blocks(X)])
