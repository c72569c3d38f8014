"""The compiled training loop: one function an architecture, kept and reused.

``train`` leases a compiled program, runs epochs until a rule stops them, and returns
plain arrays. Each rung is one level of abstraction: ``train``, ``_run_epochs``,
``CompiledProgram.run_epoch``, ``CompiledProgram._trace_epoch``.
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
from skae._epochs import (
    VALIDATION_BATCH,
    Epoch,
    Scalars,
    epoch_spec,
    prepare_epochs,
)
from skae._keras_backend import StackLayers
from skae._logging import logger
from skae._losses import LOSSES, finite_log_variance, kl_to_prior, kl_to_share, l1
from skae._network import Weights
from skae._optimizer import adam, make_slots, take_step
from skae._ordering import Nesting, nesting
from skae._plan import (
    Data,
    EarlyStopping,
    Outcome,
    Program,
    Settings,
    Split,
    divergence_advice,
)
from skae._training_operations import TRAINING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skae._optimizer import State

# Sets apart what a batch draws beside the values that it corrupts.
_DONOR_SEED = [1, 0]

# Keeps the noise's variance, and so the bound, finite. In units of training the data's
# mean variance is 1.
_SMALLEST_ERROR = 1e-6

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
        for epoch in epochs:
            progress.note(compiled.run_epoch(epoch))
            del epoch  # before the next one is made
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
        after it (0 where there are none). `CompiledProgram.objective` makes losses of
        them.
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

    def finish(self) -> Outcome:
        """Return the outcome with the weights of the epoch that was kept."""
        assert self._kept is not None  # or the first epoch has raised
        self.outcome.weights = self._compiled.as_weights(self._kept)
        return self.outcome

    def note(self, trace: Trace) -> None:
        """Take note of the epoch that has just been trained."""
        loss, val_loss = (
            self._compiled.objective(np, values, self._settings.code_weight).item()
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
        else:
            self._judge(val_loss, trace.values, self._settings.stopping)

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
    """Hands out the normal numbers of a batch: those from a place in a table on."""

    def __init__(self, table: tf.Tensor, start: tf.Tensor) -> None:
        self._table = table
        self._start = start
        self._n_taken = 0

    def take(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Return the next ones."""
        begin = self._start + self._n_taken if self._n_taken else self._start
        size = prod(shape)
        self._n_taken += size
        return tf.reshape(tf.slice(self._table, begin[tf.newaxis], [size]), shape)


class _Batch(NamedTuple):
    """Rows to reconstruct, what from, their weights, and normal numbers for codes.

    Of steps that are taken at once, these are the batches one after another.

    Attributes
    ----------
    targets, inputs : (n_steps * batch_size, n_features)
    weights : (n_steps, batch_size)
    normal : (n_steps * batch_size, n_components), or None
    """

    targets: tf.Tensor
    inputs: tf.Tensor
    weights: tf.Tensor
    normal: tf.Tensor | None

    def cut(self, n_steps: int) -> list[tf.Tensor | None]:
        """Return the fields with an axis more, that of the steps, in front."""
        return [
            None if field is None else tf.reshape(field, (n_steps, -1, field.shape[-1]))
            for field in self
        ]


class CompiledProgram:
    """A compiled epoch with the variables it works on.

    Not safe for use by two threads at once.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        network = program.network
        self._variational = network.encoder.log_variance
        self._n_terms = 2 if self._variational or program.sparsity else 1
        self._nesting = self._held_out_nesting = None
        if program.ordered:
            n_components = network.encoder.n_outputs
            self._nesting = nesting(n_components, program.batch_size)
            self._held_out_nesting = nesting(n_components, VALIDATION_BATCH)
            self._n_terms = len(self._nesting.weights)
        self._encoder, self._decoder = (
            StackLayers(half.pooled_early(), name, TRAINING)
            for name, half in (
                ("encoder", network.encoder),
                ("decoder", network.decoder),
            )
        )
        self._shapes = network.array_shapes
        self._sizes = [prod(shape) for shape in self._shapes]
        self._slots = make_slots(network)
        self._turn = tf.function(self._trace_turn, jit_compile=True, autograph=False)
        # By the number of steps that are taken at once.
        self._epochs = {1: self._compile(1)}

    def _compile(self, n_steps: int) -> Callable[[Epoch], Any]:
        return tf.function(
            self._trace_epoch,
            input_signature=[epoch_spec(self.program, n_steps)],
            autograph=False,
        ).get_concrete_function()

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

    def run_epoch(self, now: Epoch) -> Trace:
        """Take one optimizer step a batch."""
        n_steps = now.shares.shape[1]
        if n_steps not in self._epochs:
            self._epochs[n_steps] = self._compile(n_steps)
        terms, val_terms, values = self._epochs[n_steps](now)
        return Trace(terms.numpy(), val_terms.numpy(), values)

    def objective(self, xp: Any, terms: Any, code_weight: Any) -> Any:
        """Make a loss, of shape (1,), of the terms of the network's kind.

        Those are the mean error and, where there is one, the codes' term, or for
        ordered codes the mean errors of the groups of cuts, of which the loss is the
        geometric mean: it gains as much from one cut as from another.
        """
        if self._nesting is not None:
            weights = self._nesting.weights.astype(np.float32)
            logs = xp.log(terms + _SMALLEST_ERROR)
            return xp.exp(xp.sum(weights * logs, keepdims=True))
        error = terms[:1] if self._n_terms > 1 else terms
        if self._variational and self.program.loss == "squared_error":
            # The bound with the noise's best variance, which is the error (Rybkin,
            # Daniilidis & Levine, 2021, "Simple and effective VAE training with
            # calibrated decoders"), over the number of features.
            error = 0.5 * xp.log(error + _SMALLEST_ERROR)
        return error if self._n_terms == 1 else error + code_weight * terms[1:]

    def _trace_epoch(self, now: Epoch) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
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
        self, now: Epoch, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the terms of each batch, and the weights after the last one."""

        def train(i: tf.Tensor, values: list[tf.Tensor]) -> tuple[Any, ...]:
            batch = self._batch(now, scalars, i)
            step_size = tf.gather(now.step_sizes, i)
            terms, gradients = self._differentiate(values, batch, scalars)
            return terms, [
                take_step(*one, step_size)
                for one in zip(self._slots, values, gradients, strict=True)
            ]

        values = [slot.values.read_value() for slot in self._slots]
        return _for_each(tf.shape(now.batches)[0], train, (self._n_terms,), values)

    def _many_at_once(
        self, now: Epoch, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Do the same by turns of some steps, each compiled by XLA as one operation.

        That needs shapes which do not change, so turns are filled up with steps that
        are not taken.
        """

        def train(i: tf.Tensor, states: list[State]) -> tuple[Any, ...]:
            batches = self._batch(now, scalars, i)
            step_sizes = tf.gather(now.step_sizes, i)
            n_taken = tf.gather(now.n_taken, i)
            return self._turn(states, batches, step_sizes, n_taken, scalars)

        shape = (now.shares.shape[1], self._n_terms)
        states = [slot.read() for slot in self._slots]
        terms, states = _for_each(tf.shape(now.batches)[0], train, shape, states)
        for slot, state in zip(self._slots, states, strict=True):
            slot.assign(state)
        return tf.reshape(terms, (-1, self._n_terms)), [state[0] for state in states]

    def _trace_turn(
        self,
        states: list[State],
        batches: _Batch,
        step_sizes: tf.Tensor,
        n_taken: tf.Tensor,
        scalars: Scalars,
    ) -> tuple[tf.Tensor, list[State]]:
        n_steps = step_sizes.shape[0]
        fields = batches.cut(n_steps)

        def train(i: tf.Tensor, states: list[State]) -> tuple[Any, ...]:
            batch = _Batch(*(None if field is None else field[i] for field in fields))
            values = [state[0] for state in states]
            terms, gradients = self._differentiate(values, batch, scalars)
            return terms, [
                adam(*one, step_sizes[i]) for one in zip(states, gradients, strict=True)
            ]

        return _for_each(n_taken, train, (self._n_terms,), states, n_steps)

    def _differentiate(
        self, values: list[tf.Tensor], batch: _Batch, scalars: Scalars
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the terms of the loss, and its gradient."""
        with tf.GradientTape() as tape:
            tape.watch(values)
            terms = self._terms(values, batch, scalars, self._nesting)
            loss = self.objective(keras.ops, terms, scalars.code_weight)
        gradients = tape.gradient(loss, values)
        return terms, self._add_penalty(gradients, values, scalars.alpha)

    def _validate(
        self, now: Epoch, scalars: Scalars, values: list[tf.Tensor]
    ) -> tf.Tensor:
        """Return the terms of the rows held out."""
        held_out, places = tf.unstack(now.held_out)

        def validate(i: tf.Tensor, values: list[tf.Tensor]) -> tuple[Any, ...]:
            targets = tf.gather(now.X, tf.gather(held_out, i))
            inputs = tf.gather(now.held_out_inputs, tf.gather(places, i))
            weights = tf.gather(now.held_out_weights, i)[tf.newaxis]
            normals = _Normals(now.normals, tf.gather(now.held_out_starts, i))
            batch = _Batch(
                targets, inputs, weights, self._code_normal(targets, normals)
            )
            return self._terms(values, batch, scalars, self._held_out_nesting), values

        terms, _ = _for_each(tf.shape(held_out)[0], validate, (self._n_terms,), values)
        return tf.reduce_sum(terms, axis=0)

    def _batch(self, now: Epoch, scalars: Scalars, i: tf.Tensor) -> _Batch:
        """Gather a batch, or those of the steps that are taken at once."""
        rows = tf.gather(now.X, tf.gather(now.batches, i))
        normals = _Normals(now.normals, tf.gather(now.starts, i))
        inputs = self._inputs(rows, now, scalars, normals, i)
        weights = tf.gather(now.weights, tf.gather(now.longer, i))
        return _Batch(rows, inputs, weights, self._code_normal(rows, normals))

    def _code_normal(self, rows: tf.Tensor, normals: _Normals) -> tf.Tensor | None:
        if not self._variational:
            return None
        return normals.take((rows.shape[0], self.program.network.encoder.n_outputs))

    def _add_penalty(
        self, gradients: list[tf.Tensor], values: list[tf.Tensor], alpha: tf.Tensor
    ) -> list[tf.Tensor]:
        """Add that of the L2 penalty, without a pass over the weights if it is 0."""

        def added() -> list[tf.Tensor]:
            return [
                gradient + alpha * slot.penalised * value
                for gradient, slot, value in zip(
                    gradients, self._slots, values, strict=True
                )
            ]

        return tf.cond(alpha > 0, added, lambda: gradients)

    def _inputs(
        self,
        rows: tf.Tensor,
        now: Epoch,
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
        self, rows: tf.Tensor, now: Epoch, level: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        shape = tf.shape(rows)
        uniform = tf.random.stateless_uniform(shape, seed)
        low, high = tf.unstack(now.replacements)
        if self.program.noise == "swap":
            low = high = self._swapped(shape, now, seed + _DONOR_SEED)
        return replace_values(keras.ops, rows, uniform, level, (low, high))

    def _swapped(self, shape: tf.Tensor, now: Epoch, seed: tf.Tensor) -> tf.Tensor:
        """Draw values of each feature from all rows to train on."""
        n_rows = tf.shape(now.train_rows)[0]
        chosen = tf.random.stateless_uniform(shape, seed, 0, n_rows, tf.int32)
        rows = tf.gather(now.train_rows, chosen)
        features = tf.broadcast_to(tf.range(shape[1]), shape)
        return tf.gather_nd(now.X, tf.stack([rows, features], axis=-1))

    def _terms(
        self,
        values: list[tf.Tensor],
        batch: _Batch,
        scalars: Scalars,
        nesting: Nesting | None,
    ) -> tf.Tensor:
        """Return the terms of the loss, of shape (n_terms,); see `objective`.

        All are weighted sums over the rows.
        """
        variables = self._encoder.variables + self._decoder.variables
        mapping = list(zip(variables, self._cut_up(values), strict=True))
        # Keras's layers run with slices of `values` in the place of their variables.
        with keras.StatelessScope(state_mapping=mapping):
            if nesting is not None:
                return self._nested_errors(batch, nesting, scalars.feedback)
            outputs, heads = self._run(batch)
        losses = LOSSES[self.program.loss](keras.ops, batch.targets, outputs)
        weights = batch.weights
        # Two products, and as few operations in the gradient.
        mean = np.full((outputs.shape[1], 1), 1 / outputs.shape[1], np.float32)
        error = tf.matmul(tf.matmul(weights, losses), mean)[0]
        if self._n_terms == 1:
            return error
        if self._variational:
            divergence = tf.matmul(weights, kl_to_prior(keras.ops, *heads))
        elif self.program.sparsity == "l1":
            divergence = tf.matmul(weights, l1(keras.ops, *heads))
        else:
            total = tf.reduce_sum(weights)
            rate = tf.matmul(weights, *heads) / total
            divergence = total * kl_to_share(keras.ops, scalars.share, rate)
        return tf.concat([error, tf.reduce_sum(divergence, axis=1)], axis=0)

    def _cut_up(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        """Cut the values of the slots into tensors of the network's shapes."""
        tensors: list[Any] = [None] * len(self._shapes)
        for slot, flat in zip(self._slots, values, strict=True):
            parts = tf.split(flat, [self._sizes[place] for place in slot.places])
            for place, part in zip(slot.places, parts, strict=True):
                tensors[place] = tf.reshape(part, self._shapes[place])
        return tensors

    def _run(self, batch: _Batch) -> tuple[tf.Tensor, tuple[Any, ...]]:
        """Return the outputs, and the code with its log-variance if it has one."""
        if not self._variational:
            code = self._encoder(batch.inputs)
            return self._decoder(code), (code,)
        mean, log_variance = self._encoder.heads(batch.inputs)
        log_variance = finite_log_variance(keras.ops, log_variance)
        code = mean + tf.exp(0.5 * log_variance) * batch.normal
        return self._decoder(code), (mean, log_variance)

    def _nested_errors(
        self, batch: _Batch, nesting: Nesting, feedback: tf.Tensor
    ) -> tf.Tensor:
        """Decode from codes that are cut off; return the mean error of each group."""
        kept, shares = (values.astype(np.float32) for values in nesting.views)
        code = tf.tile(self._encoder(batch.inputs), (nesting.copies, 1))
        # Codes before the row's own learn less from it, at first.
        held = tf.stop_gradient(code)
        own = nesting.own.astype(np.float32)
        code = held + (own + (1.0 - own) * feedback) * (code - held)
        views = tf.reshape(code[:, tf.newaxis] * kept, (len(kept), -1))
        outputs = self._decoder(tf.concat([views, shares], axis=1))
        targets = tf.tile(batch.targets, (nesting.copies, 1))
        losses = LOSSES[self.program.loss](keras.ops, targets, outputs)
        groups = nesting.groups * tf.tile(batch.weights, (1, nesting.copies))
        errors = tf.reduce_sum(tf.matmul(groups, losses), axis=1) / outputs.shape[1]
        weights = tf.reduce_sum(groups, axis=1)
        # A few rows may leave a group without any: it takes the mean of the others.
        errors = tf.where(
            weights > 0,
            tf.math.divide_no_nan(errors, weights),
            tf.reduce_sum(errors) / tf.reduce_sum(weights),
        )
        return errors * tf.reduce_sum(batch.weights)


def _for_each(
    n_batches: tf.Tensor,
    run: Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]],
    shape: tuple[int, ...],
    state: Any,
    n_places: int | None = None,
) -> tuple[tf.Tensor, Any]:
    """Run the batches one after another, inside the graph.

    Each takes the state that the one before returns. As nothing else orders the steps,
    rows of the next one can be gathered beside the present one. What else each returns,
    of the given shape, is collected, in `n_places` if there are more of them.
    """

    def collect(i: tf.Tensor, collected: tf.TensorArray, state: Any) -> tuple[Any, ...]:
        terms, state = run(i, state)
        return i + 1, collected.write(i, terms), state

    places = tf.TensorArray(tf.float32, n_places or n_batches, element_shape=shape)
    _, collected, state = tf.while_loop(
        lambda i, *_: i < n_batches, collect, [0, places, state]
    )
    return collected.stack(), state


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
