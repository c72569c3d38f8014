"""The parameters that estimators share: their constraints and checks."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from skae._network.description import ACTIVATIONS
from skae._network.losses import LOSSES
from skae._utils.compat import Interval, StrOptions

CONSTRAINTS: dict[str, list[Any]] = {
    "n_components": [Interval(Integral, 1, None, closed="left")],
    "hidden_layer_sizes": [
        StrOptions({"auto"}),
        Interval(Integral, 1, None, closed="left"),
        "array-like",
    ],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "code_activation": [StrOptions(set(ACTIVATIONS))],
    "output_activation": [StrOptions(set(ACTIVATIONS))],
    "pca_shortcut": ["boolean"],
    "loss": [StrOptions(set(LOSSES))],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [
        StrOptions({"auto"}),
        Interval(Integral, 1, None, closed="left"),
    ],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, 1, closed="left")],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def check_range(estimator: str, output_activation: str, X: np.ndarray) -> None:
    """Check that output and rows are of the range that cross-entropy needs."""
    subject = f"{estimator} with loss='binary_crossentropy'"
    if output_activation != "sigmoid":
        raise ValueError(
            f"{subject} needs output_activation='sigmoid', got output_activation="
            f"{output_activation!r}. Set it, or use loss='squared_error'."
        )
    low, high = X.min(), X.max()
    # Scaling to the range may exceed it by rounding.
    rounding = 4 * np.finfo(X.dtype).eps
    if low < -rounding or high > 1 + rounding:
        raise ValueError(
            f"{subject} needs X in [0, 1], got values from {low:g} to {high:g}. Scale "
            "X (for instance with MinMaxScaler) or use loss='squared_error'."
        )


def check_linear_code(estimator: str, parameter: str, code_activation: str) -> None:
    """Check that codes are linear, as the setting of a parameter needs them."""
    if code_activation != "linear":
        raise ValueError(
            f"{estimator} with {parameter} needs code_activation='linear', got "
            f"code_activation={code_activation!r}. Change one of them."
        )


def resolved_batch_size(batch_size: int | str, auto: int, n_rows: int) -> int:
    """Return the batch size to compile for.

    Far larger batches than there are rows would only take memory and time. The limit is
    a power of two, so that the folds of a search share a program.
    """
    if isinstance(batch_size, str):
        return auto
    return min(int(batch_size), 2 ** max(10, (n_rows - 1).bit_length()))
