"""Scores of pyod's AutoEncoder, in a process of its own.

It trains with PyTorch, which may crash in a process that has used TensorFlow.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np


def scores(X, X_test, seed):
    """Return pyod's scores of the rows of `X_test`, which are high for outliers."""
    with TemporaryDirectory() as folder:
        rows, found = Path(folder, "rows.npz"), Path(folder, "scores.npy")
        np.savez(rows, X=X, X_test=X_test)
        command = [sys.executable, "-m", "benchmarks.pyod_scores", rows, found]
        subprocess.run([*command, str(seed)], check=True, capture_output=True)
        return np.load(found)


def main(rows, found, seed):
    from pyod.models.auto_encoder import AutoEncoder

    with np.load(rows) as arrays:
        X, X_test = arrays["X"], arrays["X_test"]
    detector = AutoEncoder(random_state=int(seed), verbose=0, preprocessing=False)
    np.save(found, detector.fit(X).decision_function(X_test))


if __name__ == "__main__":
    main(*sys.argv[1:])
