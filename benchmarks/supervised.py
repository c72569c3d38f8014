"""Codes for classifiers and regressors, beside other methods that see the labels.

Rows are standardised, 30 % of them are held out, and estimators have their default
settings. Logistic regression (on standardised codes) and five nearest neighbours (on
the codes as they are) are fitted to the codes of the training rows and scored on codes
of held-out rows; for comparison also on the training codes themselves, which know their
labels. LDA has at most one code fewer than there are classes, and NCA, whose time grows
with the square of the rows, is fitted to at most 3,000 rows drawn at random. PLS is
fitted to classes as columns of zeros and ones.
"""

import time
import warnings
from collections import defaultdict

import numpy as np
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.datasets import ALL, NUMBERS, available_datasets
from benchmarks.quality import geometric_mean, relative_error
from benchmarks.report import Target
from skae import DenseAE, SupervisedAE

TITLE = "codes for classifiers and regressors, with and without the labels"

CLASSIFIED = (
    *("digits", "satellite", "letter", "fashion_mnist"),
    *("breast_cancer", "wine", "german"),
)
N_COMPONENTS = (2, 8)
N_COMPONENTS_OF_NUMBERS = 3
LABELLED_SHARE = 0.1
N_ROWS_OF_NCA = 3000

UNSUPERVISED, SUPERVISED = "DenseAE", "SupervisedAE"


# --- The methods ---


def one_hot(y):
    return (y[:, np.newaxis] == np.unique(y)).astype(float)


def fit_pca(k, X, y, seed):
    return PCA(k, svd_solver="full").fit(X)


def fit_lda(k, X, y, seed):
    return LinearDiscriminantAnalysis(
        n_components=min(k, len(np.unique(y)) - 1, X.shape[1])
    ).fit(X, y)


def fit_nca(k, X, y, seed):
    if len(X) > N_ROWS_OF_NCA:
        X, _, y, _ = train_test_split(
            X, y, train_size=N_ROWS_OF_NCA, random_state=seed, stratify=y
        )
    return NeighborhoodComponentsAnalysis(k, random_state=seed).fit(X, y)


def fit_pls(k, X, y, seed):
    return PLSRegression(k, scale=False).fit(X, one_hot(y))


def fit_dense(k, X, y, seed):
    return DenseAE(k, random_state=seed).fit(X)


def fit_supervised(k, X, y, seed):
    return SupervisedAE(k, random_state=seed).fit(X, y)


METHODS = {
    "PCA": fit_pca,
    "LDA": fit_lda,
    "NCA": fit_nca,
    "PLS": fit_pls,
    UNSUPERVISED: fit_dense,
    SUPERVISED: fit_supervised,
}
RIVALS = ("LDA", "NCA", "PLS")
MODELS = {
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=5000)
    ),
    "5 nearest neighbours": lambda: KNeighborsClassifier(5),
}


# --- Measuring ---


def standardised(X, y, seed):
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=seed)
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), scaler.transform(X_test), y, y_test


def accuracies(codes, y, codes_test, y_test):
    """Return for each model the accuracy on training codes and on fresh ones."""
    found = {}
    for name, make in MODELS.items():
        model = make().fit(codes, y)
        found[name] = model.score(codes, y), model.score(codes_test, y_test)
    return found


def measure(rows, k, seed):
    """Return by method the accuracies, the error if there is one, and seconds."""
    X, X_test, y, y_test = rows
    found = {}
    for method, fit in METHODS.items():
        start = time.perf_counter()
        with warnings.catch_warnings():  # NCA, of steps that it did not converge in
            warnings.simplefilter("ignore")
            fitted = fit(k, X, y, seed)
        seconds = time.perf_counter() - start
        error = None
        if method in ("PCA", UNSUPERVISED, SUPERVISED):
            error = relative_error(fitted, X_test, X.mean(axis=0))
        codes = fitted.transform(X), fitted.transform(X_test)
        scores = accuracies(codes[0], y, codes[1], y_test)
        found[method] = {"error": error, "seconds": seconds, **scores}
    return found


def mean_over_seeds(runs):
    """Return the means over seeds, in the structure of `measure`."""
    return {
        method: {
            key: None
            if value is None
            else np.mean([run[method][key] for run in runs], 0)
            for key, value in of_method.items()
        }
        for method, of_method in runs[0].items()
    }


def measured_by_data(report, names):
    """Return the means over seeds by dataset and number of components."""
    found = {}
    for name in names:
        dataset = ALL[name]()
        for k in N_COMPONENTS:
            runs = [
                measure(standardised(dataset.X, dataset.y, seed), k, seed)
                for seed in report.seeds
            ]
            found[name, k] = mean_over_seeds(runs)
            yield name, k, found[name, k]


# --- Tables of classes ---


def accuracy_table(report, measured, model):
    def rows():
        for name, k, found in measured:
            yield (
                *(name, k),
                *[f"{found[method][model][1]:.3f}" for method in METHODS],
                *[
                    f"{found[method][model][0] - found[method][model][1]:+.3f}"
                    for method in ("LDA", "NCA", SUPERVISED)
                ],
            )

    report.table(
        f"Held-out accuracy of {model} on the codes, and how much higher it is on the "
        "training codes",
        [
            *("data", "components", *METHODS),
            *("LDA, higher by", "NCA, higher by", f"{SUPERVISED}, higher by"),
        ],
        rows(),
    )


def cost_table(report, measured):
    def rows():
        for name, k, found in measured:
            dense, supervised = found[UNSUPERVISED], found[SUPERVISED]
            yield (
                *(name, k),
                f"{dense['error'] / found['PCA']['error']:.3f}",
                f"{supervised['error'] / found['PCA']['error']:.3f}",
                f"{supervised['error'] / dense['error']:.3f}",
                *(f"{dense['seconds']:.1f}", f"{supervised['seconds']:.1f}"),
            )

    report.table(
        "Held-out error of the reconstruction, and the time of a fit",
        [
            *("data", "components", f"{UNSUPERVISED}, relative to PCA"),
            *(f"{SUPERVISED}, relative to PCA", f"relative to {UNSUPERVISED}"),
            *(f"{UNSUPERVISED}, time (s)", f"{SUPERVISED}, time (s)"),
        ],
        rows(),
    )


def points(measured, k, model, method, other):
    """Return by how many points one method is above another, for each dataset."""
    return [
        100 * float(found[method][model][1] - found[other][model][1])
        for _, n_components, found in measured
        if n_components == k
    ]


def targets_of_classes(measured):
    for model in MODELS:
        for k, least in zip(N_COMPONENTS, (10, 3), strict=True):
            gains = points(measured, k, model, SUPERVISED, UNSUPERVISED)
            name = f"{model}, k={k}: points above {UNSUPERVISED}"
            yield Target(f"{name}, mean", float(np.mean(gains)), least, at_least=True)
            yield Target(f"{name}, least", min(gains), -1, at_least=True)
            for rival in RIVALS:
                gains = points(measured, k, model, SUPERVISED, rival)
                name = f"{model}, k={k}: points above {rival}, mean"
                yield Target(name, float(np.mean(gains)), 0, at_least=True)
    errors, seconds = (
        geometric_mean(
            [
                found[SUPERVISED][key] / found[UNSUPERVISED][key]
                for *_, found in measured
            ]
        )
        for key in ("error", "seconds")
    )
    yield Target(f"error relative to {UNSUPERVISED}, geometric mean", errors, 1.15)
    yield Target(f"time relative to {UNSUPERVISED}, geometric mean", seconds, 1.3)


def show_classes(report, names):
    measured = []

    def remembered():
        for row in measured_by_data(report, names):
            measured.append(row)
            yield row

    model, *others = MODELS
    accuracy_table(report, remembered(), model)
    for other in others:
        accuracy_table(report, measured, other)
    cost_table(report, measured)
    report.targets(targets_of_classes(measured))


# --- A tenth of the labels ---


def few_labels(dataset, seed):
    """Return the accuracies at two codes with a tenth of the labels, by method."""
    X, X_test, y, y_test = standardised(dataset.X, dataset.y, seed)
    codes = np.unique(y, return_inverse=True)[1]
    labelled, _ = train_test_split(
        np.arange(len(X)), train_size=LABELLED_SHARE, random_state=seed, stratify=y
    )
    known = np.full(len(X), -1)
    known[labelled] = codes[labelled]
    models = {
        UNSUPERVISED: DenseAE(2, random_state=seed).fit(X),
        SUPERVISED: SupervisedAE(2, unlabelled=-1, random_state=seed).fit(X, known),
    }
    return {
        name: MODELS["logistic regression"]()
        .fit(model.transform(X[labelled]), y[labelled])
        .score(model.transform(X_test), y_test)
        for name, model in models.items()
    }


def show_few_labels(report, names):
    gains = defaultdict(list)

    def rows():
        for name in names:
            dataset = ALL[name]()
            runs = [few_labels(dataset, seed) for seed in report.seeds]
            found = {key: np.mean([run[key] for run in runs]) for key in runs[0]}
            gains[name] = 100 * (found[SUPERVISED] - found[UNSUPERVISED])
            yield (
                name,
                *[f"{value:.3f}" for value in found.values()],
                f"{gains[name]:+.1f}",
            )

    report.table(
        "A tenth of the labels: held-out accuracy of logistic regression on two codes, "
        "fitted to the labelled rows",
        ["data", UNSUPERVISED, SUPERVISED, "points"],
        rows(),
    )
    mean = float(np.mean([*gains.values()]))
    report.targets([Target("a tenth of the labels, points", mean, 5, at_least=True)])


# --- Numbers ---


def r2_of_codes(dataset, seed):
    X, X_test, y, y_test = standardised(dataset.X, dataset.y, seed)
    k = N_COMPONENTS_OF_NUMBERS
    models = {
        "PCA": PCA(k).fit(X),
        "PLS": PLSRegression(k, scale=False).fit(X, y),
        UNSUPERVISED: DenseAE(k, random_state=seed).fit(X),
        SUPERVISED: SupervisedAE(k, target_type="continuous", random_state=seed).fit(
            X, y
        ),
    }
    return {
        name: LinearRegression()
        .fit(model.transform(X), y)
        .score(model.transform(X_test), y_test)
        for name, model in models.items()
    }


def show_numbers(report):
    differences = []

    def rows():
        for name, load in NUMBERS.items():
            runs = [r2_of_codes(load(), seed) for seed in report.seeds]
            found = {key: np.mean([run[key] for run in runs]) for key in runs[0]}
            differences.append(float(found[SUPERVISED] - found["PLS"]))
            yield name, *[f"{value:.3f}" for value in found.values()]

    report.table(
        f"Numbers: held-out R2 of linear regression on {N_COMPONENTS_OF_NUMBERS} codes",
        ["data", "PCA", "PLS", UNSUPERVISED, SUPERVISED],
        rows(),
    )
    report.targets(
        [Target("R2 less that of PLS, least", min(differences), -0.02, at_least=True)]
    )


def main(report):
    names = available_datasets(report, CLASSIFIED)
    if names:
        show_classes(report, names)
        show_few_labels(report, names)
    show_numbers(report)
