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
from skae._plan import EarlyStopping, Outcome, Program, Settings, Split

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
        If the loss is not finite in the first epoch.
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
    data = tf.constant(X)
    held_out = _padded(rows.held_out, _VALIDATION_BATCH)
    progress = _Progress(compiled, settings, len(rows.held_out) > 0)
    try:
        for epoch in range(settings.n_epochs):
            order = _padded(rng.permutation(rows.train), compiled.program.batch_size)
            now = _EpochSettings.at(epoch, settings, rng)
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
        self.outcome = Outcome(Weights([], []))
        self.should_stop = False
        self._compiled = compiled
        self._settings = settings
        self._held_out = held_out
        self._best = self._reference = np.inf
        self._n_bad = 0

    def note(self, loss: float, val_loss: float) -> None:
        """Take note of the epoch that has just been trained."""
        outcome = self.outcome
        if not np.isfinite([loss, val_loss]).all():
            self._diverge()
            return
        outcome.loss.append(loss)
        if self._held_out:
            outcome.val_loss.append(val_loss)
        if self._settings.verbose:
            logger.info(
                "epoch %d: loss %.6g, val_loss %.6g", len(outcome.loss), loss, val_loss
            )
        if self._settings.stopping is None or val_loss < self._best:
            outcome.weights = self._compiled.weights()
        if self._settings.stopping is not None:
            self._judge(val_loss, self._settings.stopping)

    def _judge(self, val_loss: float, stopping: EarlyStopping) -> None:
        self._best = min(val_loss, self._best)
        if val_loss < self._reference * (1 - stopping.tol):
            self._reference = val_loss
            self._n_bad = 0
        else:
            self._n_bad += 1
        self.should_stop = self._n_bad >= stopping.patience

    def _diverge(self) -> None:
        if not self.outcome.loss:
            raise ValueError(
                "The loss was not finite in the first epoch of training. Scale the "
                "data (for instance with StandardScaler) or lower `learning_rate_init` "
                f"(now {self._settings.learning_rate:g})."
            )
        self.outcome.diverged = True
        self.should_stop = True


@dataclass(frozen=True)
class _EpochSettings:
    """The scalars of one epoch, arguments of the compiled function.

    The learning rate goes in a straight line from `first_rate` to `last_rate`.
    """

    first_rate: float
    last_rate: float
    input_noise: float
    weight_decay: float
    alpha: float
    seed: np.ndarray

    @property
    def scalars(self) -> list[tf.Tensor]:
        """The scalars in the order of the compiled function's arguments."""
        values = (
            self.first_rate,
            self.last_rate,
            self.input_noise,
            self.weight_decay,
            self.alpha,
        )
        return [tf.constant(value, tf.float32) for value in values]

    @classmethod
    def at(
        cls, epoch: int, settings: Settings, rng: np.random.Generator
    ) -> _EpochSettings:
        return cls(
            _learning_rate(epoch, settings),
            _learning_rate(epoch + 1, settings),
            settings.input_noise,
            settings.weight_decay,
            settings.alpha,
            rng.integers(2**31 - 1, size=2, dtype=np.int32),
        )


def _learning_rate(epoch: int, settings: Settings) -> float:
    """Linear warm-up, then half a cosine down to zero (Loshchilov & Hutter, 2017)."""
    if not settings.decaying:
        return settings.learning_rate
    warmup = min(_WARMUP_EPOCHS, settings.n_epochs / 2)
    if epoch < warmup:
        return settings.learning_rate * epoch / warmup
    progress = (epoch - warmup) / (settings.n_epochs - warmup)
    return settings.learning_rate * (1 + np.cos(np.pi * progress)) / 2


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
                *[scalar] * 5,
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
        losses = self._epoch(X, order, held_out, *now.scalars, tf.constant(now.seed))
        loss, val_loss = losses.numpy()
        return float(loss), float(val_loss)

    def _trace_epoch(
        self,
        X: tf.Tensor,
        order: tf.Tensor,
        held_out: tf.Tensor,
        first_rate: tf.Tensor,
        last_rate: tf.Tensor,
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
            progress = (tf.cast(i, tf.float32) + 0.5) / tf.cast(n_batches, tf.float32)
            rate = first_rate + (last_rate - first_rate) * progress
            self._descend(gradient, rate, weight_decay, alpha)
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
