"""Contenders in processes of their own, in turns; memory as the system counts it."""

import json
import os
import subprocess
import sys
import time
from statistics import median

MEGABYTE = 2**20


def run(function, **arguments):
    """Call a function in a new process; return its dict, or one with an "error".

    The function and its arguments must be ones that can be named in a command.
    """
    target = f"{function.__module__}:{function.__name__}"
    return python("-m", "benchmarks.child", target, json.dumps(arguments))


def python(*arguments):
    """Run Python; return what it printed last, from JSON, or a dict with an "error"."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        capture_output=True,
        text=True,
        check=False,
        # Packages as installed have their bytecode beside them.
        env={
            key: value
            for key, value in os.environ.items()
            if key != "PYTHONDONTWRITEBYTECODE"
        },
    )
    if result.returncode == 0:
        return json.loads(result.stdout.splitlines()[-1])
    print(f"{arguments} failed:\n{result.stderr}", file=sys.stderr)
    said = [line for line in result.stderr.splitlines() if line.strip()]
    return {"error": f"failed: {said[-1][:200]}" if said else "failed"}


def rounds(function, contenders, n_rounds, **arguments):
    """Run the contenders in turns, each in a process of its own; see `in_turns`."""
    return in_turns(
        lambda name: run(function, contender=name, **arguments), contenders, n_rounds
    )


def in_turns(measure, contenders, n_rounds):
    """Measure the contenders in turns, so that drift hits all alike.

    Returns
    -------
    measured : dict of str to dict
        Of each contender: either "error", or the list of all "rounds", and their
        "median" with a value for each number.
    """
    measured = {name: {"rounds": []} for name in contenders}
    for _ in range(n_rounds):
        for name, kept in measured.items():
            if "error" in kept:
                continue
            result = measure(name)
            if "error" in result:
                measured[name] = result
            else:
                kept["rounds"].append(result)
    for kept in measured.values():
        if "error" not in kept:
            kept["median"] = medians(kept["rounds"])
    return measured


def medians(results):
    """Return the median of every number in the results of the rounds."""
    return {
        key: median(result[key] for result in results)
        for key, value in results[0].items()
        if isinstance(value, (int, float))
    }


def value(measured, contender, key):
    """Return a contender's median, or None where it could not be measured."""
    kept = measured.get(contender, {"error": "not measured"})
    return None if "error" in kept else kept["median"][key]


def ratio(numerator, denominator):
    if numerator is None or denominator is None:
        return None
    return numerator / denominator


def seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def processors():
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def resident():
    """Return the memory of this process in MB."""
    import psutil

    return psutil.Process().memory_info().rss / MEGABYTE


def peak():
    """Return the most memory that this process has ever had, in MB.

    `getrusage` alone will not do on Linux: a new process starts with its parent's peak.
    """
    try:
        with open("/proc/self/status") as status:
            (line,) = [line for line in status if line.startswith("VmHWM")]
    except FileNotFoundError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (MEGABYTE if sys.platform == "darwin" else 1024)
    return int(line.split()[1]) / 1024
