"""How the time of an epoch grows: with rows, features, codes; with one processor."""

import math
import os

from benchmarks.contenders import NETWORKS
from benchmarks.epochs import Plan, epoch_seconds
from benchmarks.harness import in_turns, ratio, rounds, run, value
from benchmarks.harness import processors as available
from benchmarks.report import Figure
from benchmarks.workloads import WORKLOADS, made, rows_of

TITLE = "how the time of an epoch grows"
CONTENDERS = ("skae DenseAE", "keras.Model.fit", "torch loop")

ROWS = {1_000: Plan(5, 55), 10_000: Plan(2, 12), 100_000: Plan(1, 4)}
MOST_ROWS = {1_000_000: Plan(1, 2)}
FEATURES = (16, 64, 256, 1024)
CODES = (2, 8, 32, 128)
OTHER_ROWS, OTHER_PLAN = 10_000, Plan(2, 12)
EXPONENT_FROM = 10_000


def measure(contender, n_rows, n_features, n_components, plan):
    """Return the time of an epoch on made rows."""
    workload = made(n_rows, n_features, n_components)
    fit, X = NETWORKS[contender](workload), rows_of(workload)
    return {"epoch": epoch_seconds(lambda n_epochs: fit(X, n_epochs), Plan(*plan))}


def measure_named(contender, workload, plan):
    workload = WORKLOADS[workload]
    fit, X = NETWORKS[contender](workload), rows_of(workload)
    return {"epoch": epoch_seconds(lambda n_epochs: fit(X, n_epochs), Plan(*plan))}


def series(report, name, n_rounds, settings):
    """Measure the settings one after another; return the epochs by contender."""
    contenders = CONTENDERS[:1] if report.quick else CONTENDERS
    measured = {
        str(setting): rounds(measure, contenders, n_rounds, **arguments)
        for setting, arguments in settings.items()
    }
    report.keep(name, measured)
    return {
        contender: [value(kept, contender, "epoch") for kept in measured.values()]
        for contender in contenders
    }


def show_series(report, title, header, settings, epochs, n_rounds):
    report.table(
        title,
        ["", *(f"{setting} {header}" for setting in settings)],
        [(name, *values) for name, values in epochs.items()],
        f"Seconds; median of {n_rounds} processes each, in turns.",
    )


def exponent(sizes, values):
    """Return the exponent with which values grow, by least squares on logarithms."""
    points = [
        (math.log(size), math.log(value))
        for size, value in zip(sizes, values, strict=True)
        if value is not None and size >= EXPONENT_FROM
    ]
    if len(points) < 2:
        return None
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return slope / sum((x - mean_x) ** 2 for x, _ in points)


def main(report):
    n_rounds = report.n_rounds()
    plans = {1_000: Plan(2, 12), 10_000: Plan(1, 3), 20_000: Plan(1, 2)}
    plans = plans if report.quick else {**ROWS, **MOST_ROWS}
    fixed = {"n_features": 32, "n_components": 8}
    epochs = series(
        report,
        "rows",
        n_rounds,
        {n: {"n_rows": n, "plan": plan, **fixed} for n, plan in plans.items()},
    )
    network = made(1).network
    show_series(report, f"Rows, {network}", "rows", plans, epochs, n_rounds)
    slopes = {name: exponent(plans, values) for name, values in epochs.items()}
    text = f"exponent of rows, {min(n for n in plans if n >= EXPONENT_FROM):,} to"
    report.say(
        "Exponents from 10,000 rows on: "
        + ", ".join(f"{name} {slope:.3f}" for name, slope in slopes.items() if slope)
        + "."
    )
    report.figures([Figure(f"{text} {max(plans):,}", slopes["skae DenseAE"], 1.05)])
    if not report.quick:
        others(report, n_rounds)
    processors(report, n_rounds)


def others(report, n_rounds):
    fixed = {"n_rows": OTHER_ROWS, "plan": OTHER_PLAN}
    widths = {n: {"n_features": n, "n_components": 8, **fixed} for n in FEATURES}
    epochs = series(report, "features", n_rounds, widths)
    title = f"Features, {OTHER_ROWS} rows, 8 codes, hidden layers of 256 and 128"
    show_series(report, title, "features", FEATURES, epochs, n_rounds)
    codes = {k: {"n_features": 256, "n_components": k, **fixed} for k in CODES}
    epochs = series(report, "codes", n_rounds, codes)
    title = f"Codes, {OTHER_ROWS} rows of 256 features, hidden layers of 256 and 128"
    show_series(report, title, "codes", CODES, epochs, n_rounds)


def processors(report, n_rounds):
    """Compare one processor with all of them."""
    if not hasattr(os, "sched_setaffinity") or len(available()) < 2:
        report.say("One processor cannot be compared with several here.")
        return
    one = available()[:1]
    plans = {"digits": Plan(10, 110)}
    if not report.quick:
        plans["fashion_10k"] = Plan(2, 12)
    contenders = (*CONTENDERS, "sklearn MLPRegressor")
    contenders = contenders[:1] if report.quick else contenders
    keys = {
        (name, contender, few): None
        for name in plans
        for contender in contenders
        for few in (False, True)
    }

    def epoch(key):
        name, contender, few = key
        arguments = {"processors": one} if few else {}
        plan = plans[name]
        return run(
            measure_named, contender=contender, workload=name, plan=plan, **arguments
        )

    measured = in_turns(epoch, keys, n_rounds)
    report.keep("processors", {"/".join(map(str, k)): m for k, m in measured.items()})

    def rows():
        for name, contender, few in keys:
            if few:
                continue
            times = [value(measured, (name, contender, f), "epoch") for f in (True, 0)]
            yield name, contender, *times, ratio(*times)

    n = len(available())
    report.table(
        f"One processor against {n}",
        ["", "", "one, s an epoch", f"{n}, s an epoch", "times quicker"],
        rows(),
        f"Median of {n_rounds} processes each, in turns. The process is bound to the "
        "processors before anything is imported; libraries set their threads by that.",
    )
