"""Datasets that are bundled with scikit-learn or read from the folder ``$SKAE_DATA``.

Fashion-MNIST is read from that folder, or else downloaded by Keras or from OpenML. The
others are NumPy archives, ``NAME.npz``, with the rows as ``X`` and the class labels, if
any, as ``y``:

- satellite (6,435 x 36; its labels are ``y_class``) and letter (20,000 x 16), from the
  UCI repository, as in R's package mlbench;
- pageblocks (5,393 x 10) and mammography (11,183 x 6), from the UCI repository, as in
  the benchmark ADBench;
- satimage2_ad (5,803 x 36), rows of satellite with 71 outliers among them;
- golub_leukemia (38 x 3,051), as in Bioconductor's multtest;
- gasoline_nir (60 x 401), as in R's package pls;
- pbmc68k_reduced (700 x 765), as in Python's package scanpy.

german.csv (1,000 rows of 20 columns, categorical ones among them, and the class in the
last), from the UCI repository, is read as it is there, without a header.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn import datasets

N_FASHION_ROWS = 10_000


class Dataset(NamedTuple):
    X: np.ndarray
    y: np.ndarray | None  # labels, if there are any


def _bundled(loader, labelled=True):
    def load() -> Dataset:
        X, y = loader(return_X_y=True)
        return Dataset(X, y if labelled else None)

    return load


def _from_file(name, labels=None):
    def load() -> Dataset:
        folder = os.environ.get("SKAE_DATA")
        path = Path(folder or ".") / f"{name}.npz"
        if not folder or not path.exists():
            raise FileNotFoundError(
                f"set SKAE_DATA to the folder that contains {name}.npz"
            )
        with np.load(path) as arrays:
            y = arrays[labels] if labels else None
            return Dataset(arrays["X"].astype(float), y)

    return load


def _german() -> Dataset:
    import pandas as pd

    folder = os.environ.get("SKAE_DATA")
    path = Path(folder or ".") / "german.csv"
    if not folder or not path.exists():
        raise FileNotFoundError("set SKAE_DATA to the folder that contains german.csv")
    table = pd.read_csv(path, header=None)
    rows = pd.get_dummies(table.iloc[:, :-1])
    return Dataset(rows.to_numpy(float), table.iloc[:, -1].to_numpy())


def fashion_images():
    """Return the 60,000 training images as flat rows of bytes, and their labels."""
    folder = os.environ.get("SKAE_DATA")
    path = Path(folder or ".") / "fashion_mnist_70k.npz"
    if folder and path.exists():
        with np.load(path) as arrays:
            X, y = arrays["X_train"], arrays["y_train"]
        return X.reshape(len(X), -1), y
    return _download_fashion_images()


def _download_fashion_images():
    import keras

    try:
        (X, y), _ = keras.datasets.fashion_mnist.load_data()
        return X.reshape(len(X), -1), y
    except Exception:  # noqa: BLE001 (Keras raises bare `Exception`)
        pass
    try:
        X, y = datasets.fetch_openml("Fashion-MNIST", return_X_y=True, as_frame=False)
    except (OSError, ValueError) as failure:
        raise FileNotFoundError(
            "Fashion-MNIST could not be downloaded; set SKAE_DATA to the folder that "
            f"contains fashion_mnist_70k.npz ({failure})"
        ) from failure
    return X[:60_000], y[:60_000].astype(int)


def _fashion_mnist() -> Dataset:
    X, y = fashion_images()
    indices = np.random.default_rng(0).permutation(len(X))[:N_FASHION_ROWS]
    return Dataset(X[indices].astype(float), y[indices])


def synthetic_rows(n_rows: int, n_features: int = 32, n_latent: int = 8) -> np.ndarray:
    """Return single-precision rows on a curved surface, with noise.

    The rows are generated block by block, so that a million of them take little memory.
    """
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
    "satellite": _from_file("satellite", "y_class"),
    "letter": _from_file("letter", "y"),
    "fashion_mnist": _fashion_mnist,
}
SMALL = {
    "breast_cancer": _bundled(datasets.load_breast_cancer),
    "wine": _bundled(datasets.load_wine),
    "diabetes": _bundled(datasets.load_diabetes, labelled=False),
    "golub_leukemia": _from_file("golub_leukemia", "y"),
    "gasoline_nir": _from_file("gasoline_nir"),
    "pbmc68k_reduced": _from_file("pbmc68k_reduced", "y"),
}
HEAVY_TAILED = {
    "pageblocks": _from_file("pageblocks"),
    "mammography": _from_file("mammography"),
}
MIXED = {"german": _german}
OUTLIERS = {
    "satimage2_ad": _from_file("satimage2_ad", "y"),
    "pageblocks": _from_file("pageblocks", "y"),
    "mammography": _from_file("mammography", "y"),
    "digits": LARGE["digits"],
}
ALL = {**LARGE, **SMALL, **HEAVY_TAILED, **MIXED}

# Rows with numbers to predict in the place of class labels.
NUMBERS = {
    "diabetes": _bundled(datasets.load_diabetes),
    "gasoline_nir": _from_file("gasoline_nir", "y"),
    "friedman": lambda: Dataset(
        *datasets.make_friedman1(1000, noise=1.0, random_state=0)
    ),
}


def available_datasets(report, names):
    """Return the selected datasets that can be loaded, and report the others."""
    found = []
    for name in report.select_datasets(names):
        try:
            ALL[name]()
        except FileNotFoundError as missing:
            report.note(f"{name} is skipped: {missing}.")
        else:
            found.append(name)
    return found
