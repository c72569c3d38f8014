"""The parameters that estimators share: their constraints and checks."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from skae._network.description import ACTIVATIONS
from skae._network.losses import LOSSES
from skae._train.corruption import CORRUPTIONS, NO_CORRUPTION, Corruption
from skae._utils.blocks import row_slices
from skae._utils.compat import HasMethods, Interval, StrOptions

if TYPE_CHECKING:
    from skae._utils.blocks import DataRows

# Scaling to a range may exceed it by rounding.
_ROUNDING = 1e-6

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
    "holdout": [
        StrOptions({"random", "blocks"}),
        HasMethods(["split", "get_n_splits"]),
    ],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, 1, closed="left")],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

NOISE_CONSTRAINTS: dict[str, list[Any]] = {
    "noise": [StrOptions(set(CORRUPTIONS))],
    "noise_level": [Interval(Real, 0, None, closed="left")],
}


def check_range(estimator: str, output_activation: str, X: DataRows, name: str) -> None:
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
            f"{subject} needs {name} in [0, 1], got values from {low:g} to {high:g}. "
            "Scale it (for instance with MinMaxScaler) or use loss='squared_error'."
        )


# The values that an output activation reaches; the others reach all.
_REACHED = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, np.inf),
    "softplus": (0.0, np.inf),
    "elu": (-1.0, np.inf),
    "selu": (-1.7580993408473766, np.inf),
    "silu": (-0.27846454276107374, np.inf),
    "gelu": (-0.16997120747990369, np.inf),
}

# The share of the rows with values out of reach, and of the sum of squares in them,
# beyond which a fit is refused. Few rows beyond the range are what scaling by other
# rows leaves, and tiny excesses are harmless.
_ROWS_OUT_OF_REACH = 0.5
_SQUARES_OUT_OF_REACH = 0.01


def check_reach(estimator: str, output_activation: str, X: DataRows, name: str) -> None:
    """Check that the output can take the values of the rows: error, or warning."""
    if output_activation not in _REACHED:
        return
    low, high = _REACHED[output_activation]
    n_rows, missed, squares = 0, 0.0, 0.0
    for rows in row_slices(*X.shape):
        block = X[rows].astype(np.float64)
        excess = np.abs(block - np.clip(block, low, high))
        n_rows += int((excess > _ROUNDING).any(axis=1).sum())
        missed += float(np.square(excess).sum())
        squares += float(np.square(block).sum())
    if not n_rows:
        return
    message = (
        f"The output of {estimator} with output_activation={output_activation!r} lies "
        f"between {low:.3g} and {high:.3g}, but {n_rows} of the {len(X)} rows have "
        f"values beyond: {name} goes from {X.min():.4g} to {X.max():.4g}. Use "
        "output_activation='linear', or scale the rows into that range (for instance "
        "with MinMaxScaler)."
    )
    share = n_rows / len(X)
    if share > _ROWS_OUT_OF_REACH and missed > _SQUARES_OUT_OF_REACH * squares:
        raise ValueError(message)
    warnings.warn(message, UserWarning, stacklevel=2)


def check_linear_code(estimator: str, parameter: str, code_activation: str) -> None:
    """Check that codes are linear, as the setting of a parameter needs them."""
    if code_activation != "linear":
        raise ValueError(
            f"{estimator} with {parameter} needs code_activation='linear', got "
            f"code_activation={code_activation!r}. Change one of them."
        )


def resolved_corruption(
    estimator: str, noise: str | None, noise_level: float
) -> tuple[Corruption, float]:
    """Return the corruption of that name and its level, or none; check the level."""
    if noise is None:
        return NO_CORRUPTION, 0.0
    corruption = CORRUPTIONS[noise]
    if noise_level > corruption.max_level:
        raise ValueError(
            f"{estimator} with noise={noise!r} needs a noise_level of at most "
            f"{corruption.max_level:g}, the share of the values to corrupt, got "
            f"noise_level={noise_level:g}."
        )
    return corruption, float(noise_level)


def resolved_batch_size(batch_size: int | str, auto: int, n_rows: int) -> int:
    """Return the batch size to compile for.

    Far larger batches than there are rows would only take memory and time. The limit is
    a power of two, so that the folds of a search share a program.
    """
    if isinstance(batch_size, str):
        return auto
    return min(int(batch_size), 2 ** max(10, (n_rows - 1).bit_length()))
