"""The networks that all contenders train, and the rows that they train on.

All are plain textbook networks: relu, linear code and output, batches of 128, Adam with
a learning rate of 3e-3, mean squared error. The rows are of single precision.
"""

from itertools import pairwise
from typing import NamedTuple

BATCH_SIZE = 128
LEARNING_RATE = 3e-3


class Workload(NamedTuple):
    """Training rows, and the widths of a network from the features to the code."""

    data: str
    widths: tuple[int, ...]
    n_rows: int | None = None

    @property
    def n_features(self):
        return self.widths[0]

    @property
    def hidden(self):
        return self.widths[1:-1]

    @property
    def n_components(self):
        return self.widths[-1]

    @property
    def all_widths(self):
        return (*self.widths, *self.widths[-2::-1])

    @property
    def network(self):
        return "-".join(map(str, self.all_widths))

    @property
    def layers(self):
        """Numbers of inputs and outputs of each layer."""
        return list(pairwise(self.all_widths))


WORKLOADS = {
    "digits": Workload("digits", (64, 32, 16)),
    "fashion_60k": Workload("fashion", (784, 512, 256, 60), 60_000),
    "fashion_2k": Workload("fashion", (784, 512, 256, 60), 2_000),
    "fashion_10k": Workload("fashion", (784, 512, 256, 60), 10_000),
    "golub (wide)": Workload("golub", (3051, 256, 128, 16)),
    "synthetic (tall)": Workload("synthetic", (32, 256, 128, 8), 1_000_000),
}


def synthetic_workload(n_rows, n_features=32, n_components=8):
    """Return a workload with synthetic rows and the default hidden layers."""
    return Workload("synthetic", (n_features, 256, 128, n_components), n_rows)


def load_rows(workload):
    """Return the training rows of a workload as a float32 array."""
    import numpy as np

    from benchmarks import datasets

    if workload.data == "digits":
        X = datasets.LARGE["digits"]().X / 16
    elif workload.data == "fashion":
        X = datasets.fashion_images()[0][: workload.n_rows].astype(np.float32) / 255
    elif workload.data == "golub":
        X = datasets.SMALL["golub_leukemia"]().X
        X = (X - X.mean(axis=0)) / X.std(axis=0).clip(1e-6)
    else:
        X = datasets.synthetic_rows(workload.n_rows, workload.n_features)
    return np.ascontiguousarray(X, dtype=np.float32)
