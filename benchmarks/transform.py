"""The time of encoding one row, 1,000 rows and all rows.

The contenders are PCA and the same network in other libraries.
"""

import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from benchmarks import limit
from benchmarks.child import require
from benchmarks.harness import (
    describe_rounds,
    median_of,
    ratio,
    result_rows,
    run_in_process,
    run_rounds,
    time_call,
)
from benchmarks.report import Target
from benchmarks.workloads import WORKLOADS, load_rows

TITLE = "transform"


class Case(NamedTuple):
    """Rows to encode, and the estimator that encodes them."""

    workload: str
    parameters: dict
    dtype: str = "float32"
    estimator: str = "DenseAE"


CASES = {
    "digits, 8 components": Case("digits", {"n_components": 8}),
    "digits, 8 components, float64": Case("digits", {"n_components": 8}, "float64"),
    "fashion, 16 components": Case("fashion_10k", {"n_components": 16}),
    "fashion, 784-512-256-60": Case(
        "fashion_10k",
        {
            "n_components": 60,
            "hidden_layer_sizes": (512, 256),
            "activation": "relu",
            "pca_shortcut": False,
        },
    ),
    "fashion, ConvAE, 32 components": Case(
        "fashion_10k", {"n_components": 32}, estimator="ConvAE"
    ),
}
# Case and workload of the target on the rate of matrix products.
LARGE, LARGE_WORKLOAD = "fashion, 784-512-256-60", "fashion_10k"
SIZES = ("1", "1000", "all")


def rows_of(case):
    return load_rows(WORKLOADS[case.workload]).astype(case.dtype)


def prepare(folder):
    """Fit the encoders and PCA, and save them for each library."""
    import pickle

    from sklearn.decomposition import PCA

    import skae

    folder = Path(folder)
    for i, case in enumerate(CASES.values()):
        X = rows_of(case)[:2000]
        model = getattr(skae, case.estimator)(
            **case.parameters, early_stopping=False, max_iter=2, random_state=0
        ).fit(X)
        pca = PCA(case.parameters["n_components"]).fit(X)
        (folder / f"skae_{i}").write_bytes(pickle.dumps(model))
        (folder / f"pca_{i}").write_bytes(pickle.dumps(pca))
        model.to_keras("encoder").save(folder / f"{i}.keras")
    return {}


# --- Contenders: each loads encoder number i and returns a function of rows ---


def unpickled(kind):
    def load(folder, i):
        import pickle

        return pickle.loads((folder / f"{kind}_{i}").read_bytes()).transform

    return load


def keras_model(folder, i):
    return require("keras").saving.load_model(folder / f"{i}.keras")


def keras_predict(folder, i):
    model = keras_model(folder, i)
    return lambda X: model.predict(X, verbose=0, batch_size=1024)


def keras_on_batch(folder, i):
    return keras_model(folder, i).predict_on_batch


def keras_compiled(folder, i):
    """Compile the call of the model with `tf.function`, for any number of rows."""
    tf = require("tensorflow")
    model = keras_model(folder, i)
    call = tf.function(
        lambda rows: model(rows, training=False),
        input_signature=[tf.TensorSpec((None, model.input_shape[1]))],
    )
    return lambda X: call(X).numpy()


def torch_module(folder, i):
    """Rebuild the layers in PyTorch, with the linear path if there is one."""
    torch = require("torch")
    functional = torch.nn.functional
    layers = {
        layer.name: [torch.from_numpy(array.copy()) for array in layer.get_weights()]
        for layer in keras_model(folder, i).layers
        if layer.get_weights()
    }
    shortcut = layers.pop("encoder_shortcut", [None])[0]
    *hidden, last = [(kernel.T.contiguous(), bias) for kernel, bias in layers.values()]
    activation = functional.relu if shortcut is None else functional.gelu

    @torch.inference_mode()
    def encode(X):
        X = h = torch.from_numpy(X)
        for kernel, bias in hidden:
            h = activation(functional.linear(h, kernel, bias))
        h = functional.linear(h, *last)
        return (h if shortcut is None else h + X @ shortcut).numpy()

    return encode


CONTENDERS = {
    "skae": unpickled("skae"),
    "sklearn PCA": unpickled("pca"),
    "keras predict": keras_predict,
    "keras predict_on_batch": keras_on_batch,
    "keras, compiled call": keras_compiled,
    "torch, inference mode": torch_module,
}
FLOAT64_CONTENDERS = ("skae", "sklearn PCA")


def supports(contender, case):
    if case.estimator == "ConvAE" and contender.startswith("torch"):
        return False
    return case.dtype == "float32" or contender in FLOAT64_CONTENDERS


# --- Measurements ---


def measure(contender, folder, quick):
    """Return the time per call for one row, 1,000 rows and all rows of each case."""
    if contender in limit.CONTENDERS:
        return limit.measure(contender, WORKLOADS[LARGE_WORKLOAD], quick)
    times = {}
    for i, (name, case) in enumerate(CASES.items()):
        if not supports(contender, case):
            continue
        encode, X = CONTENDERS[contender](Path(folder), i), rows_of(case)
        for size, n_rows in zip(SIZES, (1, 1000, len(X)), strict=True):
            times[f"{name}/{size}"] = call_seconds(
                encode, X[:n_rows], 0.05 if quick else 1.0
            )
    return times


def call_seconds(function, rows, min_seconds):
    """Return the median time of a call, repeated for at least `min_seconds`."""
    for _ in range(3):
        function(rows)
    start, times = perf_counter(), []
    while len(times) < 5 or perf_counter() < start + min_seconds:
        times.append(time_call(function, rows))
    return median(times)


# --- Section ---


def main(report):
    n_rounds = report.n_rounds()
    contenders = tuple(CONTENDERS)[:2] if report.quick else CONTENDERS
    with tempfile.TemporaryDirectory() as folder:
        failure = run_in_process(prepare, folder=folder).get("error")
        if failure:
            report.note(failure)
            return
        results = run_rounds(
            measure,
            (*limit.CONTENDERS, *contenders),
            n_rounds,
            folder=folder,
            quick=report.quick,
        )
    report.record("calls", results)
    for name in CASES:
        show(report, name, results, n_rounds)
    report.targets([*one_row_targets(results), product_rate_target(results)])


def show(report, name, results, n_rounds):
    case = CASES[name]
    supported = {
        contender: result
        for contender, result in results.items()
        if contender not in limit.CONTENDERS and supports(contender, case)
    }

    def cells(contender, medians):
        one, thousand, all_rows = (medians[f"{name}/{size}"] for size in SIZES)
        return 1e6 * one, 1e3 * thousand, 1e3 * all_rows

    report.table(
        f"{name} ({case.dtype})",
        ["", "one row (µs)", "1,000 rows (ms)", "all rows (ms)"],
        result_rows(supported, cells),
        f"{describe_rounds(n_rounds)} Each process takes the median of many calls.",
    )


def one_row_targets(results):
    for name, case in CASES.items():
        if case.estimator == "DenseAE":
            skae, pca = (
                median_of(results, contender, f"{name}/1")
                for contender in ("skae", "sklearn PCA")
            )
            yield Target(
                f"one row ({name}): time relative to PCA", ratio(skae, pca), 1.0
            )


def product_rate_target(results):
    layers = WORKLOADS[LARGE_WORKLOAD].layers
    encoder = layers[: len(layers) // 2]
    n_flops = 2 * sum(n_inputs * n_outputs for n_inputs, n_outputs in encoder) * 10_000
    rate = n_flops / median_of(results, "skae", f"{LARGE}/all") / 1e9
    return Target(
        "10,000 x 784 through 512-256-60: % of the best matrix-product rate",
        100 * rate / limit.best_rate(results),
        50,
        at_least=True,
    )
