"""The time of `loadings`: what each code means, for 1,000 rows of 64 features.

The default network is fitted to the digits for two epochs, as the weights do not change
the time. Times are medians of five calls.
"""

from statistics import median

from benchmarks.datasets import ALL
from benchmarks.harness import time_call
from benchmarks.report import Target
from skae import DenseAE

TITLE = "the time of loadings"
N_COMPONENTS = (2, 8, 32)
N_ROWS = 1_000
N_CALLS = 5


def seconds(k, part):
    X = ALL["digits"]().X
    model = DenseAE(k, early_stopping=False, max_iter=2, random_state=0).fit(X)
    return median(
        time_call(lambda: model.loadings(X[:N_ROWS], part=part)) for _ in range(N_CALLS)
    )


def main(report):
    longest = []

    def rows():
        for k in N_COMPONENTS:
            times = [seconds(k, part) for part in ("encoder", "decoder")]
            longest.extend(times)
            yield k, *[f"{value:.3f}" for value in times]

    report.table(
        f"Loadings of {N_ROWS:,} rows, 64 features (s)",
        ["components", "of the encoder", "of the decoder"],
        rows(),
    )
    report.targets([Target("loadings, longest (s)", max(longest), 0.5)])
