"""PCA of the training rows: where training starts, and what it has to beat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from skae._utils.blocks import moments

if TYPE_CHECKING:
    from skae._network.affine import Affine
    from skae._utils.blocks import RowSource

# Directions with a standard deviation below this share of the largest are noise of
# single precision, in which networks are trained: they are treated as spare.
_SMALLEST_RELATIVE_SCALE = 1e-5

# Probabilistic PCA without any error would know the codes exactly.
_SMALLEST_POSTERIOR = 1e-6

# Arrays of more values are not copied to be decomposed.
_MANY_VALUES = 2**22


@dataclass(frozen=True, eq=False)
class PrincipalAxes:
    """PCA with a number of components, and zeros for spare components.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    components : ndarray of shape (n_components, n_features)
        Orthonormal rows with scikit-learn's signs, by decreasing variance.
    scale : ndarray of shape (n_components,)
        Standard deviation along each component.
    variance_ratio : ndarray of shape (n_components,)
        Share of the total variance along each component.
    noise_variance : float
        Mean variance of the directions left out: the noise of probabilistic PCA
        (Tipping & Bishop, 1999).
    error : float
        Mean squared error of the reconstruction of the training rows, over features.
    """

    mean: np.ndarray
    components: np.ndarray
    scale: np.ndarray
    variance_ratio: np.ndarray
    noise_variance: float
    error: float

    def reconstruct(self, X: np.ndarray, n_components: int | None = None) -> np.ndarray:
        """Project rows on the first components, or on all of them."""
        components = self.components[:n_components]
        return (X - self.mean) @ components.T @ components + self.mean

    @cached_property
    def unit_scale(self) -> np.ndarray:
        """What a code of unit variance stands for, in the units of the rows.

        It is the scale, or for spare components the smallest scale of the others.
        """
        used = self.scale > _SMALLEST_RELATIVE_SCALE * self.scale.max(initial=0.0)
        least = self.scale[used].min() if used.any() else 1.0
        return np.where(used, self.scale, least)

    @property
    def is_used(self) -> np.ndarray:
        """Whether each component explains anything; the others are spare."""
        used: np.ndarray = self.scale == self.unit_scale
        return used

    @property
    def log_posterior_variance(self) -> np.ndarray:
        """Log posterior variance of a code of unit variance (probabilistic PCA).

        Along spare components it is 0, as in the prior.
        """
        share = self.noise_variance / self.unit_scale**2
        log_share = np.log(np.clip(share, _SMALLEST_POSTERIOR, 1))
        return np.where(self.is_used, log_share, 0.0)


@dataclass(frozen=True, eq=False)
class Decomposition:
    """PCA of rows: the first directions, and variances of these or more.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    directions : ndarray of shape (n_directions, n_features)
    variances : ndarray of shape (n_variances,)
        In decreasing order.
    n_samples : int
    rest : float
        Sum of the variances that are not listed.
    n_rest : int
        Number of these variances.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    n_samples: int
    rest: float = 0.0
    n_rest: int = 0

    @property
    def variance_ratio(self) -> np.ndarray:
        """Share of the total variance along each direction."""
        total = self.variances.sum() + self.rest
        total = max(total, np.finfo(np.float64).tiny)
        ratio: np.ndarray = self.variances / total
        return ratio

    def keeping(self, n_directions: int) -> Decomposition:
        """Return the decomposition without the other directions, which take memory."""
        return replace(self, directions=self.directions[:n_directions].copy())

    def under(self, affine: Affine | None) -> Decomposition:
        """Return PCA of the rows under a map whose matrix is a float."""
        if affine is None:
            return self
        assert isinstance(affine.matrix, float)
        factor = affine.matrix**2
        return replace(
            self,
            mean=affine(self.mean),
            variances=factor * self.variances,
            rest=factor * self.rest,
        )

    def axes(self, n_components: int) -> PrincipalAxes:
        """Return PCA with that number of components, spare ones included."""
        n_found = min(n_components, len(self.variances))
        spare = (0, n_components - n_found)
        left_out = self.variances[n_found:]
        n_left_out, unexplained = (
            len(left_out) + self.n_rest,
            left_out.sum() + self.rest,
        )
        n_samples, n_features = self.n_samples, len(self.mean)
        return PrincipalAxes(
            self.mean,
            np.pad(self.directions[:n_found], (spare, (0, 0))),
            np.pad(np.sqrt(self.variances[:n_found]), spare),
            np.pad(self.variance_ratio[:n_found], spare),
            float(unexplained / n_left_out) if n_left_out else 0.0,
            float(unexplained / n_features * (n_samples - 1) / n_samples),
        )


def decompose(
    X: RowSource, exact: bool = True, rows: np.ndarray | None = None
) -> Decomposition:
    """Fit PCA in double precision, with the variances of all components.

    Large data takes long; see `LargePCA`.

    Parameters
    ----------
    X : RowSource of shape (n_samples, n_features)
    exact : bool
        Whether components with a standard deviation of 1e-6 of the first one's matter.
        If they do not and there are more rows than features, the covariance is
        decomposed instead: several times quicker, and without a copy of the rows. Very
        many rows are always decomposed like this.
    rows : ndarray of int or None
        Indices of the rows to use, `None` for all.
    """
    n_samples, n_features = len(X) if rows is None else len(rows), X.shape[1]
    very_many = n_samples * n_features > _MANY_VALUES and n_samples > 10 * n_features
    if very_many or (n_samples > n_features and not exact):
        return _decompose_covariance(X, rows)
    return _decompose_rows(X[:] if rows is None else X[rows])


def _decompose_covariance(X: RowSource, rows: np.ndarray | None) -> Decomposition:
    found = moments(X, rows)
    variances, directions = np.linalg.eigh(found.scatter / (found.n_rows - 1))
    variances = np.clip(variances[::-1], 0.0, None)
    directions = with_signs(directions.T[::-1])
    return Decomposition(found.means[0], directions, variances, found.n_rows)


def _decompose_rows(X: np.ndarray) -> Decomposition:
    mean = X.mean(axis=0, dtype=np.float64)
    _, scales, directions = np.linalg.svd(X - mean, full_matrices=False)
    variances = scales**2 / max(len(X) - 1, 1)
    return Decomposition(mean, with_signs(directions), variances, len(X))


def with_signs(directions: np.ndarray) -> np.ndarray:
    """Make the largest entry of each direction positive, as scikit-learn does."""
    rows = np.arange(len(directions))
    largest = directions[rows, np.abs(directions).argmax(axis=1)]
    return directions * np.sign(largest)[:, np.newaxis]
