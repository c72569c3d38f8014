"""The datasets: bundled with scikit-learn, or files in the folder ``$SKAE_DATA``."""

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
        if not folder:
            raise FileNotFoundError(f"set SKAE_DATA to the folder of {name}.npz")
        with np.load(Path(folder) / f"{name}.npz") as arrays:
            labels = arrays[y] if y else None
            return Dataset(arrays["X"].astype(float), labels)

    return load


def _fashion_mnist() -> Dataset:
    folder = os.environ.get("SKAE_DATA")
    if not folder:
        raise FileNotFoundError("set SKAE_DATA to the folder of fashion_mnist_70k.npz")
    with np.load(Path(folder) / "fashion_mnist_70k.npz") as arrays:
        X, y = arrays["X_train"], arrays["y_train"]
    rows = np.random.default_rng(0).permutation(len(X))[:FASHION_ROWS]
    return Dataset(X[rows].reshape(len(rows), -1).astype(float), y[rows])


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
