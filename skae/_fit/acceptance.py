"""Compares a trained network with PCA, and decides whether it is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import chdtri, ndtr, stdtrit

from skae._fit.targets import errors_by_row, pca_codes, scores
from skae._network.losses import LOSSES
from skae._network.numpy_interpreter import forward

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skae._fit.pca import PrincipalAxes
    from skae._fit.plan import FitPlan
    from skae._fit.targets import TargetHead
    from skae._fit.task import ComparisonRows
    from skae._network.description import Weights

# The network must beat PCA by this many standard errors of the paired gains, and by
# more if few rows are compared: they are the held-out rows of folds, whose trainings
# share most of their rows. Folds end early if the network trails by the last number.
# Judged by `python -m benchmarks full --only quality promise`.
_STANDARD_ERRORS = 2.0
_STANDARD_ERRORS_OF_FEW_ROWS = 3.0
_FEW_ROWS = 100
_CLEARLY_WORSE_STANDARD_ERRORS = -1.0

# Where tails are heavy, few rows decide a mean, and its standard error with it. Epochs
# are compared without this share of the held-out rows, those that PCA reconstructs
# worst. A network is accepted, too, if it is better by this many standard errors
# without them, and not worse with them.
_LEFT_OUT_SHARE = 0.02
_STANDARD_ERRORS_OF_TYPICAL_ROWS = 3.0

# One cluster alone does not tell how much clusters differ.
_FEWEST_CLUSTERS = 2

# Equally good trainings disagree by more than their rows explain with this probability.
_SIGNIFICANCE = 0.05


class HoldoutComparison(NamedTuple):
    """Errors and losses of the network and of PCA on the same rows, row by row.

    There is a column for each cut of nested codes; other codes have a single column.

    Attributes
    ----------
    errors, pca_errors : ndarray of shape (n_rows, n_cuts)
        Mean squared errors over features, in the squared units of the data.
    losses, pca_losses : ndarray of shape (n_rows, n_cuts)
        Mean training losses over features, in the units of training. With targets,
        their loss is added by its weight: the network's by its head, and PCA's by the
        best linear head on PCA's codes.
    distances : ndarray of shape (n_rows,)
        Mean squared distances to the mean of the training rows, over features.
    clusters : ndarray of int, of shape (n_rows,), or None
        For each row the cluster that it belongs to: only rows of different clusters are
        independent. `None` if all rows are.
    trainings : ndarray of int, of shape (n_rows,), or None
        For each row the training that it was held out from; `None` if there was one.
    target_errors : ndarray of shape (n_rows, 3) or None
        With targets, the errors of the two heads and of a constant.
    """

    errors: np.ndarray
    pca_errors: np.ndarray
    losses: np.ndarray
    pca_losses: np.ndarray
    distances: np.ndarray
    clusters: np.ndarray | None = None
    trainings: np.ndarray | None = None
    target_errors: np.ndarray | None = None

    @property
    def target_scores(self) -> tuple[float | None, float | None]:
        """Scores of the targets by the network's head and by PCA's, if any."""
        if self.target_errors is None:
            return None, None
        own, of_pca = scores(self.target_errors)
        return own, of_pca

    @property
    def curve(self) -> np.ndarray:
        """Mean squared error of the network at each cut."""
        return column_means(self.errors)

    @property
    def pca_curve(self) -> np.ndarray:
        """Mean squared error of PCA at each cut."""
        return column_means(self.pca_errors)

    @property
    def explained(self) -> np.ndarray:
        """Share of the variance explained at each cut; it never decreases."""
        unexplained = np.minimum(self.curve, self.variance) / self.variance
        explained: np.ndarray = np.maximum.accumulate(1 - unexplained)
        return explained

    @property
    def variance(self) -> float:
        """Mean squared distance to the mean of the training rows."""
        return float(max(self.distances.mean(), np.finfo(np.float64).tiny))

    @property
    def error_ratio(self) -> np.ndarray:
        """Error of the network over PCA's at each cut; 1 where PCA's is zero."""
        pca_curve = self.pca_curve
        return np.divide(
            self.curve, pca_curve, out=np.ones_like(pca_curve), where=pca_curve > 0
        )

    def gains_by_row(self) -> np.ndarray:
        """Return how much lower the network's losses are, relative to PCA's mean."""
        reference = column_means(self.pca_losses)
        reference = np.where(reference > 0, reference, 1.0)
        gains: np.ndarray = (self.pca_losses - self.losses) / reference
        return gains

    @property
    def mean_gain(self) -> float:
        """Mean gain over rows and cuts."""
        return float(self.gains_by_row().mean())

    @property
    def is_accepted(self) -> bool:
        """Whether the network is better beyond chance, and worse at no cut."""
        if not (column_means(self.gains_by_row()) > 0).all():
            return False
        few = len(self.errors) < _FEW_ROWS
        if self._exceeds(_STANDARD_ERRORS_OF_FEW_ROWS if few else _STANDARD_ERRORS):
            return True
        return self._typical_rows()._exceeds(_STANDARD_ERRORS_OF_TYPICAL_ROWS)

    def _exceeds(self, n_standard_errors: float) -> bool:
        """Tell whether the mean gain is larger than so many standard errors.

        Of few rows, or few trainings that disagree, the standard error is uncertain:
        Student's quantile of the same probability is required.
        """
        n_independent = self.n_independent
        if self.training_variance > 0 and self.trainings is not None:
            n_independent = min(n_independent, len(np.unique(self.trainings)))
        if n_independent < _FEWEST_CLUSTERS:
            return False
        required = stdtrit(n_independent - 1, ndtr(n_standard_errors))
        return bool(self.standard_errors > required)

    def _typical_rows(self) -> HoldoutComparison:
        """Return the comparison without the rows that PCA reconstructs worst."""
        return self._rows(typical_rows(self.pca_errors[:, -1]))

    def _rows(self, rows: np.ndarray) -> HoldoutComparison:
        """Return the comparison of some of the rows."""
        chosen: list[Any] = [
            None if values is None else values[rows] for values in self
        ]
        return HoldoutComparison(*chosen)

    @property
    def is_clearly_worse(self) -> bool:
        """Whether further folds are not worth their time."""
        return (
            self.tells_something
            and self.standard_errors < _CLEARLY_WORSE_STANDARD_ERRORS
        )

    @property
    def tells_something(self) -> bool:
        """Whether there are two independent rows or clusters at least."""
        return self.n_independent >= _FEWEST_CLUSTERS

    @property
    def n_independent(self) -> float:
        """Number of independent rows, or of clusters if they were of equal sizes."""
        if self.clusters is None:
            return len(self.errors)
        sizes = np.unique(self.clusters, return_counts=True)[1] / len(self.errors)
        return float(1 / (sizes**2).sum())

    @property
    def standard_errors(self) -> float:
        """The mean gain over rows and cuts, in multiples of its standard error."""
        error = np.sqrt(self.sampling_variance + self.training_variance)
        return self.mean_gain / float(max(error, np.finfo(np.float64).tiny))

    @property
    def sampling_variance(self) -> float:
        """Variance of the mean gain over samples of rows, or of clusters.

        It is that of the jackknife, which leaves out one cluster at a time: unlike
        other estimates, it is not too small where clusters differ in size (Bell &
        McCaffrey, 2002, "Bias reduction in standard errors for linear regression with
        multi-stage samples").
        """
        by_row = self.gains_by_row().mean(axis=1)
        clusters = np.arange(len(by_row)) if self.clusters is None else self.clusters
        _, codes = np.unique(clusters, return_inverse=True)
        shares = np.bincount(codes) / len(by_row)
        if len(shares) < _FEWEST_CLUSTERS:
            return 0.0
        sums = np.bincount(codes, by_row - by_row.mean()) / (1 - shares)
        variance = (sums**2).sum() * (len(shares) - 1) / len(shares)
        return float(variance) / len(by_row) ** 2

    @property
    def training_variance(self) -> float:
        """Variance of the mean gain from one training to the next.

        Where trainings disagree by more than their rows explain, training is a matter
        of luck, and the next one may have less. The variance of their mean gains, less
        the largest one that rows alone explain, is taken for that of one training; the
        mean of the trainings is uncertain by a fraction of it.
        """
        if self.trainings is None:
            return 0.0
        numbers = np.unique(self.trainings)
        folds = [self._rows(self.trainings == number) for number in numbers]
        if not all(fold.tells_something for fold in folds):
            return 0.0
        between = np.var([fold.mean_gain for fold in folds], ddof=1)
        within = np.mean([fold.sampling_variance for fold in folds])
        largest_ratio = chdtri(len(folds) - 1, _SIGNIFICANCE) / (len(folds) - 1)
        excess = max(float(between - largest_ratio * within), 0.0)
        return excess * (1 + 1 / len(folds))


def typical_rows(pca_errors: np.ndarray) -> np.ndarray:
    """Return the indices of the rows but the few that PCA reconstructs worst."""
    n_left_out = int(_LEFT_OUT_SHARE * len(pca_errors))
    order = np.argsort(pca_errors, kind="stable")
    return np.sort(order[: len(order) - n_left_out])


def column_means(values: np.ndarray) -> np.ndarray:
    """Return the mean of each column, summed in double precision."""
    means: np.ndarray = values.mean(axis=0, dtype=np.float64)
    return means


def compare(
    plan: FitPlan,
    weights: Weights,
    axes: PrincipalAxes,
    blocks: Iterable[ComparisonRows],
    clusters: np.ndarray | None = None,
    head: TargetHead | None = None,
) -> HoldoutComparison:
    """Compare the network with PCA on blocks of rows, of which some belong together.

    With targets, `head` is the linear head on PCA's codes.

    Raises
    ------
    ValueError
        If the network's outputs are not finite.
    """
    found = joined(
        [_compare_block(plan, weights, axes, block, head) for block in blocks]
    )
    return found._replace(clusters=clusters)


def _compare_block(
    plan: FitPlan,
    weights: Weights,
    axes: PrincipalAxes,
    rows: ComparisonRows,
    head: TargetHead | None,
) -> HoldoutComparison:
    network = plan.code_kind.network_to_train(plan.network)
    # The network may have diverged, which is found and reported below.
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = plan.code_kind.reconstructions(network, weights, rows.inputs)
    if not all(np.isfinite(output).all() for output in outputs):
        raise ValueError(plan.divergence_message())
    pca_outputs = _pca_reconstructions(plan, axes, rows.inputs)
    losses = _losses(plan.loss, rows, outputs)
    pca_losses = _losses(plan.loss, rows, pca_outputs)
    target_errors = None
    if head is not None and rows.labels is not None:
        own = head.with_arrays(plan.code_kind.trained_head(plan.network, weights))
        codes = forward(network.encoder, weights.encoder, rows.inputs)
        both = [own(codes), head(pca_codes(axes, rows.inputs))]
        weight = plan.code_kind.head_weight(head.unit)
        losses += weight * head.losses(rows.labels, both[0])
        pca_losses += weight * head.losses(rows.labels, both[1])
        target_errors = errors_by_row(head.kind, rows.labels, both)
    return HoldoutComparison(
        _squared_errors(rows, outputs),
        _squared_errors(rows, pca_outputs),
        losses,
        pca_losses,
        _squared_errors(rows, [axes.mean])[:, 0],
        target_errors=target_errors,
    )


def joined(comparisons: list[HoldoutComparison]) -> HoldoutComparison:
    """Join the rows of several comparisons."""
    if len(comparisons) == 1:
        return comparisons[0]
    fields: list[Any] = [
        None if values[0] is None else np.concatenate(values)
        for values in zip(*comparisons, strict=True)
    ]
    return HoldoutComparison(*fields)


def joined_folds(comparisons: list[HoldoutComparison]) -> HoldoutComparison:
    """Join the comparisons of folds, to judge a network that is trained once more."""
    if len(comparisons) == 1:
        return comparisons[0]
    lengths = [len(fold.errors) for fold in comparisons]
    found = joined(comparisons)
    return found._replace(trainings=np.repeat(np.arange(len(lengths)), lengths))


def pca_errors(
    plan: FitPlan, axes: PrincipalAxes, blocks: Iterable[ComparisonRows]
) -> np.ndarray:
    """Return PCA's mean squared errors over features, of shape (n_rows, n_cuts)."""
    errors = [
        _squared_errors(rows, _pca_reconstructions(plan, axes, rows.inputs))
        for rows in blocks
    ]
    return np.concatenate(errors)


def _pca_reconstructions(
    plan: FitPlan, axes: PrincipalAxes, inputs: np.ndarray
) -> list[np.ndarray]:
    cuts = plan.code_kind.cuts(plan.n_components)
    return [axes.reconstruct(inputs, cut) for cut in cuts]


def _squared_errors(rows: ComparisonRows, outputs: Iterable[np.ndarray]) -> np.ndarray:
    errors = [
        np.square(output - rows.targets).mean(axis=1, dtype=np.float64) * rows.unit
        for output in outputs
    ]
    return np.column_stack(errors)


def _losses(
    name: str, rows: ComparisonRows, outputs: Iterable[np.ndarray]
) -> np.ndarray:
    loss = LOSSES[name]
    losses = [
        loss(np, rows.targets, output).mean(axis=1, dtype=np.float64)
        for output in outputs
    ]
    return np.column_stack(losses)
