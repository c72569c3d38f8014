"""How many codes to keep, by what they explain."""

from __future__ import annotations

import numpy as np

from skae._initialization import principal_axes
from skae._ordering import levels

# The elbow is looked for among as many codes as PCA needs for this share of the
# variance, but no more than that number.
_AUTO_SHARE = 0.95
_AUTO_CODES = 64


def unexplained_by_pca(X: np.ndarray, n_components: int) -> np.ndarray:
    """Return the share of the variance that first components leave, as PCA counts it.

    As in scikit-learn, it is that of the rows that PCA is fitted to. Rows that are all
    the same leave nothing.
    """
    ratio = principal_axes(X, n_components, exact=False).variance_ratio
    return np.maximum(1 - np.cumsum(ratio), 0.0) if ratio.any() else ratio


def n_wanted(left: np.ndarray, wanted: float | str) -> int:
    """Return how many codes explain more than the share wanted, or else all of them.

    `left` is the share that first codes leave; "auto" wants the elbow of what they
    explain.
    """
    if isinstance(wanted, str):
        return elbow(1 - left)
    enough = np.flatnonzero(1 - left > wanted)
    return int(enough[0]) + 1 if len(enough) else len(left)


def n_eligible(left_by_pca: np.ndarray, wanted: float | str) -> int:
    """Return how many codes may be kept at most, by what those of PCA leave."""
    if isinstance(wanted, str):
        return min(n_wanted(left_by_pca, _AUTO_SHARE), _AUTO_CODES)
    return len(left_by_pca)


def n_wanted_of_pca(left_by_pca: np.ndarray, wanted: float | str) -> int:
    """Return how many codes of PCA are wanted."""
    return n_wanted(left_by_pca[: n_eligible(left_by_pca, wanted)], wanted)


def n_codes_to_try(X: np.ndarray, wanted: float | str) -> int:
    """Return how many codes to train, of which as many are kept as are wanted.

    PCA says how many are enough. The next power of two is little more work, and spares
    the folds of a search from compiling for numbers of their own.
    """
    left = unexplained_by_pca(X, min(X.shape))
    enough = n_eligible if isinstance(wanted, str) else n_wanted
    return int(min(2 ** int(np.ceil(np.log2(enough(left, wanted)))), X.shape[1]))


def without_the_others(left: np.ndarray) -> np.ndarray:
    """Estimate what any number of codes would leave if they were trained alone.

    `left` is what ordered codes leave. Training attends most to those at the levels, so
    between them it is at most what a straight line between their logarithms says.
    """
    ends = np.array(levels(len(left)))
    n_codes = np.arange(1, len(left) + 1)
    at_ends = np.log(np.maximum(left[ends - 1], np.finfo(np.float64).tiny))
    line = np.exp(np.interp(np.log(n_codes), np.log(ends), at_ends))
    lowest: np.ndarray = np.minimum.accumulate(np.minimum(left, line))
    return lowest


def elbow(explained: np.ndarray) -> int:
    """Return the number of codes at which the curve of explained variance bends most.

    It is where the curve lies highest above the straight line from no codes to all of
    them (Satopää, Albrecht, Irwin & Raghavan, 2011, "Finding a 'kneedle' in a
    haystack").
    """
    n_codes = np.arange(1, len(explained) + 1)
    above = explained - explained[-1] * n_codes / len(explained)
    return int(above.argmax()) + 1
