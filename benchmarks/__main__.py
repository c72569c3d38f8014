"""Print the tables of the documentation: ``python -m benchmarks NAME``."""

import argparse
import os
import platform

from benchmarks import checks, dimension, family, quality, serving, speed

BENCHMARKS = {
    "quality": quality.main,
    "family": family.main,
    "dimension": dimension.main,
    "speed": speed.main,
    "serving": serving.main,
    "checks": checks.main,
}


def print_machine() -> None:
    from importlib.metadata import version

    packages = ("numpy", "scikit-learn", "tensorflow", "keras")
    print(
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages)
        + f"; {os.cpu_count()} processors, thread settings as they are by default"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=BENCHMARKS)
    parser.add_argument(
        "--only",
        nargs="*",
        help="names of datasets (quality) or of sections (family, dimension)",
        default=None,
    )
    arguments = parser.parse_args()
    print_machine()
    if arguments.name in ("quality", "family", "dimension"):
        BENCHMARKS[arguments.name](arguments.only)
    else:
        BENCHMARKS[arguments.name]()


if __name__ == "__main__":
    main()
