"""What a figure depends on besides the code: processors, threads, versions."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.harness import processors, run

PACKAGES = (
    "skae",
    "numpy",
    "scipy",
    "scikit-learn",
    "tensorflow",
    "keras",
    "torch",
    "pyod",
    "encdr",
)


def describe():
    """Return the machine, the threads of each library and the versions."""
    return {
        "processor": _processor(),
        "processors": len(processors()),
        "python": platform.python_version(),
        "threads": run(threads)["threads"],
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def threads():
    """Return the thread settings, as the libraries find them in this environment."""
    import numpy  # noqa: F401 (loads its BLAS)
    import tensorflow as tf
    from threadpoolctl import threadpool_info

    blas = [
        library
        for library in threadpool_info()
        if library["user_api"] == "blas"
        # SciPy's wheels have one of their own.
        and ("numpy" in library["filepath"] or "scipy" not in library["filepath"])
    ]
    settings = [
        f"NumPy {library['internal_api']} {library['version']} "
        f"{library.get('architecture', '')} {library['num_threads']}"
        for library in blas
    ]
    config = tf.config.threading
    settings.append(
        f"TensorFlow intra-op {config.get_intra_op_parallelism_threads()}, inter-op "
        f"{config.get_inter_op_parallelism_threads()} (0: one for each processor)"
    )
    try:
        import torch
    except ModuleNotFoundError:
        pass
    else:
        settings.append(f"torch {torch.get_num_threads()}")
    variables = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith(("OPENBLAS_", "OMP_", "MKL_", "TF_NUM_", "XLA_FLAGS"))
    ]
    return {"threads": "; ".join([*settings, *variables])}


def one_line(machine):
    """Return the description that is printed with each table."""
    versions = ", ".join(
        f"{name} {number}" for name, number in machine["versions"].items() if number
    )
    return (
        f"{machine['processors']} processors ({machine['processor']}). Threads: "
        f"{machine['threads']}. Python {machine['python']}, {versions}; commit "
        f"{machine['commit']}."
    )


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        if name == "skae":
            import skae

            return skae.__version__
        return None


def _commit():
    """Return the commit that is measured, marked if files differ from it."""
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


def _processor():
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":")[1] for line in lines if "model name" in line]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
