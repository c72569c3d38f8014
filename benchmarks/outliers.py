"""Outliers found by the reconstruction error, compared with other detectors.

Three datasets have outliers of their own; of the digits, each class in turn is the odd
one. Detectors are fitted to 70 % of the normal rows and rank the other normal rows and
all outliers, with inputs standardised by the training rows. Autoencoder and PCA are in
the detector with its default settings, with a quarter and with half as many components
as features; the others have their own defaults. The second table counts fresh normal
rows that are flagged, at thresholds set for 5 % of them.
"""

import importlib.util
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

from benchmarks.datasets import OUTLIERS
from benchmarks.harness import run_in_process
from benchmarks.report import Target
from skae import DenseAE, ReconstructionOutlierDetector

TITLE = "outliers by the reconstruction error, compared with PCA and other detectors"

RATE = 0.05
N_SEEDS, QUICK_N_SEEDS = 10, 1
# Six fits for each threshold: more rows would take hours.
N_THRESHOLD_ROWS = 1500
LABELS = {"digits": "digits, one class against the others"}
QUICK_SETTINGS = {"max_iter": 2}


class Rows(NamedTuple):
    """Normal rows to train on, and rows to rank: the first `n_normal` are normal."""

    X: np.ndarray
    X_test: np.ndarray
    n_normal: int

    def area(self, scores):
        """Return the area under the ROC curve of scores that are low for outliers."""
        is_normal = np.arange(len(scores)) < self.n_normal
        return roc_auc_score(is_normal, scores)


def split_rows(dataset, odd, seed, n_train=None):
    """Divide the normal rows, and standardise."""
    normal, outliers = dataset.X[dataset.y != odd], dataset.X[dataset.y == odd]
    X, fresh = train_test_split(normal, test_size=0.3, random_state=seed)
    if n_train is not None:
        X, unused = X[:n_train], X[n_train:]
        fresh = np.concatenate([fresh, unused])
    scaler = StandardScaler().fit(X)
    rows = np.concatenate([fresh, outliers])
    return Rows(scaler.transform(X), scaler.transform(rows), len(fresh))


def runs_of(report, name, n_seeds):
    """Return the odd class and the seed of each run."""
    if name != "digits":
        return [(1, seed) for seed in range(n_seeds)]
    return [(odd, odd) for odd in range(2 if report.quick else 10)]


def dense(report, n_components, seed):
    settings = QUICK_SETTINGS if report.quick else {}
    return DenseAE(n_components, random_state=seed, **settings)


# --- How well outliers are ranked ---


def area_in_detector(estimator, rows):
    # A number for contamination spares the fits for the threshold.
    detector = ReconstructionOutlierDetector(estimator, contamination=0.1).fit(rows.X)
    return rows.area(detector.score_samples(rows.X_test))


def measure_pyod(name, odd, seed):
    """Return the area of pyod's autoencoder, in a process that has no TensorFlow.

    Beside TensorFlow, the PyTorch that it trains with may crash.
    """
    from pyod.models.auto_encoder import AutoEncoder

    rows = split_rows(OUTLIERS[name](), odd, seed)
    detector = AutoEncoder(random_state=seed, verbose=0, preprocessing=False)
    return {"area": rows.area(-detector.fit(rows.X).decision_function(rows.X_test))}


def area_of_pyod(name, odd, seed):
    """Return the area of pyod's autoencoder; NaN if it is not installed."""
    if not all(map(importlib.util.find_spec, ("pyod", "torch"))):
        return np.nan
    return run_in_process(measure_pyod, name=name, odd=odd, seed=seed)["area"]


def areas(report, name, odd, seed):
    """Return the area of each contender, by its name."""
    rows = split_rows(OUTLIERS[name](), odd, seed)
    n_features = rows.X.shape[1]
    found = {}
    for share, part in (("quarter", 4), ("half", 2)):
        k = max(1, n_features // part)
        found["DenseAE", share] = area_in_detector(dense(report, k, seed), rows)
        found["PCA", share] = area_in_detector(PCA(k, svd_solver="full"), rows)
    forest = IsolationForest(random_state=seed).fit(rows.X)
    found["IsolationForest", ""] = rows.area(forest.score_samples(rows.X_test))
    factor = LocalOutlierFactor(novelty=True).fit(rows.X)
    found["LOF", ""] = rows.area(factor.score_samples(rows.X_test))
    found["pyod AutoEncoder", ""] = area_of_pyod(name, odd, seed)
    return found


def rank(report, datasets, differences, means):
    """Yield the rows of the table of areas, and collect what the targets need."""
    for name in datasets:
        runs = runs_of(report, name, len(report.seeds))
        found = [areas(report, name, *run) for run in runs]
        mean = {key: np.mean([run[key] for run in found]) for key in found[0]}
        differences.append(mean["DenseAE", "half"] - mean["PCA", "half"])
        means.append([mean["DenseAE", "half"], mean["PCA", "half"]])
        cells = (None if np.isnan(area) else f"{area:.3f}" for area in mean.values())
        yield (LABELS.get(name, name), len(runs), *cells)


# --- How many fresh rows are flagged ---


def false_alarms(report, datasets, shares):
    n_seeds = QUICK_N_SEEDS if report.quick else N_SEEDS
    for name, dataset in datasets.items():
        runs = runs_of(report, name, n_seeds)
        flagged = {"DenseAE": [], "PCA": []}
        for odd, seed in runs:
            rows = split_rows(dataset, odd, seed, N_THRESHOLD_ROWS)
            k = max(1, rows.X.shape[1] // 2)
            fresh = rows.X_test[: rows.n_normal]
            for label, estimator in (
                ("DenseAE", dense(report, k, seed)),
                ("PCA", PCA(k, svd_solver="full")),
            ):
                detector = ReconstructionOutlierDetector(
                    estimator, false_alarm_rate=RATE, random_state=seed
                ).fit(rows.X)
                flagged[label].append(np.mean(detector.predict(fresh) == -1))
        shares.update({(name, label): np.mean(s) for label, s in flagged.items()})
        cells = [
            f"{100 * np.mean(s):.1f} ({100 * min(s):.1f} to {100 * max(s):.1f})"
            for s in flagged.values()
        ]
        yield (LABELS.get(name, name), len(runs), *cells)


def main(report):
    datasets = {}
    for name, load in OUTLIERS.items():
        try:
            datasets[name] = load()
        except FileNotFoundError as missing:
            report.note(f"{name} is skipped: {missing}.")
    differences, means, shares = [], [], {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.table(
            "Area under the ROC curve, mean of the runs",
            [
                *("data", "runs", "DenseAE, quarter", "PCA, quarter"),
                *("DenseAE, half", "PCA, half"),
                *("IsolationForest", "LOF", "pyod AutoEncoder"),
            ],
            rank(report, datasets, differences, means),
        )
        report.table(
            f"Fresh normal rows that are flagged, in percent, at a rate of {RATE:.0%}",
            ["data", "runs", "DenseAE (lowest to highest)", "PCA (lowest to highest)"],
            false_alarms(report, datasets, shares),
        )
    mean_dense, mean_pca = np.mean(means, axis=0)
    worst, least, most = min(differences), min(shares.values()), max(shares.values())
    report.targets(
        [
            Target("DenseAE's mean area minus PCA's", mean_dense - mean_pca, 0.0, True),
            Target("DenseAE's area minus PCA's, worst", worst, -0.02, True),
            Target("fresh rows flagged, least (%)", 100 * least, 3.0, True),
            Target("fresh rows flagged, most (%)", 100 * most, 7.0),
        ]
    )
