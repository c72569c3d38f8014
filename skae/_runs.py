"""One training: the rows in its units, where it starts, and how well it did."""

from __future__ import annotations

import warnings
from dataclasses import replace
from math import ceil, prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skae._blocks import extremes, mean_and_variance, row_blocks
from skae._corruption import Corruption, corrupt
from skae._initialization import (
    PrincipalAxes,
    linear_start,
    mirrored_pca_start,
    pca_start,
    principal_axes,
    random_weights,
)
from skae._judging import Judgement, Rows, judge
from skae._network import Weights
from skae._ordering import ordered_start
from skae._plan import (
    Data,
    EarlyStopping,
    FitPlan,
    Fitted,
    Noise,
    Outcome,
    Program,
    Settings,
    Split,
    divergence_advice,
)
from skae._tensorflow import import_with_tensorflow
from skae._units import Affine, RowsInUnits, Units, change_units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._blocks import RowSource

# So many values are put into the units of training once, and not at each epoch anew.
_FEW_VALUES = 2**22

# The constants below are judged by `python -m benchmarks full --only quality`.

# A network that starts at PCA trains with noise on its inputs, in multiples of the root
# mean square error that PCA leaves. Noise smooths like a kernel (Bishop, 1995,
# "Training with noise is equivalent to Tikhonov regularization"), so like a kernel's
# width it shrinks as rows are added: it is 1 at this many rows. Few rows get less than
# that would have it, as more hides what there is to learn from them.
_ROWS_OF_UNIT_NOISE = 300
_MOST_NOISE = 0.6

# Where codes are sparse, their number says little of what PCA leaves: often nothing.
# The noise is then at most this share of the root mean variance.
_MOST_SPARSE_NOISE = 0.2

# Such a network's kernels decay by this multiple of the learning rate at each step.
_WEIGHT_DECAY = 0.1

# Those of ordered codes are judged by `python -m benchmarks full --only dimension`.

# Errors of later cuts are small, and so loud in their geometric mean: from the start
# they would keep the first codes at PCA's, when alone these bend far away from it.
_FIRST_FEEDBACK = 0.1

# The gradient is noisier, as every cut has a part of the rows only: batches are this
# many times larger, and so are the steps (Goyal et al., 2017, "Accurate, large
# minibatch SGD").
_ORDERED_BATCHES = 2
_ORDERED_RATE = 3

# XLA takes some steps of dense networks at once, in about 0.85 of their time, where
# that saves the one or two seconds of its compilation: where much work may be ahead.
# Some is done before, so that fits that stop early do not pay, nor does the time to
# most of the quality. Both are in weights times rows times epochs; `python -m
# benchmarks full --only epochs quality_time` judges them.
_WORK_BEFORE_XLA = 5e10
_WORK_WORTH_XLA = 1.5e11
# Of larger batches, in values, too few would be taken at once.
_LARGEST_BATCH_FOR_XLA = 2**20


class Prepared(NamedTuple):
    """The rows to fit, in their own units (`X`) and in those of training (`Z`)."""

    X: np.ndarray
    Z: RowSource
    mean: np.ndarray
    scale: float


class Trained(NamedTuple):
    """What training on some rows gave, and PCA of the same rows."""

    outcome: Outcome
    axes: PrincipalAxes


def centre_and_scale(X: np.ndarray) -> tuple[np.ndarray, float]:
    with np.errstate(over="ignore", invalid="ignore"):
        mean, variance = mean_and_variance(X)
        scale = float(np.sqrt(variance.mean()))
    if not np.isfinite(scale):
        raise ValueError(
            f"X has values from {X.min():g} to {X.max():g}, whose variance is infinite "
            "in double precision. Scale X (for instance with MaxAbsScaler)."
        )
    return mean, scale if scale > 0 else 1.0


def all_rows(data: Prepared) -> Split:
    rows = np.arange(len(data.X), dtype=np.int32)
    return Split(rows, rows[:0])


def prepare(plan: FitPlan, X: np.ndarray, mean: np.ndarray, scale: float) -> Prepared:
    units = input_units(plan, mean, scale)
    Z: RowSource = RowsInUnits(X, units and units.inverse())
    if X.size <= _FEW_VALUES:
        Z = np.concatenate([*row_blocks(Z)])
    return Prepared(X, Z, mean, scale)


def input_units(plan: FitPlan, mean: np.ndarray, scale: float) -> Affine | None:
    """Return the map from training units to the data's; a nonlinear output has none.

    Features are never scaled one by one: that would change what PCA minimises. Nor are
    they centred before a convolution, where zeros are padded.
    """
    if not plan.linear_output:
        return None
    return Affine(scale, mean if plan.network.dense else np.zeros_like(mean))


def settings_of(plan: FitPlan, n_rows: int) -> Settings:
    """Translate the plan for a whole schedule without early stopping."""
    settings = Settings(
        learning_rate=plan.learning_rate,
        n_epochs=plan.max_iter,
        decaying=True,
        input_noise=0.0,
        weight_decay=_WEIGHT_DECAY if plan.pca_shortcut else 0.0,
        alpha=plan.alpha,
        stopping=None,
        seed=(plan.seeds.training,),
        verbose=plan.verbose,
        fewest_steps=plan.fewest_steps,
    )
    # The error is a mean over the features, what the codes add goes with its sum.
    n_features = plan.network.encoder.n_inputs
    if plan.sparsity is not None:
        _, weight, share = plan.sparsity
        settings = replace(settings, code_weight=weight / n_features, share=share)
    if plan.bound is not None:
        beta, warmup = plan.bound
        settings = replace(settings, code_weight=beta / n_features, warmup=warmup)
    if plan.ordered:
        # The smaller batches of few rows go with smaller steps.
        full = min(1.0, n_rows / (plan.fewest_steps * _batch_size(plan)))
        rate = max(1.0, full * _ORDERED_RATE) * plan.learning_rate
        settings = replace(settings, feedback=_FIRST_FEEDBACK, learning_rate=rate)
    return settings


def stopping_early(plan: FitPlan, split: Split, settings: Settings) -> Settings:
    """Add that the rows held out stop training, if there are any."""
    if not len(split.held_out):
        return settings
    # Ordered codes improve together only once they learn from each other.
    start = max(settings.warmup, plan.max_iter * 3 // 4 if plan.ordered else 0)
    stopping = EarlyStopping(plan.n_iter_no_change, plan.tol, start)
    return replace(settings, stopping=stopping)


def train(
    plan: FitPlan,
    data: Prepared,
    split: Split,
    settings: Settings,
    previous: Fitted | None = None,
) -> Trained:
    """Train on some of the rows, from the previous fit if there is one."""
    axes = principal_axes(data.Z, plan.n_components, exact=False, rows=split.train)
    if previous is None:
        start = _start(plan, axes)
    else:
        start = _resume(plan, data, previous)
    if plan.pca_shortcut:
        noise = _input_noise(plan, len(split.train), axes)
        settings = replace(settings, input_noise=noise)
    if plan.noise is not None:
        corruption = _corruption(plan, data, plan.noise, split)
        settings = replace(settings, corruption=corruption)
    program = Program(
        plan.trained_network,
        plan.loss,
        _batch_size(plan),
        plan.pca_shortcut,
        plan.noise and plan.noise.kind,
        plan.sparsity and plan.sparsity.kind,
        plan.ordered,
    )
    before = _epochs_before_xla(program, len(split.train), settings.n_epochs)
    settings = replace(settings, epochs_before_xla=before)
    training = import_with_tensorflow("skae._training")
    inputs = None
    if plan.noise is not None and len(split.held_out):
        inputs = _corrupted(plan, data, plan.noise, split)
    outcome = training.train(program, settings, Data(data.Z, inputs), split, start)
    if outcome.diverged:
        warnings.warn(
            f"{divergence_advice(plan.learning_rate)} The best weights before epoch "
            f"{len(outcome.loss) + 1} are used.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Trained(outcome, axes)


def _batch_size(plan: FitPlan) -> int:
    return plan.batch_size * (_ORDERED_BATCHES if plan.ordered else 1)


def _epochs_before_xla(program: Program, n_rows: int, n_epochs: int) -> int | None:
    """Return when XLA begins to be worth its compilation, or `None` if it never is."""
    network = program.network
    work = n_rows * sum(prod(shape) for shape in network.array_shapes)
    before = ceil(_WORK_BEFORE_XLA / work)
    small = program.batch_size * network.encoder.n_inputs <= _LARGEST_BATCH_FOR_XLA
    worth = (n_epochs - before) * work > _WORK_WORTH_XLA
    return before if network.dense and small and worth else None


def _start(plan: FitPlan, axes: PrincipalAxes) -> Weights:
    seed = plan.seeds.initialization
    if not plan.pca_shortcut:
        weights = random_weights(plan.network, seed)
    elif plan.sparse_code:
        weights = mirrored_pca_start(plan.network, axes, seed)
    else:
        weights = pca_start(plan.network, axes, seed)
    return ordered_start(plan.network, weights) if plan.ordered else weights


def _resume(plan: FitPlan, data: Prepared, previous: Fitted) -> Weights:
    """Return the weights of the previous fit in the units of this training."""
    inputs = input_units(plan, data.mean, data.scale)
    units = Units(inputs, code_units(previous) if plan.free_code else None)
    weights = change_units(
        previous.network, as_type(previous.weights, np.float64), units.inverse()
    )
    if previous.network != plan.network:
        weights = linear_start(plan.network, weights, plan.seeds.initialization)
    if not plan.ordered:
        return weights
    weights = ordered_start(plan.network, weights)
    if previous.ordering is None:
        return weights
    decoder = [array.astype(np.float64) for array in previous.ordering.decoder]
    resumed = change_units(
        plan.trained_network,
        Weights(weights.encoder, decoder),
        Units(inputs, None).inverse(),
    )
    return Weights(weights.encoder, resumed.decoder)


def code_units(fitted: Fitted) -> Affine:
    """Return the map from the codes as they were trained to those of the fit."""
    if fitted.ordering is None:
        return multiples(fitted.code_scale)
    return Affine(np.diag(fitted.ordering.scale), fitted.ordering.shift)


def multiples(scale: np.ndarray) -> Affine:
    """Return the map from codes of unit variance to ones of the given scale."""
    return Affine(np.diag(scale), np.zeros(len(scale)))


def as_type(weights: Weights, dtype: np.typing.DTypeLike) -> Weights:
    return Weights(*([array.astype(dtype) for array in half] for half in weights))


def _input_noise(plan: FitPlan, n_rows: int, axes: PrincipalAxes) -> float:
    multiple = np.sqrt(_ROWS_OF_UNIT_NOISE / n_rows)
    if plan.sparse_code:
        return float(_MOST_SPARSE_NOISE * min(1.0, multiple))
    return float(np.sqrt(axes.error) * min(_MOST_NOISE, multiple))


def _corruption(
    plan: FitPlan, data: Prepared, noise: Noise, split: Split
) -> Corruption:
    """Put the noise into the units of training."""
    kind, level = noise
    low, high = extremes(data.Z, split.train)
    if kind == "gaussian" and not plan.linear_output:
        level = level * data.scale
    if kind == "masking":
        units = input_units(plan, data.mean, data.scale)
        zero = np.zeros(data.Z.shape[1])
        low = high = zero if units is None else units.inverse()(zero)
    low, high = (np.asarray(values, dtype=np.float32) for values in (low, high))
    return Corruption(kind, level, low, high)


def _judged_rows(split: Split) -> np.ndarray:
    return split.held_out if len(split.held_out) else split.train


def _corrupted(plan: FitPlan, data: Prepared, noise: Noise, split: Split) -> np.ndarray:
    """Return those rows with always the same corruption."""
    corruption = _corruption(plan, data, noise, split)
    rng = np.random.default_rng(plan.seeds.validation)
    rows = data.Z[_judged_rows(split)]
    donors = data.Z[split.train if noise.kind == "swap" else split.train[:0]]
    inputs: np.ndarray = corrupt(corruption, rows, donors, rng)
    return inputs


def judge_run(
    plan: FitPlan, data: Prepared, split: Split, trained: Trained
) -> Judgement:
    """Compare the network with PCA."""
    blocks = blocks_to_judge(plan, data, split)
    return judge(plan, trained.outcome.weights, trained.axes, blocks)


def blocks_to_judge(plan: FitPlan, data: Prepared, split: Split) -> Iterator[Rows]:
    """Yield the rows on which the network is compared with PCA, block by block."""
    rows = _judged_rows(split)
    unit = data.scale**2 if plan.linear_output else 1.0
    if plan.noise is None:
        for block in row_blocks(data.Z, rows):
            yield Rows(block, block, unit)
        return
    inputs = row_blocks(_corrupted(plan, data, plan.noise, split))
    for block, corrupted in zip(row_blocks(data.Z, rows), inputs, strict=True):
        yield Rows(block, corrupted, unit)
