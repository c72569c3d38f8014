"""The values that a training is called with, and the one that it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from skae._train.corruption import (
    NO_CORRUPTION,
    NO_VALUES,
    Corruption,
    CorruptionValues,
)
from skae._utils.progress import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from skae._network.description import Network, Weights
    from skae._train.objectives import Objective
    from skae._utils.blocks import RowSource
    from skae._utils.progress import Progress


@dataclass(frozen=True)
class GraphKey:
    """Everything that shapes the compiled graph: the key under which it is cached.

    Attributes
    ----------
    network : Network
    objective : Objective
    batch_size : int
    smoothing : bool
        Whether Gaussian noise is added to the inputs, whatever the corruption.
    corruption : Corruption
    """

    network: Network
    objective: Objective
    batch_size: int
    smoothing: bool
    corruption: Corruption = NO_CORRUPTION

    @property
    def n_columns(self) -> int:
        """Number of columns of the rows: features, then labels if there are any."""
        return self.network.encoder.n_inputs + self.objective.n_label_columns

    def __post_init__(self) -> None:
        for value in (self.objective, self.corruption):
            # A subclass would be equal to others that differ in its own fields alone.
            if "__dataclass_params__" not in vars(type(value)):
                raise TypeError(
                    f"{type(value).__name__} must be decorated with "
                    "@dataclass(frozen=True), as compiled programs are looked up by it."
                )


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop; the epoch with the lowest validation loss is kept.

    Attributes
    ----------
    patience : int
        Number of consecutive epochs without improvement before training stops.
    tol : float
        Smallest relative decrease of the validation loss that counts as improvement.
    start : int
        Number of epochs after which every epoch without improvement counts. Before, at
        high learning rates, only epochs count that are no better than the start.
    grace : int
        Number of epochs of which none counts.
    """

    patience: int
    tol: float
    start: int = 0
    grace: int = 0


@dataclass(frozen=True, eq=False)
class EpochWatch:
    """Tells of the epochs of a training.

    Attributes
    ----------
    progress : Progress
    to_result : callable
        Makes the result of the fit from that of the training.
    start : str
        What the first weights are.
    """

    progress: Progress
    to_result: Callable[[TrainingResult], Any]
    start: str

    def begin_epoch(self) -> None:
        """Tell that an epoch begins."""
        self.progress.begin("epoch")

    def end_epoch(
        self,
        losses: tuple[float, float | None],
        start_loss: float | None,
        training: Callable[[], TrainingResult],
    ) -> bool:
        """Tell that an epoch has ended; return whether training is to stop.

        Parameters
        ----------
        losses : tuple of float
            On training rows, and on held-out rows if there are any.
        start_loss : float or None
            The loss of the first weights on held-out rows.
        training : callable
            Makes the result of the training as if it had ended.
        """
        report = Report(
            lambda: self.to_result(training()), *losses, start_loss, self.start
        )
        return self.progress.end(report)


@dataclass(frozen=True, eq=False)
class TrainingConfig:
    """How to train: all values that may change without compiling anew.

    Attributes
    ----------
    learning_rate : float
        Peak of the schedule, or its constant value.
    n_epochs : int
        Length of the schedule, and the number of epochs unless training ends early.
    decaying : bool
        Whether the rate warms up and decays to zero, or is constant.
    smoothing_noise : float
        Standard deviation of the Gaussian noise on the inputs, for graphs with
        `smoothing`. The targets have none.
    corruption : CorruptionValues
        Strength and replacement values of the corruption of the inputs.
    weight_decay : float
        Decoupled decay of the kernels, in multiples of the learning rate.
    alpha : float
        Weight of the L2 penalty on the kernels.
    stopping : EarlyStopping or None
        Rule that watches the held-out rows to stop and to choose an epoch; `None` keeps
        the last epoch.
    seed : tuple of int
        Source of the shuffles and of the noise.
    min_steps : int
        Minimum number of batches in an epoch, if there are as many rows.
    term_weight : float
        Weight of the objective's second term, for objectives that have one.
    warmup : int
        Number of epochs in which that weight grows from zero.
    target_rate : float
        Mean activation that a sparsity penalty compares the codes with.
    early_code_gradient : float
        For nested codes, the factor at the first epoch of the gradient that a code gets
        from cuts beyond its own level; it grows to 1 over the epochs.
    snapshot_epochs : tuple of int
        Epochs at which the weights are kept, in increasing order; training ends with
        the last one. `()` stands for the whole schedule. Before the end of the schedule
        rates are still high, so a snapshot is the mean of the weights over the second
        half of the epochs before it, without the epochs up to the previous snapshot and
        without those of the `warmup`.
    n_trainings : int
        Number of trainings of this network that the fit is likely to make from now on.
    watch : EpochWatch or None
        Tells of the epochs; `None` if nobody is to be told.
    """

    learning_rate: float
    n_epochs: int
    decaying: bool = True
    smoothing_noise: float = 0.0
    corruption: CorruptionValues = NO_VALUES
    weight_decay: float = 0.0
    alpha: float = 0.0
    stopping: EarlyStopping | None = None
    seed: tuple[int, ...] = (0,)
    min_steps: int = 1
    term_weight: float = 0.0
    warmup: int = 0
    target_rate: float = 0.5
    early_code_gradient: float = 1.0
    snapshot_epochs: tuple[int, ...] = ()
    n_trainings: int = 1
    watch: EpochWatch | None = None


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to hold out.

    Attributes
    ----------
    train, held_out : ndarray of int32
        Indices of the rows; `held_out` may be empty.
    clusters : ndarray of int or None
        For each held-out row the cluster that it belongs to: only rows of different
        clusters are independent. `None` if all rows are.
    """

    train: np.ndarray
    held_out: np.ndarray
    clusters: np.ndarray | None = None

    @property
    def compared(self) -> np.ndarray:
        """Indices of the rows to compare on: held-out rows, else the training rows."""
        return self.held_out if len(self.held_out) else self.train


class TrainingData(NamedTuple):
    """The rows to reconstruct, and the inputs and weights of the held-out ones.

    Attributes
    ----------
    X : RowSource of shape (n_samples, n_columns), float32
        Features, and labels after them for objectives that have labels.
    held_out_inputs : ndarray of shape (n_held_out, n_features), float32, or None
        `None` if held-out rows are reconstructed from themselves.
    held_out_weights : ndarray of shape (n_held_out,) or None
        Weights of the held-out rows in their loss, which add up to 1; `None` for equal
        ones.
    """

    X: RowSource
    held_out_inputs: np.ndarray | None = None
    held_out_weights: np.ndarray | None = None


class Ending(Enum):
    """Why training ended."""

    ALL_EPOCHS = auto()
    STOPPED_EARLY = auto()
    DIVERGED = auto()
    INTERRUPTED = auto()
    STOPPED_BY_CALLBACK = auto()


@dataclass
class TrainingResult:
    """The outcome of a training.

    Attributes
    ----------
    weights : Weights
    loss, val_loss : list of float
        One value for each epoch. Without held-out rows `val_loss` stays empty.
    diverged, interrupted, stopped_early, stopped_by_callback : bool
        Whether a non-finite loss, the user, the held-out rows or a callback ended
        training early.
    snapshots : list of Weights
        The weights at each of the snapshot epochs; the last weights that were kept
        stand in for epochs that were not reached.
    """

    weights: Weights
    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    diverged: bool = False
    interrupted: bool = False
    stopped_early: bool = False
    stopped_by_callback: bool = False
    snapshots: list[Weights] = field(default_factory=list)

    @property
    def ending(self) -> Ending:
        if self.interrupted:
            return Ending.INTERRUPTED
        if self.diverged:
            return Ending.DIVERGED
        if self.stopped_by_callback:
            return Ending.STOPPED_BY_CALLBACK
        return Ending.STOPPED_EARLY if self.stopped_early else Ending.ALL_EPOCHS


class DivergenceError(ValueError):
    """The loss was not finite before any weights were known to have a finite one."""
