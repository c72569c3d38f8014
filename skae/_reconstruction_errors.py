"""Errors of reconstructions from codes within limits, also of held-out rows.

Functions of a transformer with `inverse_transform`, rows for it, and their values as
numbers.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing

if TYPE_CHECKING:
    from skae._callbacks import MetaTask

# Errors below this share of the root mean square of the data are rounding.
_ROUNDING = 1e-6
_ROWS_TO_TEST = 1024

ADVICE = (
    "Pass a transformer with inverse_transform, such as DenseAE(8), PCA(8), or a "
    "pipeline of steps that all have it."
)


class FoldTask(NamedTuple):
    """What the folds have in common."""

    estimator: Any
    rows: Any
    values: Any
    fit_params: dict[str, Any]
    code_limits: float | None


def held_out_residuals(
    task: FoldTask, train: np.ndarray, held_out: np.ndarray, callbacks: MetaTask
) -> np.ndarray:
    estimator, rows = clone(task.estimator), _safe_indexing(task.rows, train)
    params = {name: value[train] for name, value in task.fit_params.items()}
    with callbacks.running(estimator):
        estimator.fit(rows, **params)
    limits = None
    if task.code_limits is not None:
        limits = limits_of(codes_of(estimator, rows), task.code_limits)
    codes = codes_of(estimator, _safe_indexing(task.rows, held_out))
    return residuals_of(estimator, codes, limits, task.values[held_out])


def codes_of(estimator: Any, rows: Any) -> np.ndarray:
    codes = estimator.transform(rows)
    return codes.toarray() if hasattr(codes, "toarray") else np.asarray(codes)


def limits_of(codes: np.ndarray, share: float | None) -> np.ndarray | None:
    """Return the lower and upper limits of the codes."""
    if share is None:
        return None
    tail = share / (2 * codes.shape[1])
    limits: np.ndarray = np.quantile(codes, [tail, 1 - tail], axis=0)
    return limits.astype(codes.dtype)


def residuals_of(
    estimator: Any, codes: np.ndarray, limits: np.ndarray | None, values: Any
) -> np.ndarray:
    """Return the rows minus their reconstructions, dense."""
    if limits is not None:
        codes = np.clip(codes, *limits)
    found = np.asarray(estimator.inverse_transform(codes))
    if found.shape != values.shape:
        raise ValueError(
            f"The inverse_transform of {estimator!r} returns rows of shape "
            f"{found.shape}, but the rows have shape {values.shape}. {ADVICE}"
        )
    with np.errstate(under="ignore"):
        residuals: np.ndarray = _dense(values) - found
    return residuals


def _dense(values: Any) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.toarray()


def root_mean_squares(residuals: np.ndarray) -> np.ndarray:
    scale: np.ndarray = np.sqrt(np.mean(np.square(residuals, dtype=np.float64), axis=0))
    scale[scale == 0] = 1.0
    return scale


def warn_of_few_rows(n_rows: int, rate: float) -> None:
    least = int(np.ceil(1 / rate)) - 1
    if n_rows < least:
        warnings.warn(
            f"ReconstructionOutlierDetector got {n_rows} rows, too few to flag only "
            f"{rate:g} of fresh ones: about {1 / (n_rows + 1):.2g} of them will be. "
            f"Fit at least {least} rows, or raise false_alarm_rate.",
            UserWarning,
            stacklevel=2,
        )


def warn_of_exactness(estimator: Any, codes: np.ndarray, values: Any) -> None:
    rows = _dense(values[:_ROWS_TO_TEST]).astype(np.float64, copy=False)
    residuals = residuals_of(estimator, codes[:_ROWS_TO_TEST], None, rows)
    if np.linalg.norm(residuals) <= _ROUNDING * np.linalg.norm(rows):
        warnings.warn(
            "ReconstructionOutlierDetector got an estimator that reconstructs the "
            "training rows exactly, so that errors are mere rounding unless a code "
            "exceeds its limits. Unless these rows have fewer dimensions than features "
            "by nature, lower the number of components.",
            UserWarning,
            stacklevel=2,
        )
