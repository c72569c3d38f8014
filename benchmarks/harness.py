"""Run contenders in separate, alternating processes, and measure time and memory."""

import json
import os
import subprocess
import sys
import time
from statistics import median

MEGABYTE = 2**20


# --- Processes ---


def run_in_process(function, **arguments):
    """Call a function in a new process and return its result, a dict.

    The function must be importable and its arguments must be JSON values. If the call
    fails, the result has the single key "error".
    """
    target = f"{function.__module__}:{function.__name__}"
    return run_python("-m", "benchmarks.child", target, json.dumps(arguments))


def run_python(*arguments):
    """Run Python and return the JSON of its last line, or a dict with an "error"."""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        capture_output=True,
        text=True,
        check=False,
        # Installed packages come with cached bytecode; without it, the timed imports
        # would include compilation.
        env={
            key: value
            for key, value in os.environ.items()
            if key != "PYTHONDONTWRITEBYTECODE"
        },
    )
    if process.returncode == 0:
        return json.loads(process.stdout.splitlines()[-1])
    print(f"{arguments} failed:\n{process.stderr}", file=sys.stderr)
    lines = [line for line in process.stderr.splitlines() if line.strip()]
    return {"error": f"failed: {lines[-1][:200]}" if lines else "failed"}


def run_rounds(function, contenders, n_rounds, **arguments):
    """Measure each contender in `n_rounds` new processes; see `alternate`."""
    return alternate(
        lambda name: run_in_process(function, contender=name, **arguments),
        contenders,
        n_rounds,
    )


def alternate(measure, contenders, n_rounds):
    """Measure the contenders alternately, so that drift affects all of them alike.

    Returns
    -------
    results : dict of str to dict
        For each contender either the "error", or the measurements of all "rounds" and
        the "median" of every number in them.
    """
    results = {name: {"rounds": []} for name in contenders}
    for _ in range(n_rounds):
        for name, result in results.items():
            if "error" in result:
                continue
            measurement = measure(name)
            if "error" in measurement:
                results[name] = measurement
            else:
                result["rounds"].append(measurement)
    for result in results.values():
        if "error" not in result:
            result["median"] = medians(result["rounds"])
    return results


# --- Results ---


def medians(measurements):
    """Return the median of every number in the measurements."""
    return {
        key: median(measurement[key] for measurement in measurements)
        for key, value in measurements[0].items()
        if isinstance(value, (int, float))
    }


def median_of(results, contender, key):
    """Return a contender's median, or None if it was not measured."""
    result = results.get(contender, {"error": "not measured"})
    return None if "error" in result else result["median"][key]


def result_rows(results, cells):
    """Yield a table row per contender: `cells(name, medians)`, or its error."""
    for name, result in results.items():
        if "error" in result:
            yield name, result["error"]
        else:
            yield name, *cells(name, result["median"])


def describe_rounds(n_rounds):
    if n_rounds == 1:
        return "One process per contender."
    return f"Median of {n_rounds} processes per contender; the contenders alternate."


def ratio(numerator, denominator):
    if numerator is None or denominator is None:
        return None
    return numerator / denominator


# --- Time and memory ---


def time_call(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def available_processors():
    """Return the numbers of the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def resident_memory():
    """Return the resident memory of this process in MB."""
    import psutil

    return psutil.Process().memory_info().rss / MEGABYTE


def peak_memory():
    """Return the largest resident memory of this process so far, in MB.

    On Linux the peak is read from ``/proc``, because `getrusage` of a new process
    starts at the peak of its parent.
    """
    try:
        with open("/proc/self/status") as status:
            (line,) = [line for line in status if line.startswith("VmHWM")]
    except FileNotFoundError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (MEGABYTE if sys.platform == "darwin" else 1024)
    return int(line.split()[1]) / 1024
