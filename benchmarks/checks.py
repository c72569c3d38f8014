"""Time of scikit-learn's own checks, in a process of their own."""

import json
import os
import sys
import time

from benchmarks.processes import run


def main():
    import skae

    for name in skae.__all__:
        if not hasattr(getattr(skae, name), "fit"):
            continue
        result = run("benchmarks.checks", name)
        print(
            f"\n`check_estimator({name}())`: {result['passed']} of {result['n']} "
            f"checks passed in {result['seconds']:.1f} s, imports included.",
            flush=True,
        )


if __name__ == "__main__":
    # Read when SciPy is imported: one check more.
    os.environ["SCIPY_ARRAY_API"] = "1"
    start = time.perf_counter()
    from sklearn.utils.estimator_checks import check_estimator

    import skae

    estimator = getattr(skae, sys.argv[1])()
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    seconds = time.perf_counter() - start
    passed = sum(result["status"] == "passed" for result in results)
    print(json.dumps({"n": len(results), "passed": passed, "seconds": seconds}))
