"""Time of a fit, and memory over many: 50 epochs of digits, 64-32-16-32-64.

Every contender trains the same plain network (relu, linear code and output, batches of
128, Adam) in a process of its own, after its imports. The first fit of a process
includes what is compiled once; later fits are the median of five.
"""

import json
import sys
import time
from statistics import median

from benchmarks.processes import medians

N_EPOCHS = 50
N_ROUNDS = 3
N_LATER_FITS = 5
N_REFITS = 100


def digits():
    import numpy as np
    from sklearn.datasets import load_digits

    return (load_digits().data / 16).astype(np.float32)


def skae_dense():
    import tensorflow  # noqa: F401 (not part of the first fit)

    from skae import DenseAE

    return lambda X: DenseAE(
        16,
        hidden_layer_sizes=(32,),
        activation="relu",
        pca_shortcut=False,
        early_stopping=False,
        batch_size=128,
        max_iter=N_EPOCHS,
        random_state=0,
    ).fit(X)


def keras_fit():
    import keras

    def fit(X):
        model = keras.Sequential(
            [
                keras.Input((64,)),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(16),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(64),
            ]
        )
        model.compile(keras.optimizers.Adam(3e-3), "mse")
        model.fit(X, X, batch_size=128, epochs=N_EPOCHS, verbose=0)

    return fit


def mlp_regressor():
    from sklearn.neural_network import MLPRegressor

    return lambda X: MLPRegressor(
        hidden_layer_sizes=(32, 16, 32),
        batch_size=128,
        learning_rate_init=3e-3,
        max_iter=N_EPOCHS,
        n_iter_no_change=N_EPOCHS,
        tol=0,
        random_state=0,
    ).fit(X, X)


FITS = {
    "skae DenseAE": skae_dense,
    "keras.Model.fit": keras_fit,
    "sklearn MLPRegressor": mlp_regressor,
}


def time_fits(contender):
    fit, X = FITS[contender](), digits()

    def seconds():
        start = time.perf_counter()
        fit(X)
        return time.perf_counter() - start

    return {
        "first": seconds(),
        "later": median(seconds() for _ in range(N_LATER_FITS)),
    }


def grow():
    """Return the growth of the process over refits of one architecture, in MB."""
    import psutil

    fit, X = skae_dense(), digits()
    process = psutil.Process()

    def resident_after(n_fits):
        for _ in range(n_fits):
            fit(X)
        return process.memory_info().rss / 2**20

    settled = resident_after(20)
    return {"growth": resident_after(N_REFITS) - settled}


def main():
    times = medians("benchmarks.speed", list(FITS), N_ROUNDS)
    ours = times["skae DenseAE"]
    print(
        f"\n### 50 epochs of digits, 64-32-16-32-64 (median of {N_ROUNDS} processes)\n"
    )
    print("| | first fit, s | later fits, s | first, times skae | later, times skae |")
    print("|---|---|---|---|---|")
    for name, measured in times.items():
        ratios = [measured[key] / ours[key] for key in ("first", "later")]
        print(
            f"| {name} | {measured['first']:.2f} | {measured['later']:.3f} "
            f"| {ratios[0]:.1f} | {ratios[1]:.1f} |"
        )
    growth = medians("benchmarks.speed", ["growth"], 1)["growth"]["growth"]
    print(f"\nMemory after {N_REFITS} more fits of one architecture: {growth:+.1f} MB.")


if __name__ == "__main__":
    name = sys.argv[1]
    print(json.dumps(grow() if name == "growth" else time_fits(name)))
