"""Fits a network to an array, or finds that PCA serves better.

Everything here takes arrays and plain data and returns a `Fitted`; nothing knows of
estimators. Training itself, and TensorFlow with it, is imported on first use.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skae._answers import (
    answer_network,
    answer_pca,
    fitted_network,
    mean_curve,
    truncated,
    unit_scale,
)
from skae._choosing import (
    n_eligible,
    n_wanted,
    n_wanted_of_pca,
    unexplained_by_pca,
    without_the_others,
)
from skae._judging import Judgement, pooled
from skae._plan import FitPlan, Fitted, Outcome, Settings, Split
from skae._runs import (
    Prepared,
    Trained,
    all_rows,
    centre_and_scale,
    code_units,
    judge_run,
    multiples,
    prepare,
    settings_of,
    stopping_early,
    train,
)
from skae._threads import one_blas_thread_if_small

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._network import Network

# Judged by `python -m benchmarks full --only quality`.

# Fewer rows than this cannot show that a network beats PCA.
_FEWEST_ROWS = 50

# Below this many rows a single hold-out says too little: by cross-validation every row
# is held out once, and the network accepted is trained anew on all of them. As few rows
# are soon learnt by heart, it is trained for that of these shares of its schedule which
# is best for the rows held out.
_CROSS_VALIDATED_ROWS = 1000
_N_FOLDS = 5
_STOPS = (0.125, 0.25, 0.5, 1.0)

# Judged by `python -m benchmarks full --only dimension`.

# Codes that are kept are trained on without the others, for this share of the epochs.
# It takes about a tenth off their error.
_REFINING_EPOCHS = 0.25
_REFINED_ERROR = 0.1

# Numbers of codes that are tried so.
_MOST_REFININGS = 4


class _Run(NamedTuple):
    """A training on some of the rows, judged on the others."""

    split: Split
    trained: Trained
    judgement: Judgement


class _Trial(NamedTuple):
    """What runs say of a network: one that is the answer, or those of the folds.

    After folds, `n_epochs` are those to train a network on all rows for.
    """

    runs: list[_Run]
    n_epochs: int | None = None

    @property
    def judgement(self) -> Judgement:
        return pooled([run.judgement for run in self.runs])

    @property
    def outcomes(self) -> list[Outcome]:
        return [run.trained.outcome for run in self.runs]


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
        data = prepare(plan, X, *centre_and_scale(X))
        if plan.wanted is None:
            return _fit(plan, data, previous)
        return _fit_as_many_as_wanted(plan, data, plan.wanted)


def update_network(plan: FitPlan, X: np.ndarray, previous: Fitted | None) -> Fitted:
    """Train for one epoch on the rows of `X`, holding nothing out.

    The mean, the scale and the units of the codes are those of the `previous` fit, if
    there is one.
    """
    units = centre_and_scale(X) if previous is None else (previous.mean, previous.scale)
    data = prepare(plan, X, *units)
    settings = replace(
        settings_of(plan, len(data.X)),
        learning_rate=plan.learning_rate,
        n_epochs=1,
        decaying=False,
        warmup=0,
        fewest_steps=1,
        feedback=1.0,
    )
    trained = train(plan, data, all_rows(data), settings, previous)
    judgement = judge_run(plan, data, all_rows(data), trained)
    if not plan.free_code:
        fitted = fitted_network(plan, data, trained, judgement)
    elif previous is None:
        scale = unit_scale(plan, data, trained.axes)
        codes = multiples(scale)
        fitted = fitted_network(plan, data, trained, judgement, codes, scale)
    else:
        scale, codes = previous.code_scale, code_units(previous)
        fitted = fitted_network(plan, data, trained, judgement, codes, scale)
    return fitted if previous is None else _after(previous, fitted)


def _after(previous: Fitted, fitted: Fitted) -> Fitted:
    """Return a fit with the history of what it went on from."""
    history = {
        name: previous.history.get(name, []) + values
        for name, values in fitted.history.items()
    }
    return replace(fitted, history=history)


def _fit(plan: FitPlan, data: Prepared, previous: Fitted | None = None) -> Fitted:
    if _too_few_rows(plan, data):
        return answer_pca(plan, data)
    trial = _try(plan, data, previous)
    if not _earns_its_place(plan, trial.judgement):
        return answer_pca(plan, data, trial.judgement, trial.outcomes)
    return _answer(plan, data, trial)


def _fit_as_many_as_wanted(
    plan: FitPlan, data: Prepared, wanted: float | str
) -> Fitted:
    """Train ordered codes, keep as many as wanted, and train those a little more."""
    left_by_pca = unexplained_by_pca(data.X, plan.n_components)
    if _too_few_rows(plan, data):
        pca = answer_pca(plan, data)
        return _first_codes(pca, n_wanted_of_pca(left_by_pca, wanted))
    trial = _try(plan, data)
    if trial.outcomes[-1].interrupted:
        raise KeyboardInterrupt
    n_kept, refined = _refine_as_many_as_wanted(plan, data, trial, wanted, left_by_pca)
    if refined is None:
        pca = answer_pca(plan, data, trial.judgement, trial.outcomes)
        return _first_codes(pca, n_wanted_of_pca(left_by_pca, wanted))
    ordered = _answer(plan, data, trial)
    first = _first_codes(ordered, n_kept)
    answer = _answer(_refining(plan, first.network), data, refined, first)
    return _with_curves_of(ordered, _after(ordered, answer))


def _refine_as_many_as_wanted(
    plan: FitPlan,
    data: Prepared,
    ordered: _Trial,
    wanted: float | str,
    left_by_pca: np.ndarray,
) -> tuple[int, _Trial | None]:
    """Choose the number of codes and try them alone, unless PCA serves better.

    Only then it is known what they leave of the variance. The estimate of it is
    corrected by that as long as it names another number. Where none that was tried is
    enough and PCA may not be the answer, it is the largest.
    """
    left = without_the_others(left_by_pca * ordered.judgement.error_of_pcas)
    left = left[: n_eligible(left_by_pca, wanted)]
    alone = 1 - _REFINED_ERROR
    refined: dict[int, _Trial] = {}
    enough: list[int] = []
    for _ in range(_MOST_REFININGS):
        n_kept = n_wanted(alone * left, wanted)
        if n_kept in refined:
            break
        refined[n_kept] = trial = _refine(plan, data, ordered, n_kept)
        leaves = float(left_by_pca[n_kept - 1] * trial.judgement.error_of_pcas[-1])
        if _earns_its_place(plan, trial.judgement) and (
            isinstance(wanted, str) or leaves <= 1 - wanted
        ):
            enough.append(n_kept)
        alone = leaves / max(left[n_kept - 1], np.finfo(np.float64).tiny)
    n_kept = min(enough, default=0 if plan.may_answer_pca else max(refined))
    return n_kept, refined.get(n_kept)


def _refine(plan: FitPlan, data: Prepared, ordered: _Trial, n_kept: int) -> _Trial:
    """Train the first codes alone for a short while, on the same rows as before."""
    folds: list[list[_Run]] = []
    for run in ordered.runs:
        fitted = answer_network(plan, data, run.trained, run.judgement)
        first = truncated(fitted, n_kept)
        short = _refining(plan, first.network)
        settings = settings_of(short, len(data.X))
        if ordered.n_epochs is None:
            settings = stopping_early(short, run.split, settings)
        else:
            settings = _with_stops(settings)
        folds.append(_run(short, data, run.split, settings, first))
        if folds[-1][-1].trained.outcome.interrupted:
            raise KeyboardInterrupt
    return max(_trials(folds, settings.stops), key=_gain)


def _refining(plan: FitPlan, network: Network) -> FitPlan:
    """Plan to train the network of fewer codes, which are no longer ordered."""
    return replace(
        plan,
        network=network,
        ordered=False,
        wanted=None,
        max_iter=max(1, int(_REFINING_EPOCHS * plan.max_iter)),
    )


def _first_codes(ordered: Fitted, n_components: int) -> Fitted:
    return _with_curves_of(ordered, truncated(ordered, n_components))


def _with_curves_of(ordered: Fitted, kept: Fitted) -> Fitted:
    """Keep the errors with all numbers of codes that there were to choose from."""
    return replace(kept, curve=ordered.curve, pca_curve=ordered.pca_curve)


def _too_few_rows(plan: FitPlan, data: Prepared) -> bool:
    return plan.may_answer_pca and len(data.X) < _FEWEST_ROWS


def _earns_its_place(plan: FitPlan, judgement: Judgement) -> bool:
    return not plan.may_answer_pca or judgement.accepts_network


def _try(plan: FitPlan, data: Prepared, previous: Fitted | None = None) -> _Trial:
    """Train, and see how the network does on the rows that are held out, if any are."""
    few = plan.may_answer_pca and len(data.X) < _CROSS_VALIDATED_ROWS
    if few and previous is None:
        return _cross_validate(plan, data)
    split = _held_out(plan, data) if plan.early_stopping else all_rows(data)
    settings = stopping_early(plan, split, settings_of(plan, len(data.X)))
    return _Trial(_run(plan, data, split, settings, previous))


def _cross_validate(plan: FitPlan, data: Prepared) -> _Trial:
    """Let every row be held out once, by whole trainings on the others."""
    settings = _with_stops(settings_of(plan, len(data.X)))
    folds: list[list[_Run]] = []
    for fold, split in enumerate(_folds(plan, data), start=1):
        seed = (plan.seeds.training, fold)
        folds.append(_run(plan, data, split, replace(settings, seed=seed)))
        trials = _trials(folds, settings.stops)
        if trials[-1].outcomes[-1].interrupted:
            raise KeyboardInterrupt
        if all(trial.judgement.hopeless for trial in trials):
            break
    return max(trials, key=_gain)


def _with_stops(settings: Settings) -> Settings:
    """Ask for the weights after some shares of the epochs, all terms warmed up."""
    stops = {ceil(share * settings.n_epochs) for share in _STOPS}
    stops = {stop for stop in stops if stop > settings.warmup}
    return replace(settings, stops=tuple(sorted(stops)))


def _trials(folds: list[list[_Run]], stops: tuple[int, ...]) -> list[_Trial]:
    """Return what the folds say of each of the stops, or of the only run."""
    by_stop = [list(runs) for runs in zip(*folds, strict=True)]
    return list(map(_Trial, by_stop, stops or [None]))


def _gain(trial: _Trial) -> float:
    return trial.judgement.gain


def _run(
    plan: FitPlan,
    data: Prepared,
    split: Split,
    settings: Settings,
    previous: Fitted | None = None,
) -> list[_Run]:
    """Train once, and judge the weights at each stop, or the only ones."""
    outcome, axes = train(plan, data, split, settings, previous)
    runs = []
    for weights in outcome.at_stops or [outcome.weights]:
        trained = Trained(replace(outcome, weights=weights), axes)
        runs.append(_Run(split, trained, judge_run(plan, data, split, trained)))
    return runs


def _held_out(plan: FitPlan, data: Prepared) -> Split:
    n_samples = len(data.X)
    n_held_out = max(2, int(np.ceil(plan.validation_fraction * n_samples)))
    rows = np.arange(n_samples, dtype=np.int32)
    order = np.random.default_rng(plan.seeds.split).permutation(rows)
    # Of two rows, one is left to train on.
    held_out, train_rows = np.split(order, [min(n_held_out, n_samples - 1)])
    return Split(train_rows, held_out)


def _folds(plan: FitPlan, data: Prepared) -> Iterator[Split]:
    rows = np.arange(len(data.X), dtype=np.int32)
    order = np.random.default_rng(plan.seeds.split).permutation(rows)
    for held_out in np.array_split(order, _N_FOLDS):
        yield Split(np.setdiff1d(order, held_out), held_out)


def _answer(
    plan: FitPlan, data: Prepared, trial: _Trial, previous: Fitted | None = None
) -> Fitted:
    """Return the network of the trial, or after folds one that is trained on all rows.

    That goes on from the `previous` fit, if there is one.
    """
    if trial.n_epochs is None:
        return answer_network(plan, data, trial.runs[0].trained, trial.judgement)
    settings = replace(settings_of(plan, len(data.X)), stops=(trial.n_epochs,))
    trained = train(plan, data, all_rows(data), settings, previous)
    val_losses = [outcome.val_loss[: trial.n_epochs] for outcome in trial.outcomes]
    trained.outcome.val_loss[:] = mean_curve(val_losses)
    return answer_network(plan, data, trained, trial.judgement)
