"""One training of a fit: its configuration, its start, and its result."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skae._fit.acceptance import (
    HoldoutComparison,
    compare,
    pca_errors,
    typical_rows,
)
from skae._fit.finalize import network_result
from skae._fit.starts import linear_start, random_weights
from skae._network.affine import Units, change_units
from skae._network.description import Weights
from skae._train.config import (
    DivergenceError,
    EarlyStopping,
    EpochWatch,
    GraphKey,
    TrainingConfig,
    TrainingData,
)
from skae._train.schedule import WARMUP_EPOCHS
from skae._utils.tensorflow_import import import_with_tensorflow

if TYPE_CHECKING:
    from skae._fit.pca import PrincipalAxes
    from skae._fit.plan import FitPlan
    from skae._fit.result import FitResult
    from skae._fit.targets import TargetHead
    from skae._fit.task import FitTask
    from skae._train.config import Split, TrainingResult

# The constants below are judged by `python -m benchmarks full --only quality`.

# A network that starts at PCA trains with smoothing noise on its inputs, in multiples
# of the root mean squared error that PCA leaves. Noise smooths like a kernel (Bishop,
# 1995, "Training with noise is equivalent to Tikhonov regularization"), so like a
# kernel's width it shrinks as rows are added: the multiple is 1 at this many rows. The
# kind of code caps it for few rows.
_ROWS_OF_UNIT_NOISE = 300

# The kernels of such a network decay by this multiple of the learning rate each step.
_WEIGHT_DECAY = 0.1

# Share of the epochs before patience begins. At the rates before, the loss on held-out
# rows may rise for many epochs, and yet be lower than ever once the rates have fallen.
_PATIENCE_SHARE = 0.75

# Shares of the schedule after which networks of few rows are compared, as they overfit
# early.
_SNAPSHOT_SHARES = (0.125, 0.25, 0.5, 1.0)


# Compiled batches of few rows have room for a multiple of so many rows.
_ROOM_STEP = 32


@dataclass(frozen=True)
class Regime:
    """How one training of a fit differs from the others of the same fit.

    Attributes
    ----------
    snapshot_epochs : tuple of int
        As in `TrainingConfig`.
    stop_early : bool
        Whether held-out rows stop training, if there are any.
    one_epoch : bool
        Whether there is a single epoch at a constant rate, without warm-ups.
    fold : int or None
        Number of the fold, which gets an order of rows and noise of its own.
    n_trainings : int
        As in `TrainingConfig`.
    task : str
        What the training is, for those who watch the progress.
    """

    snapshot_epochs: tuple[int, ...] = ()
    stop_early: bool = False
    one_epoch: bool = False
    fold: int | None = None
    n_trainings: int = 1
    task: str = "training"

    def n_epochs(self, plan: FitPlan) -> int:
        """Return the largest number of epochs."""
        if self.one_epoch:
            return 1
        return self.snapshot_epochs[-1] if self.snapshot_epochs else plan.max_iter


class Trained(NamedTuple):
    """A trained network, as trained, and PCA of the same rows.

    With targets, `head` is the one that training started from.
    """

    result: TrainingResult
    axes: PrincipalAxes
    head: TargetHead | None = None


class Run(NamedTuple):
    """A training on some of the rows, and its comparison with PCA on the others."""

    split: Split
    trained: Trained
    comparison: HoldoutComparison


def snapshot_epochs(plan: FitPlan, n_rows: int) -> tuple[int, ...]:
    """Return the epochs at which networks of few rows are compared.

    All lie after the warm-up of the code's term.
    """
    warmup = plan.code_kind.training(plan, n_rows).warmup
    epochs = {ceil(share * plan.max_iter) for share in _SNAPSHOT_SHARES}
    return tuple(sorted(epoch for epoch in epochs if epoch > warmup))


def train_and_compare(
    task: FitTask, split: Split, regime: Regime, previous: FitResult | None = None
) -> list[Run]:
    """Train once, and compare the weights of each snapshot, or the final ones."""
    last = train_network(task, split, regime, previous)
    runs = []
    for weights in last.result.snapshots or [last.result.weights]:
        trained = last._replace(result=replace(last.result, weights=weights))
        runs.append(Run(split, trained, compare_run(task, split, trained)))
    return runs


def compare_run(task: FitTask, split: Split, trained: Trained) -> HoldoutComparison:
    """Compare a trained network with PCA on the held-out rows, or else on all."""
    weights, axes = trained.result.weights, trained.axes
    rows, head = task.comparison_rows(split), task.head_of_pca(split)
    return compare(task.plan, weights, axes, rows, split.clusters, head)


def train_network(
    task: FitTask, split: Split, regime: Regime, previous: FitResult | None = None
) -> Trained:
    """Train on some of the rows, from the weights of the previous fit if given.

    Raises
    ------
    ValueError
        If the loss is not finite from the start.
    MemoryError
        If the memory of the machine is too small.
    """
    plan, progress = task.plan, task.plan.progress
    plan.check_memory()
    with progress.task(regime.task, 1 + regime.n_epochs(plan)):
        # One bar a fold is enough.
        with progress.task("PCA start", None if regime.fold is None else 0):
            axes = task.axes(split)
            head = _first_head(task, split, regime, previous)
        untrained = _Untrained(task, split, axes, head, previous)
        result = _train(untrained, regime)
    if result.diverged:
        warnings.warn(
            f"{plan.divergence_message()} The best weights before epoch "
            f"{len(result.loss) + 1} are used.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Trained(result, axes, head)


class _Untrained(NamedTuple):
    """What a training starts from: PCA or the previous fit, and the rows."""

    task: FitTask
    split: Split
    axes: PrincipalAxes
    head: TargetHead | None
    previous: FitResult | None

    def watch(self) -> EpochWatch | None:
        """Return what tells of the epochs, if anybody is to be told."""
        task, plan = self.task, self.task.plan
        if not plan.progress.is_watched:
            return None

        def to_result(training: TrainingResult) -> FitResult:
            trained = Trained(training, self.axes, self.head)
            comparison = compare_run(task, self.split, trained)
            return network_result(task, trained, comparison)

        is_pca = plan.pca_shortcut and plan.code_kind.may_be_pca
        start = "PCA" if is_pca and self.previous is None else "at the start"
        return EpochWatch(plan.progress, to_result, start)


def _train(untrained: _Untrained, regime: Regime) -> TrainingResult:
    task, split, axes, head, previous = untrained
    config = _configuration(task, split, axes, regime)
    config = replace(config, watch=untrained.watch())
    if head is not None:
        weight = task.plan.code_kind.head_weight(head.unit)
        config = replace(config, term_weight=weight)
    loop = import_with_tensorflow("skae._train.loop")
    data = TrainingData(task.columns)
    if len(split.held_out):
        data = data._replace(held_out_inputs=task.corrupted(split))
    if config.stopping is not None:
        data = data._replace(held_out_weights=_held_out_weights(task, split, axes))
    try:
        # Without a name, the weights to start with are not kept while training runs.
        return loop.train(
            _graph_key(task, config),
            config,
            data,
            split,
            _start(task, axes, head, previous),
        )
    except DivergenceError:
        raise ValueError(task.plan.divergence_message()) from None


def _graph_key(task: FitTask, config: TrainingConfig) -> GraphKey:
    plan = task.plan
    batch_size = plan.code_kind.batch_size(plan.batch_size)
    if config.min_steps > 1:
        # Room for the batches of all rows, so that folds share a program. It is rounded
        # up, so that a search over folds of different sizes does so, too.
        longest = -(-len(task.X) // config.min_steps)
        batch_size = min(batch_size, -(-longest // _ROOM_STEP) * _ROOM_STEP)
    return GraphKey(
        network=plan.code_kind.network_to_train(plan.network),
        objective=plan.code_kind.objective(plan),
        batch_size=batch_size,
        smoothing=plan.pca_shortcut,
        corruption=plan.corruption,
    )


def _configuration(
    task: FitTask, split: Split, axes: PrincipalAxes, regime: Regime
) -> TrainingConfig:
    plan, smoothing_noise, stopping = task.plan, 0.0, None
    code_training = plan.code_kind.training(plan, len(task.X))
    if plan.pca_shortcut:
        multiple = np.sqrt(_ROWS_OF_UNIT_NOISE / task.count_distinct(split))
        smoothing_noise = plan.code_kind.smoothing_noise(multiple, axes.error)
    if regime.stop_early and len(split.held_out):
        stopping = _early_stopping(plan, code_training.warmup)
    fold = () if regime.fold is None else (regime.fold,)
    config = TrainingConfig(
        learning_rate=code_training.rate_factor * plan.learning_rate,
        n_epochs=plan.max_iter,
        smoothing_noise=smoothing_noise,
        corruption=task.corruption_values(split),
        weight_decay=_WEIGHT_DECAY if plan.pca_shortcut else 0.0,
        alpha=plan.alpha,
        stopping=stopping,
        seed=(plan.seeds.training, *fold),
        min_steps=plan.min_steps,
        term_weight=code_training.term_weight,
        warmup=code_training.warmup,
        target_rate=code_training.target_rate,
        early_code_gradient=code_training.early_code_gradient,
        snapshot_epochs=regime.snapshot_epochs,
        n_trainings=regime.n_trainings,
    )
    return _of_one_epoch(config, plan) if regime.one_epoch else config


def _early_stopping(plan: FitPlan, warmup: int) -> EarlyStopping:
    return EarlyStopping(
        plan.n_iter_no_change,
        plan.tol,
        start=max(int(_PATIENCE_SHARE * plan.max_iter), warmup),
        grace=max(WARMUP_EPOCHS, warmup),
    )


def _held_out_weights(task: FitTask, split: Split, axes: PrincipalAxes) -> np.ndarray:
    """Return equal weights for the typical held-out rows, and 0 for the others."""
    errors = pca_errors(task.plan, axes, task.comparison_rows(split))[:, -1]
    typical = typical_rows(errors)
    weights = np.zeros(len(errors))
    weights[typical] = 1 / len(typical)
    return weights


def _of_one_epoch(config: TrainingConfig, plan: FitPlan) -> TrainingConfig:
    """Return the configuration of one epoch at a constant rate, without warm-ups."""
    return replace(
        config,
        learning_rate=plan.learning_rate,
        n_epochs=1,
        decaying=False,
        min_steps=1,
        warmup=0,
        early_code_gradient=1.0,
    )


def _first_head(
    task: FitTask, split: Split, regime: Regime, previous: FitResult | None
) -> TargetHead | None:
    """Return the head to start from: of the previous fit, or PCA's.

    It is `None` without targets. Blocks go on in the units of the first one.
    """
    head = task.head_of_pca(split)
    if head is None:
        return None
    if previous is None or previous.head is None:
        # Random codes have nothing to do with PCA's.
        return head if task.plan.pca_shortcut else head.without_codes()
    resumed = previous.head.after(task.plan.code_kind.resumed_map(previous))
    return resumed if regime.one_epoch else resumed._replace(unit=head.unit)


def _start(
    task: FitTask,
    axes: PrincipalAxes,
    head: TargetHead | None,
    previous: FitResult | None,
) -> Weights:
    """Return the weights to start with: of the previous fit, PCA's, or random ones."""
    plan, seed = task.plan, task.plan.seeds.initialization
    if previous is not None:
        weights = _resumed(task, previous)
    else:
        if plan.pca_shortcut:
            weights = plan.code_kind.pca_start(plan.network, axes, seed)
        else:
            weights = random_weights(plan.network, seed)
        weights = plan.code_kind.weights_to_train(plan.network, weights)
    if head is not None:
        weights = Weights(weights.encoder, weights.decoder + head.arrays)
    return weights.astype(np.float32)


def _resumed(task: FitTask, previous: FitResult) -> Weights:
    """Return the weights of the previous fit in the units of this training."""
    plan = task.plan
    units = Units(task.input_units, plan.code_kind.resumed_map(previous))
    weights = change_units(
        previous.network, previous.weights.astype(np.float64), units.inverse()
    )
    if previous.network != plan.network:
        weights = linear_start(plan.network, weights, plan.seeds.initialization)
    weights = plan.code_kind.weights_to_train(plan.network, weights)
    decoder = plan.code_kind.resumed_decoder(plan.network, previous, task.input_units)
    return weights if decoder is None else Weights(weights.encoder, decoder)
