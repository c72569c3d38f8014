"""Compares an autoencoder with the PCA that it is to replace."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import check_array, check_consistent_length

from skae._base import BaseAutoencoder
from skae._dense import DenseAE
from skae._fit.splits import folds_of_series, gap_of_series
from skae._holdout import group_codes
from skae._utils.html import html_table
from skae._utils.repeats import first_of_equal_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from skae._displays.components_curve import ComponentsCurveDisplay

_N_FOLDS_OF_SERIES = 3


@dataclass(frozen=True, eq=False)
class PCAComparison:
    """Comparison of an autoencoder with PCA, returned by :func:`compare_with_pca`.

    Each array has one row per number of components and one column per split. Printing
    the object shows the means over the splits as a table, for PCA and the autoencoder
    (AE).

    Attributes
    ----------
    n_components : ndarray of shape (n_numbers,)
        Numbers of components.

    pca_errors, autoencoder_errors : ndarray of shape (n_numbers, n_splits)
        Mean squared reconstruction errors over the held-out rows and all features.

    pca_explained, autoencoder_explained : ndarray of shape (n_numbers, n_splits)
        Shares of variance explained by the reconstruction, at most 1. The variance is
        the squared distance of the held-out rows to the mean of the training rows.

    used_network : ndarray of bool, of shape (n_numbers, n_splits)
        Whether the autoencoder uses its network; if `False`, the autoencoder is PCA
        itself.

    pca_scores, autoencoder_scores : ndarray of shape (n_numbers, n_splits) or None
        Scores of the downstream estimator on the codes of the held-out rows, or `None`
        if no estimator was given.
    """

    n_components: np.ndarray
    pca_errors: np.ndarray
    autoencoder_errors: np.ndarray
    pca_explained: np.ndarray
    autoencoder_explained: np.ndarray
    used_network: np.ndarray
    pca_scores: np.ndarray | None = None
    autoencoder_scores: np.ndarray | None = None

    def plot(
        self, ax: Any = None, *, value: str = "error", **kwargs: Any
    ) -> ComponentsCurveDisplay:
        """Draw errors, explained variances or scores by the number of components.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        value : {"error", "explained", "score"}, default="error"
            What to draw.
        **kwargs : dict
            Passed to :meth:`ComponentsCurveDisplay.plot`.

        Returns
        -------
        display : ComponentsCurveDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there are no such values.
        """
        from skae._displays.components_curve import ComponentsCurveDisplay

        return ComponentsCurveDisplay.from_comparison(
            self, value=value, ax=ax, **kwargs
        )

    def __str__(self) -> str:
        names, rows = self._table()
        names = [name if name[-2:] != "AE" else "      AE" for name in names]
        widths = [max(7, len(name)) for name in names]
        lines = [names]
        for row in rows:
            cells = [f"{x:.4g}" if isinstance(x, float) else str(x) for x in row]
            lines.append(cells)
        return "\n".join(
            "  ".join(
                f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)
            )
            for line in lines
        )

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        """Return the names of the columns, and the means over the splits by row."""
        columns = {
            "error: PCA": self.pca_errors,
            "error: AE": self.autoencoder_errors,
            "explained: PCA": self.pca_explained,
            "explained: AE": self.autoencoder_explained,
        }
        if self.pca_scores is not None and self.autoencoder_scores is not None:
            columns["score: PCA"] = self.pca_scores
            columns["score: AE"] = self.autoencoder_scores
        rows = [
            [
                int(n_components),
                *(float(values[i].mean()) for values in columns.values()),
                f"{self.used_network[i].sum()}/{self.used_network.shape[1]}",
            ]
            for i, n_components in enumerate(self.n_components)
        ]
        return ["n_components", *columns, "network"], rows


class _Split(NamedTuple):
    """The rows of one split."""

    X: np.ndarray
    X_test: np.ndarray
    y: Any
    y_test: Any
    groups: Any


def compare_with_pca(
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    n_components: Sequence[int] = (1, 2, 4, 8, 16),
    autoencoder: Any = None,
    estimator: Any = None,
    scoring: Any = None,
    cv: Any = 3,
) -> PCAComparison:
    """Compare an autoencoder with PCA on held-out rows, at equal numbers of components.

    In each split, both are fitted to the same training rows. An autoencoder with
    ``ordered=True`` is fitted once per split, with the largest number of components,
    and is truncated to the other numbers. Any other autoencoder is fitted for each
    number of components. An ordered one is also fitted separately for numbers of
    components at which PCA reconstructs the training rows exactly.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, as they would be passed to PCA. Scale them first if you would do so for
        PCA.
    y : array-like of shape (n_samples,), default=None
        Targets of `estimator`. If that is a classifier, they also stratify the splits.
    groups : array-like of shape (n_samples,), default=None
        The group of each row, such as the subject that it was measured on. Rows of a
        group stay together in the splits, and in those within the autoencoder's fits.
        Not used for the splits if `cv` is "blocks".
    n_components : sequence of int, default=(1, 2, 4, 8, 16)
        Numbers of components, at most as many as PCA of the training rows has.
    autoencoder : estimator, default=None
        Autoencoder of this package, with any parameters; `n_components` is overridden.
        `None` is ``DenseAE(ordered=True)``, and with ``cv="blocks"`` it has
        ``holdout="blocks"``, too.
    estimator : estimator, default=None
        Classifier or regressor that is fitted to and scored on the codes of both.
    scoring : str or callable, default=None
        Scoring of `estimator`, as in scikit-learn. `None` uses its own `score`.
    cv : int, "blocks", cross-validation generator or iterable, default=3
        Splits, as in scikit-learn; see :ref:`held_out`. An int is a number of folds,
        which keep groups together or, without groups, equal rows. "blocks" is for rows
        in the order of time: three folds of consecutive rows, with a gap around the
        held-out ones.

    Returns
    -------
    comparison : PCAComparison
        Errors, explained variances and scores of both.

    Raises
    ------
    TypeError
        If `autoencoder` is not an autoencoder of this package.
    ValueError
        If the arguments do not match each other or `X`. Both errors are raised before
        any training.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skae import DenseAE, compare_with_pca
    >>> X, y = load_digits(return_X_y=True)
    >>> comparison = compare_with_pca(
    ...     X,
    ...     y,
    ...     n_components=[2, 8],
    ...     autoencoder=DenseAE(ordered=True, max_iter=20, random_state=0),
    ...     estimator=KNeighborsClassifier(),
    ... )
    >>> comparison.autoencoder_errors.shape
    (2, 3)
    >>> (comparison.autoencoder_errors < comparison.pca_errors).all()
    np.True_
    """
    X = check_array(X, dtype=[np.float64, np.float32], input_name="X")
    if autoencoder is None:
        is_series = isinstance(cv, str) and cv == "blocks"
        holdout = "blocks" if is_series else "random"
        autoencoder = DenseAE(ordered=True, holdout=holdout)
    if not isinstance(autoencoder, BaseAutoencoder):
        raise TypeError(
            f"autoencoder must be an autoencoder of skae, got {autoencoder!r}."
        )
    numbers = _check_numbers(n_components)
    scorer = _check_scorer(estimator, scoring, y)
    splits = _split(X, y, groups, cv, estimator)
    most = min(X.shape[1], *[len(split.X) for split in splits])
    if max(numbers) > most:
        raise ValueError(
            f"n_components has {max(numbers)}, but PCA of the training rows has at "
            f"most {most}."
        )
    compared = [
        _compare_split(split, numbers, autoencoder, estimator, scorer)
        for split in splits
    ]
    measured = [np.array(values).T for values in zip(*compared, strict=True)]
    if scorer is None:
        measured = measured[:-2]
    return PCAComparison(np.array(numbers), *measured)


def _check_numbers(n_components: Any) -> list[int]:
    numbers = list(np.ravel(np.asarray(n_components, dtype=object)))
    if not numbers or not all(isinstance(k, Integral) and int(k) >= 1 for k in numbers):
        raise ValueError(
            "n_components must be a sequence of integers of at least 1, got "
            f"{n_components!r}."
        )
    return [int(k) for k in numbers]


def _check_scorer(estimator: Any, scoring: Any, y: Any) -> Any:
    """Return the scorer of the estimator, or `None` without an estimator."""
    if estimator is None:
        return None
    # Serving never compares, and so need not import this.
    from sklearn.metrics import check_scoring

    if y is None:
        raise ValueError("estimator needs y to be fitted and scored, got y=None.")
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise ValueError(f"scoring must be one str or callable, got {scoring!r}.")
    return check_scoring(estimator, scoring)


def _split(X: np.ndarray, y: Any, groups: Any, cv: Any, estimator: Any) -> list[_Split]:
    """Return the rows of each split."""
    if y is not None:
        y = np.asarray(y)
        check_consistent_length(X, y)
    if groups is not None:
        group_codes("compare_with_pca", X, groups)
        groups = np.asarray(groups)
    splits = [
        _Split(
            X[train],
            X[test],
            None if y is None else y[train],
            None if y is None else y[test],
            None if groups is None else groups[train],
        )
        for train, test in _indices(X, y, groups, cv, estimator)
    ]
    if not splits:
        raise ValueError(f"cv must have at least one split, got {cv!r}.")
    return splits


def _indices(
    X: np.ndarray, y: Any, groups: Any, cv: Any, estimator: Any
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Return the indices of the training and test rows of each split."""
    if isinstance(cv, str):
        if cv != "blocks":
            raise ValueError(f"cv must be 'blocks' if it is a str, got {cv!r}.")
        gap = gap_of_series(*X.shape)
        splits = folds_of_series(len(X), gap, _N_FOLDS_OF_SERIES)
        return [(split.train, split.held_out) for split in splits]
    from sklearn.model_selection import (
        GroupKFold,
        StratifiedGroupKFold,
        StratifiedKFold,
        check_cv,
    )

    splitter = check_cv(cv, y, classifier=estimator is None or is_classifier(estimator))
    if isinstance(cv, Integral):
        # A copy of a test row must not be trained on.
        groups = first_of_equal_rows(X) if groups is None else groups
        if groups is not None:
            n_groups = len(np.unique(groups))
            if n_groups < int(cv):
                raise ValueError(
                    f"cv={cv} needs at least {cv} groups, or different rows of X; "
                    f"there are {n_groups}."
                )
            stratified = isinstance(splitter, StratifiedKFold)
            splitter = (StratifiedGroupKFold if stratified else GroupKFold)(int(cv))
    return splitter.split(X, y, groups)


def _compare_split(
    split: _Split, numbers: list[int], autoencoder: Any, estimator: Any, scorer: Any
) -> list[list[Any]]:
    """Return each field of the result in turn, for one split."""
    from sklearn.decomposition import PCA

    rows = []
    variance = np.mean((split.X_test - split.X.mean(axis=0)) ** 2)
    autoencoders = _fitted_for(split, numbers, autoencoder)
    for k, fitted in zip(numbers, autoencoders, strict=True):
        models = [PCA(k, svd_solver="full").fit(split.X), fitted]
        errors = [_error(model, split.X_test) for model in models]
        explained = [1 - error / variance if variance > 0 else 1.0 for error in errors]
        scores = [_score(model, split, estimator, scorer) for model in models]
        rows.append([*errors, *explained, fitted.used_network_, *scores])
    return [list(values) for values in zip(*rows, strict=True)]


def _fitted_for(split: _Split, numbers: list[int], autoencoder: Any) -> Iterator[Any]:
    """Yield an autoencoder for each number of components."""

    def fitted(n_components: int) -> Any:
        new = clone(autoencoder).set_params(n_components=n_components)
        known = {} if split.groups is None else {"groups": split.groups}
        return new.fit(split.X, split.y, **known)

    if not getattr(autoencoder, "ordered", False):
        for k in numbers:
            yield fitted(k)
        return
    # An ordered network is kept only if it is better than PCA at every number of codes.
    rank = np.linalg.matrix_rank(split.X - split.X.mean(axis=0))
    inexact = [k for k in numbers if k < rank]
    if inexact:
        ordered = fitted(max(inexact))
    for k in numbers:
        if k in inexact:
            yield ordered.truncate(k)
        else:
            yield fitted(k)


def _error(model: Any, X: np.ndarray) -> float:
    reconstruction = model.inverse_transform(model.transform(X))
    return float(np.mean((X - reconstruction) ** 2))


def _score(model: Any, split: _Split, estimator: Any, scorer: Any) -> float | None:
    """Return the estimator's score on the model's codes, or `None` without one."""
    if scorer is None:
        return None
    fitted = clone(estimator).fit(model.transform(split.X), split.y)
    return float(scorer(fitted, model.transform(split.X_test), split.y_test))
