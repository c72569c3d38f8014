"""Whether the default fit ends where it should, on data with heavy tails.

In such data a few held-out rows decide the mean error. The default settings are
compared with the whole schedule, of which the best epoch is kept, and with PCA, on 30 %
of the rows, after standardisation.
"""

import numpy as np

from benchmarks.datasets import HEAVY_TAILED, available_datasets
from benchmarks.quality import exact_pca, relative_error, standardised_split
from benchmarks.report import Target
from skae import DenseAE

TITLE = "early stopping on data with heavy tails"


def compare(dataset, n_components, seed):
    """Return errors relative to PCA's, and the number of epochs of both fits."""
    X, X_test, _, _ = standardised_split(dataset, seed)
    mean = X.mean(axis=0)
    pca_error = relative_error(exact_pca(n_components, X), X_test, mean)
    default = DenseAE(n_components, random_state=seed)
    whole = DenseAE(n_components, random_state=seed, n_iter_no_change=10**6)
    errors = [
        relative_error(estimator.fit(X), X_test, mean) / pca_error
        for estimator in (default, whole)
    ]
    return (*errors, default.n_iter_, whole.n_iter_)


def main(report):
    names = available_datasets(report, HEAVY_TAILED)
    worst = []

    def rows():
        for name in names:
            dataset = HEAVY_TAILED[name]()
            for n_components in (2, dataset.X.shape[1] // 2):
                runs = [compare(dataset, n_components, seed) for seed in report.seeds]
                errors, whole, *epochs = np.transpose(runs)
                ratio = errors.mean() / min(whole.mean(), errors.mean(), 1)
                worst.append(ratio)
                yield (
                    name,
                    n_components,
                    f"{errors.mean():.3f}",
                    f"{whole.mean():.3f}",
                    f"{ratio:.3f}",
                    " of ".join(f"{np.mean(number):.0f}" for number in epochs),
                )

    columns = [
        *("data", "components", "error relative to PCA", "of the whole schedule"),
        *("relative to the best", "epochs"),
    ]
    report.table("Default fits and whole schedules", columns, rows())
    measured = max(worst) if worst else None
    report.targets([Target("error relative to the best", measured, 1.05)])
