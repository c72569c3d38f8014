"""Whether a fit is never worse than PCA, and its reported error true, on fresh rows.

Rows are generated, so that fresh ones are as many as one likes: some kinds are
independent, and in others rows depend on each other, as repeats, subjects and windows
of a series do. The reference is ``PCA(k, svd_solver="full")`` on the same rows.
"""

import warnings

import numpy as np

from benchmarks.kinds import DEPENDENT, INDEPENDENT, independent
from benchmarks.quality import exact_pca
from benchmarks.report import Target
from skae import DenseAE

TITLE = "fresh rows of generated kinds, compared with PCA"

QUICK = ("noise, 60 rows", "surface, 250 rows", "noise, each row nine times")


def squared_error(model, X):
    return np.mean((X - model.inverse_transform(model.transform(X))) ** 2)


def compare(X, fresh, n_components, seed, parameters, fit_parameters):
    """Return the error relative to PCA's on fresh rows, and what the fit reports."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        autoencoder = DenseAE(n_components, random_state=seed, **parameters)
        autoencoder.fit(X, **fit_parameters)
    error = squared_error(autoencoder, fresh)
    reported = autoencoder.reconstruction_error_
    return {
        "ratio": error / squared_error(exact_pca(n_components, X), fresh),
        "reported": reported / error if autoencoder.used_network_ else np.nan,
        "alarms": sum("worse than PCA on new data" in str(w.message) for w in caught),
    }


def rows_of(report, names, runs_of, worst):
    """Yield the rows of a table, and collect each kind's worst values."""
    for name in names:
        runs = [runs_of(name, seed) for seed in report.seeds]
        ratios, reported = (
            np.array([run[key] for run in runs]) for key in ("ratio", "reported")
        )
        kept = reported[np.isfinite(reported)]
        worst["ratio"].append(ratios.max())
        worst["alarms"].append(sum(run["alarms"] for run in runs))
        worst["reported"].extend(np.abs(kept - 1))
        yield (
            name,
            f"{len(kept)}/{len(runs)}",
            f"{ratios.mean():.3f}",
            f"{ratios.max():.3f}",
            f"{kept.min():.2f} to {kept.max():.2f}" if len(kept) else None,
        )


COLUMNS = [
    *("kind", "network used", "error relative to PCA", "worst"),
    "reported error relative to that on fresh rows",
]


def main(report):
    def of_independent(name, seed):
        X, fresh = independent(name, seed)
        return compare(X, fresh, INDEPENDENT[name].n_components, seed, {}, {})

    def of_dependent(name, seed):
        rows = DEPENDENT[name](seed)
        return compare(*rows[:3], seed, *rows[3:])

    worst = {"ratio": [], "reported": [], "alarms": []}
    names = [name for name in INDEPENDENT if not report.quick or name in QUICK]
    rows = rows_of(report, names, of_independent, worst)
    report.table(f"{len(names)} kinds of independent rows", COLUMNS, rows)
    dependent = {"ratio": [], "reported": [], "alarms": []}
    names = [name for name in DEPENDENT if not report.quick or name in QUICK]
    rows = rows_of(report, names, of_dependent, dependent)
    report.table(f"{len(names)} kinds of dependent rows", COLUMNS, rows)
    report.targets(
        [
            Target("independent rows: worst fit", max(worst["ratio"]), 1.005),
            Target(
                "independent rows: warnings of near copies", sum(worst["alarms"]), 0
            ),
            Target("dependent rows: worst fit", max(dependent["ratio"]), 1.01),
            Target(
                "dependent rows: reported error, largest deviation",
                max(dependent["reported"], default=None),
                0.15,
            ),
        ]
    )
