"""The plan of a fit: an estimator's parameters, validated and resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from skae._train.corruption import NO_CORRUPTION, Corruption
from skae._utils.memory import physical_memory
from skae._utils.progress import Progress

if TYPE_CHECKING:
    from skae._fit.code_kinds import CodeKind
    from skae._network.description import Network
    from skae._utils.parameters import Seeds

# Bytes that training takes for each weight: itself, its gradient, two moments of Adam,
# the best and the last values, and two copies in double precision at the end.
_BYTES_PER_WEIGHT = 40

_MEMORY = physical_memory()


@dataclass(frozen=True)
class FitPlan:
    """What a fit does, as plain values named after the estimators' parameters.

    Attributes
    ----------
    estimator : str
        Name of the estimator's class, for messages.
    network : Network
    code_kind : CodeKind
        The kind of code that the network learns.
    loss : str
    batch_size : int
    min_steps : int
        Minimum number of batches in an epoch of `fit`: few rows get smaller batches.
    pca_shortcut : bool
        Whether training starts at PCA.
    early_stopping : bool
        Whether rows are held out, to stop training and to choose between the network
        and PCA.
    validation_fraction, n_iter_no_change, tol, learning_rate, max_iter, alpha
        As the parameters of those names.
    seeds : Seeds
    corruption : Corruption
        The corruption of the inputs that training adds.
    noise_level : float
        Its strength, in the units of the data's scale or as a share of the values.
    variance_target : float, "auto" or None
        Share of the variance that the codes to keep must explain, or "auto" for the
        elbow; `None` keeps all codes.
    progress : Progress
        Tells of the tasks of the fit.
    """

    estimator: str
    network: Network
    code_kind: CodeKind
    loss: str
    batch_size: int
    min_steps: int
    pca_shortcut: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    learning_rate: float
    max_iter: int
    alpha: float
    seeds: Seeds
    corruption: Corruption = NO_CORRUPTION
    noise_level: float = 0.0
    variance_target: float | str | None = None
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        if (
            self.code_kind.needs_linear_encoder
            and not self.network.encoder.has_linear_output
        ):
            raise ValueError(
                f"{self.estimator} describes an encoder whose output is not linear, "
                f"but its kind of code, {type(self.code_kind).__name__}, needs a "
                "linear one."
            )

    def check_memory(self) -> None:
        """Refuse a network that the memory of this machine cannot train."""
        n_bytes, available = _BYTES_PER_WEIGHT * self.network.n_weights, _MEMORY
        if n_bytes > available:
            raise MemoryError(
                f"The network of {self.estimator} would have "
                f"{self.network.n_weights:.2g} weights, whose training takes about "
                f"{n_bytes / 1e9:.3g} GB of memory. This machine has "
                f"{available / 1e9:.3g} GB. Lower n_components or the sizes of layers."
            )

    @property
    def n_components(self) -> int:
        return self.network.encoder.n_outputs

    @cached_property
    def has_linear_output(self) -> bool:
        return self.network.decoder.has_linear_output

    @cached_property
    def may_return_pca(self) -> bool:
        """Whether PCA may be the result, if the network is not better.

        Otherwise the network is always kept.
        """
        return (
            self.pca_shortcut
            and self.early_stopping
            and self.code_kind.may_be_pca
            and self.has_linear_output
        )

    def divergence_message(self) -> str:
        """Return the message for a loss that is not finite."""
        return (
            f"The training of {self.estimator} diverged: the loss is not finite. Scale "
            "the data (for instance with StandardScaler) or lower learning_rate_init, "
            f"which is {self.learning_rate:g}."
        )
