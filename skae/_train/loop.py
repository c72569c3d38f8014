"""The training loop: epochs until a rule ends them, and the weights to return."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from skae._train.chunks import prepare_epochs
from skae._train.config import DivergenceError, TrainingResult
from skae._train.program import lease
from skae._train.xla import epochs_before_xla

if TYPE_CHECKING:
    from skae._network.description import Weights
    from skae._train.config import (
        EarlyStopping,
        EpochWatch,
        GraphKey,
        Split,
        TrainingConfig,
        TrainingData,
    )
    from skae._train.program import CompiledProgram, EpochTrace

_NOT_EAGER = (
    "Fitting needs TensorFlow 2's eager mode, and was called inside a tf.function, a "
    "tf.Graph or after tf.compat.v1.disable_eager_execution(). Call it outside of them."
)


def train(
    key: GraphKey,
    config: TrainingConfig,
    data: TrainingData,
    split: Split,
    start: Weights,
) -> TrainingResult:
    """Train a network from the weights `start`.

    Raises
    ------
    DivergenceError
        If the loss is not finite before any weights are known to have a finite one.
    RuntimeError
        If TensorFlow is not in eager mode.
    KeyboardInterrupt
        If the user interrupts the first epoch. Later interrupts end the training.
    """
    if not tf.executing_eagerly():
        raise RuntimeError(_NOT_EAGER)
    with lease(key) as program:
        program.restart(start)
        del start  # it would take memory during the training
        record = _run_epochs(program, config, data, split)
        result = record.finish()
    if result is None:
        raise DivergenceError
    return result


def _run_epochs(
    program: CompiledProgram,
    config: TrainingConfig,
    data: TrainingData,
    split: Split,
) -> _Record:
    before_xla = None
    if tf.test.is_built_with_xla():
        before_xla = epochs_before_xla(program.key, config, len(split.train))
    start, epochs = prepare_epochs(program.key, config, data, split, before_xla)
    record, watch = _Record(program, config, len(split.held_out) > 0), config.watch
    if config.stopping is not None or watch is not None:
        record.add_start(program.validate(start))
    try:
        for chunks in epochs:
            if watch is not None:
                watch.begin_epoch()
            record.add(program.run_epoch(chunks))
            if record.should_stop:
                break
    except KeyboardInterrupt:
        if not record.loss:
            raise
        record.interrupted = True
    return record


class _Record:
    """Records the losses of a training, keeps weights, and says when to stop."""

    def __init__(
        self, program: CompiledProgram, config: TrainingConfig, has_held_out: bool
    ) -> None:
        self.should_stop = False
        self.interrupted = False
        self._stopped_early = False
        self._stopped_by_callback = False
        self.loss: list[float] = []
        self._val_loss: list[float] = []
        self._diverged = False
        self._program = program
        self._config = config
        self._has_held_out = has_held_out
        self._best = self._reference = self._start_loss = np.inf
        self._n_without_improvement = 0
        # The weights to return, and those known to have a finite loss.
        self._kept: list[tf.Tensor] | None = None
        self._proven: list[tf.Tensor] | None = None
        self._snapshots: list[list[tf.Tensor]] = []
        # Sum of the weights that the next snapshot averages, up to the present epoch.
        self._sum: list[tf.Tensor] = []

    def finish(self) -> TrainingResult | None:
        """Return the result, or `None` if no weights have a finite loss."""
        return None if self._kept is None else self._result()

    def _result(self) -> TrainingResult:
        assert self._kept is not None
        n_missing = len(self._config.snapshot_epochs) - len(self._snapshots)
        snapshots = self._snapshots + [self._kept] * n_missing
        return TrainingResult(
            self._program.as_weights(self._kept),
            [*self.loss],
            [*self._val_loss],
            self._diverged,
            self.interrupted,
            self._stopped_early,
            self._stopped_by_callback,
            [self._program.as_weights(values) for values in snapshots],
        )

    def add_start(self, val_terms: np.ndarray) -> None:
        """Take account of the weights before training."""
        self._start_loss = self._total(val_terms)

    def _total(self, terms: np.ndarray) -> float:
        weight = self._config.term_weight
        total: float = self._program.key.objective.total(np, terms, weight).item()
        return total

    def add(self, trace: EpochTrace) -> None:
        """Take account of the epoch that has just been trained."""
        loss, val_loss = self._total(trace.terms), self._total(trace.val_terms)
        if not (isfinite(loss) and isfinite(val_loss)):
            self._end_diverged()
            return
        n_epochs = len(self.loss) + 1
        if self._config.stopping is None:
            # An epoch's loss is that of the weights it began with, or soon after.
            self._proven = self._kept
            self._kept = trace.values
            if len(self._snapshots) < len(self._config.snapshot_epochs):
                self._update_snapshot(n_epochs, trace.values)
        else:
            self._stop_early(n_epochs, val_loss, trace.values, self._config.stopping)
        self.loss.append(loss)
        if self._has_held_out:
            self._val_loss.append(val_loss)
        # Last, as what the user watches with may interrupt the training.
        if self._config.watch is not None:
            self._tell(self._config.watch)

    def _tell(self, watch: EpochWatch) -> None:
        """Tell of the epoch, and stop if asked to."""
        val_loss = self._val_loss[-1] if self._has_held_out else None
        start_loss = self._start_loss if self._has_held_out else None
        losses = self.loss[-1], val_loss
        if watch.end_epoch(losses, start_loss, self._result):
            self._stopped_by_callback = not self.should_stop
            self.should_stop = True

    def _update_snapshot(self, n_epochs: int, values: list[tf.Tensor]) -> None:
        """Average the weights of the epochs that belong to the next snapshot.

        The mean approximates the end of a schedule that ended there (Izmailov et al.,
        2018, "Averaging weights leads to wider optima and better generalization").
        """
        config = self._config
        previous, epoch = (0, *config.snapshot_epochs)[len(self._snapshots) :][:2]
        begin = max(epoch // 2, previous, config.warmup)
        if epoch == config.n_epochs:
            begin = epoch - 1  # the schedule ends with rates of nearly zero
        if n_epochs > begin:
            self._sum = [*map(tf.add, self._sum, values)] if self._sum else values
        if n_epochs == epoch:
            self._kept = [total / (epoch - begin) for total in self._sum]
            self._snapshots.append(self._kept)
            self._sum = []
            self.should_stop = len(self._snapshots) == len(config.snapshot_epochs)

    def _stop_early(
        self,
        n_epochs: int,
        val_loss: float,
        values: list[tf.Tensor],
        stopping: EarlyStopping,
    ) -> None:
        if val_loss < self._best:
            self._best = val_loss
            self._proven = self._kept = values
        # The logarithm of an error may be negative, hence the absolute value.
        least_decrease = stopping.tol * abs(self._reference)
        if self._reference is np.inf or val_loss < self._reference - least_decrease:
            self._reference = val_loss
            self._n_without_improvement = 0
        elif n_epochs > stopping.start or val_loss >= self._start_loss:
            self._n_without_improvement += n_epochs > stopping.grace
        else:
            self._n_without_improvement = 0
        self._stopped_early = self._n_without_improvement >= stopping.patience
        self.should_stop = self._stopped_early

    def _end_diverged(self) -> None:
        self._kept = self._proven
        self._diverged = True
        self.should_stop = True
