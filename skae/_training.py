"""The compiled training loop: one function an architecture, kept and reused.

``train`` leases a compiled program, runs epochs until a rule stops them, and returns
plain arrays. Each rung is one level of abstraction: ``train``, ``_run_epochs``,
``CompiledProgram.run_epoch``, ``CompiledProgram._train_step``.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from skae._keras_backend import StackLayers
from skae._logging import logger
from skae._losses import LOSSES
from skae._network import Stack, Weights
from skae._plan import (
    EarlyStopping,
    Outcome,
    Program,
    Settings,
    Split,
    divergence_advice,
)

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
    rng = np.random.default_rng(settings.seed)
    batch_size = compiled.program.batch_size
    data = tf.constant(X)
    held_out = _padded(rows.held_out, _VALIDATION_BATCH)
    progress = _Progress(compiled, settings, len(rows.held_out) > 0)
    try:
        for epoch in range(settings.n_epochs):
            order = _padded(rng.permutation(rows.train), batch_size)
            rates = _learning_rates(epoch, len(order) // batch_size, settings)
            now = _EpochSettings.draw(settings, rates, rng)
            progress.note(*compiled.run_epoch(data, order, held_out, now))
            if progress.should_stop:
                break
    except KeyboardInterrupt:
        if not progress.outcome.loss:
            raise
        progress.outcome.interrupted = True
    return progress.outcome


class _Progress:
    """Watches the losses of a run, keeps the weights to return, says when to stop."""

    def __init__(
        self, compiled: CompiledProgram, settings: Settings, held_out: bool
    ) -> None:
        self.outcome = Outcome(compiled.weights())
        self.should_stop = False
        self._compiled = compiled
        self._settings = settings
        self._held_out = held_out
        self._best = self._reference = np.inf
        self._n_bad = 0
        self._proven: Weights | None = None

    def note(self, loss: float, val_loss: float) -> None:
        """Take note of the epoch that has just been trained."""
        if not np.isfinite([loss, val_loss]).all():
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
            self._proven = self.outcome.weights if len(self.outcome.loss) > 1 else None
            self.outcome.weights = self._compiled.weights()
        else:
            self._judge(val_loss, self._settings.stopping)

    def _judge(self, val_loss: float, stopping: EarlyStopping) -> None:
        if val_loss < self._best:
            self._best = val_loss
            self._proven = self.outcome.weights = self._compiled.weights()
        if val_loss < self._reference * (1 - stopping.tol):
            self._reference = val_loss
            self._n_bad = 0
        else:
            self._n_bad += 1
        self.should_stop = self._n_bad >= stopping.patience

    def _diverge(self) -> None:
        if self._proven is None:
            raise ValueError(divergence_advice(self._settings.learning_rate))
        self.outcome.weights = self._proven
        self.outcome.diverged = True
        self.should_stop = True


@dataclass(frozen=True)
class _EpochSettings:
    """What the compiled function is told about one epoch; `rates` has one a batch."""

    rates: np.ndarray
    input_noise: float
    weight_decay: float
    alpha: float
    seed: np.ndarray

    @classmethod
    def draw(
        cls, settings: Settings, rates: np.ndarray, rng: np.random.Generator
    ) -> _EpochSettings:
        """Set up an epoch, with the seed of its noise from `rng`."""
        seed = rng.integers(2**31 - 1, size=2, dtype=np.int32)
        return cls(
            rates, settings.input_noise, settings.weight_decay, settings.alpha, seed
        )

    @property
    def tensors(self) -> list[tf.Tensor]:
        """The arguments of the compiled function, in their order."""
        floats = (self.rates, self.input_noise, self.weight_decay, self.alpha)
        return [*(tf.constant(f, tf.float32) for f in floats), tf.constant(self.seed)]


def _learning_rates(epoch: int, n_batches: int, settings: Settings) -> np.ndarray:
    """Linear warm-up, then half a cosine down to zero (Loshchilov & Hutter, 2017)."""
    if not settings.decaying:
        return np.full(n_batches, settings.learning_rate)
    warmup = min(_WARMUP_EPOCHS, settings.n_epochs / 2)
    now = epoch + (np.arange(n_batches) + 0.5) / n_batches
    progress = np.maximum(now - warmup, 0) / (settings.n_epochs - warmup)
    factor = np.minimum(now / warmup, 1) * (1 + np.cos(np.pi * progress)) / 2
    return settings.learning_rate * factor


def _padded(indices: np.ndarray, batch_size: int) -> tf.Tensor:
    """Fill up the last batch with -1, which stands for no row."""
    padding = -len(indices) % batch_size
    return tf.constant(np.pad(indices, (0, padding), constant_values=-1), tf.int32)


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
        self._n_steps = tf.Variable(0.0)
        penalised = _is_penalised(network.encoder) + _is_penalised(network.decoder)
        self._penalised = tf.constant(np.repeat(penalised, self._sizes), tf.float32)
        scalar = tf.TensorSpec(())
        indices = tf.TensorSpec((None,), tf.int32)
        self._epoch = tf.function(
            self._trace_epoch,
            input_signature=[
                tf.TensorSpec((None, network.encoder.n_inputs)),
                indices,
                indices,
                tf.TensorSpec((None,)),
                *[scalar] * 3,
                tf.TensorSpec((2,), tf.int32),
            ],
            autograph=False,
        )

    def reset(self, weights: Weights) -> None:
        """Set the weights and forget the optimizer's moments."""
        flat = np.concatenate([array.ravel() for array in weights.all])
        self._flat.assign(flat.astype(np.float32))
        for variable in (self._momentum, self._velocity, self._n_steps):
            variable.assign(tf.zeros_like(variable))

    def weights(self) -> Weights:
        """Copy the weights out."""
        parts = np.split(self._flat.numpy(), np.cumsum(self._sizes)[:-1])
        arrays = [
            part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)
        ]
        return self.program.network.split(arrays)

    def run_epoch(
        self, X: tf.Tensor, order: tf.Tensor, held_out: tf.Tensor, now: _EpochSettings
    ) -> tuple[float, float]:
        """Take one optimizer step a batch; return the training and validation loss.

        The indices `order` and `held_out` are padded with -1 to whole batches; the
        validation loss is 0 where nothing is held out.
        """
        losses = self._epoch(X, order, held_out, *now.tensors)
        loss, val_loss = losses.numpy()
        return float(loss), float(val_loss)

    def _trace_epoch(
        self,
        X: tf.Tensor,
        order: tf.Tensor,
        held_out: tf.Tensor,
        rates: tf.Tensor,
        input_noise: tf.Tensor,
        weight_decay: tf.Tensor,
        alpha: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        n_batches = tf.shape(order)[0] // self.program.batch_size

        def train_on_batch(i: tf.Tensor) -> tf.Tensor:
            rows, mask = _batch(X, order, i, self.program.batch_size)
            inputs = rows
            if self.program.noisy_inputs:
                noise = tf.random.stateless_normal(tf.shape(rows), seed + [0, i])
                inputs = rows + input_noise * noise
            total, gradient = self._gradient(rows, inputs, mask)
            self._descend(gradient, rates[i], weight_decay, alpha)
            return total

        def validate_batch(i: tf.Tensor) -> tf.Tensor:
            rows, mask = _batch(X, held_out, i, _VALIDATION_BATCH)
            losses = self._row_losses(self._flat.value(), rows, rows)
            return tf.reduce_sum(losses * mask)

        loss = _sum_over(n_batches, train_on_batch) / _n_rows(order)
        with tf.control_dependencies([loss]):
            n_held_out = tf.shape(held_out)[0] // _VALIDATION_BATCH
        val_loss = _sum_over(n_held_out, validate_batch) / _n_rows(held_out)
        return tf.stack([loss, val_loss])

    def _gradient(
        self, targets: tf.Tensor, inputs: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the sum of the rows' losses, and the gradient of their mean."""
        flat = self._flat.value()
        with tf.GradientTape() as tape:
            tape.watch(flat)
            total = tf.reduce_sum(self._row_losses(flat, targets, inputs) * mask)
            loss = total / tf.reduce_sum(mask)
        return total, tape.gradient(loss, flat)

    def _descend(
        self,
        gradient: tf.Tensor,
        rate: tf.Tensor,
        weight_decay: tf.Tensor,
        alpha: tf.Tensor,
    ) -> None:
        """Take a step of Adam with decoupled weight decay (Loshchilov & Hutter, 2019)."""
        kernels = self._penalised * self._flat.value()
        self._n_steps.assign_add(1.0)
        self._flat.assign_sub(rate * weight_decay * kernels)
        self._apply_adam(gradient + alpha * kernels, rate)

    def _apply_adam(self, gradient: tf.Tensor, rate: tf.Tensor) -> None:
        tf.raw_ops.ResourceApplyAdam(
            var=self._flat.handle,
            m=self._momentum.handle,
            v=self._velocity.handle,
            beta1_power=tf.pow(_BETA_1, self._n_steps),
            beta2_power=tf.pow(_BETA_2, self._n_steps),
            lr=rate,
            beta1=_BETA_1,
            beta2=_BETA_2,
            epsilon=_EPSILON,
            grad=gradient,
        )

    def _row_losses(
        self, flat: tf.Tensor, targets: tf.Tensor, inputs: tf.Tensor
    ) -> tf.Tensor:
        outputs = self._reconstruct(flat, inputs)
        losses = LOSSES[self.program.loss](keras.ops, targets, outputs)
        return tf.reduce_mean(losses, axis=1)

    def _reconstruct(self, flat: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Run Keras's layers with slices of `flat` in the place of their variables."""
        tensors = [
            tf.reshape(part, shape)
            for part, shape in zip(
                tf.split(flat, self._sizes), self._shapes, strict=True
            )
        ]
        variables = self._encoder.variables + self._decoder.variables
        mapping = list(zip(variables, tensors, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return self._decoder(self._encoder(inputs))


def _batch(
    X: tf.Tensor, indices: tf.Tensor, i: tf.Tensor, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Gather batch `i`, and the mask that is 0 where the batch was filled up."""
    batch = tf.slice(indices, [i * size], [size])
    return tf.gather(X, tf.maximum(batch, 0)), tf.cast(batch >= 0, tf.float32)


def _n_rows(indices: tf.Tensor) -> tf.Tensor:
    return tf.maximum(tf.reduce_sum(tf.cast(indices >= 0, tf.float32)), 1.0)


def _sum_over(
    n_batches: tf.Tensor, term: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Add up ``term(i)`` over the batches, one after another, inside the graph."""
    _, total = tf.while_loop(
        lambda i, _: i < n_batches,
        lambda i, total: (i + 1, total + term(i)),
        [0, 0.0],
        parallel_iterations=1,
    )
    return total


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
