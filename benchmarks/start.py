"""What a fit does besides its epochs, and fits of sparse rows of many features.

The first is compared with a fit of scikit-learn's PCA in the same process. The memory
of a fit of sparse rows is the peak of the process, less its memory after the imports;
it includes the rows.
"""

from time import perf_counter

import numpy as np

from benchmarks.harness import (
    median_of,
    peak_memory,
    ratio,
    resident_memory,
    run_rounds,
    time_call,
)
from benchmarks.report import Target

TITLE = "the start of a fit, and sparse rows"
DENSE_SHAPE = 40_000, 1_024
N_COMPONENTS = 16
SPARSE_SHAPE = 1_100, 8_000
N_SPARSE_COMPONENTS = 12
DENSITY = 0.01
N_TOPICS = 20
DENSE, SPARSE = "dense rows", "sparse rows"


def documents(n_rows, n_words):
    """Return sparse rows like TF-IDF: few words each, of some topics, of unit norm."""
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, n_words + 1)  # Zipf's law
    topics = np.array([rng.permutation(frequency) for _ in range(N_TOPICS)])
    n_each = max(1, int(DENSITY * n_words))
    columns, values = [], []
    for _ in range(n_rows):
        shares = rng.dirichlet(np.full(N_TOPICS, 0.1))
        chances = shares @ topics + 0.2 * frequency
        columns.append(
            rng.choice(n_words, n_each, replace=False, p=chances / chances.sum())
        )
        weights = rng.gamma(2, size=n_each)
        values.append(weights / np.linalg.norm(weights))
    ends = n_each * np.arange(n_rows + 1)
    data = np.concatenate(values), np.concatenate(columns), ends
    return csr_array(data, shape=(n_rows, n_words))


def measure(contender, shape):
    return {DENSE: measure_dense, SPARSE: measure_sparse}[contender](*shape[contender])


def measure_dense(n_rows, n_features):
    """Return the time of a fit without its training, and that of PCA."""
    from sklearn.decomposition import PCA

    from benchmarks.child import require
    from benchmarks.datasets import synthetic_rows

    loop = require("skae._train.loop")
    from skae import DenseAE

    seconds_of_training = []
    train = loop.train

    def timed(*arguments):
        start = perf_counter()
        result = train(*arguments)
        seconds_of_training.append(perf_counter() - start)
        return result

    loop.train = timed
    X = synthetic_rows(n_rows, n_features)
    # Each is measured after a call that warms up the threads.
    pca, fit = [], []
    for _ in range(2):
        seconds_of_training.clear()
        pca.append(time_call(PCA(N_COMPONENTS).fit, X))
        estimator = DenseAE(N_COMPONENTS, max_iter=2, random_state=0)
        whole = time_call(estimator.fit, X)
        fit.append(whole - sum(seconds_of_training))
    return {"seconds": fit[-1], "pca": pca[-1], "network": int(estimator.used_network_)}


def measure_sparse(n_rows, n_features):
    """Return the time and the memory of a fit, imports left out."""
    import sklearn.decomposition  # noqa: F401 (the memory of imports is left out)

    from benchmarks.child import require

    require("skae._train.loop")  # a fit imports it, and TensorFlow and Keras with it
    from skae import DenseAE

    before = resident_memory()
    X = documents(n_rows, n_features)
    estimator = DenseAE(N_SPARSE_COMPONENTS, random_state=0)
    seconds = time_call(estimator.fit, X)
    return {
        "seconds": seconds,
        "memory": peak_memory() - before,
        "network": int(estimator.used_network_),
    }


def main(report):
    shapes = {DENSE: DENSE_SHAPE, SPARSE: SPARSE_SHAPE}
    if report.quick:
        shapes = {DENSE: (4_000, 256), SPARSE: (600, 1_000)}
    results = run_rounds(measure, list(shapes), report.n_rounds(), shape=shapes)
    report.record("start", results)
    show_dense(report, shapes[DENSE], results)
    show_sparse(report, shapes[SPARSE], results)


def show_dense(report, shape, results):
    seconds, pca = (median_of(results, DENSE, key) for key in ("seconds", "pca"))
    report.table(
        f"{shape[0]:,} x {shape[1]:,} rows of single precision, {N_COMPONENTS} "
        "components",
        ["", "seconds"],
        [("DenseAE.fit without its epochs", seconds), ("PCA.fit", pca)],
    )
    report.targets(
        [Target("a fit without its epochs over PCA", ratio(seconds, pca), 2)]
    )


def show_sparse(report, shape, results):
    seconds, memory = (median_of(results, SPARSE, key) for key in ("seconds", "memory"))
    report.table(
        f"{shape[0]:,} x {shape[1]:,} sparse rows, {N_SPARSE_COMPONENTS} components",
        ["", "seconds", "memory (MB)"],
        [("DenseAE.fit", seconds, memory)],
    )
    report.targets(
        [
            Target("a fit of sparse rows (s)", seconds, 40),
            Target("memory of a fit of sparse rows (MB)", memory, 300),
        ]
    )
