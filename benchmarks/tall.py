"""A million rows: the memory and the time of a fit and of a transform.

Memory is the peak of the process, less its memory after the imports, divided by the
size of the data. It includes the data.
"""

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.child import require
from benchmarks.datasets import synthetic_rows
from benchmarks.harness import (
    MEGABYTE,
    describe_rounds,
    median_of,
    peak_memory,
    ratio,
    resident_memory,
    run_rounds,
)
from benchmarks.report import Target
from benchmarks.workloads import BATCH_SIZE, LEARNING_RATE, synthetic_workload

TITLE = "tall data"
N_COMPONENTS = 8
N_EPOCHS = 2
ROWS_FILE = "rows.npy"


# --- Contenders ---


def skae_model(n_epochs):
    # A fit imports this module, and TensorFlow and Keras with it.
    require("skae._train.loop")
    from skae import DenseAE

    return DenseAE(N_COMPONENTS, max_iter=n_epochs, random_state=0)


def pca_model(n_epochs):
    from sklearn.decomposition import PCA

    return PCA(N_COMPONENTS)


def incremental_pca_model(n_epochs):
    from sklearn.decomposition import IncrementalPCA

    return IncrementalPCA(N_COMPONENTS, batch_size=10_000)


def keras_model(n_epochs):
    require("keras")
    from benchmarks.contenders import keras_fit

    class Model:
        def fit(self, X):
            keras_fit(synthetic_workload(len(X), X.shape[1]))(X, n_epochs)

    return Model()


def torch_model(n_epochs):
    require("torch")
    from benchmarks.contenders import torch_loop

    class Model:
        def fit(self, X):
            torch_loop(synthetic_workload(len(X), X.shape[1]))(X, n_epochs)

    return Model()


MODELS = {
    "skae DenseAE": skae_model,
    "keras.Model.fit": keras_model,
    "torch loop": torch_model,
    "sklearn PCA": pca_model,
    "sklearn IncrementalPCA": incremental_pca_model,
}
NETWORKS = ("skae DenseAE", "keras.Model.fit", "torch loop")


# --- Measurements ---


def fit(contender, n_epochs, folder):
    """Return the time and the memory of a fit, and save the model."""
    import pickle

    model = MODELS[contender](n_epochs)
    result = measure_call(model.fit, folder)
    if hasattr(model, "transform"):
        (Path(folder) / contender).write_bytes(pickle.dumps(model))
    return result


def transform(contender, folder):
    """Return the time and the memory of encoding all rows, including the codes."""
    import pickle

    model = pickle.loads((Path(folder) / contender).read_bytes())
    return measure_call(model.transform, folder)


def measure_call(function, folder):
    """Load the rows and call a function of them; return its time and memory."""
    imported = resident_memory()
    X = np.load(Path(folder) / ROWS_FILE)
    start = perf_counter()
    function(X)
    seconds = perf_counter() - start
    memory = (peak_memory() - imported) / (X.nbytes / MEGABYTE)
    return {"seconds": seconds, "memory": memory}


# --- Section ---


def main(report):
    n_rows = 20_000 if report.quick else 1_000_000
    n_rounds, n_epochs = report.n_rounds(), 1 if report.quick else N_EPOCHS
    contenders = report.select_contenders(MODELS)
    X = synthetic_rows(n_rows)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / ROWS_FILE, X)
        fits = run_rounds(fit, contenders, n_rounds, n_epochs=n_epochs, folder=folder)
        saved = [name for name in contenders if (Path(folder) / name).exists()]
        transforms = run_rounds(transform, saved, n_rounds, folder=folder)
    report.record("fit", fits)
    report.record("transform", transforms)
    show(report, X, n_epochs, fits, transforms)
    show_targets(report, fits, transforms)


def show(report, X, n_epochs, fits, transforms):
    report.table(
        f"{len(X)} x {X.shape[1]} rows of single precision "
        f"({X.nbytes / MEGABYTE:.0f} MB), {N_COMPONENTS} components",
        [
            "",
            "fit (s)",
            "memory of fit (multiples of the data)",
            "transform of all rows (s)",
            "memory of transform (multiples of the data)",
        ],
        table_rows(n_epochs, fits, transforms),
        f"{describe_rounds(report.n_rounds())} DenseAE has its default settings and "
        "holds out a tenth of the rows. The other networks are plain, with the same "
        f"widths, batches of {BATCH_SIZE} and a learning rate of {LEARNING_RATE}.",
    )


def table_rows(n_epochs, fits, transforms):
    for name, result in fits.items():
        if "error" in result:
            yield name, result["error"]
            continue
        yield (
            name + f", {n_epochs} epochs" * (name in NETWORKS),
            result["median"]["seconds"],
            result["median"]["memory"],
            median_of(transforms, name, "seconds"),
            median_of(transforms, name, "memory"),
        )


def show_targets(report, fits, transforms):
    memory = {
        "fit": (median_of(fits, "skae DenseAE", "memory"), 2.5),
        "transform": (median_of(transforms, "skae DenseAE", "memory"), 1.5),
    }
    report.targets(
        [
            Target(f"memory of {method} (multiples of the data)", measured, required)
            for method, (measured, required) in memory.items()
        ]
    )
    to_pca = ratio(
        median_of(fits, "skae DenseAE", "seconds"),
        median_of(fits, "sklearn PCA", "seconds"),
    )
    if to_pca is not None:
        report.note(f"DenseAE takes {to_pca:.0f} times as long to fit as PCA.")
