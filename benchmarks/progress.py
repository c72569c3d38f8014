"""What it costs to watch a fit: its time, and the memory of many fits.

Fits without and with a watcher alternate in one process, on a terminal that is read by
a thread; a ratio is the median of those of neighbours. Callbacks need scikit-learn 1.9.
"""

import contextlib
import io
import os
import pty
import threading
from time import process_time

import numpy as np

from benchmarks.harness import (
    median_of,
    resident_memory,
    result_rows,
    run_rounds,
    time_call,
)
from benchmarks.report import Target

TITLE = "the cost of watching a fit"
DATA = {"digits": 15, "fashion_mnist": 3}
N_ROWS = 10_000
N_COMPONENTS = 16
WATCHERS = ("verbose=1, one line", "verbose=2, log", "ProgressBar")
MOST = 1.02

N_FITS = 200
N_FIRST_FITS = 20
MOST_GROWTH = 10  # MB


def rows_of(name):
    if name == "digits":
        from sklearn.datasets import load_digits

        X = load_digits().data
    else:
        from benchmarks.datasets import fashion_images

        X = fashion_images()[0][:N_ROWS] / 255
    return np.asarray(X, np.float32)


@contextlib.contextmanager
def terminal():
    """Make the output a terminal, of which a thread reads all."""
    reader, writer = pty.openpty()

    def read():
        with contextlib.suppress(OSError):
            while os.read(reader, 2**16):
                pass

    threading.Thread(target=read, daemon=True).start()
    os.environ["TERM"] = "xterm"
    with os.fdopen(writer, "w") as screen, contextlib.redirect_stdout(screen):
        yield


def watched(estimator, watcher):
    if watcher == "ProgressBar":
        from sklearn.callback import ProgressBar

        return estimator.set_callbacks(ProgressBar())
    return estimator.set_params(verbose=int(watcher[len("verbose=")]))


def measure_cost(contender, name, n_fits, max_iter):
    """Return the time of a fit, and that with a watcher relative to it."""
    from sklearn.base import clone

    from skae import DenseAE

    X = rows_of(name)
    alone = DenseAE(N_COMPONENTS, max_iter=max_iter, random_state=0).fit(X)
    times, ratios, work = [], [], []
    with terminal(), contextlib.redirect_stderr(io.StringIO()):
        for i in range(n_fits):
            pair = [clone(alone), watched(clone(alone), contender)]
            # Each comes first as often as second.
            order = pair[:: 1 if i % 2 else -1]
            seconds, processor = {}, {}
            for each in order:
                before = process_time()
                seconds[each] = time_call(each.fit, X)
                processor[each] = process_time() - before
            without, with_watcher = pair
            times.append(seconds[without])
            ratios.append(seconds[with_watcher] / seconds[without])
            work.append(processor[with_watcher] / processor[without])
    found = {"time": times, "ratio": ratios, "work": work}
    return {key: float(np.median(values)) for key, values in found.items()}


def measure_memory(contender, n_fits, n_first):
    """Return by how many MB the memory has grown after the first fits."""
    from skae import DenseAE

    X = rows_of("digits")
    with terminal(), contextlib.redirect_stderr(io.StringIO()):
        for i in range(n_fits):
            if i == n_first:
                before = resident_memory()
            estimator = DenseAE(N_COMPONENTS, max_iter=5, random_state=0)
            if contender != "none":
                watched(estimator, contender)
            estimator.fit(X)
    return {"growth": resident_memory() - before}


def main(report):
    from skae._utils.compat import CallbackSupportMixin

    watchers = list(WATCHERS)
    if not hasattr(CallbackSupportMixin, "set_callbacks"):
        watchers.remove("ProgressBar")
    names = ["digits"] if report.quick else list(DATA)
    targets = []
    for name in names:
        results = run_rounds(
            measure_cost,
            watchers,
            report.n_rounds(1),
            name=name,
            n_fits=1 if report.quick else DATA[name],
            max_iter=3 if report.quick else 100,
        )
        report.table(
            f"{name}, {N_COMPONENTS} components",
            [
                "watched by",
                "fit without (s)",
                "time with, relative",
                "processor time with, relative",
            ],
            result_rows(
                results,
                lambda _, result: (result["time"], result["ratio"], result["work"]),
            ),
        )
        targets += [
            Target(f"{name}: {each}", median_of(results, each, "ratio"), MOST)
            for each in watchers
        ]
    n_fits, n_first = (4, 2) if report.quick else (N_FITS, N_FIRST_FITS)
    contenders = ["none", *watchers]
    results = run_rounds(
        measure_memory, contenders, report.n_rounds(1), n_fits=n_fits, n_first=n_first
    )
    report.table(
        f"memory of {n_fits} fits of five epochs after the first {n_first}",
        ["watched by", "growth (MB)"],
        result_rows(results, lambda _, result: (result["growth"],)),
    )
    targets += [
        Target(f"memory: {each}", median_of(results, each, "growth"), MOST_GROWTH)
        for each in contenders
    ]
    report.targets(targets)
