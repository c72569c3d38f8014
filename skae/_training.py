"""The compiled training loop: one function an architecture, kept and reused.

``train`` leases a compiled program, runs epochs until a rule stops them, and returns
plain arrays. Each rung is one level of abstraction: ``train``, ``_run_epochs``,
``CompiledProgram.run_epoch``, ``CompiledProgram._trace_part``.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from skae._corruption import add_gaussian, replace_values
from skae._epochs import Part, Scalars, part_spec, prepare_epochs
from skae._graphs import for_each, run_as_traced, view
from skae._logging import logger
from skae._network import Weights
from skae._objective import Batch, Objective
from skae._optimizer import adam, make_slots, take_step
from skae._plan import (
    Data,
    EarlyStopping,
    Outcome,
    Program,
    Settings,
    Split,
    divergence_advice,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from skae._optimizer import State

# Sets apart what a batch draws beside the values that it corrupts.
_DONOR_SEED = [1, 0]

# Compiled programs kept while idle. Each holds some megabytes that TensorFlow does not
# return once it is dropped, so a search should find all of its architectures here.
_MAX_IDLE_PROGRAMS = 64


def train(
    program: Program, settings: Settings, data: Data, rows: Split, start: Weights
) -> Outcome:
    """Train a network from the weights `start`.

    Parameters
    ----------
    program : Program
    settings : Settings
    data : Data
    rows : Split
    start : Weights

    Raises
    ------
    ValueError
        If the loss is not finite before any epoch has proved itself.
    KeyboardInterrupt
        If the user interrupts the first epoch. Later, it ends training.
    """
    if not tf.test.is_built_with_xla():
        settings = replace(settings, epochs_before_xla=None)
    with _lease(program) as compiled:
        compiled.reset(start)
        return _run_epochs(compiled, settings, data, rows)


def _run_epochs(
    compiled: CompiledProgram, settings: Settings, data: Data, rows: Split
) -> Outcome:
    epochs = prepare_epochs(compiled.program, settings, data, rows)
    progress = _Progress(compiled, settings, len(rows.held_out) > 0)
    try:
        for parts in epochs:
            progress.note(compiled.run_epoch(parts))
            if progress.should_stop:
                break
    except KeyboardInterrupt:
        if not progress.outcome.loss:
            raise
        progress.outcome.interrupted = True
    return progress.finish()


class Trace(NamedTuple):
    """What an epoch leaves.

    Attributes
    ----------
    terms, val_terms : ndarray of shape (n_terms,)
        Of the loss, over the training rows during the epoch and over the rows held out
        after it (0 where there are none). `Objective.loss` makes losses of them.
    values : list of tf.Tensor
        The weights after the epoch. They share the variables' memory until the next
        step, which writes to a copy.
    """

    terms: np.ndarray
    val_terms: np.ndarray
    values: list[tf.Tensor]


class _Progress:
    """Watches the losses of a run, keeps the weights to return, says when to stop."""

    def __init__(
        self, compiled: CompiledProgram, settings: Settings, held_out: bool
    ) -> None:
        self.outcome = Outcome(Weights([], []))
        self.should_stop = False
        self._compiled = compiled
        self._settings = settings
        self._held_out = held_out
        self._best = self._reference = np.inf
        self._n_bad = 0
        # The weights to return, and those known to have a finite loss.
        self._kept: list[tf.Tensor] | None = None
        self._proven: list[tf.Tensor] | None = None
        self._at_stops: list[list[tf.Tensor]] = []
        # The sum of the weights of the epochs that belong to the next stop, so far.
        self._sum: list[tf.Tensor] = []

    def finish(self) -> Outcome:
        """Return the outcome with the weights of the epochs that were kept."""
        assert self._kept is not None  # or the first epoch has raised
        as_weights = self._compiled.as_weights
        n_missing = len(self._settings.stops) - len(self._at_stops)
        self._at_stops += [self._kept] * n_missing
        self.outcome.weights = as_weights(self._kept)
        self.outcome.at_stops = [as_weights(values) for values in self._at_stops]
        return self.outcome

    def note(self, trace: Trace) -> None:
        """Take note of the epoch that has just been trained."""
        loss, val_loss = (
            self._compiled.objective.loss(np, values, self._settings.code_weight).item()
            for values in (trace.terms, trace.val_terms)
        )
        if not (isfinite(loss) and isfinite(val_loss)):
            self._diverge()
            return
        self.outcome.loss.append(loss)
        if self._held_out:
            self.outcome.val_loss.append(val_loss)
        if self._settings.verbose:
            n_epochs = len(self.outcome.loss)
            logger.info("epoch %d: loss %.6g, val_loss %.6g", n_epochs, loss, val_loss)
        if self._settings.stopping is None:
            # The epoch's loss tells of the weights it began with.
            self._proven = self._kept
            self._kept = trace.values
            if len(self._at_stops) < len(self._settings.stops):
                self._note_stop(trace.values)
        else:
            self._judge(val_loss, trace.values, self._settings.stopping)

    def _note_stop(self, values: list[tf.Tensor]) -> None:
        """Average the weights of the epochs that belong to the next stop.

        That comes near what a schedule which ends there would give (Izmailov et al.,
        2018, "Averaging weights leads to wider optima and better generalization").
        """
        settings, n_epochs = self._settings, len(self.outcome.loss)
        before, stop = (0, *settings.stops)[len(self._at_stops) :][:2]
        begin = max(stop // 2, before, settings.warmup)
        if stop == settings.n_epochs:
            begin = stop - 1  # the schedule ends with rates of nearly zero
        if n_epochs > begin:
            self._sum = [*map(tf.add, self._sum, values)] if self._sum else values
        if n_epochs == stop:
            self._kept = [total / (stop - begin) for total in self._sum]
            self._at_stops.append(self._kept)
            self._sum = []
            self.should_stop = len(self._at_stops) == len(settings.stops)

    def _judge(
        self, val_loss: float, values: list[tf.Tensor], stopping: EarlyStopping
    ) -> None:
        if val_loss < self._best:
            self._best = val_loss
            self._proven = self._kept = values
        # A logarithm of an error may be negative.
        least_decrease = stopping.tol * abs(self._reference)
        if self._reference is np.inf or val_loss < self._reference - least_decrease:
            self._reference = val_loss
            self._n_bad = 0
        elif len(self.outcome.loss) > stopping.start:
            self._n_bad += 1
        self.should_stop = self._n_bad >= stopping.patience

    def _diverge(self) -> None:
        if self._proven is None:
            raise ValueError(divergence_advice(self._settings.learning_rate))
        self._kept = self._proven
        self.outcome.diverged = True
        self.should_stop = True


class _Normals:
    """Hands out the normal numbers of a batch: those of a table from `start` on.

    That has shape (1,).
    """

    def __init__(self, table: tf.Tensor, start: tf.Tensor) -> None:
        self._table = table
        self._start = start
        self._n_taken = 0

    def take(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Return the next ones."""
        begin = self._start + self._n_taken if self._n_taken else self._start
        size = prod(shape)
        self._n_taken += size
        return tf.reshape(tf.slice(self._table, begin, [size]), shape)


class CompiledProgram:
    """A compiled epoch with the variables it works on.

    Not safe for use by two threads at once.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.objective = Objective(program)
        self._shapes = program.network.array_shapes
        self._sizes = [prod(shape) for shape in self._shapes]
        self._slots = make_slots(program.network)
        self._turn = tf.function(self._trace_turn, jit_compile=True, autograph=False)
        # By the number of steps that are taken at once.
        self._runs = {1: self._compile(1)}

    def _compile(self, n_steps: int) -> Callable[[Part], list[tf.Tensor]]:
        return run_as_traced(self._trace_part, part_spec(self.program, n_steps))

    def reset(self, weights: Weights) -> None:
        """Set the weights and forget the optimizer's moments."""
        arrays = weights.all
        for slot in self._slots:
            flat = np.concatenate([arrays[place].ravel() for place in slot.places])
            slot.values.assign(flat.astype(np.float32))
            for moment in (slot.momentum, slot.velocity):
                moment.assign(tf.zeros_like(moment))

    def as_weights(self, values: list[tf.Tensor]) -> Weights:
        """Cut the values of the slots into the arrays of the network."""
        arrays = [np.zeros(0)] * len(self._shapes)
        for slot, flat in zip(self._slots, values, strict=True):
            sizes = [self._sizes[place] for place in slot.places]
            parts = np.split(flat.numpy(), np.cumsum(sizes)[:-1])
            for place, part in zip(slot.places, parts, strict=True):
                arrays[place] = part.reshape(self._shapes[place])
        return self.program.network.split(arrays)

    def run_epoch(self, parts: Iterable[Part]) -> Trace:
        """Take one optimizer step a batch."""
        terms: Any = 0
        val_terms: Any = 0
        for part in parts:
            n_steps = part.shares.shape[1]
            if n_steps not in self._runs:
                self._runs[n_steps] = self._compile(n_steps)
            of_part, val_of_part, *values = self._runs[n_steps](part)
            terms, val_terms = terms + of_part.numpy(), val_terms + val_of_part.numpy()
        return Trace(terms, val_terms, values)

    def _trace_part(self, now: Part) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Return what a `Trace` is made of."""
        scalars = Scalars(*tf.unstack(now.scalars))
        # Decoupled from the gradient (Loshchilov & Hutter, 2019), once an epoch.
        for slot in self._slots:
            slot.values.assign_sub(scalars.decay * slot.penalised * slot.values)
        take = self._step_by_step if now.shares.shape[1] == 1 else self._many_at_once
        terms, values = take(now, scalars)
        # Batches may differ by a row, which their mean losses do not show.
        mean_terms = tf.linalg.matvec(terms, tf.reshape(now.shares, [-1]), True)
        return mean_terms, self._validate(now, scalars, values), values

    def _step_by_step(
        self, now: Part, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the terms of each batch, and the weights after the last one."""

        def train(i: tf.Tensor, values: list[tf.Tensor]) -> tuple[Any, ...]:
            batch = self._batch(tf.gather(now.rows, i), now, scalars, i)
            step_size = tf.gather(now.step_sizes, i)
            terms, gradients = self._differentiate(values, batch, scalars)
            # Without a penalty, this spares a pass over the weights.
            penalised = tf.cond(
                scalars.alpha > 0,
                lambda: self._penalise(gradients, values, scalars.alpha),
                lambda: gradients,
            )
            return terms, [
                take_step(*one, step_size)
                for one in zip(self._slots, values, penalised, strict=True)
            ]

        values = [slot.values.read_value() for slot in self._slots]
        return for_each(tf.shape(now.rows)[0], train, (self.objective.n_terms,), values)

    def _many_at_once(
        self, now: Part, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Do the same by turns of some steps, each compiled by XLA as one operation.

        That needs shapes which do not change, so turns are filled up with steps that
        are not taken.
        """

        def train(i: tf.Tensor, states: list[State]) -> tuple[Any, ...]:
            batches = self._batch(view(now.rows, i), now, scalars, i)
            step_sizes = tf.gather(now.step_sizes, i)
            n_taken = tf.gather(now.n_taken, i)
            return self._turn(states, batches, step_sizes, n_taken, scalars)

        shape = (now.shares.shape[1], self.objective.n_terms)
        states = [slot.read() for slot in self._slots]
        terms, states = for_each(tf.shape(now.rows)[0], train, shape, states)
        for slot, state in zip(self._slots, states, strict=True):
            slot.assign(state)
        return tf.reshape(terms, (-1, self.objective.n_terms)), [
            state[0] for state in states
        ]

    def _trace_turn(
        self,
        states: list[State],
        batches: Batch,
        step_sizes: tf.Tensor,
        n_taken: tf.Tensor,
        scalars: Scalars,
    ) -> tuple[tf.Tensor, list[State]]:
        n_steps = step_sizes.shape[0]
        fields = batches.cut(n_steps)

        def train(i: tf.Tensor, states: list[State]) -> tuple[Any, ...]:
            batch = Batch(*(None if field is None else field[i] for field in fields))
            values = [state[0] for state in states]
            terms, gradients = self._differentiate(values, batch, scalars)
            # A condition would copy the gradients; without it, the penalty is part of
            # Adam's pass. The sum makes that wait for all gradients, as run beside the
            # products of the others it holds up both.
            alpha = scalars.alpha + 0.0 * tf.add_n([each[0] for each in gradients])
            penalised = self._penalise(gradients, values, alpha)
            return terms, [
                adam(*one, step_sizes[i]) for one in zip(states, penalised, strict=True)
            ]

        return for_each(n_taken, train, (self.objective.n_terms,), states, n_steps)

    def _differentiate(
        self, values: list[tf.Tensor], batch: Batch, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the terms of the loss, and its gradient."""
        with tf.GradientTape() as tape:
            tape.watch(values)
            terms = self.objective.terms(self._cut_up(values), batch, scalars)
            loss = self.objective.loss(keras.ops, terms, scalars.code_weight)
        return terms, tape.gradient(loss, values)

    def _validate(
        self, now: Part, scalars: Scalars, values: list[tf.Tensor]
    ) -> tf.Tensor:
        """Return the terms of the rows held out."""

        def validate(i: tf.Tensor, values: list[tf.Tensor]) -> tuple[Any, ...]:
            targets = inputs = tf.gather(now.held_out, i)
            if self.program.noise is not None:
                inputs = tf.gather(now.held_out_inputs, i)
            weights = tf.gather(now.held_out_weights, i)
            normals = _Normals(now.normals, tf.gather(now.held_out_starts, i))
            batch = Batch(targets, inputs, weights, self._code_normal(targets, normals))
            terms = self.objective.terms(self._cut_up(values), batch, scalars)
            return terms, values

        terms, _ = for_each(
            tf.shape(now.held_out)[0], validate, (self.objective.n_terms,), values
        )
        return tf.reduce_sum(terms, axis=0)

    def _batch(
        self, rows: tf.Tensor, now: Part, scalars: Scalars, i: tf.Tensor
    ) -> Batch:
        """Make a batch of the rows, or those of the steps that are taken at once."""
        normals = _Normals(now.normals, tf.gather(now.starts, i))
        inputs = self._inputs(rows, now, scalars, normals, i)
        weights = tf.gather(now.weights, tf.gather(now.longer, i))
        return Batch(rows, inputs, weights, self._code_normal(rows, normals))

    def _code_normal(self, rows: tf.Tensor, normals: _Normals) -> tf.Tensor | None:
        encoder = self.program.network.encoder
        if not encoder.log_variance:
            return None
        return normals.take((rows.shape[0], encoder.n_outputs))

    def _penalise(
        self, gradients: list[tf.Tensor], values: list[tf.Tensor], alpha: tf.Tensor
    ) -> list[tf.Tensor]:
        """Add the gradient of the L2 penalty."""
        return [
            gradient + alpha * slot.penalised * value
            for gradient, slot, value in zip(
                gradients, self._slots, values, strict=True
            )
        ]

    def _inputs(
        self,
        rows: tf.Tensor,
        now: Part,
        scalars: Scalars,
        normals: _Normals,
        i: tf.Tensor,
    ) -> tf.Tensor:
        """Return what to reconstruct the rows from."""
        inputs = rows
        if self.program.noise == "gaussian":
            inputs = add_gaussian(rows, normals.take(rows.shape), scalars.noise_level)
        elif self.program.noise is not None:
            seed = tf.stack([now.seed[0], now.seed[1] + i])
            inputs = self._replaced(rows, now, scalars.noise_level, seed)
        if self.program.noisy_inputs:
            normal = normals.take(rows.shape)
            inputs = add_gaussian(inputs, normal, scalars.input_noise)
        return inputs

    def _replaced(
        self, rows: tf.Tensor, now: Part, level: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        shape = tf.shape(rows)
        uniform = tf.random.stateless_uniform(shape, seed)
        low, high = tf.unstack(now.replacements)
        if self.program.noise == "swap":
            low = high = self._swapped(shape, now, seed + _DONOR_SEED)
        return replace_values(keras.ops, rows, uniform, level, (low, high))

    def _swapped(self, shape: tf.Tensor, now: Part, seed: tf.Tensor) -> tf.Tensor:
        """Draw values of each feature from the rows of the part."""
        n_rows = tf.shape(now.donors)[0]
        chosen = tf.random.stateless_uniform(shape, seed, 0, n_rows, tf.int32)
        donors = tf.gather(now.donors, chosen)
        features = tf.broadcast_to(tf.range(shape[1]), shape)
        rows = tf.reshape(now.rows, (-1, now.rows.shape[-1]))
        return tf.gather_nd(rows, tf.stack([donors, features], axis=-1))

    def _cut_up(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        """Cut the values of the slots into tensors of the network's shapes."""
        tensors: list[Any] = [None] * len(self._shapes)
        for slot, flat in zip(self._slots, values, strict=True):
            parts = [flat]
            if len(slot.places) > 1:
                parts = tf.split(flat, [self._sizes[place] for place in slot.places])
            for place, part in zip(slot.places, parts, strict=True):
                shape = self._shapes[place]
                tensors[place] = part if len(shape) == 1 else tf.reshape(part, shape)
        return tensors


_idle_programs: OrderedDict[int, CompiledProgram] = OrderedDict()
_idle_lock = threading.Lock()


@contextmanager
def _lease(program: Program) -> Iterator[CompiledProgram]:
    """Take a compiled program out of the cache for exclusive use, or compile one.

    A second lease of the same program, by another thread or inside the first, gets a
    copy of its own.
    """
    compiled = _take_idle(program) or CompiledProgram(program)
    try:
        yield compiled
    finally:
        with _idle_lock:
            _idle_programs[id(compiled)] = compiled
            while len(_idle_programs) > _MAX_IDLE_PROGRAMS:
                _idle_programs.popitem(last=False)


def _take_idle(program: Program) -> CompiledProgram | None:
    with _idle_lock:
        for key, compiled in reversed(_idle_programs.items()):
            if compiled.program == program:
                return _idle_programs.pop(key)
    return None
