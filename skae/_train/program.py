"""Compiled programs: the graph of an epoch with the variables it works on.

Programs are cached and leased: a fit takes one out of the cache, uses it exclusively
and returns it, so that a search compiles each architecture once.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from skae._network.keras_interpreter import StackLayers
from skae._train.chunks import EpochChunk, chunk_spec
from skae._train.corruption import add_gaussian
from skae._train.fast_layers import FAST
from skae._train.objectives import Batch, NetworkLayers
from skae._train.optimizer import adam_step, apply_adam, parameter_groups
from skae._train.schedule import Scalars
from skae._train.tensorflow_internals import (
    compile_function,
    read_values,
    scan,
    take_slice,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from skae._network.description import Arrays, Weights
    from skae._train.config import GraphKey
    from skae._train.optimizer import State

# Programs kept while idle. Each holds some megabytes that TensorFlow does not free when
# the program is dropped, so all architectures of a search should fit in the cache.
_MAX_IDLE_PROGRAMS = 64

# Separates the draws of donor rows from those of the values to corrupt.
_DONOR_SEED = [1, 0]


class EpochTrace(NamedTuple):
    """Losses and weights after an epoch.

    Attributes
    ----------
    terms, val_terms : ndarray of shape (n_terms,)
        Terms of the objective: over the training rows during the epoch, and over the
        held-out rows after it (0 if there are none).
    values : list of tf.Tensor
        The weights after the epoch, by parameter group. They share the memory of the
        variables, which the next write replaces by a copy.
    """

    terms: np.ndarray
    val_terms: np.ndarray
    values: list[tf.Tensor]


class _NormalNumbers:
    """Reads consecutive normal numbers from a table, from `start` on.

    `start` has shape (1,).
    """

    def __init__(self, table: tf.Tensor, start: tf.Tensor) -> None:
        self._table = table
        self._start = start
        self._n_read = 0

    def read(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Return the next numbers, in the given shape."""
        begin = self._start + self._n_read if self._n_read else self._start
        size = prod(shape)
        self._n_read += size
        return tf.reshape(tf.slice(self._table, begin, [size]), shape)


class _GraphDraws:
    """The `Draws` of the compiled graph, for the rows of one step group."""

    def __init__(
        self,
        chunk: EpochChunk,
        level: tf.Tensor,
        normals: _NormalNumbers,
        step_group: tf.Tensor,
    ) -> None:
        self.level = level
        self.normal = normals.read
        self._chunk = chunk
        self._step_group = step_group

    def replacements(self) -> tuple[tf.Tensor, tf.Tensor]:
        low, high = tf.unstack(self._chunk.replacements)
        return low, high

    def uniform(self, shape: Any) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, self._seed())

    def values_of_other_rows(self, shape: Any) -> tf.Tensor:
        chunk = self._chunk
        n_rows = tf.shape(chunk.donors)[0]
        seed = self._seed() + _DONOR_SEED
        chosen = tf.random.stateless_uniform(shape, seed, 0, n_rows, tf.int32)
        donors = tf.gather(chunk.donors, chosen)
        features = tf.broadcast_to(tf.range(shape[1]), shape)
        rows = tf.reshape(chunk.rows, (-1, chunk.rows.shape[-1]))
        return tf.gather_nd(rows, tf.stack([donors, features], axis=-1))

    def _seed(self) -> tf.Tensor:
        seed = self._chunk.seed
        return tf.stack([seed[0], seed[1] + self._step_group])


class CompiledProgram:
    """The compiled epoch of one architecture. Two threads must not use it at once."""

    def __init__(self, key: GraphKey) -> None:
        self.key = key
        self._shapes = key.network.array_shapes
        self._sizes = [prod(shape) for shape in self._shapes]
        self._layers = NetworkLayers(
            StackLayers(key.network.encoder.pooled_early, "encoder", FAST),
            StackLayers(key.network.decoder.pooled_early, "decoder", FAST),
        )
        self._layer_variables = [
            variable for half in self._layers for variable in half.variables
        ]
        self._groups = parameter_groups(key.network)
        self._is_new = True
        self._xla_steps = tf.function(
            self._trace_xla_steps, jit_compile=True, autograph=False
        )
        # Compiled functions by the number of steps in a group.
        self._functions = {1: self._compile(1)}

    def _compile(self, n_steps: int) -> Callable[[EpochChunk], list[tf.Tensor]]:
        return compile_function(self._trace_chunk, chunk_spec(self.key, n_steps))

    def restart(self, weights: Weights) -> None:
        """Set the weights, and forget the optimizer's moments."""
        arrays = weights.joined()
        for group in self._groups:
            group.restart(arrays, self._is_new)
        self._is_new = False

    def as_weights(self, values: list[tf.Tensor]) -> Weights:
        """Divide the values of the parameter groups into the network's arrays."""
        arrays = [np.zeros(0)] * len(self._shapes)
        for group, flat in zip(self._groups, values, strict=True):
            ends = np.cumsum([self._sizes[index] for index in group.indices])
            pieces = np.split(flat.numpy(), ends[:-1])
            for index, piece in zip(group.indices, pieces, strict=True):
                arrays[index] = piece.reshape(self._shapes[index])
        return self.key.network.split(arrays)

    def run_epoch(self, chunks: Iterable[EpochChunk]) -> EpochTrace:
        """Take one optimizer step for each batch."""
        terms: Any = 0
        val_terms: Any = 0
        for chunk in chunks:
            n_steps = chunk.row_fractions.shape[1]
            if n_steps not in self._functions:
                self._functions[n_steps] = self._compile(n_steps)
            chunk_terms, chunk_val_terms, *values = self._functions[n_steps](chunk)
            terms = terms + chunk_terms.numpy()
            val_terms = val_terms + chunk_val_terms.numpy()
        return EpochTrace(terms, val_terms, values)

    def validate(self, chunk: EpochChunk) -> np.ndarray:
        """Return the terms of the objective over the held-out rows.

        The chunk must have no steps: the weights stay as they are.
        """
        _, val_terms, *_ = self._functions[1](chunk)
        terms: np.ndarray = val_terms.numpy()
        return terms

    def _trace_chunk(
        self, chunk: EpochChunk
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Return the fields of an `EpochTrace`."""
        scalars = Scalars(*tf.unstack(chunk.scalars))
        # Decoupled from the gradient (Loshchilov & Hutter, 2019), once an epoch.
        for group in self._groups:
            group.values.assign_sub(scalars.decay * group.decay_mask * group.values)
        single = chunk.row_fractions.shape[1] == 1
        run = self._run_single_steps if single else self._run_step_groups
        terms, values = run(chunk, scalars)
        # Batches may differ by a row, which their mean losses do not show.
        fractions = tf.reshape(chunk.row_fractions, [-1])
        mean_terms = tf.linalg.matvec(terms, fractions, True)
        return mean_terms, self._validate(chunk, scalars, values), values

    def _run_single_steps(
        self, chunk: EpochChunk, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the terms of each batch, and the weights after the last one."""

        def step(i: tf.Tensor, values: list[tf.Tensor]) -> tuple[Any, ...]:
            batch = self._batch(tf.gather(chunk.rows, i), chunk, scalars, i)
            step_size = tf.gather(chunk.step_sizes, i)
            terms, gradients = self._differentiate(values, batch, scalars)
            # Without a penalty, the condition saves a pass over the weights.
            penalised = tf.cond(
                scalars.alpha > 0,
                lambda: self._with_penalty(gradients, values, scalars.alpha),
                lambda: gradients,
            )
            return terms, [
                apply_adam(*one, step_size)
                for one in zip(self._groups, values, penalised, strict=True)
            ]

        values = [read_values(group.values) for group in self._groups]
        n_terms = self.key.objective.n_terms
        return scan(tf.shape(chunk.rows)[0], step, (n_terms,), values)

    def _run_step_groups(
        self, chunk: EpochChunk, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Do the same in groups of steps that XLA compiles as one operation.

        XLA needs fixed shapes, so the last group is padded with steps that are not
        taken.
        """

        def step(i: tf.Tensor, states: list[State]) -> tuple[Any, ...]:
            batches = self._batch(take_slice(chunk.rows, i), chunk, scalars, i)
            step_sizes = tf.gather(chunk.step_sizes, i)
            n_taken = tf.gather(chunk.n_taken, i)
            return self._xla_steps(states, batches, step_sizes, n_taken, scalars)

        n_terms = self.key.objective.n_terms
        shape = (chunk.row_fractions.shape[1], n_terms)
        states = [group.read() for group in self._groups]
        terms, states = scan(tf.shape(chunk.rows)[0], step, shape, states)
        for group, state in zip(self._groups, states, strict=True):
            group.assign(state)
        return tf.reshape(terms, (-1, n_terms)), [state[0] for state in states]

    def _trace_xla_steps(
        self,
        states: list[State],
        batches: Batch,
        step_sizes: tf.Tensor,
        n_taken: tf.Tensor,
        scalars: Scalars,
    ) -> tuple[tf.Tensor, list[State]]:
        n_steps = step_sizes.shape[0]
        fields = batches.by_step(n_steps)

        def step(i: tf.Tensor, states: list[State]) -> tuple[Any, ...]:
            batch = Batch(*(None if field is None else field[i] for field in fields))
            values = [state[0] for state in states]
            terms, gradients = self._differentiate(values, batch, scalars)
            # A condition would copy the gradients; without it the penalty is part of
            # Adam's pass. Adding the sum makes that pass wait for all gradients: run
            # beside the matrix products of the others, it slows down both.
            alpha = scalars.alpha + 0.0 * tf.add_n([each[0] for each in gradients])
            penalised = self._with_penalty(gradients, values, alpha)
            return terms, [
                adam_step(*one, step_sizes[i])
                for one in zip(states, penalised, strict=True)
            ]

        return scan(n_taken, step, (self.key.objective.n_terms,), states, n_steps)

    def _differentiate(
        self, values: list[tf.Tensor], batch: Batch, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the terms of the loss, and its gradient."""
        with tf.GradientTape() as tape:
            tape.watch(values)
            terms = self._terms(values, batch, scalars)
            loss = self.key.objective.total(keras.ops, terms, scalars.term_weight)
        return terms, tape.gradient(loss, values)

    def _terms(
        self, values: list[tf.Tensor], batch: Batch, scalars: Scalars
    ) -> tf.Tensor:
        """Return the objective's terms with these values as weights."""
        arrays = self._unflattened(values)
        mapping = list(zip(self._layer_variables, arrays, strict=True))
        # Keras's layers compute with these tensors in place of their variables.
        with keras.StatelessScope(state_mapping=mapping):
            return self.key.objective.terms(self._layers, batch, scalars)

    def _validate(
        self, chunk: EpochChunk, scalars: Scalars, values: list[tf.Tensor]
    ) -> tf.Tensor:
        """Return the terms of the held-out rows."""

        def step(i: tf.Tensor, values: list[tf.Tensor]) -> tuple[Any, ...]:
            rows = tf.gather(chunk.held_out, i)
            targets, labels = self._features_and_labels(rows)
            inputs = targets
            if self.key.corruption.is_active:
                inputs = tf.gather(chunk.held_out_inputs, i)
            weights = tf.gather(chunk.held_out_weights, i)
            start = tf.gather(chunk.held_out_starts, i)
            normal = self._code_normal(targets, _NormalNumbers(chunk.normals, start))
            batch = Batch(targets, inputs, weights, normal, labels)
            return self._terms(values, batch, scalars), values

        n_batches = tf.shape(chunk.held_out)[0]
        terms, _ = scan(n_batches, step, (self.key.objective.n_terms,), values)
        return tf.reduce_sum(terms, axis=0)

    def _batch(
        self, rows: tf.Tensor, chunk: EpochChunk, scalars: Scalars, i: tf.Tensor
    ) -> Batch:
        """Make the batches of step group `i` from their rows."""
        rows, labels = self._features_and_labels(rows)
        normals = _NormalNumbers(chunk.normals, tf.gather(chunk.starts, i))
        draws = _GraphDraws(chunk, scalars.noise_level, normals, i)
        inputs = self.key.corruption.apply(keras.ops, rows, draws)
        if self.key.smoothing:
            normal = normals.read(rows.shape)
            inputs = add_gaussian(inputs, normal, scalars.smoothing_noise)
        weights = tf.gather(chunk.row_weights, tf.gather(chunk.has_extra_row, i))
        normal = self._code_normal(rows, normals)
        return Batch(rows, inputs, weights, normal, labels)

    def _features_and_labels(
        self, rows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Divide the columns of rows; the labels are `None` if there are none."""
        n_labels = self.key.objective.n_label_columns
        if not n_labels:
            return rows, None
        features, labels = tf.split(rows, [rows.shape[1] - n_labels, n_labels], axis=1)
        return features, labels

    def _code_normal(
        self, rows: tf.Tensor, normals: _NormalNumbers
    ) -> tf.Tensor | None:
        if not self.key.objective.draws_codes:
            return None
        return normals.read((rows.shape[0], self.key.network.encoder.n_outputs))

    def _with_penalty(
        self, gradients: list[tf.Tensor], values: list[tf.Tensor], alpha: tf.Tensor
    ) -> list[tf.Tensor]:
        """Add the gradient of the L2 penalty."""
        return [
            gradient + alpha * group.decay_mask * value
            for gradient, group, value in zip(
                gradients, self._groups, values, strict=True
            )
        ]

    def _unflattened(self, values: list[tf.Tensor]) -> Arrays:
        """Divide the values of the parameter groups into tensors of the arrays."""
        tensors: list[Any] = [None] * len(self._shapes)
        for group, flat in zip(self._groups, values, strict=True):
            pieces = [flat]
            if len(group.indices) > 1:
                pieces = tf.split(flat, [self._sizes[index] for index in group.indices])
            for index, piece in zip(group.indices, pieces, strict=True):
                shape = self._shapes[index]
                tensors[index] = piece if len(shape) == 1 else tf.reshape(piece, shape)
        return tensors


# The one used last comes last.
_idle_programs: list[CompiledProgram] = []
_idle_lock = threading.Lock()


@contextmanager
def lease(key: GraphKey) -> Iterator[CompiledProgram]:
    """Take a compiled program out of the cache for exclusive use, or compile one.

    A second lease of the same key, by another thread or inside the first, gets a
    program of its own. A program that failed is dropped: its variables or its graph may
    be damaged.
    """
    program = _take_idle(key) or CompiledProgram(key)
    yield program
    with _idle_lock:
        _idle_programs.append(program)
        del _idle_programs[:-_MAX_IDLE_PROGRAMS]


def _take_idle(key: GraphKey) -> CompiledProgram | None:
    with _idle_lock:
        for i in reversed(range(len(_idle_programs))):
            if _idle_programs[i].key == key:
                return _idle_programs.pop(i)
    return None
