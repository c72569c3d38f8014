"""The time of an epoch, without what a fit does before and after, and the limit."""

from statistics import median
from typing import NamedTuple

from benchmarks import limit
from benchmarks.child import installed
from benchmarks.contenders import NETWORKS
from benchmarks.harness import ratio, rounds, seconds, value
from benchmarks.report import Figure
from benchmarks.workloads import BATCH_SIZE, LEARNING_RATE, WORKLOADS, rows_of

TITLE = "time of an epoch"


class Plan(NamedTuple):
    """Numbers of epochs of two fits; the difference is that of the epochs between."""

    short: int
    long: int
    n_repeats: int = 1


# Those of fashion_60k are enough for skae to have XLA compile in both, and far enough
# apart that a change of the machine's speed does not make the difference.
FULL = {
    "digits": Plan(10, 110, 3),
    "fashion_10k": Plan(2, 12),
    "fashion_60k": Plan(4, 12),
    "golub (wide)": Plan(10, 60, 3),
    "made (tall)": Plan(1, 2),
}
QUICK = {"fashion_2k": Plan(1, 3)}

CONTENDERS = (
    "skae DenseAE",
    "keras.Model.fit",
    "keras.Model.fit, whole epochs a call",
    "torch loop",
    "torch loop, compiled",
    "sklearn MLPRegressor",
)


def epoch_seconds(fit, plan):
    """Return the time of an epoch, all compiled before."""
    for n_epochs in (plan.short, plan.long):
        fit(n_epochs)
    times = [
        seconds(fit, plan.long) - seconds(fit, plan.short)
        for _ in range(plan.n_repeats)
    ]
    return median(times) / (plan.long - plan.short)


def measure(contender, workload, plan, quick):
    """Return the time of an epoch, or what the machine does."""
    if contender in limit.CONTENDERS:
        return limit.measure(contender, WORKLOADS[workload], quick)
    workload = WORKLOADS[workload]
    fit, X = NETWORKS[contender](workload), rows_of(workload)
    epoch = epoch_seconds(lambda n_epochs: fit(X, n_epochs), Plan(*plan))
    return {"epoch": epoch, "n_rows": len(X)}


def main(report):
    n_rounds = report.n_rounds()
    for name, plan in (QUICK if report.quick else FULL).items():
        measured = rounds(
            measure,
            (*limit.CONTENDERS, *report.contenders(CONTENDERS)),
            n_rounds,
            workload=name,
            plan=plan,
            quick=report.quick,
        )
        report.keep(name, measured)
        if "error" in measured["skae DenseAE"]:
            report.say(f"{name}: {measured['skae DenseAE']['error']}")
        else:
            show(report, name, measured, n_rounds)
    conv(report, n_rounds)


def show(report, name, measured, n_rounds):
    workload = WORKLOADS[name]
    n_rows = int(value(measured, "skae DenseAE", "n_rows"))
    least = limit.limit_of(measured, workload, n_rows)
    ours = value(measured, "skae DenseAE", "epoch")

    def rows():
        for contender, kept in measured.items():
            if contender in limit.CONTENDERS:
                continue
            if "error" in kept:
                yield contender, kept["error"], None, None
                continue
            epoch = kept["median"]["epoch"]
            yield contender, epoch, epoch / ours, epoch / least
        yield "the machine's limit", least, least / ours, 1.0

    report.table(
        f"{name}: an epoch of {n_rows} rows, {workload.network}",
        ["", "seconds", "of skae's", "of the limit"],
        rows(),
        f"Median of {n_rounds} processes each, in turns. The limit is that of "
        f"{limit.best_rate(measured):.0f} GFLOP/s in matrix products, "
        f"{value(measured, 'memory', 'optimizer'):.0f} GB/s for the optimizer and "
        f"{value(measured, 'memory', 'memory'):.0f} GB/s for the rows.",
    )
    if name.startswith("fashion"):
        others = {
            "Keras fit's": ("keras.Model.fit", 0.6),
            "PyTorch's": ("torch loop", 0.75),
            "MLPRegressor's": ("sklearn MLPRegressor", 0.4),
        }
        figures = [
            Figure(f"{name}: epoch, of {whose}", ratio(ours, epoch), asked)
            for whose, (contender, asked) in others.items()
            for epoch in [value(measured, contender, "epoch")]
        ]
        of_limit = Figure(f"{name}: epoch, of the limit", ratio(ours, least), 1.6)
        report.figures([*figures, of_limit])


# --- Convolutions ---


CONV = {"n_components": 32, "random_state": 0}
CONV_BATCH_SIZE = 64


def skae_conv(X):
    installed("tensorflow")
    from skae import ConvAE

    def fit(n_epochs):
        plain = {"pca_shortcut": False, "early_stopping": False, **CONV}
        batches = {"batch_size": CONV_BATCH_SIZE, "max_iter": n_epochs}
        return ConvAE(**plain, **batches).fit(X)

    return fit


def keras_conv(X):
    """Train the same layers by `keras.Model.fit`."""
    keras = installed("keras")
    layers = skae_conv(X[:BATCH_SIZE])(1).to_keras()

    def fit(n_epochs):
        model = keras.models.clone_model(layers)
        model.compile(keras.optimizers.Adam(LEARNING_RATE), "mse")
        model.fit(X, X, batch_size=CONV_BATCH_SIZE, epochs=n_epochs, verbose=0)

    return fit


CONV_CONTENDERS = {"skae ConvAE": skae_conv, "keras.Model.fit": keras_conv}


def measure_conv(contender, n_rows, plan):
    X = rows_of(WORKLOADS["fashion_10k"])[:n_rows]
    return {"epoch": epoch_seconds(CONV_CONTENDERS[contender](X), Plan(*plan))}


def conv(report, n_rounds):
    n_rows, plan = (1000, Plan(1, 2)) if report.quick else (10_000, Plan(1, 4))
    measured = rounds(measure_conv, CONV_CONTENDERS, n_rounds, n_rows=n_rows, plan=plan)
    report.keep("conv", measured)
    ours = value(measured, "skae ConvAE", "epoch")
    report.table(
        f"conv: an epoch of {n_rows} images, ConvAE's layers without the linear path",
        ["", "seconds", "of skae's"],
        [
            (name, kept["error"], None)
            if "error" in kept
            else (name, kept["median"]["epoch"], ratio(kept["median"]["epoch"], ours))
            for name, kept in measured.items()
        ],
        f"Median of {n_rounds} processes each, in turns; batches of {CONV_BATCH_SIZE}.",
    )
