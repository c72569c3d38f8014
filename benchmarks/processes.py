"""Run each contender in a process of its own."""

import json
import os
import subprocess
import sys
from statistics import median


def run(module, *contender):
    """Run ``python -m module contender``; return what it printed last, from JSON."""
    # Packages as installed have their bytecode beside them.
    environment = {
        key: value
        for key, value in os.environ.items()
        if key != "PYTHONDONTWRITEBYTECODE"
    }
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *contender],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if result.returncode:
        raise RuntimeError(f"{contender} failed:\n{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def medians(module, contenders, n_rounds):
    """Run the contenders in turn, so that drift hits all alike; return the medians."""
    rounds = [
        {contender: run(module, contender) for contender in contenders}
        for _ in range(n_rounds)
    ]
    return {
        contender: {
            key: median(results[contender][key] for results in rounds)
            for key in rounds[0][contender]
        }
        for contender in contenders
    }
