"""Compare skae with other libraries and print the tables of the documentation.

``full`` measures what the documentation shows. ``quick`` only checks, within minutes,
that every section runs.
"""

import argparse
import json
from pathlib import Path

from benchmarks import (
    checks,
    compared,
    denoising,
    dimension,
    epochs,
    family,
    few_rows,
    fit_memory,
    fits,
    limit,
    loadings,
    memory,
    outliers,
    progress,
    promise,
    quality,
    quality_time,
    scaling,
    schedule,
    search,
    serving,
    start,
    states,
    supervised,
    tables,
    tall,
    transform,
    truncation_search,
)
from benchmarks.datasets import ALL
from benchmarks.report import Report

SECTIONS = {
    "fits": fits,
    "epochs": epochs,
    "limit": limit,
    "quality_time": quality_time,
    "memory": memory,
    "fit_memory": fit_memory,
    "tall": tall,
    "start": start,
    "transform": transform,
    "serving": serving,
    "scaling": scaling,
    "search": search,
    "truncation_search": truncation_search,
    "promise": promise,
    "quality": quality,
    "schedule": schedule,
    "few_rows": few_rows,
    "family": family,
    "denoising": denoising,
    "supervised": supervised,
    "dimension": dimension,
    "outliers": outliers,
    "tables": tables,
    "compared": compared,
    "loadings": loadings,
    "checks": checks,
    "states": states,
    "progress": progress,
}


def positive_int(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a positive integer, got {text}")
    return int(text)


def record_path(text):
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"folder {path.parent} does not exist")
    try:
        if path.exists():
            json.loads(path.read_text())["sections"]
    except (ValueError, KeyError, TypeError):
        raise argparse.ArgumentTypeError(f"{path} is not a benchmark record") from None
    return path


def create_parser():
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
        help="datasets for quality, family, dimension and supervised: "
        + ", ".join(ALL),
    )
    parser.add_argument(
        "--rounds",
        type=positive_int,
        metavar="N",
        help="number of processes per contender, in sections that use several",
    )
    parser.add_argument(
        "--json",
        type=record_path,
        metavar="FILE",
        help="record to write; sections in FILE that are not run are kept",
    )
    return parser


def parse(arguments=None):
    parser = create_parser()
    parsed = parser.parse_args(arguments)
    if parsed.data and parsed.json:
        parser.error("--json records whole sections and cannot be combined with --data")
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
            report.abandon(f"The rest of this section is skipped: {missing}")
        report.save()


if __name__ == "__main__":
    main()
