"""The first fit of a process, with all that is compiled for it, and later ones."""

from statistics import median

from benchmarks.contenders import ALL, DECOMPOSITIONS
from benchmarks.harness import ratio, rounds, seconds, value
from benchmarks.report import Figure
from benchmarks.workloads import WORKLOADS, rows_of

TITLE = "time of a whole fit"
N_EPOCHS = 50
N_LATER_FITS = 5


def time_fits(contender, workload, n_epochs):
    workload = WORKLOADS[workload]
    fit, X = ALL[contender](workload), rows_of(workload)
    return {
        "first": seconds(fit, X, n_epochs),
        "later": median(seconds(fit, X, n_epochs) for _ in range(N_LATER_FITS)),
    }


def main(report):
    n_epochs, n_rounds = 10 if report.quick else N_EPOCHS, report.n_rounds()
    contenders = report.contenders(ALL)
    measured = rounds(
        time_fits, contenders, n_rounds, workload="digits", n_epochs=n_epochs
    )
    report.keep("digits", measured)

    def rows():
        for name, kept in measured.items():
            if "error" in kept:
                yield name, kept["error"], None, None, None
                continue
            now = [kept["median"][key] for key in ("first", "later")]
            yield name, *now, *(ratio(*pair) for pair in zip(now, ours, strict=True))

    ours = [value(measured, "skae DenseAE", key) for key in ("first", "later")]
    report.table(
        f"{n_epochs} epochs of the digits, {WORKLOADS['digits'].network}",
        ["", "first fit, s", "later fits, s", "first, of skae's", "later, of skae's"],
        rows(),
        f"Median of {n_rounds} processes each, in turns, after the imports; later fits "
        f"are the median of {N_LATER_FITS}. "
        + ", ".join(DECOMPOSITIONS)
        + " have no epochs. pyod's code layer has a relu and its fit scores the rows.",
    )
    first, later = (
        {name: value(measured, name, key) for name in measured}
        for key in ("first", "later")
    )
    keras, mlp = "keras.Model.fit", "sklearn MLPRegressor"
    report.figures(
        [
            Figure(
                "later fits, times quicker than keras.Model.fit",
                ratio(later[keras], ours[1]),
                18,
                at_least=True,
            ),
            Figure("later fits, of MLPRegressor's", ratio(ours[1], later[mlp]), 0.7),
            Figure("first fit, of Keras's", ratio(ours[0], first[keras]), 0.25),
        ]
    )
