"""Codes and outliers by skae, and by the methods that users ask about beside it.

Both tables are of scikit-learn's digits, standardised by the training rows. The codes
are two: by PCA, kernel PCA, UMAP and t-SNE, with their default settings except where
the table says so. Outliers are a class that the detectors have not seen, each class in
turn. Times are those of fits in a process that has fitted the same method before, so
that nothing is imported or compiled. UMAP, and pyod with torch, are optional.
"""

import importlib.util
import time
import warnings

import numpy as np
from sklearn.decomposition import PCA, KernelPCA
from sklearn.ensemble import IsolationForest
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from threadpoolctl import threadpool_limits

from benchmarks.datasets import ALL
from benchmarks.harness import run_in_process
from benchmarks.outliers import split_rows
from benchmarks.quality import relative_error, standardised_split
from skae import DenseAE, ReconstructionOutlierDetector

TITLE = "codes and outliers of the digits, by skae and by other methods"

N_WARM_UP_ROWS = 300
N_CLASSES, QUICK_N_CLASSES = 10, 1
GAMMAS = (0.001, 0.003, 0.01, 0.03)


def is_installed(*modules):
    return all(map(importlib.util.find_spec, modules))


def settings(report):
    return {"max_iter": 2} if report.quick else {}


# --- Two codes ---


def tuned_kernel_pca(X, n_components=2):
    """Return kernel PCA with the kernel width of the least error on held-out rows."""
    half = len(X) // 2

    def error(gamma):
        model = kernel_pca(n_components, gamma).fit(X[:half])
        return relative_error(model, X[half:], X[:half].mean(axis=0))

    return kernel_pca(n_components, min(GAMMAS, key=error))


def kernel_pca(n_components, gamma):
    return KernelPCA(
        n_components, kernel="rbf", gamma=gamma, alpha=0.01, fit_inverse_transform=True
    )


def reducers(report, X, seed):
    """Return unfitted methods by the name that the table shows."""
    found = {
        "PCA": PCA(2, random_state=seed),
        "DenseAE": DenseAE(2, random_state=seed, **settings(report)),
        "KernelPCA (RBF, width tuned)": tuned_kernel_pca(X),
    }
    if is_installed("umap"):
        from umap import UMAP

        found["UMAP"] = UMAP(random_state=seed)
    return found


def timed(function, *args):
    start = time.perf_counter()
    result = function(*args)
    return result, time.perf_counter() - start


def measure_reducer(model, X, X_test, y, y_test):
    """Return the error, the accuracy, and the seconds of fit and of new rows."""
    model.fit(X[:N_WARM_UP_ROWS])
    model.transform(X_test[:N_WARM_UP_ROWS])
    _, fit_seconds = timed(model.fit, X)
    codes, transform_seconds = timed(model.transform, X_test)
    error = relative_error(model, X_test, X.mean(axis=0))
    neighbours = KNeighborsClassifier().fit(model.transform(X), y)
    return error, neighbours.score(codes, y_test), fit_seconds, transform_seconds


def measure_tsne(seed, X, X_test, y, y_test):
    """Embed all rows together, as t-SNE has no `transform`; in one thread.

    On a busy machine its threads wait for each other far longer than they compute.
    """
    tsne, rows = TSNE(random_state=seed), np.concatenate([X, X_test])
    with threadpool_limits(1):
        codes, seconds = timed(tsne.fit_transform, rows)
    neighbours = KNeighborsClassifier().fit(codes[: len(X)], y)
    return np.nan, neighbours.score(codes[len(X) :], y_test), seconds, np.nan


def code_rows(report):
    runs = {}
    for seed in report.seeds:
        split = standardised_split(ALL["digits"](), seed)
        for name, model in reducers(report, split[0], seed).items():
            runs.setdefault(name, []).append(measure_reducer(model, *split))
        runs.setdefault("t-SNE", []).append(measure_tsne(seed, *split))
    for name, values in runs.items():
        error, accuracy, fit, new = np.mean(values, axis=0)
        relative = error / np.mean(runs["PCA"], axis=0)[0]
        yield (
            name,
            "no inverse" if np.isnan(error) else f"{relative:.2f}",
            f"{accuracy:.3f}",
            f"{fit:.2g}",
            "cannot" if np.isnan(new) else f"{new:.2g}",
        )


# --- Outliers ---


def in_detector(estimator):
    return ReconstructionOutlierDetector(estimator, contamination=0.1)


def detectors(report, seed):
    """Return unfitted detectors, with high scores for normal rows, by name."""
    found = {
        "detector of skae, DenseAE(32)": in_detector(
            DenseAE(32, random_state=seed, **settings(report))
        ),
        "detector of skae, PCA(32)": in_detector(PCA(32, svd_solver="full")),
        "IsolationForest": IsolationForest(random_state=seed),
        "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
    }
    return found


def measure_detector(detector, rows, score):
    """Return the area under the ROC curve, and the seconds of fit and of new rows."""
    detector.fit(rows.X[:N_WARM_UP_ROWS])
    _, fit_seconds = timed(detector.fit, rows.X)
    scores, new_seconds = timed(score, rows.X_test)
    return rows.area(scores), fit_seconds, new_seconds


def measure_pyod(odd):
    """Measure pyod's autoencoder; in a process where no TensorFlow disturbs torch."""
    from pyod.models.auto_encoder import AutoEncoder

    rows = split_rows(ALL["digits"](), odd, seed=odd)
    detector = AutoEncoder(random_state=odd, verbose=0, preprocessing=False)
    # Its scores are high for outliers.
    values = measure_detector(detector, rows, lambda X: -detector.decision_function(X))
    return {"values": [float(value) for value in values]}


def outlier_rows(report):
    runs = {}
    for odd in range(QUICK_N_CLASSES if report.quick else N_CLASSES):
        rows = split_rows(ALL["digits"](), odd, seed=odd)
        for name, detector in detectors(report, odd).items():
            measured = measure_detector(detector, rows, detector.score_samples)
            runs.setdefault(name, []).append(measured)
        if is_installed("pyod", "torch"):
            measured = run_in_process(measure_pyod, odd=odd)
            runs.setdefault("pyod AutoEncoder", []).append(measured["values"])
    for name, values in runs.items():
        area, fit, new = np.mean(values, axis=0)
        worst = np.min(values, axis=0)[0]
        yield name, f"{area:.3f} ({worst:.3f})", f"{fit:.2g}", f"{new:.2g}"


def main(report):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.table(
            "Two codes of the digits",
            [
                *("method", "error relative to PCA", "accuracy of neighbours"),
                *("time of a fit (s)", "time of new rows (s)"),
            ],
            code_rows(report),
        )
        report.table(
            "Digits of a class that was not seen",
            [
                *("method", "area under the ROC curve (worst class)"),
                *("time of a fit (s)", "time of new rows (s)"),
            ],
            outlier_rows(report),
        )
    for module, name in (("umap", "UMAP"), ("pyod", "pyod")):
        if not is_installed(module):
            report.note(f"{name} is not installed.")
