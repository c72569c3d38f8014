"""The units of the codes of a fitted network: axes, centre, scale and signs.

Codes train at about unit variance. Afterwards linear codes are brought into units that
users of PCA expect; the change is folded into the weights and leaves the reconstruction
as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skae._network.affine import Affine, scaling
from skae._network.losses import clip_log_variance
from skae._network.numpy_interpreter import forward, forward_log_variance
from skae._utils.blocks import moments

if TYPE_CHECKING:
    from skae._network.description import Arrays, Stack
    from skae._utils.blocks import RowSource

# Codes that vary less than this share of the most variable one count as constant.
_SMALLEST_RELATIVE_CODE = 1e-6


class CodeUnits(NamedTuple):
    """The units of a fitted network's codes.

    Attributes
    ----------
    map : Affine or None
        From the codes as trained to those of the fit; `None` for no change.
    scale : ndarray of shape (n_components,) or None
        What a code of unit variance becomes; `None` for 1.
    """

    map: Affine | None = None
    scale: np.ndarray | None = None


class CodeMoments(NamedTuple):
    """Moments of codes.

    Attributes
    ----------
    mean : ndarray of shape (n_components,)
    covariance : ndarray of shape (n_components, n_components)
    loadings : ndarray of shape (n_features, n_components)
        Proportional to the covariances of the codes with the features.
    """

    mean: np.ndarray
    covariance: np.ndarray
    loadings: np.ndarray

    def under(self, affine: Affine) -> CodeMoments:
        """Return the moments of the mapped codes."""
        matrix = np.asarray(affine.matrix)
        return CodeMoments(
            self.mean @ matrix + affine.shift,
            matrix.T @ self.covariance @ matrix,
            self.loadings @ matrix,
        )

    @property
    def scale(self) -> np.ndarray:
        """Standard deviations of the codes, with 1 for constant codes."""
        scale = np.sqrt(np.clip(np.diag(self.covariance), 0.0, None))
        varies = scale > _SMALLEST_RELATIVE_CODE * scale.max(initial=0)
        return np.where(varies, scale, 1.0)

    @property
    def signs(self) -> np.ndarray:
        """Signs that make each code covary positively with its strongest feature.

        PCA's components have these signs, too.
        """
        strongest = np.abs(self.loadings).argmax(axis=0)
        signs = np.sign(self.loadings[strongest, np.arange(len(self.mean))])
        return np.where(signs == 0, 1, signs)


class TrainedCodes:
    """The codes of the training rows as trained, computed when they are asked for.

    They are computed in double precision: in single, they would depend on how BLAS
    divides the work.
    """

    def __init__(
        self,
        encoder: Stack,
        arrays: Arrays,
        Z: RowSource,
        rows: np.ndarray | None = None,
    ) -> None:
        self._encoder = encoder
        self._arrays = arrays
        self._Z = Z
        self._rows = rows

    def moments(self) -> CodeMoments:
        """Return the moments of the codes and of their products with the features."""

        def codes_and_features(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            Z = block.astype(np.float64)
            codes = forward(self._encoder, self._arrays, Z)
            return codes, np.hstack([codes, Z])

        found = moments(self._Z, self._rows, codes_and_features)
        n_components = len(found.means[0])
        own, others = np.hsplit(found.scatter, [n_components])
        return CodeMoments(found.means[0], own / max(found.n_rows - 1, 1), others.T)

    def posterior_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the variance of codes drawn from the rows' posteriors."""

        def means_and_variances(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            Z = block.astype(np.float64)
            means = forward(self._encoder, self._arrays, Z)
            head = forward_log_variance(self._encoder, self._arrays, Z)
            variances = np.exp(clip_log_variance(np, head))
            return means, np.hstack([means, variances])

        found = moments(self._Z, self._rows, means_and_variances)
        mean, (_, variance) = found.means[0], np.split(found.means[1], 2)
        of_means = np.diag(found.scatter) / found.n_rows
        return mean, of_means + variance


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
        Whether the mapped codes have unit variance.

    Returns
    -------
    affine : Affine
        Codes under this map are uncorrelated and sorted by variance.
    """
    scaled = trained.under(scaling(unit_scale))
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


def prior_codes(mean: np.ndarray, variance: np.ndarray) -> Affine:
    """Find the map of variational codes that brings them closest to the prior.

    Among all maps of single codes, this one has the smallest divergence from a standard
    normal: codes drawn from the rows' posteriors get mean 0 and variance 1.

    Parameters
    ----------
    mean, variance : ndarray of shape (n_components,)
        Moments of the codes as trained.
    """
    scale = np.sqrt(variance)
    return Affine(np.diag(1 / scale), -mean / scale)
