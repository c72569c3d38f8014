"""What is to be trained and how: plain data that passes between the layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from skae._network import Dense
from skae._ordering import ordered_network

if TYPE_CHECKING:
    import numpy as np

    from skae._blocks import RowSource
    from skae._corruption import Corruption
    from skae._network import Arrays, Network, Weights


class Seeds(NamedTuple):
    """One integer seed for each use of randomness in a fit."""

    split: int
    initialization: int
    training: int
    validation: int


class Noise(NamedTuple):
    """What corrupts the inputs, and how much, in units of the data's scale."""

    kind: str
    level: float


class Sparsity(NamedTuple):
    """A penalty on the codes: its kind ("l1" or "kl"), weight and share of activity."""

    kind: str
    weight: float
    share: float


class Bound(NamedTuple):
    """The evidence lower bound: the weight of its divergence, reached in epochs."""

    beta: float
    warmup: int


@dataclass(frozen=True)
class FitPlan:
    """What a fit does, validated and named as the estimators' parameters.

    `pca_shortcut` says whether training starts at PCA, `early_stopping` whether rows
    are held out to stop training and to choose between the network and PCA. A `fit` of
    few rows takes `fewest_steps` an epoch, on smaller batches. The last fields are what
    some autoencoders add to the others. Of `ordered` codes, `wanted` is the share of
    the variance that those to keep are to explain, or "auto".
    """

    network: Network
    loss: str
    batch_size: int
    fewest_steps: int
    pca_shortcut: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    learning_rate: float
    max_iter: int
    alpha: float
    verbose: bool
    seeds: Seeds
    whiten: bool = False
    noise: Noise | None = None
    sparsity: Sparsity | None = None
    bound: Bound | None = None
    ordered: bool = False
    wanted: float | str | None = None

    @property
    def trained_network(self) -> Network:
        """The network as it is trained."""
        return ordered_network(self.network) if self.ordered else self.network

    @property
    def n_components(self) -> int:
        return self.network.encoder.n_outputs

    @property
    def sparse_code(self) -> bool:
        """Whether most codes of a row are to be inactive."""
        code = self.network.encoder.layers[-1]
        n_active = code.n_active if isinstance(code, Dense) else None
        return self.sparsity is not None or n_active is not None

    @property
    def linear_code(self) -> bool:
        """Whether the codes may be PCA's."""
        return self.network.encoder.linear_output and not self.sparse_code

    @property
    def free_code(self) -> bool:
        """Whether the codes may be rotated and scaled at will."""
        return self.linear_code and self.bound is None

    @property
    def linear_output(self) -> bool:
        return self.network.decoder.linear_output

    @property
    def may_answer_pca(self) -> bool:
        """Whether PCA may be the answer: only its kind of code and output is asked.

        A bound with a larger `beta` asks for codes near the prior rather than for the
        reconstruction.
        """
        return (
            self.pca_shortcut
            and self.early_stopping
            and self.linear_code
            and self.linear_output
            and (self.bound is None or self.bound.beta <= 1)
        )


@dataclass(frozen=True)
class Program:
    """All that shapes the compiled graph, and so the key under which it is kept."""

    network: Network
    loss: str
    batch_size: int
    noisy_inputs: bool
    noise: str | None = None
    sparsity: str | None = None
    ordered: bool = False


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop, and which epoch to keep: the one with the least validation loss.

    Attributes
    ----------
    patience : int
        Epochs in sequence without improvement before training stops.
    tol : float
        Least relative decrease of the validation loss that counts as improvement.
    start : int
        Epochs before patience begins.
    """

    patience: int
    tol: float
    start: int = 0


@dataclass(frozen=True)
class Settings:
    """How to train: what may vary from fit to fit without compiling anew.

    Attributes
    ----------
    learning_rate : float
        Peak of the schedule, or its constant value.
    n_epochs : int
        Epochs of the schedule, and those to run unless training ends early.
    decaying : bool
        Whether the rate warms up and decays to zero, or is constant.
    input_noise : float
        Standard deviation of the Gaussian noise added to the inputs, never to the
        targets, of programs with `noisy_inputs`.
    weight_decay : float
        Decoupled decay of the kernels, in multiples of the learning rate.
    alpha : float
        Weight of the L2 penalty on the kernels.
    stopping : EarlyStopping or None
        Look at the held-out rows to stop and to choose an epoch; `None` keeps the
        last one.
    seed : tuple of int
        Source of the shuffles and of the noise.
    verbose : bool
        Whether to log every epoch.
    corruption : Corruption or None
        Of the inputs, never of the targets, of programs with `noise`.
    code_weight : float
        Weight of the term that the codes add to the loss.
    warmup : int
        Epochs in which that weight grows from zero.
    fewest_steps : int
        Batches that an epoch has at least, if there are as many rows.
    share : float
        What the codes' activity is compared with by the sparsity "kl".
    feedback : float
        Share of the gradient that ordered codes get from what is decoded together with
        later ones, at first; it grows to 1 over the epochs.
    epochs_before_xla : int or None
        Epochs after which several steps are taken at once, compiled by XLA; `None`
        stands for never.
    stops : tuple of int
        Epochs, in rising order, of which the weights are wanted. Before the end of the
        schedule rates are still high, so there they are the means over the second half
        of the epochs until then, but for those until the stop before and those of the
        `warmup`. Training ends with the last; `()` stands for the whole schedule.
    """

    learning_rate: float
    n_epochs: int
    decaying: bool
    input_noise: float
    weight_decay: float
    alpha: float
    stopping: EarlyStopping | None
    seed: tuple[int, ...]
    verbose: bool
    corruption: Corruption | None = None
    code_weight: float = 0.0
    warmup: int = 0
    fewest_steps: int = 1
    share: float = 0.5
    feedback: float = 1.0
    epochs_before_xla: int | None = None
    stops: tuple[int, ...] = ()


class Split(NamedTuple):
    """Indices (int32) of the rows to train on, and of those held out, possibly none."""

    train: np.ndarray
    held_out: np.ndarray


class Data(NamedTuple):
    """The rows to reconstruct, and what to reconstruct the held-out ones from.

    Attributes
    ----------
    X : RowSource of shape (n_samples, n_features), float32
    held_out_inputs : ndarray of shape (n_held_out, n_features), float32, or None
        `None` stands for the rows themselves.
    """

    X: RowSource
    held_out_inputs: np.ndarray | None


@dataclass
class Outcome:
    """What training returns.

    Attributes
    ----------
    weights : Weights
    loss, val_loss : list of float
        One value an epoch. Without held-out rows `val_loss` stays empty.
    diverged, interrupted : bool
        Whether a non-finite loss or the user ended training before its time.
    at_stops : list of Weights
        Those after each of the stops, or the best before if training ended early.
    """

    weights: Weights
    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    diverged: bool = False
    interrupted: bool = False
    at_stops: list[Weights] = field(default_factory=list)


class Ordering(NamedTuple):
    """What reconstructs from the first ordered codes, however many are kept.

    Attributes
    ----------
    decoder : list of ndarray
        Of the `ordered_network`, from codes as trained to rows in the data's units.
    scale, shift : ndarray of shape (n_components,)
        The codes are ``trained * scale + shift``.
    """

    decoder: Arrays
    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """What a fit returns: arrays and builtins, with the weights in the data's units.

    Attributes
    ----------
    network : Network
    weights : Weights
    mean : ndarray of shape (n_features,)
        Of the training rows.
    scale : float
        Root mean variance of the training rows' features; 1 for constant data.
    code_scale : ndarray of shape (n_components,)
        What a code of unit variance stands for in training.
    history : dict of str to list of float
    reconstruction_error, pca_reconstruction_error : float
        Mean squared error over the same rows and all features.
    used_network : bool
    variance_ratio : ndarray of shape (n_components,) or None
        Share of the variance along each component, where PCA is the answer.
    interrupted : bool
        Whether the user ended training; the fit is the best until then.
    curve, pca_curve : ndarray of shape (n_components,) or None
        Mean squared errors from the first codes only, where these are ordered.
    ordering : Ordering or None
        Of ordered codes of a network.
    """

    network: Network
    weights: Weights
    mean: np.ndarray
    scale: float
    code_scale: np.ndarray
    history: dict[str, list[float]]
    reconstruction_error: float
    pca_reconstruction_error: float
    used_network: bool = True
    variance_ratio: np.ndarray | None = None
    interrupted: bool = False
    curve: np.ndarray | None = None
    pca_curve: np.ndarray | None = None
    ordering: Ordering | None = None


def divergence_advice(learning_rate: float) -> str:
    """Say what to do where training leads to numbers that are not finite."""
    return (
        "Training diverged: the loss is not finite. Scale the data (for instance with "
        f"StandardScaler) or lower learning_rate_init, which is {learning_rate:g}."
    )
