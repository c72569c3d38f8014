"""The figures of the other autoencoders, each beside PCA of the same rows.

Errors are held-out squared errors over those of PCA; 30 % of the rows are held out, and
estimators have their default settings unless the table says otherwise.
"""

import json
import sys
import time
from statistics import median

import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.datasets import LARGE, SMALL
from benchmarks.processes import medians
from benchmarks.quality import SEEDS, components, error, geometric_mean
from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer

ALL = {**LARGE, **SMALL}


def split(dataset, seed):
    y = np.zeros(len(dataset.X)) if dataset.y is None else dataset.y
    return train_test_split(dataset.X, y, test_size=0.3, random_state=seed)


def standardised(name, seed):
    X, X_test, y, y_test = split(ALL[name](), seed)
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), scaler.transform(X_test), y, y_test


def exact_pca(n_components, X):
    return PCA(n_components, svd_solver="full").fit(X)


def ratio(model, pca, X, X_test):
    mean = X.mean(axis=0)
    return error(model, X_test, mean) / error(pca, X_test, mean)


# --- ConvAE ---

CONV = {"n_components": 32, "max_iter": 20, "random_state": 0}


def conv_quality():
    print("\n### ConvAE on fashion-mnist (10,000 rows, pixels in [0, 1]), 32 codes\n")
    X, X_test, *_ = split(LARGE["fashion_mnist"](), 0)
    X, X_test = (rows.astype(np.float32) / 255 for rows in (X, X_test))
    pca = exact_pca(32, X)
    print("| | held-out error, of PCA's | epochs | seconds |\n|---|---|---|---|")
    for name, model in (
        ("ConvAE, 20 epochs", ConvAE(**CONV)),
        ("DenseAE, 20 epochs", DenseAE(**CONV)),
    ):
        start = time.perf_counter()
        model.fit(X)
        seconds = time.perf_counter() - start
        print(
            f"| {name} | {ratio(model, pca, X, X_test):.3f} | {model.n_iter_} "
            f"| {seconds:.1f} |",
            flush=True,
        )


def conv_speed():
    """Return the seconds of an epoch, and of encoding 1,000 rows, in turns."""
    import keras
    import tensorflow as tf

    X = LARGE["fashion_mnist"]().X.astype(np.float32) / 255
    settings = {"pca_shortcut": False, "early_stopping": False, **CONV}

    def fit(n_epochs):
        return ConvAE(**{**settings, "max_iter": n_epochs}).fit(X)

    model = fit(1)
    theirs = model.to_keras()
    theirs.compile(keras.optimizers.Adam(3e-3), "mse")

    def keras_fit(n_epochs):
        theirs.fit(X, X, batch_size=64, epochs=n_epochs, verbose=0)

    keras_fit(1)
    # The start and the end of a fit are not the epochs'.
    times = {"epoch": [], "keras_epoch": []}
    for _ in range(3):
        for key, run in (("epoch", fit), ("keras_epoch", keras_fit)):
            times[key].append((timed(run, 4) - timed(run, 1)) / 3)
    encoder = model.to_keras("encoder")
    compiled = tf.function(
        lambda rows: encoder(rows), input_signature=[tf.TensorSpec((None, 784))]
    )
    rows = X[:1000]
    times |= {"transform": [], "tensorflow": []}
    for _ in range(30):
        times["transform"].append(timed(model.transform, rows))
        times["tensorflow"].append(timed(lambda rows: compiled(rows).numpy(), rows))
    return {key: median(seconds) for key, seconds in times.items()}


def timed(function, argument):
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def conv():
    conv_quality()
    times = medians("benchmarks.family", ["conv_speed"], 3)["conv_speed"]
    print("\n| | skae | TensorFlow | |\n|---|---|---|---|")
    print(
        f"| epoch of the plain network, s (`keras.Model.fit`) | {times['epoch']:.2f} "
        f"| {times['keras_epoch']:.2f} "
        f"| {times['keras_epoch'] / times['epoch']:.2f} times quicker |"
    )
    print(
        "| transform of 1,000 images, ms (compiled call) "
        f"| {1e3 * times['transform']:.0f} | {1e3 * times['tensorflow']:.0f} "
        f"| {times['transform'] / times['tensorflow']:.2f} times the time |"
    )


# --- DenoisingAE ---


def denoising():
    print(
        "\n### DenoisingAE: digits with noise of half the data's standard deviation\n"
    )
    print("| seed | codes | error, of the best PCA denoiser's over all k | its k |")
    print("|---|---|---|---|")
    for seed in SEEDS:
        X, X_test, *_ = split(LARGE["digits"](), seed)
        noise = np.random.default_rng(seed).normal(size=X_test.shape)
        X_noisy = X_test + 0.5 * np.sqrt(X.var(axis=0).mean()) * noise

        def left(model, X_noisy=X_noisy, X_test=X_test):
            output = model.inverse_transform(model.transform(X_noisy))
            return np.mean((output - X_test) ** 2)

        best, k = min((left(exact_pca(k, X)), k) for k in range(1, X.shape[1] + 1))
        for n_components in (16, 32):
            model = DenoisingAE(n_components, noise_level=0.5, random_state=seed).fit(X)
            print(
                f"| {seed} | {n_components} | {left(model) / best:.3f} | {k} |",
                flush=True,
            )
    clean_rows()


def clean_rows():
    print("\n### DenoisingAE on clean rows: errors, of PCA's\n")
    print("| data | k | DenseAE | DenoisingAE |\n|---|---|---|---|")
    ratios = []
    for name in ALL:
        for k in components(ALL[name]().X.shape[1]):
            pairs = []
            for seed in SEEDS:
                X, X_test, *_ = standardised(name, seed)
                pca = exact_pca(k, X)
                pairs.append(
                    [
                        ratio(cls(k, random_state=seed).fit(X), pca, X, X_test)
                        for cls in (DenseAE, DenoisingAE)
                    ]
                )
            ratios.append(np.mean(pairs, axis=0))
            print(
                f"| {name} | {k} | {ratios[-1][0]:.3f} | {ratios[-1][1]:.3f} |",
                flush=True,
            )
    dense, noisy = (geometric_mean(column) for column in np.transpose(ratios))
    print(
        f"\nGeometric means {dense:.3f} and {noisy:.3f}: DenoisingAE's is "
        f"**{noisy / dense:.3f}** times DenseAE's."
    )


# --- SparseAE ---

SPARSE = {
    "topk": {"target_sparsity": 8},
    "l1": {},
    "kl": {},
}


def sparse():
    print("\n### SparseAE on digits (standardised), 128 codes\n")
    print(
        "| sparsity | seed | active codes a row (least to most) | error, of PCA's with "
        "as many | idle codes |"
    )
    print("|---|---|---|---|---|")
    for sparsity, parameters in SPARSE.items():
        for seed in SEEDS:
            X, X_test, *_ = standardised("digits", seed)
            model = SparseAE(128, sparsity=sparsity, random_state=seed, **parameters)
            codes = model.fit(X).transform(X_test)
            active = (codes > (0.1 if sparsity == "kl" else 0)).sum(axis=1)
            if sparsity == "topk":
                active = (codes != 0).sum(axis=1)
            k = int(active.mean())
            print(
                f"| {sparsity} | {seed} | {active.mean():.1f} ({active.min()} to "
                f"{active.max()}) | {ratio(model, exact_pca(k, X), X, X_test):.3f} "
                f"(k = {k}) | {(model.active_share_ == 0).sum()} |",
                flush=True,
            )


# --- VAETransformer ---

VAE_DATA = ("digits", "breast_cancer", "satellite", "fashion_mnist")


def vae():
    print("\n### VAETransformer\n")
    print(
        "| data | k | error, of PCA's (worst) | network | active codes (least) "
        "| bound a row, nats | k-NN accuracy, points above PCA's |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in VAE_DATA:
        for k in (2, 8):
            rows = np.array([vae_row(name, k, seed) for seed in SEEDS])
            means = rows.mean(axis=0)
            print(
                f"| {name} | {k} | {means[0]:.3f} ({rows[:, 0].max():.3f}) "
                f"| {rows[:, 1].sum():.0f}/{len(SEEDS)} | {rows[:, 2].min():.0f} "
                f"| {means[3]:.1f} | {means[4]:+.1f} |",
                flush=True,
            )


def vae_row(name, k, seed):
    X, X_test, y, y_test = standardised(name, seed)
    pca = exact_pca(k, X)
    model = VAETransformer(k, random_state=seed).fit(X)
    accuracies = [
        KNeighborsClassifier()
        .fit(reducer.transform(X), y)
        .score(reducer.transform(X_test), y_test)
        for reducer in (model, pca)
    ]
    return (
        ratio(model, pca, X, X_test),
        model.used_network_,
        model.active_units_.sum(),
        model.elbo(X_test, random_state=seed).mean(),
        100 * (accuracies[0] - accuracies[1]),
    )


SECTIONS = {"conv": conv, "denoising": denoising, "sparse": sparse, "vae": vae}


def main(only=None):
    for name, section in SECTIONS.items():
        if only and name not in only:
            continue
        try:
            section()
        except FileNotFoundError as missing:
            print(f"\nLeft out from here: {missing}")


if __name__ == "__main__":
    assert sys.argv[1] == "conv_speed"
    print(json.dumps(conv_speed()))
