"""Checks what `fit` is told about the rows to hold out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skae._fit.rows import HoldoutRequest
from skae._fit.splits import gap_of_series
from skae._train.config import Split
from skae._utils.missing import is_missing_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._utils.blocks import DataRows


def holdout_request(
    estimator: str, holdout: Any, X: DataRows, y: Any, groups: Any, X_val: Any
) -> HoldoutRequest:
    """Return what the user says of the rows to hold out, as plain arrays.

    Parameters
    ----------
    estimator : str
        Name of the estimator's class, for messages.
    holdout : {"random", "blocks"} or a splitter of scikit-learn
    X, X_val : ndarray or SparseRows
        Valid rows; `X_val` may be `None`.
    y, groups : array-like or None
        As the user gave them.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    if X_val is not None and groups is not None:
        raise ValueError(
            f"{estimator} got both groups and X_val, but X_val are the rows to hold "
            "out, and groups say which rows of X to hold out together. Pass one of "
            "them."
        )
    if X_val is not None:
        check_validation_rows(estimator, X, X_val)
        return HoldoutRequest(X_val=X_val)
    codes = None if groups is None else group_codes(estimator, X, groups)
    if codes is not None and isinstance(holdout, str) and holdout == "blocks":
        warnings.warn(
            f"{estimator} with holdout='blocks' does not use groups. If they are "
            "series of their own, set holdout='random', which keeps groups together.",
            UserWarning,
            stacklevel=2,
        )
    gap = _gap(holdout, X)
    if isinstance(holdout, str):
        return HoldoutRequest(codes, gap)
    splits = tuple(_splits(estimator, holdout, X, y, groups))
    return HoldoutRequest(codes, gap, splits=splits)


def group_codes(estimator: str, X: DataRows, groups: Any) -> np.ndarray:
    """Return the group of each row as an integer from 0 on."""
    if not hasattr(groups, "dtype"):  # NumPy would turn mixed types into text
        groups = np.array(list(groups), dtype=object) if np.iterable(groups) else groups
    groups = np.asarray(groups)
    if groups.ndim == 2 and groups.shape[1] == 1:
        groups = groups[:, 0]
    if groups.shape != (X.shape[0],):
        raise ValueError(
            f"{estimator} got groups of shape {groups.shape} for X of {X.shape[0]} "
            "rows: groups must have one value for each row of X."
        )
    if any(map(is_missing_value, groups.tolist())):
        raise ValueError(
            f"{estimator} got groups with missing values. Give each of these rows a "
            "group of its own, or drop them."
        )
    try:
        names, codes = np.unique(groups, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            f"{estimator} got groups of types that cannot be compared ({error}). "
            "Convert them to one type, for instance to str."
        ) from error
    if len(names) < 2:
        raise ValueError(
            f"{estimator} got groups with the single value {str(names[0])!r}, so no "
            "group is left to hold out. Pass at least two groups, or none. In a search "
            "by groups, set_fit_request(groups=False) keeps them from the fits."
        )
    return codes


def check_validation_rows(estimator: str, X: DataRows, X_val: DataRows) -> None:
    """Check the rows to hold out, and warn if a search may have cut them."""
    if len(X_val) < 2:
        raise ValueError(
            f"{estimator} got X_val of one row, which cannot show whether the network "
            "is better than PCA. Pass at least two rows."
        )
    if len(X_val) == len(X):
        warnings.warn(
            f"{estimator} got X_val with as many rows as X, {len(X)}. In a search or "
            "in cross_validate, scikit-learn takes such an array for a property of the "
            "rows of X and passes a part of it: give X_val another number of rows "
            "there. In a fit of its own this is harmless.",
            UserWarning,
            stacklevel=2,
        )


def _gap(holdout: Any, X: DataRows) -> int:
    """Return within how many rows neighbours are alike; 0 for rows in no order."""
    if isinstance(holdout, str):
        return gap_of_series(*X.shape) if holdout == "blocks" else 0
    from sklearn.model_selection import TimeSeriesSplit

    if isinstance(holdout, TimeSeriesSplit):
        return max(int(holdout.gap), gap_of_series(*X.shape))
    return 0


def _splits(
    estimator: str, splitter: Any, X: DataRows, y: Any, groups: Any
) -> Iterator[Split]:
    """Yield the splits of the user's splitter, checked."""
    subject = f"holdout={splitter!r} of {estimator}"
    if y is not None:
        check_consistent_length(X, y)
    given = X if isinstance(X, np.ndarray) else X.matrix
    try:
        splits = [
            (np.asarray(train), np.asarray(held_out))
            for train, held_out in splitter.split(given, y, groups)
        ]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{subject} cannot split the rows: {error}") from error
    if not splits:
        raise ValueError(f"{subject} gives no split.")
    for train, held_out in splits:
        for rows, purpose in ((train, "to train on"), (held_out, "to hold out")):
            if not len(rows):
                raise ValueError(f"{subject} gives a split without rows {purpose}.")
            if rows.dtype.kind not in "iu" or not (
                0 <= rows.min() <= rows.max() < len(X)
            ):
                raise ValueError(
                    f"{subject} gives rows {purpose} that are not indices of the "
                    f"{len(X)} rows of X, which are integers from 0 to {len(X) - 1}."
                )
        if np.isin(held_out, train).any():
            raise ValueError(
                f"{subject} gives a split whose held-out rows are trained on, too."
            )
        yield Split(train.astype(np.int32), held_out.astype(np.int32))
