"""Time of scikit-learn's own checks, in a process of their own."""

import os
import time

from benchmarks.harness import run

TITLE = "scikit-learn's checks"


def measure(name):
    """Run all checks; the time has the imports in it."""
    # Read when SciPy is imported: one check more.
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


def main(report):
    import skae

    names = [name for name in skae.__all__ if hasattr(getattr(skae, name), "fit")]

    def rows():
        for name in names[:1] if report.quick else names:
            result = run(measure, name=name)
            yield (
                f"check_estimator({name}())",
                f"{result['passed']} of {result['n']}",
                f"{result['seconds']:.1f}",
            )

    report.table(
        "Checks passed, imports included in the time", ["", "passed", "seconds"], rows()
    )
