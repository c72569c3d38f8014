"""A million rows: the memory that a fit and a transform take, and their time.

Memory is the most that the process ever had, less what it had after the imports, in
units of the data's own size, the data included.
"""

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.child import installed
from benchmarks.datasets import made_rows
from benchmarks.harness import MEGABYTE, peak, ratio, resident, rounds, value
from benchmarks.report import Figure
from benchmarks.workloads import BATCH_SIZE, LEARNING_RATE, made

TITLE = "tall data"
N_COMPONENTS = 8
N_EPOCHS = 2
ROWS = "rows.npy"


def skae_model(n_epochs):
    installed("skae._training")  # what a fit imports, TensorFlow and Keras with it
    from skae import DenseAE

    return DenseAE(N_COMPONENTS, max_iter=n_epochs, random_state=0)


def pca_model(n_epochs):
    from sklearn.decomposition import PCA

    return PCA(N_COMPONENTS)


def incremental_pca_model(n_epochs):
    from sklearn.decomposition import IncrementalPCA

    return IncrementalPCA(N_COMPONENTS, batch_size=10_000)


def keras_model(n_epochs):
    installed("keras")
    from benchmarks.contenders import keras_fit

    class Model:
        def fit(self, X):
            keras_fit(made(len(X), X.shape[1]))(X, n_epochs)

    return Model()


def torch_model(n_epochs):
    installed("torch")
    from benchmarks.contenders import torch_loop

    class Model:
        def fit(self, X):
            torch_loop(made(len(X), X.shape[1]))(X, n_epochs)

    return Model()


MODELS = {
    "skae DenseAE": skae_model,
    "keras.Model.fit": keras_model,
    "torch loop": torch_model,
    "sklearn PCA": pca_model,
    "sklearn IncrementalPCA": incremental_pca_model,
}
WITH_EPOCHS = ("skae DenseAE", "keras.Model.fit", "torch loop")


def fit(contender, n_epochs, folder):
    """Return the time of a fit and the memory it takes, and keep the model."""
    import pickle

    model = MODELS[contender](n_epochs)
    imported = resident()
    X = np.load(Path(folder) / ROWS)
    start = perf_counter()
    model.fit(X)
    seconds = perf_counter() - start
    result = {
        "seconds": seconds,
        "memory": (peak() - imported) / (X.nbytes / MEGABYTE),
    }
    if hasattr(model, "transform"):
        (Path(folder) / contender).write_bytes(pickle.dumps(model))
    return result


def transform(contender, folder):
    """Return the time and memory of encoding all rows, the output included."""
    import pickle

    model = pickle.loads((Path(folder) / contender).read_bytes())
    imported = resident()
    X = np.load(Path(folder) / ROWS)
    start = perf_counter()
    model.transform(X)
    seconds = perf_counter() - start
    memory = (peak() - imported) / (X.nbytes / MEGABYTE)
    return {"seconds": seconds, "memory": memory}


def main(report):
    n_rows = 20_000 if report.quick else 1_000_000
    n_rounds, n_epochs = report.n_rounds(), 1 if report.quick else N_EPOCHS
    contenders = report.contenders(MODELS)
    X = made_rows(n_rows)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / ROWS, X)
        fitted = rounds(fit, contenders, n_rounds, n_epochs=n_epochs, folder=folder)
        models = [name for name in contenders if (Path(folder) / name).exists()]
        encoded = rounds(transform, models, n_rounds, folder=folder)
    report.keep("fit", fitted)
    report.keep("transform", encoded)

    def rows():
        for name, kept in fitted.items():
            if "error" in kept:
                yield name, kept["error"], *[None] * 3
                continue
            yield (
                name + f", {n_epochs} epochs" * (name in WITH_EPOCHS),
                kept["median"]["seconds"],
                kept["median"]["memory"],
                value(encoded, name, "seconds"),
                value(encoded, name, "memory"),
            )

    report.table(
        f"{n_rows} x 32 rows of single precision ({X.nbytes / MEGABYTE:.0f} MB), "
        f"{N_COMPONENTS} codes",
        [
            "",
            "fit, s",
            "memory of fit, data's sizes",
            "transform of all rows, s",
            "memory of transform, data's sizes",
        ],
        rows(),
        f"Median of {n_rounds} processes each, in turns; DenseAE as it is by default "
        "(it holds out a tenth), the others plain networks of the same widths with "
        f"batches of {BATCH_SIZE} and a rate of {LEARNING_RATE}.",
    )
    ours = (value(fitted, "skae DenseAE", "memory"),)
    theirs = (value(encoded, "skae DenseAE", "memory"),)
    report.figures(
        [
            Figure("memory of fit, sizes of the data", *ours, 2.5),
            Figure("memory of transform, sizes of the data", *theirs, 1.5),
        ]
    )
    slower = ratio(
        value(fitted, "skae DenseAE", "seconds"),
        value(fitted, "sklearn PCA", "seconds"),
    )
    if slower is not None:
        report.say(f"The fit takes {slower:.0f} times as long as PCA's.")
