"""Codes that a linear head on them predicts targets from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skae._fit.code_kinds import CodeKind, PrincipalCode
from skae._network.description import Network, Weights

if TYPE_CHECKING:
    from skae._fit.plan import FitPlan
    from skae._fit.result import NestedDecoder
    from skae._network.affine import Units
    from skae._network.description import Arrays
    from skae._train.objectives import Objective


@dataclass(frozen=True, kw_only=True)
class SupervisedCode(CodeKind):
    """Codes of a network that is trained beside targets.

    The decoder has a head for the targets as long as it is trained.

    Attributes
    ----------
    target_kind : {"classes", "numbers"}
    n_targets : int
        Number of classes, or of numbers of a row.
    target_weight : float
        Weight of the loss of the targets, in units in which PCA's losses are 1.
    """

    target_kind: str
    n_targets: int
    target_weight: float

    def network_to_train(self, network: Network) -> Network:
        decoder = replace(network.decoder, n_targets=self.n_targets)
        return Network(network.encoder, decoder)

    def head_weight(self, unit: float) -> float:
        return self.target_weight * unit

    def trained_head(self, network: Network, weights: Weights) -> Arrays:
        decoder = self.network_to_train(network).decoder
        return decoder.split(weights.decoder).target_head

    def objective(self, plan: FitPlan) -> Objective:
        # A training is about to begin, so TensorFlow has been imported.
        from skae._train.objectives import SupervisedReconstruction

        n_labels = self.n_targets + (self.target_kind == "numbers")
        return SupervisedReconstruction(plan.loss, self.target_kind, n_labels)

    def fold(
        self, network: Network, weights: Weights, units: Units
    ) -> tuple[Weights, NestedDecoder | None]:
        without_head = weights.decoder[: len(network.decoder.array_shapes)]
        return super().fold(network, Weights(weights.encoder, without_head), units)


@dataclass(frozen=True)
class PrincipalSupervisedCode(SupervisedCode, PrincipalCode):
    """Linear codes trained beside targets, in the units of PCA's codes."""
