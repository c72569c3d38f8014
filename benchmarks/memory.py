"""Whether memory grows and fits slow down over many fits in one process."""

from statistics import median
from time import perf_counter

from benchmarks.child import require
from benchmarks.harness import resident_memory, run_rounds
from benchmarks.report import Target

TITLE = "memory over many fits"
N_FITS = 200
N_EPOCHS = 3
_HIDDEN = (256, 128)
N_KERAS_FITS = 24
EIGHT, SIXTY = "skae DenseAE, 8 architectures", "skae DenseAE, 60 architectures"
KERAS = "keras.Model.fit, 8 architectures"
N_ARCHITECTURES = {EIGHT: 8, SIXTY: 60}

# Growth counts after these fits, when all architectures have been compiled and cached.
N_WARMUP_FITS = {EIGHT: 20, SIXTY: 60, KERAS: 8}


def skae_fit(X, n_components):
    from skae import DenseAE

    DenseAE(
        n_components, hidden_layer_sizes=_HIDDEN, max_iter=N_EPOCHS, random_state=0
    ).fit(X)


def keras_fit(X, n_components):
    """Train the same layers in Keras."""
    import keras

    widths = (*_HIDDEN, n_components, *_HIDDEN[::-1])
    layers = [
        keras.layers.Dense(width, activation=None if i == 2 else "gelu")
        for i, width in enumerate(widths)
    ]
    model = keras.Sequential(
        [keras.Input((X.shape[1],)), *layers, keras.layers.Dense(X.shape[1])]
    )
    model.compile("adam", "mse")
    model.fit(X, X, batch_size=128, epochs=N_EPOCHS, validation_split=0.1, verbose=0)


def measure(contender, n_fits):
    """Return the memory in MB after each fit, and the time of each fit."""
    require("keras" if contender == KERAS else "tensorflow")
    from sklearn.datasets import load_digits

    fit = keras_fit if contender == KERAS else skae_fit
    n_architectures = N_ARCHITECTURES.get(contender, 8)
    X = (load_digits().data / 16).astype("float32")
    memory, times = [], []
    for i in range(n_fits[contender]):
        start = perf_counter()
        fit(X, 1 + i % n_architectures)
        times.append(perf_counter() - start)
        memory.append(resident_memory())
    return {"memory": memory, "times": times}


def summarise(name, result):
    """Return the growth of memory and the slow-down after the warm-up fits."""
    memory, times = (result["rounds"][0][key] for key in ("memory", "times"))
    n_warmup = N_WARMUP_FITS[name]
    growth = memory[-1] - memory[n_warmup - 1]
    # Fits that compile are slow, so times count only if fits 21 to 40 do not compile.
    comparable = len(times) > 40 and n_warmup <= 20
    return {
        "after_warmup": memory[n_warmup - 1],
        "n_fits": len(memory),
        "growth": growth,
        "growth_per_fit": growth / (len(memory) - n_warmup),
        "slowdown": median(times[-20:]) / median(times[20:40]) if comparable else None,
    }


def main(report):
    n_fits = {**dict.fromkeys(N_ARCHITECTURES, N_FITS), KERAS: N_KERAS_FITS}
    if report.quick:
        n_fits = {EIGHT: 24, KERAS: 10}
    results = run_rounds(measure, n_fits, 1, n_fits=n_fits)
    report.record("growth", results)
    show(report, results)


def show(report, results):
    summaries = {
        name: summarise(name, result)
        for name, result in results.items()
        if "error" not in result
    }
    report.table(
        f"Fits on the digits with varying n_components, {N_EPOCHS} epochs each",
        [
            "",
            "warm-up fits",
            "memory after warm-up (MB)",
            "fits",
            "growth after warm-up (MB)",
            "growth per fit (MB)",
            "time of the last 20 fits relative to fits 21 to 40",
        ],
        table_rows(results, summaries),
        "Memory is the resident memory of the process after a fit; times are medians.",
    )
    unmeasured = {"growth": None, "slowdown": None}
    eight, sixty = (summaries.get(name, unmeasured) for name in N_ARCHITECTURES)
    report.targets(
        [
            Target("8 architectures: growth after fit 20 (MB)", eight["growth"], 15),
            Target("60 architectures: growth after fit 60 (MB)", sixty["growth"], 60),
            Target(
                "time of the last 20 fits relative to fits 21 to 40",
                eight["slowdown"],
                1.05,
            ),
        ]
    )


def table_rows(results, summaries):
    for name, result in results.items():
        if "error" in result:
            yield name, result["error"]
            continue
        summary = summaries[name]
        yield (
            name,
            N_WARMUP_FITS[name],
            f"{summary['after_warmup']:.0f}",
            summary["n_fits"],
            f"{summary['growth']:+.1f}",
            f"{summary['growth_per_fit']:+.2f}",
            summary["slowdown"],
        )
