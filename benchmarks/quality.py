"""Held-out reconstruction error and classifier accuracy, beside PCA.

Error is the held-out squared error over the held-out squared distance to the training
mean. The reference is ``PCA(k, svd_solver="full")`` on all training rows; inputs are
standardised, 30 % of the rows are held out, and the estimator has its default settings.
"""

import time
from collections import defaultdict

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from benchmarks.datasets import ALL, LARGE, SMALL, available
from skae import DenseAE

TITLE = "reconstruction and classification on held-out rows, beside PCA"


def components(n_features):
    return (2, 16) if n_features > 200 else (2, 8)


def error(model, X, mean):
    reconstruction = model.inverse_transform(model.transform(X))
    return ((X - reconstruction) ** 2).sum() / ((X - mean) ** 2).sum()


def accuracy(model, X, X_test, y, y_test):
    classifier = LogisticRegression(max_iter=5000)
    classifier.fit(model.transform(X), y)
    return classifier.score(model.transform(X_test), y_test)


def compare(dataset, k, seed):
    """Fit both to the same rows; return what the table shows."""
    y = np.zeros(len(dataset.X)) if dataset.y is None else dataset.y
    X, X_test, y, y_test = train_test_split(
        dataset.X, y, test_size=0.3, random_state=seed
    )
    scaler = StandardScaler().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    pca = PCA(k, svd_solver="full").fit(X)
    start = time.perf_counter()
    autoencoder = DenseAE(k, random_state=seed).fit(X)
    seconds = time.perf_counter() - start
    pca_error = error(pca, X_test, X.mean(axis=0))
    gain = np.nan
    if dataset.y is not None:
        rows = (X, X_test, y, y_test)
        gain = 100 * (accuracy(autoencoder, *rows) - accuracy(pca, *rows))
    return {
        "pca": pca_error,
        "ratio": error(autoencoder, X_test, X.mean(axis=0)) / pca_error,
        "points": gain,
        "network": autoencoder.used_network_,
        "epochs": autoencoder.n_iter_,
        "seconds": seconds,
    }


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(values))))


def show_suite(report, title, datasets, points):
    ratios, all_ratios, used = [], [], []

    def rows():
        for name in datasets:
            dataset = ALL[name]()
            for k in components(dataset.X.shape[1]):
                runs = [compare(dataset, k, seed) for seed in report.seeds]
                column = {key: np.array([run[key] for run in runs]) for key in runs[0]}
                ratios.append(column["ratio"].mean())
                all_ratios.extend(column["ratio"])
                used.extend(column["network"])
                points[name].extend(column["points"])
                yield (
                    name,
                    k,
                    f"{column['pca'].mean():.4f}",
                    f"{ratios[-1]:.3f} ({column['ratio'].max():.3f})",
                    f"{column['network'].sum()}/{len(runs)}",
                    f"{column['points'].mean():+.1f}",
                    f"{column['epochs'].mean():.0f}",
                    f"{column['seconds'].mean():.1f}",
                )

    report.table(
        title,
        [
            *("data", "k", "PCA", "ratio (worst)"),
            *("network", "accuracy", "epochs", "seconds"),
        ],
        rows(),
    )
    report.say(
        f"Geometric mean of the ratios **{geometric_mean(ratios):.3f}**, worst fit "
        f"**{max(all_ratios):.3f}**; {np.mean(np.logical_not(used)):.0%} of the fits "
        "returned PCA."
    )


def main(report):
    points = defaultdict(list)
    for title, datasets in (("Large", LARGE), ("Small or wide", SMALL)):
        found = available(report, datasets)
        if found:
            show_suite(report, title, found, points)
    gains = {
        name: np.mean(values)
        for name, values in points.items()
        if np.isfinite(values).all()
    }
    if not gains:
        return
    gains["mean"] = np.mean(list(gains.values()))
    report.table(
        "Accuracy of logistic regression on the codes, in points above PCA's codes",
        list(gains),
        [[f"{gain:+.1f}" for gain in gains.values()]],
    )
