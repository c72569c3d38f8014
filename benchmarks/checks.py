"""Time of scikit-learn's own checks, in a process of their own."""

import json
import os
import time

from benchmarks.processes import run


def main():
    result = run("benchmarks.checks", "check_estimator")
    print(
        f"\n`check_estimator(DenseAE())`: {result['passed']} of {result['n']} checks "
        f"passed in {result['seconds']:.1f} s, imports included."
    )


if __name__ == "__main__":
    # Read when SciPy is imported: one check more.
    os.environ["SCIPY_ARRAY_API"] = "1"
    start = time.perf_counter()
    from sklearn.utils.estimator_checks import check_estimator

    from skae import DenseAE

    results = check_estimator(DenseAE(), on_fail=None, on_skip=None)
    seconds = time.perf_counter() - start
    passed = sum(result["status"] == "passed" for result in results)
    print(json.dumps({"n": len(results), "passed": passed, "seconds": seconds}))
