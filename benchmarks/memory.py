"""What many fits in one process leave behind, and whether they slow down."""

from statistics import median
from time import perf_counter

from benchmarks.child import installed
from benchmarks.harness import resident, rounds
from benchmarks.report import Figure

TITLE = "memory over many fits"
N_FITS = 200
N_EPOCHS = 3
N_KERAS_FITS = 24
EIGHT, SIXTY = "skae DenseAE, 8 architectures", "skae DenseAE, 60 architectures"
KERAS = "keras.Model.fit, 8 architectures"
N_ARCHITECTURES = {EIGHT: 8, SIXTY: 60}

# Fits after which all that is kept should have been made.
SETTLED = {EIGHT: 20, SIXTY: 60, KERAS: 8}


def skae_fit(X, n_components):
    from skae import DenseAE

    DenseAE(n_components, max_iter=N_EPOCHS, random_state=0).fit(X)


def keras_fit(X, n_components):
    """Fit the layers of the default network, in Keras."""
    import keras

    widths = (256, 128, n_components, 128, 256)
    layers = [
        keras.layers.Dense(width, activation=None if i == 2 else "gelu")
        for i, width in enumerate(widths)
    ]
    model = keras.Sequential(
        [keras.Input((X.shape[1],)), *layers, keras.layers.Dense(X.shape[1])]
    )
    model.compile("adam", "mse")
    model.fit(*(X, X), batch_size=128, epochs=N_EPOCHS, validation_split=0.1, verbose=0)


def measure(contender, n_fits):
    """Return memory in MB and seconds, after and of each fit."""
    installed("keras" if contender == KERAS else "tensorflow")
    from sklearn.datasets import load_digits

    fit = keras_fit if contender == KERAS else skae_fit
    n_architectures = N_ARCHITECTURES.get(contender, 8)
    X = (load_digits().data / 16).astype("float32")
    memory, times = [], []
    for i in range(n_fits[contender]):
        start = perf_counter()
        fit(X, 1 + i % n_architectures)
        times.append(perf_counter() - start)
        memory.append(resident())
    return {"memory": memory, "times": times}


def summary(name, kept):
    """Return what grew after the fits in which it settles, and what slowed down."""
    memory, times = (kept["rounds"][0][key] for key in ("memory", "times"))
    settled = SETTLED[name]
    return {
        "settled": memory[settled - 1],
        "n_fits": len(memory),
        "growth": memory[-1] - memory[settled - 1],
        "a_fit": (memory[-1] - memory[settled - 1]) / (len(memory) - settled),
        # Fits that compile are slow.
        "slower": median(times[-20:]) / median(times[20:40])
        if len(times) > 40 and settled <= 20
        else None,
    }


def main(report):
    n_fits = {**dict.fromkeys(N_ARCHITECTURES, N_FITS), KERAS: N_KERAS_FITS}
    if report.quick:
        n_fits = {EIGHT: 24, KERAS: 10}
    measured = rounds(measure, n_fits, 1, n_fits=n_fits)
    report.keep("growth", measured)
    summaries = {
        name: summary(name, kept)
        for name, kept in measured.items()
        if "error" not in kept
    }

    def rows():
        for name, kept in measured.items():
            if "error" in kept:
                yield name, kept["error"], *[None] * 5
                continue
            now = summaries[name]
            yield (
                name,
                SETTLED[name],
                f"{now['settled']:.0f}",
                now["n_fits"],
                f"{now['growth']:+.1f}",
                f"{now['a_fit']:+.2f}",
                now["slower"],
            )

    report.table(
        f"Fits of the digits with varying numbers of codes, {N_EPOCHS} epochs",
        [
            "",
            "settled after fits",
            "MB then",
            "fits",
            "growth since, MB",
            "MB a fit",
            "time of the last 20 fits, of fits 21 to 40's",
        ],
        rows(),
        "Memory is what the process has resident after a fit; times are medians.",
    )
    nothing = {"growth": None, "slower": None}
    eight, sixty = (summaries.get(name, nothing) for name in N_ARCHITECTURES)
    report.figures(
        [
            Figure("8 architectures: growth from fit 20 on, MB", eight["growth"], 15),
            Figure("60 architectures: growth from fit 60 on, MB", sixty["growth"], 60),
            Figure("time of the last 20 fits, of earlier ones'", eight["slower"], 1.05),
        ]
    )
