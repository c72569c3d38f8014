"""The figures of the other autoencoders, each beside PCA of the same rows.

Errors are held-out squared errors over those of PCA; 30 % of the rows are held out, and
estimators have their default settings unless the table says otherwise.
"""

import time

import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.datasets import ALL, available
from benchmarks.quality import components, error, geometric_mean
from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer

TITLE = "the other autoencoders, beside PCA"


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


def conv(report):
    X, X_test, *_ = split(ALL["fashion_mnist"](), 0)
    X, X_test = (rows.astype(np.float32) / 255 for rows in (X, X_test))
    if report.quick:
        X = X[:1000]
    pca = exact_pca(32, X)

    def rows():
        for cls in (ConvAE, DenseAE):
            model = cls(**CONV)
            start = time.perf_counter()
            model.fit(X)
            seconds = time.perf_counter() - start
            error_of_pca = ratio(model, pca, X, X_test)
            yield (
                f"{cls.__name__}, {model.n_iter_} epochs",
                f"{error_of_pca:.3f}",
                f"{seconds:.1f}",
            )

    report.table(
        f"fashion-mnist ({len(X)} rows, pixels in [0, 1]), 32 codes",
        ["", "held-out error, of PCA's", "seconds"],
        rows(),
    )


# --- DenoisingAE ---


def denoising(report):
    def rows():
        for seed in report.seeds:
            X, X_test, *_ = split(ALL["digits"](), seed)
            noise = np.random.default_rng(seed).normal(size=X_test.shape)
            X_noisy = X_test + 0.5 * np.sqrt(X.var(axis=0).mean()) * noise

            def left(model, X_noisy=X_noisy, X_test=X_test):
                output = model.inverse_transform(model.transform(X_noisy))
                return np.mean((output - X_test) ** 2)

            best, k = min((left(exact_pca(k, X)), k) for k in range(1, X.shape[1] + 1))
            for n_components in (16, 32):
                model = DenoisingAE(n_components, noise_level=0.5, random_state=seed)
                yield seed, n_components, f"{left(model.fit(X)) / best:.3f}", k

    report.table(
        "DenoisingAE: digits with noise of half the data's standard deviation",
        ["seed", "codes", "error, of the best PCA denoiser's over all k", "its k"],
        rows(),
    )
    clean_rows(report)


def clean_rows(report):
    names = available(report, ALL)
    if not names:
        return
    ratios = []

    def rows():
        for name in names:
            for k in components(ALL[name]().X.shape[1]):
                pairs = []
                for seed in report.seeds:
                    X, X_test, *_ = standardised(name, seed)
                    pca = exact_pca(k, X)
                    pairs.append(
                        [
                            ratio(cls(k, random_state=seed).fit(X), pca, X, X_test)
                            for cls in (DenseAE, DenoisingAE)
                        ]
                    )
                ratios.append(np.mean(pairs, axis=0))
                yield name, k, *(f"{value:.3f}" for value in ratios[-1])

    report.table(
        "DenoisingAE on clean rows: errors, of PCA's",
        ["data", "k", "DenseAE", "DenoisingAE"],
        rows(),
    )
    dense, noisy = (geometric_mean(column) for column in np.transpose(ratios))
    report.say(
        f"Geometric means {dense:.3f} and {noisy:.3f}: DenoisingAE's is "
        f"**{noisy / dense:.3f}** times DenseAE's."
    )


# --- SparseAE ---

SPARSE = {
    "topk": {"target_sparsity": 8},
    "l1": {},
    "kl": {},
}


def sparse(report):
    def rows():
        for sparsity, parameters in SPARSE.items():
            for seed in report.seeds:
                X, X_test, *_ = standardised("digits", seed)
                model = SparseAE(
                    128, sparsity=sparsity, random_state=seed, **parameters
                )
                codes = model.fit(X).transform(X_test)
                active = (codes > (0.1 if sparsity == "kl" else 0)).sum(axis=1)
                if sparsity == "topk":
                    active = (codes != 0).sum(axis=1)
                k = int(active.mean())
                yield (
                    sparsity,
                    seed,
                    f"{active.mean():.1f} ({active.min()} to {active.max()})",
                    f"{ratio(model, exact_pca(k, X), X, X_test):.3f} (k = {k})",
                    (model.active_share_ == 0).sum(),
                )

    report.table(
        "SparseAE on digits (standardised), 128 codes",
        [
            "sparsity",
            "seed",
            "active codes a row (least to most)",
            "error, of PCA's with as many",
            "idle codes",
        ],
        rows(),
    )


# --- VAETransformer ---

VAE_DATA = ("digits", "breast_cancer", "satellite", "fashion_mnist")


def vae(report):
    names = available(report, VAE_DATA)

    def rows():
        for name in names:
            for k in (2, 8):
                runs = np.array([vae_row(name, k, seed) for seed in report.seeds])
                means = runs.mean(axis=0)
                yield (
                    name,
                    k,
                    f"{means[0]:.3f} ({runs[:, 0].max():.3f})",
                    f"{runs[:, 1].sum():.0f}/{len(runs)}",
                    f"{runs[:, 2].min():.0f}",
                    f"{means[3]:.1f}",
                    f"{means[4]:+.1f}",
                )

    report.table(
        "VAETransformer",
        [
            "data",
            "k",
            "error, of PCA's (worst)",
            "network",
            "active codes (least)",
            "bound a row, nats",
            "k-NN accuracy, points above PCA's",
        ],
        rows(),
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


def main(report):
    for section in (conv, denoising, sparse, vae):
        try:
            section(report)
        except FileNotFoundError as missing:
            report.say(f"Left out: {missing}")
