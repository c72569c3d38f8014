"""Encoding rows: one, a thousand, all; beside PCA and the same network elsewhere."""

import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from benchmarks import limit
from benchmarks.child import installed
from benchmarks.harness import ratio, rounds, run, seconds, value
from benchmarks.report import Figure
from benchmarks.workloads import WORKLOADS, rows_of

TITLE = "transform"


class Case(NamedTuple):
    """A fitted encoder and rows; `parameters` are those of the estimator."""

    workload: str
    parameters: dict
    dtype: str = "float32"
    estimator: str = "DenseAE"


CASES = {
    "digits, 8 codes": Case("digits", {"n_components": 8}),
    "digits, 8 codes, float64": Case("digits", {"n_components": 8}, "float64"),
    "fashion, 16 codes": Case("fashion_10k", {"n_components": 16}),
    "fashion, 784-512-256-60": Case(
        "fashion_10k",
        {
            "n_components": 60,
            "hidden_layer_sizes": (512, 256),
            "activation": "relu",
            "pca_shortcut": False,
        },
    ),
    "fashion, ConvAE, 32 codes": Case(
        "fashion_10k", {"n_components": 32}, estimator="ConvAE"
    ),
}
LARGE = "fashion, 784-512-256-60"


def rows_for(case):
    return rows_of(WORKLOADS[case.workload]).astype(case.dtype)


def prepare(folder):
    """Fit the encoders and PCA, and save them as each library does."""
    import pickle

    from sklearn.decomposition import PCA

    import skae

    folder = Path(folder)
    for i, case in enumerate(CASES.values()):
        X = rows_for(case)[:2000]
        model = getattr(skae, case.estimator)(
            **case.parameters, early_stopping=False, max_iter=2, random_state=0
        ).fit(X)
        pca = PCA(case.parameters["n_components"]).fit(X)
        (folder / f"skae_{i}").write_bytes(pickle.dumps(model))
        (folder / f"pca_{i}").write_bytes(pickle.dumps(pca))
        model.to_keras("encoder").save(folder / f"{i}.keras")
    return {}


# --- Each contender loads an encoder and returns a function of rows ---


def unpickled(kind):
    def load(folder, i):
        import pickle

        return pickle.loads((folder / f"{kind}_{i}").read_bytes()).transform

    return load


def keras_model(folder, i):
    return installed("keras").saving.load_model(folder / f"{i}.keras")


def keras_predict(folder, i):
    model = keras_model(folder, i)
    return lambda X: model.predict(X, verbose=0, batch_size=1024)


def keras_on_batch(folder, i):
    return keras_model(folder, i).predict_on_batch


def keras_compiled(folder, i):
    """Compile the model's call, as one who knows TensorFlow would."""
    tf = installed("tensorflow")
    model = keras_model(folder, i)
    call = tf.function(
        lambda rows: model(rows, training=False),
        input_signature=[tf.TensorSpec((None, model.input_shape[1]))],
    )
    return lambda X: call(X).numpy()


def torch_module(folder, i):
    """Rebuild the layers in PyTorch, the linear path included if there is one."""
    torch = installed("torch")
    functional = torch.nn.functional
    layers = {
        layer.name: [torch.from_numpy(array.copy()) for array in layer.get_weights()]
        for layer in keras_model(folder, i).layers
        if layer.get_weights()
    }
    path = layers.pop("encoder_shortcut", [None])[0]
    *hidden, last = [(kernel.T.contiguous(), bias) for kernel, bias in layers.values()]
    activation = functional.relu if path is None else functional.gelu

    @torch.inference_mode()
    def encode(X):
        X = h = torch.from_numpy(X)
        for kernel, bias in hidden:
            h = activation(functional.linear(h, kernel, bias))
        h = functional.linear(h, *last)
        return (h if path is None else h + X @ path).numpy()

    return encode


CONTENDERS = {
    "skae": unpickled("skae"),
    "sklearn PCA": unpickled("pca"),
    "keras predict": keras_predict,
    "keras predict_on_batch": keras_on_batch,
    "keras, compiled call": keras_compiled,
    "torch, inference mode": torch_module,
}
ANY_DTYPE = ("skae", "sklearn PCA")


def can(contender, case):
    if case.estimator == "ConvAE" and contender.startswith("torch"):
        return False
    return case.dtype == "float32" or contender in ANY_DTYPE


def measure(contender, folder, quick):
    """Return the seconds of calls with one row, 1,000 rows and all rows."""
    if contender in limit.CONTENDERS:
        return limit.measure(contender, WORKLOADS["fashion_10k"], quick)
    times = {}
    for i, (name, case) in enumerate(CASES.items()):
        if not can(contender, case):
            continue
        encode, X = CONTENDERS[contender](Path(folder), i), rows_for(case)
        for n_rows in (1, 1000, len(X)):
            size = "all" if n_rows == len(X) else str(n_rows)
            rows = X[:n_rows]
            times[f"{name}/{size}"] = call_seconds(encode, rows, 0.05 if quick else 1.0)
    return times


def call_seconds(function, rows, at_least):
    for _ in range(3):
        function(rows)
    start, times = perf_counter(), []
    while len(times) < 5 or perf_counter() < start + at_least:
        times.append(seconds(function, rows))
    return median(times)


def main(report):
    n_rounds = report.n_rounds()
    contenders = tuple(CONTENDERS)[:2] if report.quick else CONTENDERS
    with tempfile.TemporaryDirectory() as folder:
        failure = run(prepare, folder=folder).get("error")
        if failure:
            report.say(failure)
            return
        measured = rounds(
            measure,
            (*limit.CONTENDERS, *contenders),
            n_rounds,
            folder=folder,
            quick=report.quick,
        )
    report.keep("calls", measured)
    for name, case in CASES.items():
        show(report, name, case, measured, n_rounds)
    figures = [
        Figure(f"one row ({name}), of PCA's time", ratio(*pair), 1.0)
        for name, case in CASES.items()
        if case.estimator == "DenseAE"
        for pair in [[value(measured, who, f"{name}/1") for who in ANY_DTYPE]]
    ]
    n_flops = 2 * sum(n * m for n, m in limit_layers()) * 10_000
    rate = n_flops / value(measured, "skae", f"{LARGE}/all") / 1e9
    share = 100 * rate / limit.best_rate(measured)
    text = "10,000 x 784 through 512-256-60, % of the matrix-product rate"
    report.figures([*figures, Figure(text, share, 50, at_least=True)])


def limit_layers():
    layers = WORKLOADS["fashion_10k"].layers
    return layers[: len(layers) // 2]


def show(report, name, case, measured, n_rounds):
    def rows():
        for contender, kept in measured.items():
            if contender in limit.CONTENDERS or not can(contender, case):
                continue
            if "error" in kept:
                yield contender, kept["error"], None, None
                continue
            one, thousand, all_rows = (
                kept["median"][f"{name}/{size}"] for size in ("1", "1000", "all")
            )
            yield contender, 1e6 * one, 1e3 * thousand, 1e3 * all_rows

    report.table(
        f"{name} ({case.dtype})",
        ["", "one row, µs", "1,000 rows, ms", "all rows, ms"],
        rows(),
        f"Median of {n_rounds} processes each, in turns, and of many calls in each.",
    )
