"""The number of components: one ordered fit for all, or a fraction of the variance.

Inputs are standardised, 30 % of the rows are held out, and estimators have their
default settings unless the table says otherwise. Errors are squared errors of held-out
rows, divided by their squared distance to the training mean.
"""

import time

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.datasets import ALL, LARGE, available_datasets
from benchmarks.quality import (
    exact_pca,
    geometric_mean,
    relative_error,
    standardised_split,
)
from skae import DenseAE

TITLE = "number of components: one ordered fit, or a fraction of the variance"


def time_fit(estimator, X):
    start = time.perf_counter()
    model = estimator.fit(X)
    return model, time.perf_counter() - start


# --- One ordered fit, compared with separate fits ---

DEFAULT_CUTS = (1, 2, 4, 8, 16)
CUTS = {"letter": (1, 2, 4, 8)}


def cuts_of(name):
    return CUTS.get(name, DEFAULT_CUTS)


def compile_network(n_components, X, **parameters):
    """Fit for one epoch, so that later fits of the architecture are compiled."""
    DenseAE(n_components, max_iter=1, early_stopping=False, **parameters).fit(X)


def refine(model, X):
    """Train a truncated model for a quarter of `max_iter` epochs."""
    return time_fit(model.set_params(max_iter=model.max_iter // 4), X)


def compare_ordered(name, seed):
    """Return the errors of each kind of fit at every cut, and its total time.

    The kinds are one "ordered" fit truncated to each cut, the same "refined" after the
    truncation, and "separate" fits of each size. Their errors are compared with "pca".
    """
    X, X_test, *_ = standardised_split(ALL[name](), seed)
    mean, cuts = X.mean(axis=0), cuts_of(name)
    estimator = DenseAE(cuts[-1], ordered=True, random_state=seed)
    compile_network(cuts[-1], X, ordered=True)
    ordered, ordered_seconds = time_fit(estimator, X)
    errors = {kind: [] for kind in ("ordered", "refined", "separate", "pca")}
    seconds = {"ordered": ordered_seconds, "refined": 0.0, "separate": 0.0}
    for k in cuts:
        compile_network(k, X)
        separate, separate_seconds = time_fit(DenseAE(k, random_state=seed), X)
        truncated = ordered.truncate(k)
        errors["ordered"].append(relative_error(truncated, X_test, mean))
        refined, refined_seconds = refine(truncated, X)
        errors["refined"].append(relative_error(refined, X_test, mean))
        errors["separate"].append(relative_error(separate, X_test, mean))
        errors["pca"].append(relative_error(exact_pca(k, X), X_test, mean))
        seconds["refined"] += refined_seconds
        seconds["separate"] += separate_seconds
    return errors, seconds


def ordered(report):
    names = available_datasets(report, LARGE)
    if not names:
        return
    ratios = {"ordered": [], "refined": []}

    def table_rows():
        for name in names:
            runs = [compare_ordered(name, seed) for seed in report.seeds]
            yield from ordered_rows(name, runs, ratios)

    report.table(
        "One ordered fit, compared with a separate fit for each number of components",
        [
            "data",
            "components",
            "PCA error",
            "error relative to PCA (worst)",
            "error relative to separate fits",
            "error after refining, relative to separate fits",
            "time relative to separate fits",
            "time of refining, relative to separate fits",
        ],
        table_rows(),
    )
    means = {kind: geometric_mean(values) for kind, values in ratios.items()}
    report.note(
        "Geometric means of the errors relative to separate fits: ordered "
        f"**{means['ordered']:.3f}**, refined **{means['refined']:.3f}**."
    )


def ordered_rows(name, runs, all_ratios):
    """Yield the table rows of a dataset, and add its error ratios to `all_ratios`."""
    errors = {kind: np.array([run[kind] for run, _ in runs]) for kind in runs[0][0]}
    times = {kind: sum(seconds[kind] for _, seconds in runs) for kind in runs[0][1]}
    ratios = {kind: errors[kind] / errors["separate"] for kind in all_ratios}
    to_pca = errors["ordered"] / errors["pca"]
    for i, k in enumerate(cuts_of(name)):
        yield (
            name,
            k,
            f"{errors['pca'][:, i].mean():.4f}",
            f"{to_pca[:, i].mean():.3f} ({to_pca[:, i].max():.3f})",
            f"{geometric_mean(ratios['ordered'][:, i]):.2f}",
            f"{geometric_mean(ratios['refined'][:, i]):.2f}",
            "",
            "",
        )
    for kind, values in ratios.items():
        all_ratios[kind] += list(values.ravel())
    yield (
        name,
        "all",
        "",
        f"worst {to_pca.max():.3f}",
        f"**{geometric_mean(ratios['ordered']):.3f}**",
        f"**{geometric_mean(ratios['refined']):.3f}**",
        f"{times['ordered'] / times['separate']:.2f}",
        f"{times['refined'] / times['separate']:.2f}",
    )


# --- A fraction of the variance ---

VARIANCE_DATASETS = ("digits", "breast_cancer", "satellite")


def variance_fraction(report):
    report.table(
        "n_components=0.9",
        [
            "data",
            "seed",
            "components of PCA",
            "components of DenseAE",
            "held-out variance explained",
            "time (s)",
        ],
        variance_rows(report, available_datasets(report, VARIANCE_DATASETS)),
    )


def variance_rows(report, names):
    for name in names:
        for seed in report.seeds:
            X, X_test, *_ = standardised_split(ALL[name](), seed)
            pca = PCA(0.9, svd_solver="full").fit(X)
            model, seconds = time_fit(DenseAE(0.9, random_state=seed), X)
            explained = 1 - relative_error(model, X_test, X.mean(axis=0))
            yield (
                name,
                seed,
                pca.n_components_,
                model.n_components_,
                f"{explained:.3f}",
                f"{seconds:.1f}",
            )


def main(report):
    ordered(report)
    variance_fraction(report)
