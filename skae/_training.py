"""The compiled training loop: one function an architecture, kept and reused.

``train`` leases a compiled program, runs epochs until a rule stops them, and returns
plain arrays. Each rung is one level of abstraction: ``train``, ``_run_epochs``,
``CompiledProgram.run_epoch``, ``CompiledProgram._trace_epoch``.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from skae._keras_backend import StackLayers
from skae._logging import logger
from skae._losses import LOSSES
from skae._network import Weights
from skae._plan import (
    EarlyStopping,
    Outcome,
    Program,
    Settings,
    Split,
    divergence_advice,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skae._network import Stack

# Adam's constants (Kingma & Ba, 2015), as in Keras.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7

# Epochs of linear warm-up before the cosine.
_WARMUP_EPOCHS = 5

_VALIDATION_BATCH = 1024

# Compiled programs kept while idle. Each holds some megabytes that TensorFlow does not
# return once it is dropped, so a search should find all of its architectures here.
_MAX_IDLE_PROGRAMS = 64


def train(
    program: Program, settings: Settings, X: np.ndarray, rows: Split, start: Weights
) -> Outcome:
    """Train a network from the weights `start`.

    Parameters
    ----------
    program : Program
    settings : Settings
    X : ndarray of shape (n_samples, n_features), float32
    rows : Split
    start : Weights

    Raises
    ------
    ValueError
        If the loss is not finite before any epoch has proved itself.
    KeyboardInterrupt
        If the user interrupts the first epoch. Later, it ends training.
    """
    with _lease(program) as compiled:
        compiled.reset(start)
        return _run_epochs(compiled, settings, X, rows)


def _run_epochs(
    compiled: CompiledProgram, settings: Settings, X: np.ndarray, rows: Split
) -> Outcome:
    epochs = _epochs(compiled.program.batch_size, settings, rows)
    data = tf.constant(X)
    progress = _Progress(compiled, settings, len(rows.held_out) > 0)
    try:
        for epoch in epochs:
            progress.note(*compiled.run_epoch(data, epoch))
            if progress.should_stop:
                break
    except KeyboardInterrupt:
        if not progress.outcome.loss:
            raise
        progress.outcome.interrupted = True
    return progress.finish()


def _epochs(batch_size: int, settings: Settings, rows: Split) -> Iterator[_Epoch]:
    """Prepare the epochs one after another, each in an order of its own."""
    rng = np.random.default_rng(settings.seed)
    batches = _batched(rows.train, batch_size)
    mask = _batched(np.ones(len(rows.train)), batch_size)
    held_out_mask = _batched(np.ones(len(rows.held_out)), _VALIDATION_BATCH)
    rates = _learning_rates(len(batches), settings)
    step_sizes = _step_sizes(rates)
    decay = -np.expm1(-settings.weight_decay * rates.sum(axis=1))
    epoch = _Epoch(
        _integers(batches),
        _floats(mask / mask.sum(axis=1, keepdims=True)),
        _integers(_batched(rows.held_out, _VALIDATION_BATCH)),
        _floats(held_out_mask / max(len(rows.held_out), 1)),
        step_sizes=_floats(step_sizes[0]),
        decay=_floats(decay[0]),
        input_noise=_floats(settings.input_noise),
        alpha=_floats(settings.alpha),
        seed=_integers([0, 0]),
    )
    for i in range(settings.n_epochs):
        order = rng.permutation(rows.train)
        yield epoch._replace(
            batches=_integers(_batched(order, batch_size)),
            step_sizes=_floats(step_sizes[i]),
            decay=_floats(decay[i]),
            seed=_integers(rng.integers(2**31 - 1, size=2)),
        )


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
        # Flat copies of the weights: to return, and known to have a finite loss.
        self._kept: np.ndarray | None = None
        self._proven: np.ndarray | None = None

    def finish(self) -> Outcome:
        """Return the outcome with the weights of the epoch that was kept."""
        assert self._kept is not None  # or the first epoch has raised
        self.outcome.weights = self._compiled.unflatten(self._kept)
        return self.outcome

    def note(self, loss: float, val_loss: float) -> None:
        """Take note of the epoch that has just been trained."""
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
            self._kept = self._compiled.copy_weights()
        else:
            self._judge(val_loss, self._settings.stopping)

    def _judge(self, val_loss: float, stopping: EarlyStopping) -> None:
        if val_loss < self._best:
            self._best = val_loss
            self._proven = self._kept = self._compiled.copy_weights()
        if val_loss < self._reference * (1 - stopping.tol):
            self._reference = val_loss
            self._n_bad = 0
        else:
            self._n_bad += 1
        self.should_stop = self._n_bad >= stopping.patience

    def _diverge(self) -> None:
        if self._proven is None:
            raise ValueError(divergence_advice(self._settings.learning_rate))
        self._kept = self._proven
        self.outcome.diverged = True
        self.should_stop = True


class _Epoch(NamedTuple):
    """One epoch, as tensors: the arguments of the compiled function beside the data.

    What can be computed for a whole epoch is, outside of the graph: on small networks
    the time of a step is the number of its operations.

    Attributes
    ----------
    batches : (n_batches, batch_size) int32
        Indices of the rows of each batch.
    weights : (n_batches, batch_size) float32
        One over the batch's number of rows, and 0 where a batch was filled up.
    held_out, held_out_weights
        The same for the rows held out; the weights are one over their number.
    step_sizes : (n_batches,) float32
    decay : () float32
        The share of the kernels that is taken off over the epoch.
    input_noise, alpha : () float32
    seed : (2,) int32
    """

    batches: Any
    weights: Any
    held_out: Any
    held_out_weights: Any
    step_sizes: Any
    decay: Any
    input_noise: Any
    alpha: Any
    seed: Any


def _epoch_spec(batch_size: int) -> _Epoch:
    """Return the types of the tensors.

    The number of batches may change without compiling anew. Their size is fixed, which
    spares the graph all arithmetic with shapes.
    """
    scalar = tf.TensorSpec(())
    return _Epoch(
        batches=tf.TensorSpec((None, batch_size), tf.int32),
        weights=tf.TensorSpec((None, batch_size)),
        held_out=tf.TensorSpec((None, _VALIDATION_BATCH), tf.int32),
        held_out_weights=tf.TensorSpec((None, _VALIDATION_BATCH)),
        step_sizes=tf.TensorSpec((None,)),
        decay=scalar,
        input_noise=scalar,
        alpha=scalar,
        seed=tf.TensorSpec((2,), tf.int32),
    )


def _batched(values: np.ndarray, batch_size: int) -> np.ndarray:
    """Cut values into batches, the last one filled up with zeros."""
    batches = np.zeros((-(-len(values) // batch_size), batch_size), values.dtype)
    batches.reshape(-1)[: len(values)] = values
    return batches


def _integers(values: Any) -> tf.Tensor:
    return tf.convert_to_tensor(np.asarray(values, dtype=np.int32))


def _floats(values: Any) -> tf.Tensor:
    return tf.convert_to_tensor(np.asarray(values, dtype=np.float32))


def _learning_rates(n_batches: int, settings: Settings) -> np.ndarray:
    """Return the rates of all steps, of shape (n_epochs, n_batches).

    They warm up in a straight line, then fall to zero along half a cosine (Loshchilov &
    Hutter, 2017).
    """
    shape = (settings.n_epochs, n_batches)
    if not settings.decaying:
        return np.full(shape, settings.learning_rate)
    warmup = min(_WARMUP_EPOCHS, settings.n_epochs / 2)
    now = (np.arange(settings.n_epochs * n_batches) + 0.5).reshape(shape) / n_batches
    progress = np.maximum(now - warmup, 0) / (settings.n_epochs - warmup)
    factor = np.minimum(now / warmup, 1) * (1 + np.cos(np.pi * progress)) / 2
    return settings.learning_rate * factor


def _step_sizes(rates: np.ndarray) -> np.ndarray:
    """Correct the rates for Adam's moments, which start at zero."""
    step = np.arange(1, rates.size + 1).reshape(rates.shape)
    return rates * np.sqrt(1 - _BETA_2**step) / (1 - _BETA_1**step)


def _is_penalised(stack: Stack) -> list[bool]:
    """Tell which arrays are kernels of the nonlinear path: those to keep small."""
    return [True, False] * len(stack.layers) + [False] * stack.shortcut


class CompiledProgram:
    """A compiled epoch with the variables it works on.

    All weights are one flat vector, so that the optimizer is one operation however
    many layers there are. Not safe for use by two threads at once.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        network = program.network
        self._encoder = StackLayers(network.encoder, "encoder")
        self._decoder = StackLayers(network.decoder, "decoder")
        self._shapes = network.array_shapes
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        size = sum(self._sizes)
        self._flat = tf.Variable(tf.zeros(size))
        self._momentum = tf.Variable(tf.zeros(size))
        self._velocity = tf.Variable(tf.zeros(size))
        penalised = _is_penalised(network.encoder) + _is_penalised(network.decoder)
        self._penalised = tf.constant(np.repeat(penalised, self._sizes), tf.float32)
        self._epoch = tf.function(
            self._trace_epoch,
            input_signature=[
                tf.TensorSpec((None, network.encoder.n_inputs)),
                _epoch_spec(program.batch_size),
            ],
            autograph=False,
        ).get_concrete_function()

    def reset(self, weights: Weights) -> None:
        """Set the weights and forget the optimizer's moments."""
        flat = np.concatenate([array.ravel() for array in weights.all])
        self._flat.assign(flat.astype(np.float32))
        for moment in (self._momentum, self._velocity):
            moment.assign(tf.zeros_like(moment))

    def copy_weights(self) -> np.ndarray:
        """Copy the weights out, as one vector."""
        flat: np.ndarray = self._flat.numpy()
        return flat.copy()

    def unflatten(self, flat: np.ndarray) -> Weights:
        """Cut a vector of weights into the arrays of the network."""
        parts = np.split(flat, np.cumsum(self._sizes)[:-1])
        arrays = [
            part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)
        ]
        return self.program.network.split(arrays)

    def run_epoch(self, X: tf.Tensor, now: _Epoch) -> tuple[float, float]:
        """Take one optimizer step a batch; return the training and validation loss.

        The validation loss is 0 where nothing is held out.
        """
        losses, val_losses = self._epoch(X, now)
        # The last batch may have fewer rows, which its mean loss does not show.
        n_rows = 1 / now.weights.numpy()[:, 0]
        loss = losses.numpy() @ n_rows / n_rows.sum()
        return float(loss), float(val_losses.numpy().sum())

    def _trace_epoch(self, X: tf.Tensor, now: _Epoch) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean losses of the batches, and the terms of the held-out one."""
        penalty = now.alpha * self._penalised

        def train_on_batch(i: tf.Tensor) -> tf.Tensor:
            rows = inputs = tf.gather(X, tf.gather(now.batches, i))
            if self.program.noisy_inputs:
                seed = tf.stack([now.seed[0], now.seed[1] + i])
                noise = tf.random.stateless_normal(tf.shape(rows), seed)
                inputs = rows + now.input_noise * noise
            flat = self._flat.value()
            with tf.GradientTape() as tape:
                tape.watch(flat)
                loss = self._loss(flat, rows, inputs, tf.gather(now.weights, i))
            gradient = tape.gradient(loss, flat) + penalty * flat
            self._apply_adam(gradient, tf.gather(now.step_sizes, i))
            return loss

        def validate_batch(i: tf.Tensor) -> tf.Tensor:
            rows = tf.gather(X, tf.gather(now.held_out, i))
            return self._loss(
                self._flat.value(), rows, rows, tf.gather(now.held_out_weights, i)
            )

        # Decoupled from the gradient (Loshchilov & Hutter, 2019), once an epoch.
        self._flat.assign_sub(now.decay * self._penalised * self._flat)
        losses = _for_each(tf.shape(now.batches)[0], train_on_batch)
        with tf.control_dependencies([losses]):
            n_held_out = tf.shape(now.held_out)[0]
        return losses, _for_each(n_held_out, validate_batch)

    def _apply_adam(self, gradient: tf.Tensor, step_size: tf.Tensor) -> None:
        tf.raw_ops.ResourceApplyAdam(
            var=self._flat.handle,
            m=self._momentum.handle,
            v=self._velocity.handle,
            # The step size is corrected for the moments' start already.
            beta1_power=0.0,
            beta2_power=0.0,
            lr=step_size,
            beta1=_BETA_1,
            beta2=_BETA_2,
            epsilon=_EPSILON,
            grad=gradient,
        )

    def _loss(
        self, flat: tf.Tensor, targets: tf.Tensor, inputs: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """Return the weighted sum over the rows of their mean loss over features."""
        outputs = self._reconstruct(flat, inputs)
        losses = LOSSES[self.program.loss](keras.ops, targets, outputs)
        # Two operations, and as few in the gradient.
        total = tf.reduce_sum(tf.matmul(weights[tf.newaxis], losses))
        return total / targets.shape[1]

    def _reconstruct(self, flat: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Run Keras's layers with slices of `flat` in the place of their variables."""
        tensors = [
            part if len(shape) == 1 else tf.reshape(part, shape)
            for part, shape in zip(
                tf.split(flat, self._sizes), self._shapes, strict=True
            )
        ]
        variables = self._encoder.variables + self._decoder.variables
        mapping = list(zip(variables, tensors, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return self._decoder(self._encoder(inputs))


def _for_each(
    n_batches: tf.Tensor, loss: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Return ``loss(i)`` of the batches, one after another, inside the graph."""
    _, losses = tf.while_loop(
        lambda i, _: i < n_batches,
        lambda i, losses: (i + 1, losses.write(i, loss(i))),
        [0, tf.TensorArray(tf.float32, n_batches, element_shape=())],
        parallel_iterations=1,
    )
    return losses.stack()


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
