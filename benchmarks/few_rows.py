"""Errors and times of default fits on fewer than 1,000 rows.

Each fit follows another one of the same shape, so that nothing is compiled. To compare
versions, run the section in both.
"""

import time

import numpy as np
from sklearn import datasets

from benchmarks.datasets import Dataset
from benchmarks.quality import (
    exact_pca,
    geometric_mean,
    relative_error,
    standardised_split,
)
from skae import DenseAE

TITLE = "default fits on few rows, once compiled"


def _digits():
    return datasets.load_digits().data[:300]


CASES = {
    "breast_cancer": (lambda: datasets.load_breast_cancer().data, (2, 8)),
    "wine": (lambda: datasets.load_wine().data, (2, 8)),
    "diabetes": (lambda: datasets.load_diabetes().data, (2, 5)),
    "digits, 300 rows": (_digits, (2, 8)),
}


def compare(X, n_components, seed):
    """Return the error on held-out rows relative to PCA's, and two times.

    The first time is that of a fit to all rows, the second that of a training of the
    whole schedule on them.
    """
    X_train, X_test, _, _ = standardised_split(Dataset(X, None), seed)
    mean = X_train.mean(axis=0)
    error = relative_error(
        DenseAE(n_components, random_state=seed).fit(X_train), X_test, mean
    )
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    seconds = []
    for early_stopping in (True, False):
        estimator = DenseAE(
            n_components, early_stopping=early_stopping, random_state=seed
        )
        estimator.fit(X)
        start = time.perf_counter()
        estimator.fit(X)
        seconds.append(time.perf_counter() - start)
    pca_error = relative_error(exact_pca(n_components, X_train), X_test, mean)
    return (error / pca_error, *seconds)


def main(report):
    mean_errors, mean_times = [], []
    names = list(CASES)[1:2] if report.quick else list(CASES)

    def rows():
        for name in names:
            load, counts = CASES[name]
            for n_components in counts:
                runs = [compare(load(), n_components, seed) for seed in report.seeds]
                errors, seconds, of_training = np.transpose(runs)
                mean_errors.append(errors.mean())
                mean_times.append(np.median(seconds))
                yield (
                    name,
                    n_components,
                    f"{errors.mean():.3f} ({errors.max():.3f})",
                    f"{np.median(seconds):.2f}",
                    f"{np.median(seconds / of_training):.2f}",
                )

    columns = [
        *("data", "components", "error relative to PCA (worst)", "time (s)"),
        "time relative to one training",
    ]
    report.table("Default fits", columns, rows())
    report.note(
        f"Geometric mean of the errors **{geometric_mean(mean_errors):.4f}**, of the "
        f"times **{geometric_mean(mean_times):.2f} s**."
    )
