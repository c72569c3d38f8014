"""Where the sections write to: Markdown on the screen, and a record for `--json`."""

import json
from datetime import UTC, datetime
from typing import NamedTuple

from benchmarks.machine import describe, one_line

# What quick settings are limited to.
QUICK_DATA = ("digits", "wine")
QUICK_CONTENDERS = (
    "skae DenseAE",
    "keras.Model.fit",
    "torch loop",
    "sklearn MLPRegressor",
    "sklearn PCA",
)


class Figure(NamedTuple):
    """What is asked of a ratio of two measurements, or of a difference."""

    name: str
    measured: float | None
    asked: float
    at_least: bool = False

    @property
    def met(self):
        if self.measured is None:
            return None
        if self.at_least:
            return bool(self.measured >= self.asked)
        return bool(self.measured <= self.asked)


class Report:
    """Prints what a section finds and keeps it.

    Attributes
    ----------
    quick : bool
        Whether everything is to be smaller, to see in minutes that it runs.
    seeds : tuple of int
        Of the fits whose quality is measured.
    """

    def __init__(self, quick, path=None, data=None, n_rounds=None):
        self.quick = quick
        self._n_rounds = n_rounds
        self.seeds = (0,) if quick else (0, 1, 2)
        self._data = data
        self.machine = describe()
        self._path = path
        self._sections = {}
        if self._path is not None and self._path.exists():
            # Sections that are not run now are kept, with their machine and date.
            self._sections = json.loads(self._path.read_text())["sections"]
        self._name = self._now = self._before = None

    def begin(self, name, title):
        self._now = {
            "title": title,
            "settings": "quick" if self.quick else "full",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "machine": self.machine,
            "tables": [],
            "figures": [],
            "measured": {},
        }
        self._name, self._before = name, self._sections.get(name)
        self._sections[name] = self._now
        small = " (quick: smaller and fewer, not for comparison)" * self.quick
        print(f"\n## {name}: {title}{small}", flush=True)

    def n_rounds(self, default=3, quick=1):
        """Return how many processes each contender gets."""
        return self._n_rounds or (quick if self.quick else default)

    def contenders(self, names):
        """Return the contenders to measure, if quick the main ones."""
        return [name for name in names if not self.quick or name in QUICK_CONTENDERS]

    def selected(self, names):
        """Return the datasets to use: those asked for, or if quick small ones."""
        if self._data is not None:
            return [name for name in names if name in self._data]
        return [name for name in names if not self.quick or name in QUICK_DATA]

    def save(self):
        """Write the record, also of a section that has not ended."""
        if self._path is not None:
            record = _rounded({"sections": self._sections})
            self._path.write_text(json.dumps(record, indent=1) + "\n")

    def table(self, title, columns, rows, note=""):
        """Print a table while its rows arrive; cells are numbers, text, or None."""
        kept = {"title": title, "columns": list(columns), "rows": [], "note": note}
        self._now["tables"].append(kept)
        print(f"\n### {title}\n\n| " + " | ".join(columns) + " |")
        print("|" + "---|" * len(columns), flush=True)
        for row in rows:
            kept["rows"].append([cell(value) for value in row])
            print("| " + " | ".join(kept["rows"][-1]) + " |", flush=True)
        if note:
            print(f"\n{note}")
        print(f"\n_{one_line(self.machine)}_", flush=True)
        self.save()

    def say(self, text):
        """Print a paragraph, and keep it with the last table."""
        tables = self._now["tables"]
        if tables:
            tables[-1]["note"] = "\n\n".join(filter(None, [tables[-1]["note"], text]))
        print(f"\n{text}", flush=True)

    def leave_out(self, why):
        """Say why the section ends here; the record keeps the one it had before."""
        self.say(why)
        if self._before is not None:
            self._sections[self._name] = self._before

    def keep(self, name, measured):
        """Keep what was measured, for plots and for the curious."""
        self._now["measured"][name] = measured

    def figures(self, figures):
        """Print what is asked beside what was measured."""
        print("\n| figure | asked | measured | met |\n|---|---|---|---|")
        for figure in figures:
            sign = ("≤", "≥")[figure.at_least]
            row = [
                figure.name,
                f"{sign} {figure.asked:g}",
                cell(figure.measured),
                {True: "yes", False: "no", None: "not measured"}[figure.met],
            ]
            self._now["figures"].append(row)
            print("| " + " | ".join(row) + " |", flush=True)


def _rounded(record):
    """Return the record with six significant digits."""
    if isinstance(record, dict):
        return {str(key): _rounded(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [_rounded(value) for value in record]
    return float(f"{record:.6g}") if isinstance(record, float) else record


def cell(value):
    """Format a value with three significant digits."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
