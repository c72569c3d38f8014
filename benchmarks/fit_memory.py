"""The memory of a fit besides its rows, for every estimator.

It is the peak of the process during the fit, less its memory after the imports and less
the size of the rows, as a multiple of that size.
"""

from benchmarks.harness import (
    MEGABYTE,
    median_of,
    peak_memory,
    resident_memory,
    run_rounds,
)
from benchmarks.report import Target

TITLE = "memory of a fit"
N_ROWS = 400_000
N_FEATURES = 64
PARAMETERS = {
    "DenseAE": {},
    "ConvAE": {"filters": (4, 2)},
    "DenoisingAE": {},
    "SparseAE": {"n_components": 128},
    "VAETransformer": {},
}


def measure(contender, n_rows):
    """Fit for one epoch; runs in a separate process."""
    from benchmarks.child import require
    from benchmarks.datasets import synthetic_rows

    require("skae._train.loop")
    import skae

    parameters = {"n_components": 8, **PARAMETERS[contender]}
    estimator = getattr(skae, contender)(max_iter=1, random_state=0, **parameters)
    before = resident_memory()
    X = synthetic_rows(n_rows, N_FEATURES)
    estimator.fit(X)
    size = X.nbytes / MEGABYTE
    return {"memory": (peak_memory() - before - size) / size}


def main(report):
    n_rows = 20_000 if report.quick else N_ROWS
    names = ["DenseAE"] if report.quick else list(PARAMETERS)
    results = run_rounds(measure, names, report.n_rounds(1), n_rows=n_rows)
    report.table(
        f"{n_rows:,} rows of {N_FEATURES} features, single precision, one epoch",
        ["", "memory besides the rows (multiples of the rows)"],
        [(name, median_of(results, name, "memory")) for name in names],
    )
    report.targets(
        [
            Target(f"{name}: memory", median_of(results, name, "memory"), 1.0)
            for name in names
        ]
    )
