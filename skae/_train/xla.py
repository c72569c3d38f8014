"""Decides when XLA compiles steps, and how many at once.

XLA runs several steps of a dense network as one operation, in about 0.85 of their time.
That is worth one or two seconds of compilation if much work may lie ahead. Some work is
done before: fits that stop early then do not pay for it, nor does the time to most of
the quality.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skae._train.config import GraphKey

# Both in weights times rows times epochs; `python -m benchmarks full --only epochs
# quality_time` judges them.
_WORK_BEFORE_XLA = 5e10
_WORK_WORTH_XLA = 1.5e11

# Of batches with more values than this, too few would be compiled together: four at a
# time, with 8,000 features, gain nothing.
_LARGEST_BATCH = 2**19

# Each call copies the optimizer's state, so a call takes many steps; fewer for wide
# rows, so that its batches together do not exceed this number of values.
_MAX_STEPS = 32
_MAX_VALUES = 2**22


def epochs_before_xla(key: GraphKey, n_rows: int, n_epochs: int) -> int | None:
    """Return the epoch from which XLA pays for its compilation; `None` for never."""
    work = n_rows * key.network.n_weights
    before = ceil(_WORK_BEFORE_XLA / work)
    small = key.batch_size * key.network.encoder.n_inputs <= _LARGEST_BATCH
    worth = (n_epochs - before) * work > _WORK_WORTH_XLA
    return before if key.network.is_dense and small and worth else None


def steps_per_call(key: GraphKey) -> int:
    """Return the number of steps that XLA compiles as one operation."""
    n_values = key.batch_size * key.network.encoder.n_inputs
    return min(max(_MAX_VALUES // n_values, 1), _MAX_STEPS)
