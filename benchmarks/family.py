"""Results of the other autoencoders, compared with PCA on the same rows.

Errors are squared errors of held-out rows, divided by those of PCA. 30 % of the rows
are held out, and estimators have their default settings unless the table says
otherwise.
"""

import time

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.datasets import ALL, available_datasets
from benchmarks.quality import (
    component_counts,
    exact_pca,
    geometric_mean,
    relative_error,
    split,
    standardised_split,
)
from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer

TITLE = "the other autoencoders, compared with PCA"


def error_ratio(model, pca, X, X_test):
    mean = X.mean(axis=0)
    return relative_error(model, X_test, mean) / relative_error(pca, X_test, mean)


# --- ConvAE ---

CONV = {"n_components": 32, "max_iter": 20, "random_state": 0}


def conv(report):
    X, X_test, *_ = split(ALL["fashion_mnist"](), 0)
    X, X_test = (rows.astype(np.float32) / 255 for rows in (X, X_test))
    if report.quick:
        X = X[:1000]
    report.table(
        f"fashion_mnist ({len(X)} rows, pixels in [0, 1]), 32 components",
        ["", "error relative to PCA", "time (s)"],
        conv_rows(X, X_test),
    )


def conv_rows(X, X_test):
    pca = exact_pca(32, X)
    for cls in (ConvAE, DenseAE):
        model = cls(**CONV)
        start = time.perf_counter()
        model.fit(X)
        seconds = time.perf_counter() - start
        yield (
            f"{cls.__name__}, {model.n_iter_} epochs",
            f"{error_ratio(model, pca, X, X_test):.3f}",
            f"{seconds:.1f}",
        )


# --- DenoisingAE ---


def denoising(report):
    noisy_rows(report)
    clean_rows(report)


def noisy_rows(report):
    def table_rows():
        for seed in report.seeds:
            for result in compare_denoisers(seed):
                yield seed, *result

    report.table(
        "DenoisingAE: digits with noise of half their standard deviation",
        [
            "seed",
            "components",
            "error relative to the best PCA denoiser of any size",
            "components of the best PCA denoiser",
        ],
        table_rows(),
    )


def compare_denoisers(seed):
    """Yield the number of components, the error ratio, and the size of the best PCA."""
    X, X_test, *_ = split(ALL["digits"](), seed)
    noise = np.random.default_rng(seed).normal(size=X_test.shape)
    X_noisy = X_test + 0.5 * np.sqrt(X.var(axis=0).mean()) * noise

    def denoising_error(model):
        output = model.inverse_transform(model.transform(X_noisy))
        return np.mean((output - X_test) ** 2)

    pca_error, k = min(
        (denoising_error(exact_pca(k, X)), k) for k in range(1, X.shape[1] + 1)
    )
    for n_components in (16, 32):
        model = DenoisingAE(n_components, noise_level=0.5, random_state=seed)
        yield n_components, f"{denoising_error(model.fit(X)) / pca_error:.3f}", k


def clean_rows(report):
    names = available_datasets(report, ALL)
    if not names:
        return
    ratios = []

    def table_rows():
        for name in names:
            for k in component_counts(ALL[name]().X.shape[1]):
                ratios.append(mean_clean_ratios(name, k, report.seeds))
                yield name, k, *(f"{ratio:.3f}" for ratio in ratios[-1])

    report.table(
        "DenoisingAE on clean rows: error relative to PCA",
        ["data", "components", "DenseAE", "DenoisingAE"],
        table_rows(),
    )
    dense, denoising = (geometric_mean(column) for column in np.transpose(ratios))
    report.note(
        f"Geometric means: DenseAE {dense:.3f}, DenoisingAE {denoising:.3f}, which is "
        f"**{denoising / dense:.3f}** times that of DenseAE."
    )


def mean_clean_ratios(name, k, seeds):
    """Return the mean error ratios of DenseAE and DenoisingAE over the seeds."""
    ratios = []
    for seed in seeds:
        X, X_test, *_ = standardised_split(ALL[name](), seed)
        pca = exact_pca(k, X)
        models = [cls(k, random_state=seed).fit(X) for cls in (DenseAE, DenoisingAE)]
        ratios.append([error_ratio(model, pca, X, X_test) for model in models])
    return np.mean(ratios, axis=0)


# --- SparseAE ---

SPARSE = {
    "topk": {"target_sparsity": 8},
    "l1": {},
    "kl": {},
}


def sparse(report):
    def table_rows():
        for sparsity in SPARSE:
            for seed in report.seeds:
                yield sparsity, seed, *sparse_cells(sparsity, seed)

    report.table(
        "SparseAE on the standardised digits, 128 components",
        [
            "sparsity",
            "seed",
            "active components per row (min to max)",
            "error relative to PCA with as many components",
            "components that are never active",
        ],
        table_rows(),
    )


def sparse_cells(sparsity, seed):
    X, X_test, *_ = standardised_split(ALL["digits"](), seed)
    model = SparseAE(128, sparsity=sparsity, random_state=seed, **SPARSE[sparsity])
    n_active = count_active(model.fit(X).transform(X_test), sparsity)
    k = int(n_active.mean())
    return (
        f"{n_active.mean():.1f} ({n_active.min()} to {n_active.max()})",
        f"{error_ratio(model, exact_pca(k, X), X, X_test):.3f} (k = {k})",
        (model.active_share_ == 0).sum(),
    )


def count_active(codes, sparsity):
    """Return the number of active components of each row."""
    if sparsity == "topk":
        return (codes != 0).sum(axis=1)
    return (codes > (0.1 if sparsity == "kl" else 0)).sum(axis=1)


# --- VAETransformer ---

VAE_DATASETS = ("digits", "breast_cancer", "satellite", "fashion_mnist")


def vae(report):
    report.table(
        "VAETransformer",
        [
            "data",
            "components",
            "error relative to PCA (worst)",
            "network used",
            "active components (least)",
            "ELBO per row (nats)",
            "k-NN accuracy gain over PCA (points)",
        ],
        vae_rows(report, available_datasets(report, VAE_DATASETS)),
    )


def vae_rows(report, names):
    for name in names:
        for k in (2, 8):
            runs = [compare_vae(name, k, seed) for seed in report.seeds]
            ratios, used, active, elbo, gain = np.transpose(runs)
            yield (
                name,
                k,
                f"{ratios.mean():.3f} ({ratios.max():.3f})",
                f"{used.sum():.0f}/{len(runs)}",
                f"{active.min():.0f}",
                f"{elbo.mean():.1f}",
                f"{gain.mean():+.1f}",
            )


def compare_vae(name, k, seed):
    """Fit VAETransformer and PCA to the same rows; return the values of a table row."""
    X, X_test, y, y_test = standardised_split(ALL[name](), seed)
    pca = exact_pca(k, X)
    model = VAETransformer(k, random_state=seed).fit(X)
    accuracies = [
        KNeighborsClassifier()
        .fit(reducer.transform(X), y)
        .score(reducer.transform(X_test), y_test)
        for reducer in (model, pca)
    ]
    return (
        error_ratio(model, pca, X, X_test),
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
            report.note(f"Skipped: {missing}")
