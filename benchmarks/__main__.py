"""Measure skae beside its peers and print the tables of the documentation.

``full`` is what the documentation shows, ``quick`` tells in minutes that it all runs.
"""

import argparse
import json
from pathlib import Path

from benchmarks import (
    checks,
    dimension,
    epochs,
    family,
    fits,
    limit,
    memory,
    quality,
    quality_time,
    scaling,
    search,
    serving,
    tall,
    transform,
)
from benchmarks.datasets import ALL
from benchmarks.report import Report

SECTIONS = {
    "fits": fits,
    "epochs": epochs,
    "limit": limit,
    "quality_time": quality_time,
    "memory": memory,
    "tall": tall,
    "transform": transform,
    "serving": serving,
    "scaling": scaling,
    "search": search,
    "quality": quality,
    "family": family,
    "dimension": dimension,
    "checks": checks,
}


def positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be an int of at least 1, got {text}")
    return int(text)


def record(text):
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    try:
        if path.exists():
            json.loads(path.read_text())["sections"]
    except (ValueError, KeyError, TypeError):
        raise argparse.ArgumentTypeError(f"{path} is no record of mine") from None
    return path


def parse(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        usage="%(prog)s [quick | full] [--only NAME ...] [--data NAME ...] "
        "[--rounds N] [--json FILE]",
    )
    parser.add_argument(
        "settings", nargs="?", choices=("quick", "full"), default="quick"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=SECTIONS,
        default=list(SECTIONS),
        help="sections to run: " + ", ".join(SECTIONS),
    )
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="NAME",
        choices=ALL,
        help="datasets of quality, family and dimension: " + ", ".join(ALL),
    )
    parser.add_argument(
        "--rounds",
        type=positive,
        metavar="N",
        help="processes that each contender is measured in, where the section has a "
        "number of them, in place of the default",
    )
    parser.add_argument(
        "--json",
        type=record,
        metavar="FILE",
        help="record to write; sections that FILE has and that are not run are kept",
    )
    parsed = parser.parse_args(arguments)
    if parsed.data and parsed.json:
        parser.error("--json records whole sections, so leave out --data")
    return parsed


def main():
    arguments = parse()
    report = Report(
        arguments.settings == "quick", arguments.json, arguments.data, arguments.rounds
    )
    for name in arguments.only:
        section = SECTIONS[name]
        report.begin(name, section.TITLE)
        try:
            section.main(report)
        except FileNotFoundError as missing:
            report.leave_out(f"Left out from here: {missing}")
        report.save()


if __name__ == "__main__":
    main()
