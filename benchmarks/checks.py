"""scikit-learn's estimator checks: how many pass, and how long they take.

The checks of each estimator run in a separate process.
"""

import os
import time

from benchmarks.harness import run_in_process

TITLE = "scikit-learn's checks"


def measure(name):
    """Run all checks of an estimator; the time includes the imports."""
    # SciPy reads this variable when it is imported; it enables one more check.
    os.environ["SCIPY_ARRAY_API"] = "1"
    start = time.perf_counter()
    from sklearn.utils.estimator_checks import check_estimator

    import skae

    results = check_estimator(getattr(skae, name)(), on_fail=None, on_skip=None)
    return {
        "n": len(results),
        "passed": sum(result["status"] == "passed" for result in results),
        "seconds": time.perf_counter() - start,
    }


def table_rows(names):
    for name in names:
        result = run_in_process(measure, name=name)
        yield (
            f"check_estimator({name}())",
            f"{result['passed']} of {result['n']}",
            f"{result['seconds']:.1f}",
        )


def main(report):
    import skae

    names = [
        name for name in skae.__all__ if hasattr(getattr(skae, name), "reconstruct")
    ]
    report.table(
        "Checks passed; the time includes the imports",
        ["", "passed", "time (s)"],
        table_rows(names[:1] if report.quick else names),
    )
