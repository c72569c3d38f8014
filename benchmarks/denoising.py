"""Noise removed from images, by dense layers and by convolutions, compared with PCA.

The rows are images of Fashion-MNIST in [0, 1], with normal noise of half the standard
deviation of all training pixels. Autoencoders and PCA are fitted to clean rows. The
measure is the mean squared error against clean test rows of what is made of noisy ones,
divided by that of PCA with the number of components that is best for these very rows.
Estimators have their default settings, but for the number of components and the level
of the noise.
"""

import time
from typing import NamedTuple

import numpy as np

from benchmarks.datasets import fashion_images
from benchmarks.quality import exact_pca
from benchmarks.report import Target
from skae import ConvAE, DenoisingAE

TITLE = "noise removed from images, compared with the best PCA"

N_TRAIN, N_TEST = 5000, 1000
QUICK_N_TRAIN, QUICK_N_TEST, QUICK_SETTINGS = 1000, 100, {"max_iter": 2}

DENSE, CONVOLUTIONAL = "DenoisingAE, 128 codes", "ConvAE, feature map"
DENOISERS = {
    DENSE: (DenoisingAE, {"n_components": 128}),
    "DenoisingAE, 256 codes": (DenoisingAE, {"n_components": 256}),
    "ConvAE, 128 codes": (ConvAE, {"n_components": 128, "noise": "gaussian"}),
    "ConvAE, 256 codes": (ConvAE, {"n_components": 256, "noise": "gaussian"}),
    CONVOLUTIONAL: (ConvAE, {"n_components": None, "noise": "gaussian"}),
}
# The largest mean ratios that are good enough.
REQUIRED = {DENSE: 0.75, CONVOLUTIONAL: 0.65}


class Images(NamedTuple):
    """Clean rows to train on, and test rows with and without noise.

    `noise_level` is that of the test rows, in the units of the estimators' parameter.
    """

    X: np.ndarray
    clean: np.ndarray
    noisy: np.ndarray
    noise_level: float

    def denoising_error(self, reconstruct):
        return np.mean((reconstruct(self.noisy) - self.clean) ** 2)


def noisy_images(report, seed):
    n_train, n_test = N_TRAIN, N_TEST
    if report.quick:
        n_train, n_test = QUICK_N_TRAIN, QUICK_N_TEST
    images, _ = fashion_images()
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(images))[: n_train + n_test]
    X, clean = np.split(images[chosen].astype(np.float32) / 255, [n_train])
    std = 0.5 * X.std()
    noise = rng.normal(0, std, clean.shape).astype(np.float32)
    level = std / np.sqrt(X.var(axis=0).mean())
    return Images(X, clean, clean + noise, float(level))


def best_pca(images):
    """Return the least error of PCA, its number of components, and seconds of a fit."""
    start = time.perf_counter()
    pca = exact_pca(None, images.X)
    seconds = time.perf_counter() - start
    codes = pca.transform(images.noisy)
    rows, errors = np.tile(pca.mean_, (len(codes), 1)), []
    for i, component in enumerate(pca.components_):
        rows += np.outer(codes[:, i], component)
        errors.append(np.mean((rows - images.clean) ** 2))
    k = int(np.argmin(errors))
    return errors[k], k + 1, seconds


def compare(report, seed, ratios):
    """Yield the rows of the table for a seed, and add the ratios to `ratios`."""
    images = noisy_images(report, seed)
    pca_error, k, seconds = best_pca(images)
    yield seed, f"PCA, the best: {k} codes", k, "1.000", "-", f"{seconds:.1f}"
    settings = QUICK_SETTINGS if report.quick else {}
    for name, (cls, parameters) in DENOISERS.items():
        model = cls(
            noise_level=images.noise_level, random_state=seed, **parameters, **settings
        )
        start = time.perf_counter()
        model.fit(images.X)
        seconds = time.perf_counter() - start
        ratio = images.denoising_error(model.reconstruct) / pca_error
        ratios[name].append(ratio)
        yield (
            *(seed, name, model.n_components_, f"{ratio:.3f}"),
            *(model.n_iter_, f"{seconds:.1f}"),
        )


def main(report):
    fashion_images()  # is missing before the table begins, if it is
    ratios = {name: [] for name in DENOISERS}
    report.table(
        "fashion_mnist with noise of half the standard deviation of its pixels",
        [
            *("seed", "denoiser", "codes", "error relative to the best PCA"),
            *("epochs", "time (s)"),
        ],
        (row for seed in report.seeds for row in compare(report, seed, ratios)),
    )
    report.targets(
        Target(f"{name}: mean error ratio", float(np.mean(ratios[name])), required)
        for name, required in REQUIRED.items()
    )
