"""What the compiled loop is given: epochs in parts, as tensors, computed in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from skae._blocks import aligned, copy_rows, empty_aligned
from skae._corruption import Corruption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._blocks import RowSource
    from skae._plan import Data, Program, Settings, Split

# Decay of Adam's moments (Kingma & Ba, 2015), as in Keras.
BETA_1, BETA_2 = 0.9, 0.999

# Epochs of linear warm-up before the cosine.
_WARMUP_EPOCHS = 5

# Steps that XLA compiles as one operation, as each call copies the optimizer's state;
# fewer of wide rows, whose batches would have more values than that together.
_MOST_STEPS = 32
_VALUES_OF_STEPS = 2**22

# Places in the table of normal numbers where a batch may begin to take its own from.
# Drawing all of them anew would take a third of the time of a step of a small network.
# (Salimans et al., 2017, "Evolution strategies as a scalable alternative to
# reinforcement learning", share a table to the same end.)
_N_STARTS = 2**18

# Values that the compiled function is given at once, unless a single turn has more: of
# many rows only so much is copied. With half as many, epochs by XLA take 6 % longer, as
# each call reads and writes the variables.
_MOST_VALUES = 2**23

# Stands for none, as the compiled function takes one in any case.
_NO_CORRUPTION = Corruption("", 0.0, np.zeros(1), np.zeros(1))

# Sets the draws for held-out rows apart.
_HELD_OUT_SEED = 1


class Scalars(NamedTuple):
    """Numbers that hold for an epoch.

    `decay` is the share of the kernels that is taken off; the others are as in
    `Settings` and `Corruption`.
    """

    decay: Any
    input_noise: Any
    noise_level: Any
    alpha: Any
    share: Any
    code_weight: Any
    feedback: Any


class Part(NamedTuple):
    """The batches of an epoch, or some of them: the arguments of the compiled function.

    What can be computed for a whole epoch is, outside of the graph: on small networks
    the time of a step is the number of its operations. Nor are arguments free.

    Attributes
    ----------
    rows : (n_turns, n_steps * batch_size, n_features) float32
        Those of each batch, of as many batches as there are steps taken at once.
    n_taken : (n_turns,) int32
        Batches that there are; the last turn is filled up.
    longer : (n_turns, n_steps) int32
        1 for batches of one row more than the others, which have 0.
    shares : (n_turns, n_steps) float32
        Of the epoch's rows, that are in the batch.
    weights : (2, batch_size) float32
        Of the rows of the shorter batches, and of the longer ones: one over their
        number, and 0 where a batch was filled up.
    held_out, held_out_inputs : (n_batches, batch_size, n_features) float32
        Rows held out, and what to reconstruct them from: all in the last part.
    held_out_weights : (n_batches, 1, batch_size) float32
        One over the number of rows held out, and 0 where a batch was filled up.
    donors : (n_donors,) int32
        Places of rows among those of all turns, if their values are swapped in.
    step_sizes : (n_turns, n_steps) float32
    scalars : (7,) float32
        The `Scalars`.
    replacements : (2, n_features) or (2, 1) float32
        What corrupted values are replaced by, low and high.
    seed : (2,) int32
        Of the uniform numbers.
    normals : (n_normals,) float32
        The table of normal numbers.
    starts, held_out_starts : (n_turns, 1) and (n_batches, 1) int32
        Where in it the batches take their own from.
    """

    rows: Any
    n_taken: Any
    longer: Any
    shares: Any
    weights: Any
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


def part_spec(program: Program, n_steps: int) -> Part:
    """Return the types of the tensors.

    The number of batches may change without compiling anew. Their size is fixed, which
    spares the graph all arithmetic with shapes.
    """
    batch_size, n_features = program.batch_size, program.network.encoder.n_inputs
    held_out = tf.TensorSpec((None, batch_size, n_features))
    return Part(
        rows=tf.TensorSpec((None, n_steps * batch_size, n_features)),
        n_taken=tf.TensorSpec((None,), tf.int32),
        longer=tf.TensorSpec((None, n_steps), tf.int32),
        shares=tf.TensorSpec((None, n_steps)),
        weights=tf.TensorSpec((2, batch_size)),
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


class _Turns(NamedTuple):
    """The turns of an epoch.

    Attributes
    ----------
    batches : ndarray of shape (n_turns, n_steps * batch_size)
        Indices of the rows.
    lengths, step_sizes : ndarray of shape (n_turns, n_steps)
        Of the batches: rows that are not filled up, and 0 where there is no batch.
    starts : ndarray of shape (n_turns, 1)
        As in `Part`.
    """

    batches: np.ndarray
    lengths: np.ndarray
    step_sizes: np.ndarray
    starts: np.ndarray


def prepare_epochs(
    program: Program, settings: Settings, data: Data, rows: Split
) -> Iterator[Iterator[Part]]:
    """Prepare the epochs one after another, each in an order of its own, part by part.

    The parts of an epoch have their rows in the same memory, one after another.
    """
    rng = np.random.default_rng(settings.seed)
    batch_size, before_xla = program.batch_size, settings.epochs_before_xla
    lengths = _batch_lengths(len(rows.train), batch_size, settings.fewest_steps)
    n_by_xla = _steps_by_xla(program)
    n_normals = _n_normals(program, 1 if before_xla is None else n_by_xla)
    corruption = settings.corruption or _NO_CORRUPTION
    same = Part(*[None] * len(Part._fields))._replace(
        weights=_floats(_batch_weights(lengths.min(), batch_size)),
        normals=_floats(rng.standard_normal(n_normals, dtype=np.float32)),
        replacements=_floats([corruption.low, corruption.high]),
        **_held_out(program, settings, data, rows),
    )
    for i in range(settings.n_epochs):
        n_steps = 1 if before_xla is None or i < before_xla else n_by_xla
        batches = _batched(rng.permutation(rows.train), lengths, batch_size, n_steps)
        rates = _learning_rates(i, len(lengths), settings)
        same = same._replace(seed=rng.integers(2**31 - 1, size=2))
        turns = _Turns(
            batches.reshape(-1, n_steps * batch_size),
            _in_turns(lengths, n_steps),
            _in_turns(_step_sizes(i, rates), n_steps),
            rng.integers(_N_STARTS, size=(len(lengths), 1))[::n_steps],
        )
        yield _parts(program, same, turns, _scalars(i, rates, settings), data.X)
        del batches, turns  # before the next ones are made


def _parts(
    program: Program, same: Part, turns: _Turns, scalars: Scalars, X: RowSource
) -> Iterator[Part]:
    """Cut an epoch into parts, and add what they have the `same`."""
    n_turns, n_rows = turns.batches.shape
    n_features = X.shape[1]
    n_at_once = min(max(1, _MOST_VALUES // (n_rows * n_features)), n_turns)
    memory = empty_aligned((n_at_once, n_rows, n_features))
    n_in_all, shorter = turns.lengths.sum(), turns.lengths[turns.lengths > 0].min()
    for begin in range(0, n_turns, n_at_once):
        end = begin + n_at_once
        batches, lengths, step_sizes, starts = (of_all[begin:end] for of_all in turns)
        rows = memory[: len(batches)]
        copy_rows(X, batches.ravel(), rows.reshape(-1, n_features))
        part = same._replace(
            rows=_in_place(rows),
            n_taken=_integers((lengths > 0).sum(axis=1)),
            longer=_integers(lengths > shorter),
            shares=_floats(lengths / n_in_all),
            donors=_integers(_donors(program, lengths)),
            step_sizes=_floats(step_sizes),
            scalars=_floats(scalars if begin == 0 else scalars._replace(decay=0.0)),
            seed=_integers(same.seed + np.array([0, begin])),
            starts=_integers(starts),
        )
        yield part if end >= n_turns else _without_held_out(part)


def _donors(program: Program, lengths: np.ndarray) -> np.ndarray:
    """Return the places of rows that are not filled up, if their values are needed."""
    if program.noise != "swap":
        return np.zeros(1)
    return np.flatnonzero(np.arange(program.batch_size) < lengths.reshape(-1, 1))


def _held_out(
    program: Program, settings: Settings, data: Data, rows: Split
) -> dict[str, tf.Tensor]:
    """Return what a part says of the rows held out."""
    rng = np.random.default_rng((*settings.seed, _HELD_OUT_SEED))
    n_held_out, shape = len(rows.held_out), (program.batch_size, data.X.shape[1])
    lengths = _batch_lengths(n_held_out, program.batch_size)
    batches, places, mask = (
        _batched(values, lengths, program.batch_size)
        for values in (rows.held_out, np.arange(n_held_out), np.ones(n_held_out))
    )

    def batched(X: RowSource, places: np.ndarray) -> tf.Tensor:
        copies = empty_aligned((len(places), *shape))
        copy_rows(X, places.ravel(), copies.reshape(-1, shape[1]))
        return _in_place(copies)

    held_out = inputs = batched(data.X, batches)
    if data.held_out_inputs is not None:
        inputs = batched(data.held_out_inputs, places)
    return {
        "held_out": held_out,
        "held_out_inputs": inputs,
        "held_out_weights": _floats(mask[:, np.newaxis] / max(n_held_out, 1)),
        "held_out_starts": _integers(rng.integers(_N_STARTS, size=(len(mask), 1))),
    }


def _without_held_out(part: Part) -> Part:
    fields = [name for name in Part._fields if name.startswith("held_out")]
    return part._replace(**{name: getattr(part, name)[:0] for name in fields})


def _steps_by_xla(program: Program) -> int:
    n_values = program.batch_size * program.network.encoder.n_inputs
    return min(max(_VALUES_OF_STEPS // n_values, 1), _MOST_STEPS)


def _n_normals(program: Program, n_steps: int) -> int:
    """Return the length of the table: its starts, and the most taken at once."""
    encoder = program.network.encoder
    n_noises = program.noisy_inputs + (program.noise == "gaussian")
    n_codes = encoder.n_outputs if encoder.log_variance else 0
    most = n_steps * program.batch_size * (n_noises * encoder.n_inputs + n_codes)
    return _N_STARTS + most if most else 0


def _scalars(i: int, rates: np.ndarray, settings: Settings) -> Scalars:
    """Return the numbers of an epoch, some of which grow from one to the next."""
    grown = min(1.0, (i + 1) / max(settings.warmup, 1))
    return Scalars(
        decay=-np.expm1(-settings.weight_decay * rates.sum()),
        input_noise=settings.input_noise,
        noise_level=(settings.corruption or _NO_CORRUPTION).level,
        alpha=settings.alpha,
        share=settings.share,
        code_weight=grown * settings.code_weight,
        feedback=settings.feedback + (1 - settings.feedback) * i / settings.n_epochs,
    )


def _batch_lengths(n_rows: int, batch_size: int, fewest: int = 1) -> np.ndarray:
    """Return the lengths of as few batches as possible, but not fewer than asked.

    They are equal but for one row: a last batch of what is left over would have few
    rows, and take a step as long as any other.
    """
    n_batches = max(-(-n_rows // batch_size), min(fewest, n_rows))
    if n_batches == 0:
        return np.zeros(0, int)
    shorter, n_longer = divmod(n_rows, n_batches)
    return shorter + (np.arange(n_batches) < n_longer)


def _batched(
    values: np.ndarray, lengths: np.ndarray, batch_size: int, n_steps: int = 1
) -> np.ndarray:
    """Cut values into batches, filled up with zeros, for turns of some steps."""
    n_turns = -(-len(lengths) // n_steps)
    batches = empty_aligned((n_turns * n_steps, batch_size), values.dtype)
    batches[...] = 0
    n_done = 0
    for batch, length in zip(batches, lengths, strict=False):
        batch[:length] = values[n_done : n_done + length]
        n_done += length
    return batches


def _in_turns(values: np.ndarray, n_steps: int) -> np.ndarray:
    """Arrange what there is one of for each batch, filled up with zeros."""
    turns = np.zeros((-(-len(values) // n_steps), n_steps), values.dtype)
    turns.reshape(-1)[: len(values)] = values
    return turns


def _batch_weights(n_rows: int, batch_size: int) -> np.ndarray:
    """Return the weights of the rows of a batch of `n_rows`, and of one more."""
    both = np.array([[n_rows], [n_rows + 1]])
    return (np.arange(batch_size) < both) / both


def _integers(values: Any) -> tf.Tensor:
    return _in_place(np.asarray(values, dtype=np.int32))


def _floats(values: Any) -> tf.Tensor:
    return _in_place(np.asarray(values, dtype=np.float32))


def _in_place(values: np.ndarray) -> tf.Tensor:
    """Return a tensor in the memory of the array, if that is as TensorFlow needs it.

    TensorFlow itself would copy it, and take ten times as long for a few values.
    """
    return tf.experimental.dlpack.from_dlpack(aligned(values).__dlpack__())


def _learning_rates(i: int, n_batches: int, settings: Settings) -> np.ndarray:
    """Return the rates of the steps of an epoch, of shape (n_batches,).

    They warm up in a straight line, then fall to zero along half a cosine (Loshchilov &
    Hutter, 2017).
    """
    if not settings.decaying:
        return np.full(n_batches, settings.learning_rate)
    warmup = min(_WARMUP_EPOCHS, settings.n_epochs / 2)
    now = i + (np.arange(n_batches) + 0.5) / n_batches
    progress = np.maximum(now - warmup, 0) / (settings.n_epochs - warmup)
    factor = np.minimum(now / warmup, 1) * (1 + np.cos(np.pi * progress)) / 2
    return settings.learning_rate * factor


def _step_sizes(i: int, rates: np.ndarray) -> np.ndarray:
    """Correct an epoch's rates for Adam's moments, which start at zero."""
    step = i * len(rates) + np.arange(1, len(rates) + 1)
    return rates * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
