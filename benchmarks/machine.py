"""What a measurement depends on besides the code: processors, threads and versions."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.harness import available_processors, run_in_process

PACKAGES = (
    "skae",
    "numpy",
    "scipy",
    "scikit-learn",
    "tensorflow",
    "keras",
    "torch",
    "pyod",
    "umap-learn",
    "encdr",
)
THREAD_VARIABLES = ("OPENBLAS_", "OMP_", "MKL_", "TF_NUM_", "XLA_FLAGS")


def describe():
    """Return the machine, the threads of each library, and the versions."""
    return {
        "processor": _processor_name(),
        "processors": len(available_processors()),
        "python": platform.python_version(),
        "threads": run_in_process(threads)["threads"],
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def one_line(machine):
    """Return the description that is printed below each table."""
    versions = ", ".join(
        f"{name} {number}" for name, number in machine["versions"].items() if number
    )
    return (
        f"{machine['processors']} processors ({machine['processor']}). Threads: "
        f"{machine['threads']}. Python {machine['python']}, {versions}; commit "
        f"{machine['commit']}."
    )


# --- Threads ---


def threads():
    """Return the numbers of threads that the libraries use in this environment."""
    # Thread pools are listed once their libraries are loaded.
    import numpy  # noqa: F401
    import tensorflow  # noqa: F401

    settings = [*_blas_threads(), *_framework_threads()]
    variables = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith(THREAD_VARIABLES)
    ]
    return {"threads": "; ".join([*settings, *variables])}


def _blas_threads():
    from threadpoolctl import threadpool_info

    return [
        f"NumPy {library['internal_api']} {library['version']} "
        f"{library.get('architecture', '')} {library['num_threads']}"
        for library in threadpool_info()
        if library["user_api"] == "blas"
        # SciPy's wheels bundle another BLAS.
        and ("numpy" in library["filepath"] or "scipy" not in library["filepath"])
    ]


def _framework_threads():
    import tensorflow as tf

    config = tf.config.threading
    settings = [
        f"TensorFlow intra-op {config.get_intra_op_parallelism_threads()}, inter-op "
        f"{config.get_inter_op_parallelism_threads()} (0: one per processor)"
    ]
    try:
        import torch
    except ModuleNotFoundError:
        return settings
    return [*settings, f"torch {torch.get_num_threads()}"]


# --- Versions and processor ---


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        if name == "skae":
            import skae

            return skae.__version__
        return None


def _commit():
    """Return the measured commit, marked as dirty if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        result = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def _processor_name():
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":")[1] for line in lines if "model name" in line]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
