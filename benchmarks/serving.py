"""The cost of serving in a new process: imports, loading a model, the first answer."""

import tempfile
import time
from pathlib import Path

from benchmarks.harness import (
    alternate,
    describe_rounds,
    median_of,
    ratio,
    result_rows,
    run_in_process,
    run_python,
)
from benchmarks.report import Target

TITLE = "serving from a new process"
MAX_RATIO = 1.2

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
    return run_python("-c", IMPORT.format(module=module))


# --- From the start of a process to its first answer ---

N_COMPONENTS = 16

PICKLED = """
import pickle
with open({path!r}, "rb") as file:
    model, row = pickle.load(file)
answer = model.predict(row)
"""

# The encoder is loaded as Keras documents it; the other steps are unpickled.
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

# Name of the saved file, and script that loads it and answers.
PCA_PIPELINE, SKAE_PIPELINE = "pipeline with PCA", "pipeline with skae DenseAE"
PIPELINES = {
    PCA_PIPELINE: ("pca", PICKLED),
    SKAE_PIPELINE: ("skae", PICKLED),
    "pipeline with Keras encoder": ("keras", KERAS),
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
    """Return the time from the start of a process to its answer, and peak memory."""
    file, script = PIPELINES[name]
    start = time.time()
    result = run_python("-c", script.format(path=str(Path(folder) / file)) + END)
    if "error" in result:
        return result
    return {"seconds": result["now"] - start, "peak": result["peak"]}


# --- Section ---


def main(report):
    n_rounds = report.n_rounds(15, quick=2)
    imports = alternate(import_time, MODULES, n_rounds)
    report.record("import", imports)
    show_imports(report, imports, n_rounds)
    with tempfile.TemporaryDirectory() as folder:
        failure = run_in_process(prepare, folder=folder).get("error")
        if failure:
            report.note(failure)
            return
        answers = alternate(
            lambda name: first_answer(name, folder), PIPELINES, n_rounds
        )
    report.record("first_answer", answers)
    show_answers(report, answers, n_rounds)


def show_imports(report, results, n_rounds):
    report.table(
        "Imports",
        ["module", "time (s)"],
        result_rows(results, lambda name, medians: (medians["seconds"],)),
        describe_rounds(n_rounds),
    )


def show_answers(report, results, n_rounds):
    pca_seconds, pca_peak = (
        median_of(results, PCA_PIPELINE, key) for key in ("seconds", "peak")
    )

    def cells(name, medians):
        seconds, peak = medians["seconds"], medians["peak"]
        return seconds, peak, ratio(seconds, pca_seconds), ratio(peak, pca_peak)

    report.table(
        "From the start of a process to the first answer, with the model on disk",
        [
            "",
            "time (s)",
            "peak memory (MB)",
            "time relative to PCA",
            "memory relative to PCA",
        ],
        result_rows(results, cells),
        f"{describe_rounds(n_rounds)} Each pipeline has a StandardScaler, "
        f"{N_COMPONENTS} components and a LogisticRegression.",
    )
    report.targets(
        [
            Target(
                f"unpickle and serve: {quantity} relative to PCA",
                ratio(median_of(results, SKAE_PIPELINE, key), pca),
                MAX_RATIO,
            )
            for key, quantity, pca in (
                ("seconds", "time", pca_seconds),
                ("peak", "memory", pca_peak),
            )
        ]
    )
