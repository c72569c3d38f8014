"""The datasets: bundled with scikit-learn, or files in the folder ``$SKAE_DATA``.

Fashion-MNIST is taken from there, or downloaded by Keras or from OpenML. The others are
files of NumPy's, ``NAME.npz``, with the rows as ``X`` and classes, if any, as ``y``:

- satellite (6,435 x 36; its classes are ``y_class``) and letter (20,000 x 16), of the
  UCI repository, as in R's package mlbench;
- golub_leukemia (38 x 3,051), as in Bioconductor's multtest;
- gasoline_nir (60 x 401), as in R's package pls;
- pbmc68k_reduced (700 x 765), as in Python's package scanpy.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn import datasets

FASHION_ROWS = 10_000


class Dataset(NamedTuple):
    X: np.ndarray
    y: np.ndarray | None  # classes, if it has any


def _bundled(loader, labelled=True):
    def load() -> Dataset:
        X, y = loader(return_X_y=True)
        return Dataset(X, y if labelled else None)

    return load


def _file(name, y=None):
    def load() -> Dataset:
        folder = os.environ.get("SKAE_DATA")
        path = Path(folder or ".") / f"{name}.npz"
        if not folder or not path.exists():
            raise FileNotFoundError(f"set SKAE_DATA to the folder of {name}.npz")
        with np.load(path) as arrays:
            labels = arrays[y] if y else None
            return Dataset(arrays["X"].astype(float), labels)

    return load


def fashion_images():
    """Return the 60,000 training images as flat rows of bytes, and their classes."""
    folder = os.environ.get("SKAE_DATA")
    path = Path(folder or ".") / "fashion_mnist_70k.npz"
    if folder and path.exists():
        with np.load(path) as arrays:
            X, y = arrays["X_train"], arrays["y_train"]
        return X.reshape(len(X), -1), y
    return _downloaded_images()


def _downloaded_images():
    import keras

    try:
        (X, y), _ = keras.datasets.fashion_mnist.load_data()
        return X.reshape(len(X), -1), y
    except Exception:  # noqa: BLE001 (Keras raises plain ones)
        pass
    try:
        X, y = datasets.fetch_openml("Fashion-MNIST", return_X_y=True, as_frame=False)
    except (OSError, ValueError) as failure:
        raise FileNotFoundError(
            "set SKAE_DATA to the folder of fashion_mnist_70k.npz, as it could not be "
            f"downloaded ({failure})"
        ) from failure
    return X[:60_000], y[:60_000].astype(int)


def _fashion_mnist() -> Dataset:
    X, y = fashion_images()
    rows = np.random.default_rng(0).permutation(len(X))[:FASHION_ROWS]
    return Dataset(X[rows].astype(float), y[rows])


def made_rows(n_rows: int, n_features: int = 32, n_latent: int = 8) -> np.ndarray:
    """Make rows of single precision along curves, with noise, in little memory."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((2 * n_latent, n_features), dtype=np.float32)
    X = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    for start in range(0, n_rows, 10_000):
        block = X[start : start + 10_000]
        latent = rng.standard_normal((len(block), n_latent), dtype=np.float32)
        block *= 0.1
        block += np.hstack([np.sin(2 * latent), latent**2 - 1]) @ directions
    return X


LARGE = {
    "digits": _bundled(datasets.load_digits),
    "satellite": _file("satellite", "y_class"),
    "letter": _file("letter", "y"),
    "fashion_mnist": _fashion_mnist,
}
SMALL = {
    "breast_cancer": _bundled(datasets.load_breast_cancer),
    "wine": _bundled(datasets.load_wine),
    "diabetes": _bundled(datasets.load_diabetes, labelled=False),
    "golub_leukemia": _file("golub_leukemia", "y"),
    "gasoline_nir": _file("gasoline_nir"),
    "pbmc68k_reduced": _file("pbmc68k_reduced", "y"),
}
ALL = {**LARGE, **SMALL}


def available(report, names):
    """Return those of the datasets that are to be used and are there."""
    found = []
    for name in report.selected(names):
        try:
            ALL[name]()
        except FileNotFoundError as missing:
            report.say(f"{name} is left out: {missing}.")
        else:
            found.append(name)
    return found
