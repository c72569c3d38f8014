"""Decides when XLA compiles steps, and how many at once.

XLA runs several steps of a dense network as one operation, in about two thirds of their
time. Compiling takes a second or two, which the epochs to come must save.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from skae._train.batches import batch_lengths

if TYPE_CHECKING:
    from skae._train.config import GraphKey, TrainingConfig

# The constants below are judged by `python -m benchmarks full --only epochs few_rows
# quality_time`.

# Seconds that XLA saves for each weight and row of an epoch, and for each step.
_SAVED_BY_WEIGHT_AND_ROW = 2.5e-11
_SAVED_BY_STEP = 7e-4

# XLA takes over once it could have saved so many seconds, but after so many epochs at
# the latest: fits that stop before, and the time to most of the quality, are then not
# charged with the compilation.
_SECONDS_BEFORE = 2.0
_MOST_EPOCHS_BEFORE = 15

# Seconds that must be saved afterwards.
_SECONDS_WORTH_COMPILING = 1.2

# Of batches with more values than this, too few would be compiled together: four at a
# time, with 8,000 features, gain nothing.
_LARGEST_BATCH = 2**19

# Each call copies the optimizer's state, so a call takes many steps; fewer for wide
# rows, so that its batches together do not exceed this number of values.
_MAX_STEPS = 32
_MAX_VALUES = 2**22


def epochs_before_xla(key: GraphKey, config: TrainingConfig, n_rows: int) -> int | None:
    """Return the epoch from which XLA pays for its compilation; `None` for never.

    If the fit goes on to further trainings, XLA compiles at once.
    """
    n_steps = len(batch_lengths(n_rows, key.batch_size, config.min_steps))
    saved = (
        _SAVED_BY_WEIGHT_AND_ROW * key.network.n_weights * n_rows
        + _SAVED_BY_STEP * n_steps
    )
    before = 0
    if config.n_trainings == 1:
        before = min(ceil(_SECONDS_BEFORE / saved), _MOST_EPOCHS_BEFORE)
    n_epochs = config.n_trainings * (config.n_epochs - before)
    small = key.batch_size * key.network.encoder.n_inputs <= _LARGEST_BATCH
    worth = n_epochs * saved > _SECONDS_WORTH_COMPILING
    return before if key.network.is_dense and small and worth else None


def steps_per_call(key: GraphKey, n_steps: int) -> int:
    """Return the number of steps that XLA compiles as one operation.

    It is a power of two of at most `n_steps`, the number of steps of an epoch, so that
    folds of different sizes share what is compiled.
    """
    n_values = key.batch_size * key.network.encoder.n_inputs
    most = min(max(_MAX_VALUES // n_values, 1), _MAX_STEPS)
    return min(most, 2 ** (n_steps.bit_length() - 1))
