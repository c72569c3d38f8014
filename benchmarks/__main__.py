"""Measure skae beside its peers and print the tables of the documentation.

``full`` is what the documentation shows, ``quick`` tells in minutes that it all runs.
"""

import argparse

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


def parse(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
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
        help="datasets of quality, family and dimension",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="processes that each contender is measured in, in place of the default",
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="record to write; sections that FILE has and that are not run are kept",
    )
    return parser.parse_args(arguments)


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
            report.say(f"Left out from here: {missing}")
        report.save()


if __name__ == "__main__":
    main()
