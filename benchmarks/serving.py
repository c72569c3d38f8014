"""Time of a one-row ``transform``, and of imports, beside PCA's.

The module itself imports nothing that the imports to be timed would find done.
"""

import json
import sys
import time
from statistics import median

from benchmarks.harness import medians

N_ROUNDS = 7
N_CALLS = 3000


def import_time(module):
    start = time.perf_counter()
    __import__(module)
    return {"seconds": time.perf_counter() - start}


def call_times(models, row):
    """Return each model's median time of a call in microseconds, calls interleaved."""
    times = [[] for _ in models]
    for _ in range(N_CALLS):
        for model, seconds in zip(models, times, strict=True):
            start = time.perf_counter()
            model.transform(row)
            seconds.append(time.perf_counter() - start)
    return [1e6 * median(seconds) for seconds in times]


def print_transform(n_features, n_components, dtype):
    import numpy as np
    from sklearn.decomposition import PCA

    from skae import DenseAE

    X = np.random.default_rng(0).normal(size=(1000, n_features)).astype(dtype)
    network = DenseAE(
        n_components, early_stopping=False, max_iter=1, random_state=0
    ).fit(X)
    pca = PCA(n_components).fit(X)
    ours, reference = call_times([network, pca], X[:1])
    print(
        f"| {n_features} to {n_components}, {dtype} | {ours:.0f} "
        f"| {reference:.0f} | {ours / reference:.2f} |",
        flush=True,
    )


def main():
    modules = ["skae", "sklearn.decomposition"]
    seconds = {
        module: result["seconds"]
        for module, result in medians("benchmarks.serving", modules, N_ROUNDS).items()
    }
    print(f"\n### Import (median of {N_ROUNDS} processes each)\n")
    print("| module | seconds |\n|---|---|")
    for module, value in seconds.items():
        print(f"| {module} | {value:.2f} |")
    print(f"\nRatio {seconds['skae'] / seconds['sklearn.decomposition']:.2f}.")

    print(f"\n### One-row transform (median of {N_CALLS} calls, default network)\n")
    print("| features to codes, dtype | skae DenseAE, µs | PCA, µs | ratio |")
    print("|---|---|---|---|")
    for n_features, n_components in ((64, 8), (784, 16)):
        for dtype in ("float64", "float32"):
            print_transform(n_features, n_components, dtype)


if __name__ == "__main__":
    print(json.dumps(import_time(sys.argv[1])))
