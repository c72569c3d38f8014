"""Compares a trained network with PCA of the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skae._losses import LOSSES
from skae._numpy_backend import forward
from skae._ordering import decoder_at
from skae._plan import FitPlan, divergence_advice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from skae._initialization import PrincipalAxes
    from skae._network import Arrays, Network, Stack, Weights

# The network must beat PCA by this many standard errors of the paired gains; trials end
# early where it lags behind by the other number. Judged by
# `python -m benchmarks full --only quality`.
_ACCEPTED_STANDARD_ERRORS = 2.0
_HOPELESS_STANDARD_ERRORS = -1.0


class Rows(NamedTuple):
    """Rows to compare on, in the units of training.

    Attributes
    ----------
    targets : ndarray of shape (n_rows, n_features)
    inputs : ndarray of shape (n_rows, n_features)
        What they are reconstructed from.
    unit : float
        What a squared error of 1 stands for in the units of the data.
    """

    targets: np.ndarray
    inputs: np.ndarray
    unit: float


class Judgement(NamedTuple):
    """How the network and PCA do on the same rows.

    There is a column for each number of first codes that are kept, if these are
    ordered; otherwise one, where all are.

    Attributes
    ----------
    errors, pca_errors : ndarray of shape (n_rows, n_cuts)
        Mean squared errors over the features, in the units of the data.
    losses, pca_losses : ndarray of shape (n_rows, n_cuts)
        The same of what training minimises, in its units.
    distances : ndarray of shape (n_rows,)
        Mean squared distances to the mean of the training rows.
    """

    errors: np.ndarray
    pca_errors: np.ndarray
    losses: np.ndarray
    pca_losses: np.ndarray
    distances: np.ndarray

    @property
    def curve(self) -> np.ndarray:
        return mean_of_rows(self.errors)

    @property
    def pca_curve(self) -> np.ndarray:
        return mean_of_rows(self.pca_errors)

    @property
    def explained(self) -> np.ndarray:
        """Share of the variance that the first codes explain, which never falls."""
        left = np.minimum(self.curve, self.variance) / self.variance
        shares: np.ndarray = np.maximum.accumulate(1 - left)
        return shares

    @property
    def variance(self) -> float:
        """Mean squared distance to the mean of the training rows."""
        return float(max(self.distances.mean(), np.finfo(np.float64).tiny))

    @property
    def error_of_pcas(self) -> np.ndarray:
        """The network's error as a share of PCA's; 1 where PCA leaves none."""
        pca_curve = self.pca_curve
        return np.divide(
            self.curve, pca_curve, out=np.ones_like(pca_curve), where=pca_curve > 0
        )

    @property
    def _gains(self) -> np.ndarray:
        """By how much the network's loss is the lower one, as a share of PCA's."""
        reference = mean_of_rows(self.pca_losses)
        reference = np.where(reference > 0, reference, 1.0)
        gains: np.ndarray = (self.pca_losses - self.losses) / reference
        return gains

    @property
    def gain(self) -> float:
        """The mean gain over rows and cuts."""
        return float(self._gains.mean())

    @property
    def _standard_errors(self) -> float:
        """The mean gain over rows and cuts, in standard errors of itself."""
        gains = self._gains.mean(axis=1)
        error = gains.std(ddof=1) / np.sqrt(len(gains))
        return float(gains.mean() / max(error, np.finfo(np.float64).tiny))

    @property
    def accepts_network(self) -> bool:
        """Whether the network is better by more than chance, and nowhere worse."""
        nowhere_worse = bool((mean_of_rows(self._gains) > 0).all())
        return nowhere_worse and self._standard_errors > _ACCEPTED_STANDARD_ERRORS

    @property
    def hopeless(self) -> bool:
        return self._standard_errors < _HOPELESS_STANDARD_ERRORS


def mean_of_rows(values: np.ndarray) -> np.ndarray:
    """Return the mean of each column, exact for columns of single precision."""
    means: np.ndarray = values.mean(axis=0, dtype=np.float64)
    return means


def judge(
    plan: FitPlan, weights: Weights, axes: PrincipalAxes, blocks: Iterable[Rows]
) -> Judgement:
    """Compare the network with PCA on blocks of rows.

    Raises
    ------
    ValueError
        If the network's outputs are not finite.
    """
    return pooled([_compare(plan, weights, axes, block) for block in blocks])


def _compare(
    plan: FitPlan, weights: Weights, axes: PrincipalAxes, rows: Rows
) -> Judgement:
    by_cut: list[tuple[np.ndarray, ...]] = []
    reconstructions = zip(
        _by_network(plan, weights, rows.inputs),
        _by_pca(plan, axes, rows.inputs),
        strict=True,
    )
    loss = LOSSES[plan.loss]
    for outputs, pca_outputs in reconstructions:
        if not np.isfinite(outputs).all():
            raise ValueError(divergence_advice(plan.learning_rate))
        by_cut.append(
            (
                _squared_errors(rows, outputs),
                _squared_errors(rows, pca_outputs),
                loss(np, rows.targets, outputs).mean(axis=1, dtype=np.float64),
                loss(np, rows.targets, pca_outputs).mean(axis=1, dtype=np.float64),
            )
        )
    errors, pca_errors, losses, pca_losses = (
        np.column_stack(values) for values in zip(*by_cut, strict=True)
    )
    distances = _squared_errors(rows, axes.mean)
    return Judgement(errors, pca_errors, losses, pca_losses, distances)


def pooled(judgements: list[Judgement]) -> Judgement:
    """Put the rows of several judgements together."""
    if len(judgements) == 1:
        return judgements[0]
    return Judgement(
        *(np.concatenate(values) for values in zip(*judgements, strict=True))
    )


def pca_errors(
    plan: FitPlan, axes: PrincipalAxes, blocks: Iterable[Rows]
) -> np.ndarray:
    """Return PCA's mean squared errors, of shape (n_rows, n_cuts)."""
    errors = [
        np.column_stack(
            [
                _squared_errors(block, output)
                for output in _by_pca(plan, axes, block.inputs)
            ]
        )
        for block in blocks
    ]
    return np.concatenate(errors)


def _squared_errors(rows: Rows, outputs: np.ndarray) -> np.ndarray:
    errors: np.ndarray = np.square(outputs - rows.targets).mean(
        axis=1, dtype=np.float64
    )
    return errors * rows.unit


def _cuts(plan: FitPlan) -> range:
    return range(1 if plan.ordered else plan.n_components, plan.n_components + 1)


def _by_pca(
    plan: FitPlan, axes: PrincipalAxes, inputs: np.ndarray
) -> Iterator[np.ndarray]:
    for cut in _cuts(plan):
        yield axes.reconstruct(inputs, cut)


def _by_network(
    plan: FitPlan, weights: Weights, inputs: np.ndarray
) -> Iterator[np.ndarray]:
    network: Network = plan.trained_network
    codes = _forward_quietly(network.encoder, weights.encoder, inputs)
    if not plan.ordered:
        yield _forward_quietly(network.decoder, weights.decoder, codes)
        return
    for cut in _cuts(plan):
        decoder = decoder_at(network.decoder, weights.decoder, plan.n_components, cut)
        yield _forward_quietly(*decoder, codes[:, :cut])


def _forward_quietly(stack: Stack, arrays: Arrays, X: np.ndarray) -> np.ndarray:
    """Run a network that may have diverged, which `judge` finds and reports."""
    with np.errstate(over="ignore", invalid="ignore"):
        return forward(stack, arrays, X)
