"""What it takes to serve: a new process, the saved model, the first answer."""

import tempfile
import time
from pathlib import Path

from benchmarks.harness import in_turns, python, ratio, run, value
from benchmarks.report import Figure

TITLE = "serving from a new process"

# --- Imports ---

MODULES = ("skae", "sklearn.decomposition", "keras", "torch")
IMPORT = """
import json
import time
start = time.perf_counter()
try:
    import {module}
    print(json.dumps(dict(seconds=time.perf_counter() - start)))
except ModuleNotFoundError as missing:
    print(json.dumps(dict(error="not installed (%s)" % missing.name)))
"""


def import_time(module):
    return python("-c", IMPORT.format(module=module))


# --- From the start of the process to the first answer ---

N_COMPONENTS = 16

PICKLED = """
import pickle
with open({path!r}, "rb") as file:
    model, row = pickle.load(file)
answer = model.predict(row)
"""

# The way of Keras's own documentation, with the other steps of the pipeline pickled.
KERAS = """
import pickle
import keras
encoder = keras.saving.load_model({path!r} + ".keras")
with open({path!r}, "rb") as file:
    scaler, classifier, row = pickle.load(file)
answer = classifier.predict(encoder.predict(scaler.transform(row), verbose=0))
"""

END = """
import json, resource, time
now = time.time()
try:
    with open("/proc/self/status") as status:
        (line,) = [line for line in status if line.startswith("VmHWM")]
    peak = int(line.split()[1]) / 1024
except FileNotFoundError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps(dict(now=now, peak=peak)))
"""

PIPELINES = {
    "pipeline with PCA": ("pca", PICKLED),
    "pipeline with skae DenseAE": ("skae", PICKLED),
    "Keras model, loaded": ("keras", KERAS),
}


def prepare(folder):
    """Fit and save a pipeline of each kind."""
    import pickle

    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skae import DenseAE

    X, y = load_digits(return_X_y=True)
    folder, pipelines = Path(folder), {}
    network = DenseAE(N_COMPONENTS, early_stopping=False, max_iter=10, random_state=0)
    for name, reducer in {"pca": PCA(N_COMPONENTS), "skae": network}.items():
        pipelines[name] = make_pipeline(
            StandardScaler(), reducer, LogisticRegression(max_iter=1000)
        ).fit(X, y)
        (folder / name).write_bytes(pickle.dumps((pipelines[name], X[:1])))
    scaler, encoder, classifier = (step for _, step in pipelines["skae"].steps)
    encoder.to_keras("encoder").save(folder / "keras.keras")
    (folder / "keras").write_bytes(pickle.dumps((scaler, classifier, X[:1])))
    return {}


def first_answer(name, folder):
    """Return the time from the start of a process to its answer, and its memory."""
    kind, script = PIPELINES[name]
    start = time.time()
    result = python("-c", script.format(path=str(Path(folder) / kind)) + END)
    if "error" in result:
        return result
    return {"seconds": result["now"] - start, "peak": result["peak"]}


def main(report):
    n_rounds = report.n_rounds(15, quick=2)
    modules = in_turns(import_time, MODULES, n_rounds)
    report.keep("import", modules)
    report.table(
        "Imports",
        ["module", "seconds"],
        [
            (name, kept["error"] if "error" in kept else kept["median"]["seconds"])
            for name, kept in modules.items()
        ],
        f"Median of {n_rounds} processes each, in turns.",
    )
    with tempfile.TemporaryDirectory() as folder:
        failure = run(prepare, folder=folder).get("error")
        if failure:
            report.say(failure)
            return
        served = in_turns(lambda name: first_answer(name, folder), PIPELINES, n_rounds)
    report.keep("first_answer", served)
    pca, ours, _ = PIPELINES
    report.table(
        "From the start of a process to the first answer, model loaded from disk",
        ["", "seconds", "peak MB", "seconds, of PCA's", "MB, of PCA's"],
        [
            (name, kept["error"], *[None] * 3)
            if "error" in kept
            else (
                name,
                kept["median"]["seconds"],
                kept["median"]["peak"],
                ratio(kept["median"]["seconds"], value(served, pca, "seconds")),
                ratio(kept["median"]["peak"], value(served, pca, "peak")),
            )
            for name, kept in served.items()
        ],
        f"Median of {n_rounds} processes each, in turns. StandardScaler, {N_COMPONENTS}"
        " codes, LogisticRegression.",
    )
    report.figures(
        [
            Figure(
                f"unpickle and serve, {text} of the PCA pipeline's",
                ratio(value(served, ours, key), value(served, pca, key)),
                1.2,
            )
            for key, text in (("seconds", "seconds"), ("peak", "MB"))
        ]
    )
