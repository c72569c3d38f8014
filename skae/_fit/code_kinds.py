"""The kinds of code, one value class each.

A kind of code knows how codes start, what they are trained with, where they are cut off
and reconstructed from, and what their final units are. An estimator chooses it once;
nothing else asks which kind it is. To add one, subclass `CodeKind` and override what
differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skae._fit.code_units import (
    CodeUnits,
    centred_codes,
    principal_codes,
    prior_codes,
)
from skae._fit.result import NestedDecoder
from skae._fit.starts import (
    mirrored_pca_start,
    pca_network,
    pca_start,
    variational_pca_network,
    variational_pca_start,
)
from skae._network.affine import Affine, Units, change_units, fold_after, scaling
from skae._network.description import Arrays, Network, Weights
from skae._network.nested import decoder_at, nested_network, nested_weights
from skae._network.numpy_interpreter import forward

if TYPE_CHECKING:
    from skae._fit.acceptance import HoldoutComparison
    from skae._fit.code_units import TrainedCodes
    from skae._fit.pca import PrincipalAxes
    from skae._fit.plan import FitPlan
    from skae._fit.result import FitResult
    from skae._train.objectives import Objective

# The smoothing noise of networks that start at PCA is at most this multiple of the root
# mean squared error of PCA; more would drown the signal of few rows. This and the next
# constant are judged by `python -m benchmarks full --only quality`.
_MAX_NOISE = 0.6

# For sparse codes, the error of PCA with as many components says little: it is often
# zero. Their smoothing noise is relative to the root mean variance, and at most this.
_MAX_SPARSE_NOISE = 0.2

# The constants of nested codes are judged by `python -m benchmarks full --only
# dimension`.

# Later cuts have small errors, which dominate the geometric mean: their full gradient
# would hold the first codes at PCA, while alone these bend far away from it.
_EARLY_CODE_GRADIENT = 0.1

# As each cut gets a part of the rows only, gradients are noisier: batches are larger by
# this factor, and steps too (Goyal et al., 2017, "Accurate, large minibatch SGD").
_NESTED_BATCHES = 2
_NESTED_RATE = 3


class CodeTraining(NamedTuple):
    """What a kind of code sets in the training configuration.

    Attributes
    ----------
    term_weight : float
        Weight of the codes' term beside the mean error over rows and features.
    warmup : int
        Number of epochs in which that weight grows.
    target_rate : float
        Target of a sparsity penalty.
    early_code_gradient : float
        As in `TrainingConfig`.
    rate_factor : float
        Factor of the learning rate.
    """

    term_weight: float = 0.0
    warmup: int = 0
    target_rate: float = 0.5
    early_code_gradient: float = 1.0
    rate_factor: float = 1.0


def _objectives() -> Any:
    # A training is about to begin, so TensorFlow has been imported.
    from skae._train import objectives

    return objectives


@dataclass(frozen=True)
class CodeKind:
    """Codes as the network gives them, and the base class of the other kinds.

    Their units are the network's own, PCA is never the result, and the whole code is
    decoded.
    """

    @property
    def needs_linear_encoder(self) -> bool:
        """Whether codes of this kind need an encoder with a linear output."""
        return False

    @property
    def may_be_pca(self) -> bool:
        """Whether PCA's codes are of this kind, so that PCA may be the result."""
        return self.needs_linear_encoder

    @property
    def compares_with_pca(self) -> bool:
        """Whether PCA with as many components is what the codes are measured by."""
        return True

    # --- How it starts ---

    def network_to_train(self, network: Network) -> Network:
        """Return the network as it is trained."""
        return network

    def weights_to_train(self, network: Network, weights: Weights) -> Weights:
        """Return the weights of `network_to_train` that do what `weights` do."""
        return weights

    def pca_start(self, network: Network, axes: PrincipalAxes, seed: int) -> Weights:
        """Return the weights of a network that starts at PCA."""
        return pca_start(network, axes, seed)

    def resumed_map(self, previous: FitResult) -> Affine | None:
        """Return the map from codes as trained to those of the fit to go on from."""
        return None

    def resumed_decoder(
        self, network: Network, previous: FitResult, units: Affine | None
    ) -> Arrays | None:
        """Return arrays of the trained decoder that `previous` keeps, if it does."""
        return None

    def when_truncated(self) -> CodeKind:
        """Return the kind of the first codes alone, which go on to be trained."""
        return self

    # --- How it is trained ---

    def objective(self, plan: FitPlan) -> Objective:
        """Return what training minimises."""
        return _objectives().Reconstruction(plan.loss)

    def training(self, plan: FitPlan, n_rows: int) -> CodeTraining:
        """Return what this kind of code sets in the training configuration."""
        return CodeTraining()

    def batch_size(self, batch_size: int) -> int:
        """Return the batch size to train with."""
        return batch_size

    def smoothing_noise(self, multiple: float, pca_error: float) -> float:
        """Return the standard deviation of the smoothing noise on the inputs.

        `multiple` depends on the number of rows, and `pca_error` is PCA's mean squared
        error, in the units of training.
        """
        return float(np.sqrt(pca_error) * min(_MAX_NOISE, multiple))

    # --- What it is trained beside ---

    def head_weight(self, unit: float) -> float:
        """Return the weight of the targets' loss, of which `unit` weighs as PCA's."""
        return 0.0

    def trained_head(self, network: Network, weights: Weights) -> Arrays:
        """Return kernel and bias of the trained head for targets, if it has one."""
        return []

    # --- How it is compared with PCA ---

    def cuts(self, n_components: int) -> range:
        """Return the numbers of first codes that rows are reconstructed from."""
        return range(n_components, n_components + 1)

    def reconstructions(
        self, network: Network, weights: Weights, inputs: np.ndarray
    ) -> list[np.ndarray]:
        """Return the reconstruction at each of the cuts, by the trained network."""
        codes = forward(network.encoder, weights.encoder, inputs)
        return [forward(network.decoder, weights.decoder, codes)]

    # --- What its final units are ---

    def final_units(self, codes: TrainedCodes, pca_scale: np.ndarray) -> CodeUnits:
        """Find the units of the codes of a fit.

        `pca_scale` is what a code of unit variance stands for in the units of PCA.
        """
        return CodeUnits()

    def block_units(
        self, pca_scale: np.ndarray, previous: FitResult | None
    ) -> CodeUnits:
        """Return the units of codes that are trained block by block."""
        return CodeUnits()

    def fold(
        self, network: Network, weights: Weights, units: Units
    ) -> tuple[Weights, NestedDecoder | None]:
        """Return the weights of `network` in other units, from the trained ones."""
        return change_units(network, weights, units), None

    def curve(self, errors: np.ndarray) -> np.ndarray | None:
        """Return the errors at each cut if the result keeps them."""
        return None

    def variance_ratio(self, comparison: HoldoutComparison) -> np.ndarray | None:
        """Return the explained share that each code adds, if there is such a share."""
        return None

    def pca(self, axes: PrincipalAxes) -> tuple[Network, Weights, np.ndarray]:
        """Return PCA with codes of this kind: network, weights and scale of codes."""
        return (*pca_network(axes, whiten=False), axes.unit_scale)


@dataclass(frozen=True)
class PrincipalCode(CodeKind):
    """Linear codes, rotated to their principal axes, centred, with PCA's signs.

    Attributes
    ----------
    whiten : bool
        Whether the codes have unit variance.
    """

    whiten: bool = False

    @property
    def needs_linear_encoder(self) -> bool:
        return True

    def resumed_map(self, previous: FitResult) -> Affine | None:
        return previous.code_map

    def final_units(self, codes: TrainedCodes, pca_scale: np.ndarray) -> CodeUnits:
        moments = codes.moments()
        units = principal_codes(moments, pca_scale, self.whiten)
        return CodeUnits(units, moments.under(units).scale)

    def block_units(
        self, pca_scale: np.ndarray, previous: FitResult | None
    ) -> CodeUnits:
        if previous is None:
            scale = self._scale(pca_scale)
            return CodeUnits(scaling(scale), scale)
        return CodeUnits(previous.code_map, previous.code_scale)

    def pca(self, axes: PrincipalAxes) -> tuple[Network, Weights, np.ndarray]:
        return (*pca_network(axes, self.whiten), self._scale(axes.unit_scale))

    def _scale(self, pca_scale: np.ndarray) -> np.ndarray:
        """Return what a code of unit variance stands for."""
        return np.ones(len(pca_scale)) if self.whiten else pca_scale


@dataclass(frozen=True)
class NestedCode(PrincipalCode):
    """Ordered codes: the first ones alone reconstruct as well as they can.

    They are centred and get PCA's signs, but they are not rotated.
    """

    def when_truncated(self) -> CodeKind:
        return PrincipalCode(self.whiten)

    def network_to_train(self, network: Network) -> Network:
        return nested_network(network)

    def weights_to_train(self, network: Network, weights: Weights) -> Weights:
        return nested_weights(network, weights)

    def resumed_decoder(
        self, network: Network, previous: FitResult, units: Affine | None
    ) -> Arrays | None:
        if previous.nested is None:
            return None
        arrays = [array.astype(np.float64) for array in previous.nested.arrays]
        if units is None:
            return arrays
        decoder = self.network_to_train(network).decoder
        return fold_after(units.inverse(), decoder, decoder.split(arrays)).joined()

    def objective(self, plan: FitPlan) -> Objective:
        return _objectives().NestedReconstruction(plan.loss, plan.n_components)

    def training(self, plan: FitPlan, n_rows: int) -> CodeTraining:
        # The smaller batches of few rows go with smaller steps.
        batch_size = self.batch_size(plan.batch_size)
        fullness = min(1.0, n_rows / (plan.min_steps * batch_size))
        return CodeTraining(
            early_code_gradient=_EARLY_CODE_GRADIENT,
            rate_factor=max(1.0, fullness * _NESTED_RATE),
        )

    def batch_size(self, batch_size: int) -> int:
        return batch_size * _NESTED_BATCHES

    def cuts(self, n_components: int) -> range:
        return range(1, n_components + 1)

    def reconstructions(
        self, network: Network, weights: Weights, inputs: np.ndarray
    ) -> list[np.ndarray]:
        codes = forward(network.encoder, weights.encoder, inputs)
        n_components = network.encoder.n_outputs
        outputs = []
        for cut in self.cuts(n_components):
            decoder = decoder_at(network.decoder, weights.decoder, n_components, cut)
            outputs.append(forward(*decoder, codes[:, :cut]))
        return outputs

    def final_units(self, codes: TrainedCodes, pca_scale: np.ndarray) -> CodeUnits:
        moments = codes.moments()
        units = centred_codes(moments, pca_scale, self.whiten)
        return CodeUnits(units, moments.under(units).scale)

    def fold(
        self, network: Network, weights: Weights, units: Units
    ) -> tuple[Weights, NestedDecoder | None]:
        trained, n_components = (
            self.network_to_train(network),
            network.encoder.n_outputs,
        )
        encoder, arrays = change_units(trained, weights, Units(units.inputs, None))
        _, decoder = decoder_at(trained.decoder, arrays, n_components, n_components)
        assert units.codes is not None
        folded = change_units(
            network, Weights(encoder, decoder), Units(None, units.codes)
        )
        scale = np.diag(units.codes.matrix)
        return folded, NestedDecoder(arrays, scale, units.codes.shift)

    def curve(self, errors: np.ndarray) -> np.ndarray | None:
        return errors

    def variance_ratio(self, comparison: HoldoutComparison) -> np.ndarray | None:
        ratio: np.ndarray = np.diff(comparison.explained, prepend=0.0)
        return ratio


@dataclass(frozen=True)
class SparseCode(CodeKind):
    """Codes of which few are active in each row, with or without a penalty."""

    @property
    def compares_with_pca(self) -> bool:
        return False  # all of its components are active

    def pca_start(self, network: Network, axes: PrincipalAxes, seed: int) -> Weights:
        return mirrored_pca_start(network, axes, seed)

    def smoothing_noise(self, multiple: float, pca_error: float) -> float:
        return float(_MAX_SPARSE_NOISE * min(1.0, multiple))


@dataclass(frozen=True)
class PenalisedCode(SparseCode):
    """Sparse codes that a penalty keeps inactive.

    Attributes
    ----------
    weight : float
        Weight of the penalty beside the error summed over features.
    """

    weight: float

    def training(self, plan: FitPlan, n_rows: int) -> CodeTraining:
        # The mean error is over features, so the penalty is divided by their number.
        return CodeTraining(self.weight / plan.network.encoder.n_inputs)


@dataclass(frozen=True)
class L1Code(PenalisedCode):
    """Sparse codes with a penalty on their absolute values."""

    def objective(self, plan: FitPlan) -> Objective:
        return _objectives().L1Penalty(plan.loss)


@dataclass(frozen=True)
class KLCode(PenalisedCode):
    """Sparse codes with a penalty on the divergence from a target rate.

    Attributes
    ----------
    target_rate : float
        Mean activation of each code that the penalty aims at.
    """

    target_rate: float

    def objective(self, plan: FitPlan) -> Objective:
        return _objectives().KLPenalty(plan.loss)

    def training(self, plan: FitPlan, n_rows: int) -> CodeTraining:
        training = super().training(plan, n_rows)
        return training._replace(target_rate=self.target_rate)


@dataclass(frozen=True)
class VariationalCode(CodeKind):
    """Codes with a normal posterior, trained on the evidence lower bound.

    Attributes
    ----------
    beta : float
        Weight of the divergence from the prior.
    warmup : int
        Number of epochs in which that weight is reached.
    """

    beta: float
    warmup: int

    def pca_start(self, network: Network, axes: PrincipalAxes, seed: int) -> Weights:
        return variational_pca_start(network, axes, seed)

    @property
    def needs_linear_encoder(self) -> bool:
        return True

    @property
    def may_be_pca(self) -> bool:
        # A larger beta asks for codes near the prior rather than for reconstruction.
        return self.beta <= 1

    def objective(self, plan: FitPlan) -> Objective:
        return _objectives().EvidenceBound(plan.loss)

    def training(self, plan: FitPlan, n_rows: int) -> CodeTraining:
        weight = self.beta / plan.network.encoder.n_inputs
        return CodeTraining(weight, self.warmup)

    def final_units(self, codes: TrainedCodes, pca_scale: np.ndarray) -> CodeUnits:
        return CodeUnits(prior_codes(*codes.posterior_moments()))

    def pca(self, axes: PrincipalAxes) -> tuple[Network, Weights, np.ndarray]:
        return (*variational_pca_network(axes), axes.unit_scale)
