"""Held-out reconstruction error and classification accuracy, compared with PCA.

Errors are squared errors of held-out rows, divided by their squared distance to the
training mean. The reference is ``PCA(k, svd_solver="full")`` on all training rows.
Inputs are standardised, 30 % of the rows are held out, and the estimator has its
default settings.
"""

import time
from collections import defaultdict

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from benchmarks.datasets import ALL, LARGE, SMALL, available_datasets
from skae import DenseAE

TITLE = "reconstruction and classification of held-out rows, compared with PCA"


# --- Shared with other sections ---


def split(dataset, seed):
    """Return training rows, held-out rows and the labels of both."""
    y = np.zeros(len(dataset.X)) if dataset.y is None else dataset.y
    return train_test_split(dataset.X, y, test_size=0.3, random_state=seed)


def standardised_split(dataset, seed):
    X, X_test, y, y_test = split(dataset, seed)
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), scaler.transform(X_test), y, y_test


def exact_pca(n_components, X):
    return PCA(n_components, svd_solver="full").fit(X)


def component_counts(n_features):
    return (2, 16) if n_features > 200 else (2, 8)


def relative_error(model, X, mean):
    """Return the squared error as a fraction of the squared distance to the mean."""
    reconstruction = model.inverse_transform(model.transform(X))
    return ((X - reconstruction) ** 2).sum() / ((X - mean) ** 2).sum()


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(values))))


# --- Section ---


def accuracy(model, X, X_test, y, y_test):
    """Return the held-out accuracy of logistic regression on the codes."""
    classifier = LogisticRegression(max_iter=5000)
    classifier.fit(model.transform(X), y)
    return classifier.score(model.transform(X_test), y_test)


def compare(dataset, n_components, seed):
    """Fit DenseAE and PCA to the same rows; return the values of a table row."""
    X, X_test, y, y_test = standardised_split(dataset, seed)
    mean = X.mean(axis=0)
    pca = exact_pca(n_components, X)
    start = time.perf_counter()
    autoencoder = DenseAE(n_components, random_state=seed).fit(X)
    seconds = time.perf_counter() - start
    pca_error = relative_error(pca, X_test, mean)
    gain = np.nan
    if dataset.y is not None:
        rows = (X, X_test, y, y_test)
        gain = 100 * (accuracy(autoencoder, *rows) - accuracy(pca, *rows))
    return {
        "pca_error": pca_error,
        "error_ratio": relative_error(autoencoder, X_test, mean) / pca_error,
        "accuracy_gain": gain,
        "used_network": autoencoder.used_network_,
        "n_epochs": autoencoder.n_iter_,
        "seconds": seconds,
    }


def compare_seeds(report, names):
    """Yield the dataset, the number of components and the values of all seeds."""
    for name in names:
        dataset = ALL[name]()
        for n_components in component_counts(dataset.X.shape[1]):
            runs = [compare(dataset, n_components, seed) for seed in report.seeds]
            values = {key: np.array([run[key] for run in runs]) for key in runs[0]}
            yield name, n_components, values


def points(gain):
    return "-" if np.isnan(gain) else f"{gain:+.1f}"


def show_suite(report, title, names, gains):
    """Print the table of a suite of datasets, and add its accuracy gains to `gains`."""
    mean_ratios, all_ratios, used_network = [], [], []

    def table_rows():
        for name, n_components, values in compare_seeds(report, names):
            ratios, used = values["error_ratio"], values["used_network"]
            mean_ratios.append(ratios.mean())
            all_ratios.extend(ratios)
            used_network.extend(used)
            gains[name].extend(values["accuracy_gain"])
            yield (
                name,
                n_components,
                f"{values['pca_error'].mean():.4f}",
                f"{ratios.mean():.3f} ({ratios.max():.3f})",
                f"{used.sum()}/{len(used)}",
                points(values["accuracy_gain"].mean()),
                f"{values['n_epochs'].mean():.0f}",
                f"{values['seconds'].mean():.1f}",
            )

    report.table(
        title,
        [
            *("data", "components", "PCA error", "error relative to PCA (worst)"),
            *("network used", "accuracy gain (points)", "epochs", "time (s)"),
        ],
        table_rows(),
    )
    report.note(
        f"Geometric mean of the error ratios **{geometric_mean(mean_ratios):.3f}**, "
        f"worst fit **{max(all_ratios):.3f}**; "
        f"{np.mean(np.logical_not(used_network)):.0%} of the fits returned PCA."
    )


def main(report):
    gains = defaultdict(list)
    suites = {"Large datasets": LARGE, "Small or wide datasets": SMALL}
    for title, datasets in suites.items():
        names = available_datasets(report, datasets)
        if names:
            show_suite(report, title, names, gains)
    mean_gains = {
        name: np.mean(values)
        for name, values in gains.items()
        if np.isfinite(values).all()
    }
    if not mean_gains:
        return
    mean_gains["mean"] = np.mean(list(mean_gains.values()))
    report.table(
        "Accuracy of logistic regression on the codes, in percentage points above PCA",
        list(mean_gains),
        [[f"{gain:+.1f}" for gain in mean_gains.values()]],
    )
