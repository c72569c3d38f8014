"""What choosing the latent dimension costs: a search, one ordered fit, a share.

Inputs are standardised, 30 % of the rows are held out except in the search, and
estimators have their default settings unless the table says otherwise. Errors are
shares of the held-out rows' squared distance to the training mean.
"""

import json
import sys
import time

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.datasets import LARGE
from benchmarks.family import exact_pca, standardised
from benchmarks.processes import run
from benchmarks.quality import SEEDS, error, geometric_mean
from skae import DenseAE

# --- One ordered fit against separate ones ---

CUTS = {"letter": (1, 2, 4, 8)}


def timed(fit):
    start = time.perf_counter()
    model = fit()
    return model, time.perf_counter() - start


def compare_ordered(name, seed):
    """Return errors and times at every cut, all architectures compiled before."""
    X, X_test, *_ = standardised(name, seed)
    cuts = CUTS.get(name, (1, 2, 4, 8, 16))

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


def ordered(only=None):
    print("\n### One ordered fit, against a fit for each number of codes\n")
    print(
        "| data | codes | PCA | ordered / PCA (worst) | ordered / separate "
        "| refined / separate | time ordered / separate | refining / separate |"
    )
    print("|---|---|---|---|---|---|---|---|")
    all_ratios = {"ordered": [], "refined": []}
    for name in only or LARGE:
        runs = [compare_ordered(name, seed) for seed in SEEDS]
        cuts = CUTS.get(name, (1, 2, 4, 8, 16))
        errors = {
            key: np.array([columns[key] for columns, _ in runs]) for key in runs[0][0]
        }
        times = {key: sum(seconds[key] for _, seconds in runs) for key in runs[0][1]}
        ratios = {key: errors[key] / errors["separate"] for key in all_ratios}
        to_pca = errors["ordered"] / errors["pca"]
        for i, k in enumerate(cuts):
            print(
                f"| {name} | {k} | {errors['pca'][:, i].mean():.4f} "
                f"| {to_pca[:, i].mean():.3f} ({to_pca[:, i].max():.3f}) "
                f"| {geometric_mean(ratios['ordered'][:, i]):.2f} "
                f"| {geometric_mean(ratios['refined'][:, i]):.2f} | | |"
            )
        print(
            f"| {name} | all | | worst {to_pca.max():.3f} "
            f"| **{geometric_mean(ratios['ordered']):.3f}** "
            f"| **{geometric_mean(ratios['refined']):.3f}** "
            f"| {times['ordered'] / times['separate']:.2f} "
            f"| {times['refined'] / times['separate']:.2f} |",
            flush=True,
        )
        for key, values in ratios.items():
            all_ratios[key] += list(values.ravel())
    print(
        "\nGeometric means over all: ordered "
        f"**{geometric_mean(all_ratios['ordered']):.3f}**, refined "
        f"**{geometric_mean(all_ratios['refined']):.3f}**."
    )


# --- A share of the variance ---


def share(only=None):
    print("\n### n_components=0.9\n")
    print("| data | seed | PCA's codes | codes | share reached | seconds |")
    print("|---|---|---|---|---|---|")
    for name in only or ("digits", "breast_cancer", "satellite"):
        for seed in SEEDS:
            X, X_test, *_ = standardised(name, seed)
            pca = PCA(0.9, svd_solver="full").fit(X)
            model, seconds = timed(lambda: DenseAE(0.9, random_state=seed).fit(X))  # noqa: B023 (called at once)
            reached = 1 - error(model, X_test, X.mean(axis=0))
            print(
                f"| {name} | {seed} | {pca.n_components_} | {model.n_components_} "
                f"| {reached:.3f} | {seconds:.1f} |",
                flush=True,
            )


# --- A grid search ---

GRID = (2, 4, 8, 16, 32)
N_EPOCHS = 50
N_SEARCHES = 5


def digits():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


# Widths of the layers before the code: of the textbook, and those of "auto".
NETWORKS = {"32": (32,), "256-128": (256, 128)}


def skae_autoencoder(hidden):
    import tensorflow  # noqa: F401 (not part of the search)

    return DenseAE(hidden_layer_sizes=hidden, max_iter=N_EPOCHS, random_state=0)


def keras_autoencoder(hidden):
    """Wrap the same layers as Keras itself trains them, as its users would."""
    import keras
    from sklearn.base import BaseEstimator, TransformerMixin

    class KerasAutoencoder(TransformerMixin, BaseEstimator):
        def __init__(self, n_components=2):
            self.n_components = n_components

        def fit(self, X, y=None):
            def layers(widths):
                return [keras.layers.Dense(n, activation="gelu") for n in widths]

            n_features = X.shape[1]
            code = keras.layers.Dense(self.n_components)
            outputs = keras.layers.Dense(n_features)
            self.encoder_ = keras.Sequential(
                [keras.Input((n_features,)), *layers(hidden), code]
            )
            model = keras.Sequential([self.encoder_, *layers(hidden[::-1]), outputs])
            model.compile(keras.optimizers.Adam(3e-3), "mse")
            model.fit(
                *(X, X),
                batch_size=128,
                epochs=N_EPOCHS,
                validation_split=0.1,
                callbacks=[keras.callbacks.EarlyStopping(patience=10)],
                verbose=0,
            )
            return self

        def transform(self, X):
            return self.encoder_.predict(X, verbose=0)

    return KerasAutoencoder()


AUTOENCODERS = {"skae DenseAE": skae_autoencoder, "keras.Model.fit": keras_autoencoder}


def time_searches(contender, network):
    """Return the seconds of a search, and how much more memory further ones take."""
    import psutil
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline

    X, y = digits()
    pipeline = Pipeline(
        [
            ("codes", AUTOENCODERS[contender](NETWORKS[network])),
            ("classifier", KNeighborsClassifier()),
        ]
    )
    search = GridSearchCV(pipeline, {"codes__n_components": GRID}, cv=3)
    _, seconds = timed(lambda: search.fit(X, y))
    memory = psutil.Process().memory_info
    before = memory().rss
    n_more = N_SEARCHES - 1 if contender == "skae DenseAE" else 1
    for _ in range(n_more):
        search.fit(X, y)
    growth = (memory().rss - before) / 2**20 / n_more
    return {
        "seconds": seconds,
        "growth": growth,
        "chosen": search.best_params_["codes__n_components"],
        "score": search.best_score_,
    }


def search():
    print(
        f"\n### Five values of n_components, three folds and the refit, {N_EPOCHS} "
        "epochs of digits\n"
    )
    print(
        "| layers | | seconds | times skae | chosen | accuracy | MB a further search |"
    )
    print("|---|---|---|---|---|---|---|")
    for network in NETWORKS:
        ours = None
        for name in AUTOENCODERS:
            result = run("benchmarks.dimension", name, network)
            ours = ours or result["seconds"]
            print(
                f"| {network} | {name} | {result['seconds']:.1f} "
                f"| {result['seconds'] / ours:.1f} | {result['chosen']} "
                f"| {result['score']:.3f} | {result['growth']:+.1f} |",
                flush=True,
            )


SECTIONS = {"search": search, "ordered": ordered, "share": share}


def main(only=None):
    for name in only or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    print(json.dumps(time_searches(*sys.argv[1:])))
