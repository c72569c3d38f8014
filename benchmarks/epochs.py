"""The time of one epoch, without compilation, and the limit of the machine."""

from statistics import median
from typing import NamedTuple

from benchmarks import limit
from benchmarks.child import require
from benchmarks.contenders import NETWORKS
from benchmarks.harness import (
    describe_rounds,
    median_of,
    ratio,
    result_rows,
    run_rounds,
    time_call,
)
from benchmarks.report import Target
from benchmarks.workloads import BATCH_SIZE, LEARNING_RATE, WORKLOADS, load_rows

TITLE = "time of an epoch"


class TimingPlan(NamedTuple):
    """Numbers of epochs of a short and a long fit.

    The difference of the two times is the time of the epochs between them.
    """

    short: int
    long: int
    n_repeats: int = 1


# Both fits of fashion_60k are long enough for skae to compile with XLA, and they differ
# by enough epochs that drift of the machine's speed does not dominate the difference.
FULL = {
    "digits": TimingPlan(10, 110, 3),
    "fashion_10k": TimingPlan(2, 12),
    "fashion_60k": TimingPlan(4, 12),
    "golub (wide)": TimingPlan(10, 60, 3),
    "synthetic (tall)": TimingPlan(1, 2),
}
QUICK = {"fashion_2k": TimingPlan(1, 3)}

CONTENDERS = (
    "skae DenseAE",
    "keras.Model.fit",
    "keras.Model.fit, one execution per epoch",
    "torch loop",
    "torch loop, compiled",
    "sklearn MLPRegressor",
)

# Contender to compare with, and the largest ratio of skae's time to its time.
MAX_RATIOS = {
    "keras.Model.fit": 0.6,
    "torch loop": 0.75,
    "sklearn MLPRegressor": 0.4,
}
MAX_RATIO_TO_LIMIT = 1.6


# --- Dense networks ---


def epoch_seconds(fit, plan):
    """Return the time of an epoch; untimed fits compile the network before."""
    for n_epochs in (plan.short, plan.long):
        fit(n_epochs)
    times = [
        time_call(fit, plan.long) - time_call(fit, plan.short)
        for _ in range(plan.n_repeats)
    ]
    return median(times) / (plan.long - plan.short)


def measure(contender, workload, plan, quick):
    """Return the time of an epoch, or the rates of the machine."""
    workload = WORKLOADS[workload]
    if contender in limit.CONTENDERS:
        return limit.measure(contender, workload, quick)
    fit, X = NETWORKS[contender](workload), load_rows(workload)
    epoch = epoch_seconds(lambda n_epochs: fit(X, n_epochs), TimingPlan(*plan))
    return {"epoch": epoch, "n_rows": len(X)}


def main(report):
    n_rounds = report.n_rounds()
    for name, plan in (QUICK if report.quick else FULL).items():
        results = run_rounds(
            measure,
            (*limit.CONTENDERS, *report.select_contenders(CONTENDERS)),
            n_rounds,
            workload=name,
            plan=plan,
            quick=report.quick,
        )
        report.record(name, results)
        if "error" in results["skae DenseAE"]:
            report.note(f"{name}: {results['skae DenseAE']['error']}")
        else:
            show(report, name, results, n_rounds)
    conv(report, n_rounds)


def show(report, name, results, n_rounds):
    workload = WORKLOADS[name]
    n_rows = int(median_of(results, "skae DenseAE", "n_rows"))
    least = limit.least_epoch_seconds(results, workload, n_rows)
    skae = median_of(results, "skae DenseAE", "epoch")
    fits = {
        contender: result
        for contender, result in results.items()
        if contender not in limit.CONTENDERS
    }

    def cells(contender, medians):
        epoch = medians["epoch"]
        return epoch, epoch / skae, epoch / least

    report.table(
        f"{name}: one epoch of {n_rows} rows, {workload.network}",
        ["", "time (s)", "ratio to skae", "ratio to the limit"],
        [*result_rows(fits, cells), ("limit of the machine", least, least / skae, 1.0)],
        f"{describe_rounds(n_rounds)} The limit assumes "
        f"{limit.best_rate(results):.0f} GFLOP/s in matrix products, "
        f"{median_of(results, 'memory', 'optimizer'):.0f} GB/s for the optimizer and "
        f"{median_of(results, 'memory', 'memory'):.0f} GB/s for the rows.",
    )
    if name.startswith("fashion"):
        report.targets(targets(name, results, least))


def targets(name, results, least):
    skae = median_of(results, "skae DenseAE", "epoch")
    relative = [
        Target(
            f"{name}: epoch time relative to {contender}",
            ratio(skae, median_of(results, contender, "epoch")),
            required,
        )
        for contender, required in MAX_RATIOS.items()
    ]
    to_limit = Target(
        f"{name}: epoch time relative to the limit",
        ratio(skae, least),
        MAX_RATIO_TO_LIMIT,
    )
    return [*relative, to_limit]


# --- Convolutions ---


CONV = {"n_components": 32, "random_state": 0}
CONV_BATCH_SIZE = 64


def skae_conv(X):
    require("tensorflow")
    from skae import ConvAE

    def fit(n_epochs):
        plain = {"pca_shortcut": False, "early_stopping": False, **CONV}
        batches = {"batch_size": CONV_BATCH_SIZE, "max_iter": n_epochs}
        return ConvAE(**plain, **batches).fit(X)

    return fit


def keras_conv(X):
    """Train the layers of ConvAE with `keras.Model.fit`."""
    keras = require("keras")
    layers = skae_conv(X[:BATCH_SIZE])(1).to_keras()

    def fit(n_epochs):
        model = keras.models.clone_model(layers)
        model.compile(keras.optimizers.Adam(LEARNING_RATE), "mse")
        model.fit(X, X, batch_size=CONV_BATCH_SIZE, epochs=n_epochs, verbose=0)

    return fit


CONV_CONTENDERS = {"skae ConvAE": skae_conv, "keras.Model.fit": keras_conv}


def measure_conv(contender, n_rows, plan):
    X = load_rows(WORKLOADS["fashion_10k"])[:n_rows]
    return {"epoch": epoch_seconds(CONV_CONTENDERS[contender](X), TimingPlan(*plan))}


def conv(report, n_rounds):
    n_rows, plan = (
        (1000, TimingPlan(1, 2)) if report.quick else (10_000, TimingPlan(1, 4))
    )
    results = run_rounds(
        measure_conv, CONV_CONTENDERS, n_rounds, n_rows=n_rows, plan=plan
    )
    report.record("conv", results)
    show_conv(report, results, n_rows, n_rounds)


def show_conv(report, results, n_rows, n_rounds):
    skae = median_of(results, "skae ConvAE", "epoch")

    def cells(name, medians):
        return medians["epoch"], ratio(medians["epoch"], skae)

    report.table(
        f"conv: one epoch of {n_rows} images, layers of ConvAE without the linear path",
        ["", "time (s)", "ratio to skae"],
        result_rows(results, cells),
        f"{describe_rounds(n_rounds)} Batches of {CONV_BATCH_SIZE}.",
    )
