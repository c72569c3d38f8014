"""What one ordered fit gives for all numbers of codes, and what a share takes.

Inputs are standardised, 30 % of the rows are held out, and estimators have their
default settings unless the table says otherwise. Errors are shares of the held-out
rows' squared distance to the training mean.
"""

import time

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.datasets import LARGE, available
from benchmarks.family import exact_pca, standardised
from benchmarks.quality import error, geometric_mean
from skae import DenseAE

TITLE = "the number of codes: one ordered fit, a share of the variance"

# --- One ordered fit against separate ones ---

DEFAULT_CUTS = (1, 2, 4, 8, 16)
CUTS = {"letter": (1, 2, 4, 8)}


def timed(fit):
    start = time.perf_counter()
    model = fit()
    return model, time.perf_counter() - start


def compare_ordered(name, seed):
    """Return errors and times at every cut, all architectures compiled before."""
    X, X_test, *_ = standardised(name, seed)
    cuts = CUTS.get(name, DEFAULT_CUTS)

    def score(model):
        return error(model, X_test, X.mean(axis=0))

    estimator = DenseAE(cuts[-1], ordered=True, random_state=seed)
    DenseAE(cuts[-1], ordered=True, max_iter=1, early_stopping=False).fit(X)
    ordered, ordered_seconds = timed(lambda: estimator.fit(X))
    columns = {key: [] for key in ("ordered", "refined", "separate", "pca")}
    seconds = {"refined": 0.0, "separate": 0.0}
    for k in cuts:
        DenseAE(k, max_iter=1, early_stopping=False).fit(X)
        separate, spent = timed(lambda k=k: DenseAE(k, random_state=seed).fit(X))
        seconds["separate"] += spent
        first = ordered.truncate(k)
        columns["ordered"].append(score(first))
        columns["separate"].append(score(separate))
        columns["pca"].append(score(exact_pca(k, X)))
        first.set_params(max_iter=first.max_iter // 4)
        refined, spent = timed(lambda first=first: first.fit(X))
        seconds["refined"] += spent
        columns["refined"].append(score(refined))
    return columns, {"ordered": ordered_seconds, **seconds}


def ordered(report):
    names = available(report, LARGE)
    if not names:
        return
    all_ratios = {"ordered": [], "refined": []}

    def rows():
        for name in names:
            runs = [compare_ordered(name, seed) for seed in report.seeds]
            yield from ordered_rows(name, runs, all_ratios)

    report.table(
        "One ordered fit, against a fit for each number of codes",
        [
            "data",
            "codes",
            "PCA",
            "ordered / PCA (worst)",
            "ordered / separate",
            "refined / separate",
            "time ordered / separate",
            "refining / separate",
        ],
        rows(),
    )
    means = {key: geometric_mean(values) for key, values in all_ratios.items()}
    report.say(
        f"Geometric means over all: ordered **{means['ordered']:.3f}**, refined "
        f"**{means['refined']:.3f}**."
    )


def ordered_rows(name, runs, all_ratios):
    errors = {
        key: np.array([columns[key] for columns, _ in runs]) for key in runs[0][0]
    }
    times = {key: sum(seconds[key] for _, seconds in runs) for key in runs[0][1]}
    ratios = {key: errors[key] / errors["separate"] for key in all_ratios}
    to_pca = errors["ordered"] / errors["pca"]
    for i, k in enumerate(CUTS.get(name, DEFAULT_CUTS)):
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
    for key, values in ratios.items():
        all_ratios[key] += list(values.ravel())
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


# --- A share of the variance ---


def share(report):
    names = available(report, ("digits", "breast_cancer", "satellite"))

    def rows():
        for name in names:
            for seed in report.seeds:
                X, X_test, *_ = standardised(name, seed)
                pca = PCA(0.9, svd_solver="full").fit(X)
                model, seconds = timed(
                    lambda X=X, seed=seed: DenseAE(0.9, random_state=seed).fit(X)
                )
                reached = 1 - error(model, X_test, X.mean(axis=0))
                yield (
                    name,
                    seed,
                    pca.n_components_,
                    model.n_components_,
                    f"{reached:.3f}",
                    f"{seconds:.1f}",
                )

    report.table(
        "n_components=0.9",
        ["data", "seed", "PCA's codes", "codes", "share reached", "seconds"],
        rows(),
    )


def main(report):
    ordered(report)
    share(report)
