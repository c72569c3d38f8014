"""How the time of an epoch grows with rows, features, components and processors."""

import math
import os

from benchmarks.contenders import NETWORKS
from benchmarks.epochs import TimingPlan, epoch_seconds
from benchmarks.harness import (
    alternate,
    available_processors,
    describe_rounds,
    median_of,
    ratio,
    run_in_process,
    run_rounds,
)
from benchmarks.report import Target
from benchmarks.workloads import WORKLOADS, load_rows, synthetic_workload

TITLE = "how the time of an epoch grows"
CONTENDERS = ("skae DenseAE", "keras.Model.fit", "torch loop")

ROWS = {
    1_000: TimingPlan(5, 55),
    10_000: TimingPlan(2, 12),
    100_000: TimingPlan(1, 4),
    1_000_000: TimingPlan(1, 2),
}
QUICK_ROWS = {
    1_000: TimingPlan(2, 12),
    10_000: TimingPlan(1, 3),
    20_000: TimingPlan(1, 2),
}
FEATURES = (16, 64, 256, 1024)
COMPONENTS = (2, 8, 32, 128)
# Rows of the series over features and components.
N_ROWS, PLAN = 10_000, TimingPlan(2, 12)
# Below this number of rows, epochs are too short for the exponent.
EXPONENT_FROM = 10_000


# --- Measurements ---


def measure(contender, n_rows, n_features, n_components, plan):
    """Return the time of an epoch on synthetic rows."""
    return measure_epoch(
        contender, synthetic_workload(n_rows, n_features, n_components), plan
    )


def measure_named(contender, workload, plan):
    """Return the time of an epoch of a named workload."""
    return measure_epoch(contender, WORKLOADS[workload], plan)


def measure_epoch(contender, workload, plan):
    fit, X = NETWORKS[contender](workload), load_rows(workload)
    plan = TimingPlan(*plan)
    return {"epoch": epoch_seconds(lambda n_epochs: fit(X, n_epochs), plan)}


def measure_series(report, name, settings):
    """Measure every setting; return the epoch times of each contender."""
    contenders = CONTENDERS[:1] if report.quick else CONTENDERS
    results = {
        str(size): run_rounds(measure, contenders, report.n_rounds(), **arguments)
        for size, arguments in settings.items()
    }
    report.record(name, results)
    return {
        contender: [
            median_of(result, contender, "epoch") for result in results.values()
        ]
        for contender in contenders
    }


# --- Section ---


def main(report):
    scale_rows(report)
    if not report.quick:
        scale_features(report)
        scale_components(report)
    compare_processors(report)


def show_series(report, title, unit, times, sizes):
    report.table(
        title,
        ["", *(f"{size} {unit}" for size in sizes)],
        [(name, *seconds) for name, seconds in times.items()],
        f"Times in seconds. {describe_rounds(report.n_rounds())}",
    )


def scale_rows(report):
    plans = QUICK_ROWS if report.quick else ROWS
    fixed = {"n_features": 32, "n_components": 8}
    settings = {n: {"n_rows": n, "plan": plan, **fixed} for n, plan in plans.items()}
    times = measure_series(report, "rows", settings)
    network = synthetic_workload(1).network
    show_series(report, f"Rows, {network}", "rows", times, plans)
    exponents = {name: exponent(plans, seconds) for name, seconds in times.items()}
    report.note(
        f"Scaling exponents from {EXPONENT_FROM:,} rows on: "
        + ", ".join(f"{name} {value:.3f}" for name, value in exponents.items() if value)
        + "."
    )
    smallest = min(n for n in plans if n >= EXPONENT_FROM)
    name = f"scaling exponent, {smallest:,} to {max(plans):,} rows"
    report.targets([Target(name, exponents["skae DenseAE"], 1.05)])


def scale_features(report):
    fixed = {"n_rows": N_ROWS, "n_components": 8, "plan": PLAN}
    settings = {n: {"n_features": n, **fixed} for n in FEATURES}
    times = measure_series(report, "features", settings)
    title = f"Features, {N_ROWS} rows, 8 components, hidden layers of 256 and 128"
    show_series(report, title, "features", times, FEATURES)


def scale_components(report):
    fixed = {"n_rows": N_ROWS, "n_features": 256, "plan": PLAN}
    settings = {k: {"n_components": k, **fixed} for k in COMPONENTS}
    times = measure_series(report, "components", settings)
    title = f"Components, {N_ROWS} rows of 256 features, hidden layers of 256 and 128"
    show_series(report, title, "components", times, COMPONENTS)


def exponent(sizes, values):
    """Return b of the model a * size**b, by least squares on logarithms.

    Missing values and sizes below `EXPONENT_FROM` are left out.
    """
    points = [
        (math.log(size), math.log(value))
        for size, value in zip(sizes, values, strict=True)
        if value is not None and size >= EXPONENT_FROM
    ]
    if len(points) < 2:
        return None
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return covariance / sum((x - mean_x) ** 2 for x, _ in points)


# --- Processors ---


def compare_processors(report):
    """Compare one processor with all of them."""
    if not hasattr(os, "sched_setaffinity") or len(available_processors()) < 2:
        report.note("This machine cannot compare one processor with several.")
        return
    plans = {"digits": TimingPlan(10, 110)}
    contenders = CONTENDERS[:1]
    if not report.quick:
        plans["fashion_10k"] = TimingPlan(2, 12)
        contenders = (*CONTENDERS, "sklearn MLPRegressor")
    cases = [(name, contender) for name in plans for contender in contenders]
    results = measure_processors(plans, cases, report.n_rounds())
    report.record(
        "processors", {"/".join(map(str, key)): r for key, r in results.items()}
    )
    show_processors(report, cases, results)


def measure_processors(plans, cases, n_rounds):
    """Return the results by workload, contender, and whether one processor ran it."""

    def measure_case(key):
        workload, contender, single = key
        processors = {"processors": available_processors()[:1]} if single else {}
        return run_in_process(
            measure_named,
            contender=contender,
            workload=workload,
            plan=plans[workload],
            **processors,
        )

    keys = [(*case, single) for case in cases for single in (False, True)]
    return alternate(measure_case, keys, n_rounds)


def show_processors(report, cases, results):
    def table_rows():
        for case in cases:
            one, several = (
                median_of(results, (*case, single), "epoch") for single in (True, False)
            )
            yield *case, one, several, ratio(one, several)

    n = len(available_processors())
    report.table(
        f"Time of an epoch on one processor and on {n}",
        ["", "", "1 processor (s)", f"{n} processors (s)", "speed-up"],
        table_rows(),
        f"{describe_rounds(report.n_rounds())} The process is bound to its processors "
        "before any import, so that libraries choose their numbers of threads "
        "accordingly.",
    )
