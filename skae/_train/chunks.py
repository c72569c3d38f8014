"""The arguments of the compiled function: chunks of epochs, prepared with NumPy.

Whatever can be computed for a whole epoch is computed here rather than in the graph: on
small networks, the time of a step is its number of operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from skae._train.batches import batch_lengths, batched, grouped, row_weights
from skae._train.schedule import Scalars, epoch_schedule
from skae._train.tensorflow_internals import empty_aligned, share_arrays
from skae._train.xla import steps_per_call
from skae._utils.blocks import copy_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._train.config import GraphKey, Split, TrainingConfig, TrainingData
    from skae._utils.blocks import RowSource

# Positions in the table of normal numbers at which a batch may begin to read. Drawing
# new numbers for each batch would take a third of a small network's step. (Salimans et
# al., 2017, "Evolution strategies as a scalable alternative to reinforcement learning",
# share a table for the same reason.)
_N_STARTS = 2**18

# Values in a chunk, unless a single step group has more: the rows of one chunk are
# copied at a time. With half as many, epochs by XLA take 6 % longer, as each call reads
# and writes the variables. Without XLA, a part of them costs nothing.
_MAX_VALUES = 2**23
_FEWER_WITHOUT_XLA = 4

# Separates the draws for held-out rows from those for training rows.
_HELD_OUT_SEED = 1


class EpochChunk(NamedTuple):
    """Some of an epoch's batches: the argument of the compiled function.

    Steps are grouped: XLA compiles the steps of a group as one operation. Without XLA a
    group is a single step.

    Attributes
    ----------
    rows : (n_groups, n_steps * batch_size, n_columns) float32
        Rows of the batches of each group: features, then labels if there are any.
    n_taken : (n_groups,) int32
        Number of steps to take; the last group may be padded.
    has_extra_row : (n_groups, n_steps) int32
        1 for batches that have one row more than the others, which have 0.
    row_fractions : (n_groups, n_steps) float32
        Fraction of the epoch's rows that each batch holds.
    row_weights : (2, batch_size) float32
        Weights of the rows in shorter batches and in those with an extra row: one over
        their number, and 0 for padding.
    held_out, held_out_inputs : (n_batches, batch_size, n_columns) float32
        Held-out rows and their inputs: all of them in the last chunk of an epoch, none
        in the others.
    held_out_weights : (n_batches, 1, batch_size) float32
        Weights of the held-out rows, which add up to 1; 0 for padding.
    donors : (n_donors,) int32
        Indices, among the chunk's rows, of rows whose values may be swapped in.
    step_sizes : (n_groups, n_steps) float32
    scalars : (7,) float32
        The `Scalars`.
    replacements : (2, n_features) or (2, 1) float32
        Low and high values that replace corrupted ones.
    seed : (2,) int32
        Seed of the uniform numbers.
    normals : (n_normals,) float32
        The table of normal numbers.
    starts, held_out_starts : (n_groups, 1) and (n_batches, 1) int32
        Positions in the table at which groups and held-out batches begin to read.
    """

    rows: Any
    n_taken: Any
    has_extra_row: Any
    row_fractions: Any
    row_weights: Any
    held_out: Any
    held_out_inputs: Any
    held_out_weights: Any
    donors: Any
    step_sizes: Any
    scalars: Any
    replacements: Any
    seed: Any
    normals: Any
    starts: Any
    held_out_starts: Any


def chunk_spec(key: GraphKey, n_steps: int) -> EpochChunk:
    """Return the types of the tensors.

    The number of batches may change without compiling anew. Their size is fixed, so
    that the graph needs no arithmetic with shapes.
    """
    batch_size, n_columns = key.batch_size, key.n_columns
    held_out = tf.TensorSpec((None, batch_size, n_columns))
    return EpochChunk(
        rows=tf.TensorSpec((None, n_steps * batch_size, n_columns)),
        n_taken=tf.TensorSpec((None,), tf.int32),
        has_extra_row=tf.TensorSpec((None, n_steps), tf.int32),
        row_fractions=tf.TensorSpec((None, n_steps)),
        row_weights=tf.TensorSpec((2, batch_size)),
        held_out=held_out,
        held_out_inputs=held_out,
        held_out_weights=tf.TensorSpec((None, 1, batch_size)),
        donors=tf.TensorSpec((None,), tf.int32),
        step_sizes=tf.TensorSpec((None, n_steps)),
        scalars=tf.TensorSpec((len(Scalars._fields),)),
        replacements=tf.TensorSpec((2, None)),
        seed=tf.TensorSpec((2,), tf.int32),
        normals=tf.TensorSpec((None,)),
        starts=tf.TensorSpec((None, 1), tf.int32),
        held_out_starts=tf.TensorSpec((None, 1), tf.int32),
    )


class _StepGroups(NamedTuple):
    """The step groups of an epoch.

    Attributes
    ----------
    batches : ndarray of shape (n_groups, n_steps * batch_size)
        Indices of the rows.
    lengths, step_sizes : ndarray of shape (n_groups, n_steps)
        Number of rows and step size of each batch; 0 for steps that pad a group.
    starts : ndarray of shape (n_groups, 1)
        As in `EpochChunk`.
    seed : ndarray of shape (2,)
        Seed of the first group's uniform numbers.
    """

    batches: np.ndarray
    lengths: np.ndarray
    step_sizes: np.ndarray
    starts: np.ndarray
    seed: np.ndarray


def prepare_epochs(
    key: GraphKey,
    config: TrainingConfig,
    data: TrainingData,
    split: Split,
    before_xla: int | None,
) -> tuple[EpochChunk, Iterator[Iterator[EpochChunk]]]:
    """Return a chunk without steps, to validate only, and the chunks of each epoch.

    Every epoch has an order of its own. Its chunks use the same memory for their rows,
    so each must have been trained on before the next one is asked for.

    Parameters
    ----------
    before_xla : int or None
        Number of epochs after which steps are grouped for XLA.
    """
    rng = np.random.default_rng(config.seed)
    lengths = batch_lengths(len(split.train), key.batch_size, config.min_steps)
    n_steps_by_xla = steps_per_call(key, len(lengths))
    n_normals = _n_normals(key, 1 if before_xla is None else n_steps_by_xla)
    table = rng.standard_normal(n_normals, dtype=np.float32)
    constant = _constant_fields(key, config, lengths, table)
    constant = constant._replace(**_held_out_fields(key, config, data, split))

    def epochs() -> Iterator[Iterator[EpochChunk]]:
        for epoch in range(config.n_epochs):
            n_steps = 1 if before_xla is None or epoch < before_xla else n_steps_by_xla
            step_sizes, scalars = epoch_schedule(epoch, len(lengths), config)
            order = rng.permutation(split.train)
            batches = batched(order, lengths, key.batch_size, n_steps)
            seed = rng.integers(2**31 - 1, size=2)
            groups = _StepGroups(
                batches.reshape(-1, n_steps * key.batch_size),
                grouped(lengths, n_steps),
                grouped(step_sizes, n_steps),
                rng.integers(_N_STARTS, size=(len(lengths), 1))[::n_steps],
                seed,
            )
            yield _chunks(key, constant, groups, scalars, data.X)
            del order, batches, groups  # before the next ones are made

    return _chunk_without_steps(key, config, constant), epochs()


def _chunk_without_steps(
    key: GraphKey, config: TrainingConfig, constant: EpochChunk
) -> EpochChunk:
    _, scalars = epoch_schedule(0, 1, config)
    shape = (0, key.batch_size, key.n_columns)
    varying = {
        "rows": np.zeros(shape, np.float32),
        "n_taken": np.zeros(0, np.int32),
        "has_extra_row": np.zeros((0, 1), np.int32),
        "row_fractions": np.zeros((0, 1), np.float32),
        "donors": np.zeros(1, np.int32),
        "step_sizes": np.zeros((0, 1), np.float32),
        "scalars": np.asarray(scalars._replace(decay=0.0), np.float32),
        "seed": np.zeros(2, np.int32),
        "starts": np.zeros((0, 1), np.int32),
    }
    tensors = {name: tf.constant(values) for name, values in varying.items()}
    return constant._replace(**tensors)


def _constant_fields(
    key: GraphKey, config: TrainingConfig, lengths: np.ndarray, table: np.ndarray
) -> EpochChunk:
    """Return a chunk with the fields that are the same in all epochs."""
    _, low, high = config.corruption
    weights, normals, replacements = share_arrays(
        [
            row_weights(lengths.min(), key.batch_size).astype(np.float32),
            table,
            np.asarray([low, high], dtype=np.float32),
        ]
    )
    return EpochChunk(*[None] * len(EpochChunk._fields))._replace(
        row_weights=weights, normals=normals, replacements=replacements
    )


def _chunks(
    key: GraphKey,
    constant: EpochChunk,
    groups: _StepGroups,
    scalars: Scalars,
    X: RowSource,
) -> Iterator[EpochChunk]:
    """Divide an epoch into chunks; their other fields are those of `constant`."""
    n_groups, n_rows = groups.batches.shape
    shape = (n_rows, X.shape[1])
    single = n_rows == key.batch_size
    most = _MAX_VALUES // _FEWER_WITHOUT_XLA if single else _MAX_VALUES
    n_at_once = min(max(1, most // (n_rows * X.shape[1])), n_groups)
    memory = empty_aligned((n_at_once, *shape))
    n_total, shorter = groups.lengths.sum(), groups.lengths[groups.lengths > 0].min()
    before_last = _without_held_out(constant) if n_groups > n_at_once else constant
    for begin in range(0, n_groups, n_at_once):
        end = begin + n_at_once
        batches, lengths = groups.batches[begin:end], groups.lengths[begin:end]
        donors = _donors(key, lengths)
        rows = memory[: len(batches)]
        copy_rows(X, batches.ravel(), rows.reshape(-1, X.shape[1]))
        varying = {
            "rows": rows,
            "n_taken": (lengths > 0).sum(axis=1).astype(np.int32),
            "has_extra_row": (lengths > shorter).astype(np.int32),
            "row_fractions": (lengths / n_total).astype(np.float32),
            "donors": donors.astype(np.int32),
            "step_sizes": groups.step_sizes[begin:end].astype(np.float32),
            "scalars": np.asarray(scalars, np.float32),
            "seed": (groups.seed + np.array([0, begin])).astype(np.int32),
            "starts": groups.starts[begin:end].astype(np.int32),
        }
        tensors = share_arrays([*varying.values()])
        chunk = constant if end >= n_groups else before_last
        yield chunk._replace(**dict(zip(varying, tensors, strict=True)))
        scalars = scalars._replace(decay=0.0)  # once an epoch


def _donors(key: GraphKey, lengths: np.ndarray) -> np.ndarray:
    """Return the indices of the rows that are no padding, if the graph needs them."""
    if not key.corruption.needs_donors:
        return np.zeros(1)
    return np.flatnonzero(np.arange(key.batch_size) < lengths.reshape(-1, 1))


def _held_out_fields(
    key: GraphKey, config: TrainingConfig, data: TrainingData, split: Split
) -> dict[str, tf.Tensor]:
    """Return the fields of a chunk that describe the held-out rows."""
    rng = np.random.default_rng((*config.seed, _HELD_OUT_SEED))
    n_rows, shape = len(split.held_out), (key.batch_size, data.X.shape[1])
    lengths = batch_lengths(n_rows, key.batch_size)
    batches = batched(split.held_out, lengths, key.batch_size)
    weights = data.held_out_weights
    if weights is None:
        weights = np.full(n_rows, 1 / max(n_rows, 1))
    weights = batched(weights, lengths, key.batch_size).astype(np.float32)

    def gathered(X: RowSource, indices: np.ndarray) -> np.ndarray:
        rows = empty_aligned((len(indices), *shape))
        copy_rows(X, indices.ravel(), rows.reshape(-1, shape[1]))
        return rows

    held_out = inputs = gathered(data.X, batches)
    if data.held_out_inputs is not None:
        positions = batched(np.arange(n_rows), lengths, key.batch_size)
        inputs = gathered(data.held_out_inputs, positions)
    starts = rng.integers(_N_STARTS, size=(len(batches), 1))
    fields = {
        "held_out": held_out,
        "held_out_inputs": inputs,
        "held_out_weights": weights[:, np.newaxis],
        "held_out_starts": starts.astype(np.int32),
    }
    return dict(zip(fields, share_arrays([*fields.values()]), strict=True))


def _without_held_out(chunk: EpochChunk) -> EpochChunk:
    fields = [name for name in EpochChunk._fields if name.startswith("held_out")]
    return chunk._replace(**{name: getattr(chunk, name)[:0] for name in fields})


def _n_normals(key: GraphKey, n_steps: int) -> int:
    """Return the length of the table: its starts, and the most that a group reads."""
    encoder = key.network.encoder
    n_noises = key.smoothing + key.corruption.n_normals
    n_codes = encoder.n_outputs if key.objective.draws_codes else 0
    most = n_steps * key.batch_size * (n_noises * encoder.n_inputs + n_codes)
    return _N_STARTS + most if most else 0
