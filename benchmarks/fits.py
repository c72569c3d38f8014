"""The time of the first fit in a process, which compiles, and of later fits."""

from statistics import median

from benchmarks.contenders import ALL, DECOMPOSITIONS
from benchmarks.harness import (
    describe_rounds,
    median_of,
    ratio,
    result_rows,
    run_rounds,
    time_call,
)
from benchmarks.report import Target
from benchmarks.workloads import WORKLOADS, load_rows

TITLE = "time of a complete fit"
N_EPOCHS = 50
N_LATER_FITS = 5


def measure(contender, workload, n_epochs):
    workload = WORKLOADS[workload]
    fit, X = ALL[contender](workload), load_rows(workload)
    return {
        "first": time_call(fit, X, n_epochs),
        "later": median(time_call(fit, X, n_epochs) for _ in range(N_LATER_FITS)),
    }


def main(report):
    n_epochs, n_rounds = 10 if report.quick else N_EPOCHS, report.n_rounds()
    contenders = report.select_contenders(ALL)
    results = run_rounds(
        measure, contenders, n_rounds, workload="digits", n_epochs=n_epochs
    )
    report.record("digits", results)
    show(report, results, n_epochs, n_rounds)


def show(report, results, n_epochs, n_rounds):
    skae_first, skae_later = (
        median_of(results, "skae DenseAE", key) for key in ("first", "later")
    )

    def cells(name, medians):
        first, later = medians["first"], medians["later"]
        return first, later, ratio(first, skae_first), ratio(later, skae_later)

    report.table(
        f"{n_epochs} epochs on the digits, {WORKLOADS['digits'].network}",
        [
            "",
            "first fit (s)",
            "later fits (s)",
            "first fit, ratio to skae",
            "later fits, ratio to skae",
        ],
        result_rows(results, cells),
        f"{describe_rounds(n_rounds)} Imports are not timed. Each process takes the "
        f"median of {N_LATER_FITS} later fits. {', '.join(DECOMPOSITIONS)} have no "
        "epochs. pyod applies relu to its code layer, and its fit also scores the "
        "rows.",
    )
    report.targets(targets(results))


def targets(results):
    skae_first, skae_later = (
        median_of(results, "skae DenseAE", key) for key in ("first", "later")
    )
    later_keras = median_of(results, "keras.Model.fit", "later")
    later_mlp = median_of(results, "sklearn MLPRegressor", "later")
    first_keras = median_of(results, "keras.Model.fit", "first")
    return [
        Target(
            "later fits: speed-up over keras.Model.fit",
            ratio(later_keras, skae_later),
            18,
            at_least=True,
        ),
        Target(
            "later fits: time relative to MLPRegressor",
            ratio(skae_later, later_mlp),
            0.7,
        ),
        Target(
            "first fit: time relative to keras.Model.fit",
            ratio(skae_first, first_keras),
            0.25,
        ),
    ]
