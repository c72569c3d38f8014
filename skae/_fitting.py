"""Fits a network to an array: start, training, acceptance, and the data's units.

Everything here takes arrays and plain data and returns a `Fitted`; nothing knows of
estimators. Training itself, and TensorFlow with it, is imported on first use.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skae._corruption import Corruption, corrupt
from skae._initialization import (
    PrincipalAxes,
    linear_start,
    mirrored_pca_start,
    pca_network,
    pca_start,
    principal_axes,
    random_weights,
    variational_pca_network,
)
from skae._losses import LOSSES, finite_log_variance
from skae._network import Network, Weights
from skae._numpy_backend import forward, forward_log_variance
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
from skae._threads import one_blas_thread_if_small
from skae._units import (
    Affine,
    Units,
    change_units,
    code_scale,
    principal_codes,
    prior_codes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# The constants below are judged by `python -m benchmarks quality`.

# Fewer rows than this cannot show that a network beats PCA.
_FEWEST_ROWS = 50

# Below this many rows a single hold-out says too little: by cross-validation every row
# is held out once, and the network accepted is trained anew on all of them.
_CROSS_VALIDATED_ROWS = 1000
_N_FOLDS = 5

# The network must beat PCA by this many standard errors of the paired gains; the folds
# end early where it lags behind by the other number.
_ACCEPTED_STANDARD_ERRORS = 2.0
_HOPELESS_STANDARD_ERRORS = -1.0

# A network that starts at PCA trains with noise on its inputs, in multiples of the root
# mean square error that PCA leaves. Noise smooths like a kernel (Bishop, 1995,
# "Training with noise is equivalent to Tikhonov regularization"), so like a kernel's
# width it shrinks as rows are added, from 1 at this many rows.
_ROWS_OF_UNIT_NOISE = 300

# Where codes are sparse, their number says little of what PCA leaves: often nothing.
# The noise is then this share of the root mean variance.
_SPARSE_NOISE = 0.2

# Such a network's kernels decay by this multiple of the learning rate at each step.
_WEIGHT_DECAY = 0.1


class _Data(NamedTuple):
    """The rows to fit, in their own units (`X`) and in those of training (`Z`)."""

    X: np.ndarray
    Z: np.ndarray
    mean: np.ndarray
    scale: float


class _Trained(NamedTuple):
    """What training on some rows gave, and PCA of the same rows."""

    outcome: Outcome
    axes: PrincipalAxes


class _Judgement(NamedTuple):
    """How the network and PCA do on the same rows.

    `gains` is by how much the network's loss is the lower one, row by row.
    """

    network_error: float
    pca_error: float
    gains: np.ndarray

    @property
    def standard_errors(self) -> float:
        """The mean gain, in standard errors of itself."""
        error = self.gains.std(ddof=1) / np.sqrt(len(self.gains))
        return float(self.gains.mean() / max(error, np.finfo(np.float64).tiny))

    @property
    def accepts_network(self) -> bool:
        return self.standard_errors > _ACCEPTED_STANDARD_ERRORS


def fit_network(plan: FitPlan, X: np.ndarray, previous: Fitted | None) -> Fitted:
    """Fit the network to the rows of `X`, or find that PCA serves better.

    Parameters
    ----------
    plan : FitPlan
    X : ndarray of shape (n_samples, n_features)
    previous : Fitted or None
        A fit of the same network to go on from.
    """
    with one_blas_thread_if_small(X.size * X.shape[1]):
        return _fit(plan, X, previous)


def _fit(plan: FitPlan, X: np.ndarray, previous: Fitted | None) -> Fitted:
    data = _data(plan, X, *_centre_and_scale(X))
    if not plan.early_stopping:
        return _fit_all_rows(plan, data, previous)
    if plan.may_answer_pca and len(X) < _FEWEST_ROWS:
        return _answer_pca(plan, data)
    if plan.may_answer_pca and len(X) < _CROSS_VALIDATED_ROWS and previous is None:
        return _fit_cross_validated(plan, data)
    return _fit_with_hold_out(plan, data, previous)


def update_network(plan: FitPlan, X: np.ndarray, previous: Fitted | None) -> Fitted:
    """Train for one epoch on the rows of `X`, holding nothing out.

    The mean, the scale and the units of the codes are those of the `previous` fit, if
    there is one.
    """
    units = (
        _centre_and_scale(X) if previous is None else (previous.mean, previous.scale)
    )
    data = _data(plan, X, *units)
    settings = replace(_settings(plan), n_epochs=1, decaying=False, warmup=0)
    trained = _train(plan, data, _all_rows(data), settings, previous)
    judgement = _judge(plan, data, _all_rows(data), trained)
    if not plan.free_code:
        fitted = _fitted(plan, data, trained, judgement)
    else:
        scale = (
            _unit_scale(plan, data, trained.axes)
            if previous is None
            else previous.code_scale
        )
        codes = _code_units(scale)
        fitted = _fitted(plan, data, trained, judgement, codes, scale)
    if previous is None:
        return fitted
    return replace(
        fitted,
        history={
            name: previous.history.get(name, []) + values
            for name, values in fitted.history.items()
        },
    )


def _fit_all_rows(plan: FitPlan, data: _Data, previous: Fitted | None) -> Fitted:
    split = _all_rows(data)
    trained = _train(plan, data, split, _settings(plan), previous)
    return _answer_network(plan, data, trained, _judge(plan, data, split, trained))


def _fit_with_hold_out(plan: FitPlan, data: _Data, previous: Fitted | None) -> Fitted:
    n_samples = len(data.X)
    n_held_out = max(2, int(np.ceil(plan.validation_fraction * n_samples)))
    order = np.random.default_rng(plan.seeds.split).permutation(n_samples)
    # Of two rows, one is left to train on.
    held_out, train = np.split(order, [min(n_held_out, n_samples - 1)])
    split = Split(train, held_out)
    settings = _settings(plan)
    stopping = EarlyStopping(plan.n_iter_no_change, plan.tol, settings.warmup)
    settings = replace(settings, stopping=stopping)
    trained = _train(plan, data, split, settings, previous)
    judgement = _judge(plan, data, split, trained)
    if plan.may_answer_pca and not judgement.accepts_network:
        return _answer_pca(plan, data, judgement, [trained.outcome])
    return _answer_network(plan, data, trained, judgement)


def _fit_cross_validated(plan: FitPlan, data: _Data) -> Fitted:
    """Let cross-validation choose, and train on all rows what it chooses."""
    outcomes: list[Outcome] = []
    judgements: list[_Judgement] = []
    for fold, split in enumerate(_folds(plan, len(data.X)), start=1):
        settings = replace(_settings(plan), seed=(plan.seeds.training, fold))
        trained = _train(plan, data, split, settings)
        if trained.outcome.interrupted:
            raise KeyboardInterrupt
        outcomes.append(trained.outcome)
        judgements.append(_judge(plan, data, split, trained))
        judgement = _pooled(judgements)
        if judgement.standard_errors < _HOPELESS_STANDARD_ERRORS:
            break
    if not judgement.accepts_network:
        return _answer_pca(plan, data, judgement, outcomes)
    final = _train(plan, data, _all_rows(data), _settings(plan))
    final.outcome.val_loss[:] = _mean_curve([outcome.val_loss for outcome in outcomes])
    return _answer_network(plan, data, final, judgement)


def _folds(plan: FitPlan, n_samples: int) -> Iterator[Split]:
    order = np.random.default_rng(plan.seeds.split).permutation(n_samples)
    for held_out in np.array_split(order, _N_FOLDS):
        yield Split(np.setdiff1d(order, held_out), held_out)


def _all_rows(data: _Data) -> Split:
    rows = np.arange(len(data.X))
    return Split(rows, rows[:0])


def _centre_and_scale(X: np.ndarray) -> tuple[np.ndarray, float]:
    mean = X.mean(axis=0, dtype=np.float64)
    scale = float(np.sqrt(X.var(axis=0, dtype=np.float64).mean()))
    return mean, scale if scale > 0 else 1.0


def _data(plan: FitPlan, X: np.ndarray, mean: np.ndarray, scale: float) -> _Data:
    Z = X
    inputs = _input_units(plan, mean, scale)
    if inputs is not None:
        Z = inputs.inverse()(X)
    return _Data(X, np.asarray(Z, dtype=np.float32), mean, scale)


def _input_units(plan: FitPlan, mean: np.ndarray, scale: float) -> Affine | None:
    """Return the map from training units to the data's; a nonlinear output has none.

    Features are never scaled one by one: that would change what PCA minimises. Nor are
    they centred before a convolution, where zeros are padded.
    """
    if not plan.linear_output:
        return None
    return Affine(scale, mean if plan.network.dense else np.zeros_like(mean))


def _settings(plan: FitPlan) -> Settings:
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
    )
    # The error is a mean over the features, what the codes add goes with its sum.
    n_features = plan.network.encoder.n_inputs
    if plan.sparsity is not None:
        _, weight, share = plan.sparsity
        settings = replace(settings, code_weight=weight / n_features, share=share)
    if plan.bound is not None:
        beta, warmup = plan.bound
        settings = replace(settings, code_weight=beta / n_features, warmup=warmup)
    return settings


def _train(
    plan: FitPlan,
    data: _Data,
    split: Split,
    settings: Settings,
    previous: Fitted | None = None,
) -> _Trained:
    """Train on some of the rows, from the previous fit if there is one."""
    axes = principal_axes(data.Z[split.train], plan.n_components, exact=False)
    if previous is not None:
        start = _resume(plan, data, previous)
    elif plan.pca_shortcut:
        begin = mirrored_pca_start if plan.sparse_code else pca_start
        start = begin(plan.network, axes, plan.seeds.initialization)
    else:
        start = random_weights(plan.network, plan.seeds.initialization)
    if plan.pca_shortcut:
        noise = _input_noise(plan, data.Z[split.train], axes)
        settings = replace(settings, input_noise=noise)
    if plan.noise is not None:
        corruption = _corruption(plan, data, plan.noise, split)
        settings = replace(settings, corruption=corruption)
    program = Program(
        plan.network,
        plan.loss,
        plan.batch_size,
        plan.pca_shortcut,
        plan.noise and plan.noise.kind,
        plan.sparsity and plan.sparsity.kind,
    )
    training = import_with_tensorflow("skae._training")
    inputs = _judged_inputs(plan, data, split) if len(split.held_out) else data.Z[:0]
    outcome = training.train(program, settings, Data(data.Z, inputs), split, start)
    if outcome.diverged:
        warnings.warn(
            f"{divergence_advice(plan.learning_rate)} The best weights before epoch "
            f"{len(outcome.loss) + 1} are used.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return _Trained(outcome, axes)


def _input_noise(plan: FitPlan, Z: np.ndarray, axes: PrincipalAxes) -> float:
    error = np.sqrt(np.mean((Z - axes.reconstruct(Z)) ** 2))
    if plan.sparse_code:
        error = _SPARSE_NOISE
    return float(error * min(1.0, np.sqrt(_ROWS_OF_UNIT_NOISE / len(Z))))


def _corruption(plan: FitPlan, data: _Data, noise: Noise, split: Split) -> Corruption:
    """Put the noise into the units of training."""
    kind, level = noise
    Z = data.Z[split.train]
    low, high = Z.min(axis=0), Z.max(axis=0)
    if kind == "gaussian" and not plan.linear_output:
        level = level * data.scale
    if kind == "masking":
        units = _input_units(plan, data.mean, data.scale)
        zero = np.zeros(Z.shape[1])
        low = high = zero if units is None else units.inverse()(zero)
    low, high = (np.asarray(values, dtype=np.float32) for values in (low, high))
    return Corruption(kind, level, low, high)


def _judged_rows(split: Split) -> np.ndarray:
    """Return the rows on which the network is compared with PCA."""
    return split.held_out if len(split.held_out) else split.train


def _judged_inputs(plan: FitPlan, data: _Data, split: Split) -> np.ndarray:
    """Return what those rows are reconstructed from: always the same corruption."""
    Z = data.Z[_judged_rows(split)]
    if plan.noise is None:
        return Z
    corruption = _corruption(plan, data, plan.noise, split)
    rng = np.random.default_rng(plan.seeds.validation)
    inputs: np.ndarray = corrupt(corruption, Z, data.Z[split.train], rng)
    return inputs


def _judge(plan: FitPlan, data: _Data, split: Split, trained: _Trained) -> _Judgement:
    """Compare the network with PCA, in the units of training."""
    target = data.Z[_judged_rows(split)]
    inputs = _judged_inputs(plan, data, split)
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = _reconstruct(plan.network, trained.outcome.weights, inputs)
    if not np.isfinite(outputs).all():
        raise ValueError(divergence_advice(plan.learning_rate))
    pca_outputs = trained.axes.reconstruct(inputs)
    loss = LOSSES[plan.loss]
    gains = loss(np, target, pca_outputs) - loss(np, target, outputs)
    unit = data.scale**2 if plan.linear_output else 1.0
    return _Judgement(
        float(np.mean((outputs - target) ** 2, dtype=np.float64)) * unit,
        float(np.mean((pca_outputs - target) ** 2)) * unit,
        gains.mean(axis=1, dtype=np.float64),
    )


def _reconstruct(network: Network, weights: Weights, Z: np.ndarray) -> np.ndarray:
    codes = forward(network.encoder, weights.encoder, Z)
    return forward(network.decoder, weights.decoder, codes)


def _pooled(judgements: list[_Judgement]) -> _Judgement:
    n_rows = [len(judgement.gains) for judgement in judgements]
    return _Judgement(
        float(np.average([j.network_error for j in judgements], weights=n_rows)),
        float(np.average([j.pca_error for j in judgements], weights=n_rows)),
        np.concatenate([judgement.gains for judgement in judgements]),
    )


def _mean_curve(curves: list[list[float]]) -> list[float]:
    """Average over folds, as far as all of them went."""
    return [float(np.mean(values)) for values in zip(*curves, strict=False)]


def _unit_scale(plan: FitPlan, data: _Data, axes: PrincipalAxes) -> np.ndarray:
    """Return what a code of unit variance in training stands for afterwards.

    PCA's codes are in the units of the data.
    """
    if plan.whiten:
        return np.ones(plan.n_components)
    unit = data.scale if plan.linear_output else 1.0
    if plan.pca_shortcut:
        return axes.unit_scale * unit
    return np.full(plan.n_components, unit)


def _code_units(scale: np.ndarray) -> Affine:
    """Return the map from codes of unit variance to ones of the given scale."""
    return Affine(np.diag(scale), np.zeros(len(scale)))


def _answer_network(
    plan: FitPlan, data: _Data, trained: _Trained, judgement: _Judgement
) -> Fitted:
    """Return the trained network, its linear codes in their final units.

    Those are the principal axes, or for variational codes the prior's.
    """
    if not plan.linear_code:
        return _fitted(plan, data, trained, judgement)
    # In double precision: single would depend on how BLAS shares the work.
    encoder = _as_type(trained.outcome.weights, np.float64).encoder
    Z = data.Z.astype(np.float64)
    codes = forward(plan.network.encoder, encoder, Z)
    if plan.bound is not None:
        log_variance = forward_log_variance(plan.network.encoder, encoder, Z)
        units = prior_codes(codes, finite_log_variance(np, log_variance))
        return _fitted(plan, data, trained, judgement, units)
    units = principal_codes(
        codes, data.Z, _unit_scale(plan, data, trained.axes), plan.whiten
    )
    return _fitted(plan, data, trained, judgement, units, code_scale(units(codes)))


def _fitted(
    plan: FitPlan,
    data: _Data,
    trained: _Trained,
    judgement: _Judgement,
    codes: Affine | None = None,
    code_scale: np.ndarray | None = None,
) -> Fitted:
    outcome = trained.outcome
    weights = change_units(
        plan.network,
        _as_type(outcome.weights, np.float64),
        Units(_input_units(plan, data.mean, data.scale), codes),
    )
    return Fitted(
        network=plan.network,
        weights=_as_type(weights, data.X.dtype),
        mean=data.mean.astype(data.X.dtype),
        scale=data.scale,
        code_scale=np.ones(plan.n_components) if code_scale is None else code_scale,
        history={"loss": outcome.loss, "val_loss": outcome.val_loss},
        reconstruction_error=judgement.network_error,
        pca_reconstruction_error=judgement.pca_error,
        interrupted=outcome.interrupted,
    )


def _as_type(weights: Weights, dtype: np.typing.DTypeLike) -> Weights:
    return Weights(*([array.astype(dtype) for array in half] for half in weights))


def _answer_pca(
    plan: FitPlan,
    data: _Data,
    judgement: _Judgement | None = None,
    outcomes: list[Outcome] | None = None,
) -> Fitted:
    """Return PCA of all rows, with the record of the trials that led to it if any."""
    axes = principal_axes(data.X, plan.n_components)
    if judgement is None:
        error = _error_of(plan, data, axes)
    else:
        error = judgement.pca_error
    outcomes = outcomes or [Outcome(Weights([], []), [error / data.scale**2])]
    if plan.bound is None:
        network, weights = pca_network(axes, plan.whiten)
    else:
        network, weights = variational_pca_network(axes)
    return Fitted(
        network=network,
        weights=_as_type(weights, data.X.dtype),
        mean=data.mean.astype(data.X.dtype),
        scale=data.scale,
        code_scale=np.ones(plan.n_components) if plan.whiten else axes.unit_scale,
        history={
            "loss": _mean_curve([outcome.loss for outcome in outcomes]),
            "val_loss": _mean_curve([outcome.val_loss for outcome in outcomes]),
        },
        reconstruction_error=error,
        pca_reconstruction_error=error,
        used_network=False,
        variance_ratio=axes.variance_ratio,
        interrupted=outcomes[-1].interrupted,
    )


def _error_of(plan: FitPlan, data: _Data, axes: PrincipalAxes) -> float:
    """Return PCA's mean squared error on all rows, in the units of the data."""
    inputs = data.X
    units = _input_units(plan, data.mean, data.scale)
    if plan.noise is not None and units is not None:
        inputs = units(_judged_inputs(plan, data, _all_rows(data)))
    return float(np.mean((data.X - axes.reconstruct(inputs)) ** 2))


def _resume(plan: FitPlan, data: _Data, previous: Fitted) -> Weights:
    """Return the weights of the previous fit in the units of this training."""
    units = Units(
        _input_units(plan, data.mean, data.scale),
        _code_units(previous.code_scale) if plan.free_code else None,
    )
    weights = change_units(
        previous.network, _as_type(previous.weights, np.float64), units.inverse()
    )
    if previous.network == plan.network:
        return weights
    return linear_start(plan.network, weights, plan.seeds.initialization)
