"""The output of the sections: Markdown on the screen, and a record for `--json`."""

import json
from datetime import UTC, datetime
from typing import NamedTuple

from benchmarks.machine import describe, one_line

# The only datasets and contenders of quick runs.
QUICK_DATASETS = ("digits", "wine")
QUICK_CONTENDERS = (
    "skae DenseAE",
    "keras.Model.fit",
    "torch loop",
    "sklearn MLPRegressor",
    "sklearn PCA",
)


class Target(NamedTuple):
    """A requirement on a measurement: at most, or at least, the required value."""

    name: str
    measured: float | None
    required: float
    at_least: bool = False

    @property
    def met(self):
        if self.measured is None:
            return None
        if self.at_least:
            return bool(self.measured >= self.required)
        return bool(self.measured <= self.required)


class Report:
    """Prints the results of the sections and records them.

    Attributes
    ----------
    quick : bool
        Whether sections run at a small scale, to check within minutes that they run.
    seeds : tuple of int
        Random states of the fits whose quality is measured.
    """

    def __init__(self, quick, path=None, datasets=None, n_rounds=None):
        self.quick = quick
        self._n_rounds = n_rounds
        self.seeds = (0,) if quick else (0, 1, 2)
        self._datasets = datasets
        self.machine = describe()
        self._path = path
        self._sections = {}
        if self._path is not None and self._path.exists():
            # Sections that are not run keep their results, machine and date.
            self._sections = json.loads(self._path.read_text())["sections"]
        self._name = self._current = self._previous = None

    # --- Settings ---

    def n_rounds(self, default=3, quick=1):
        """Return the number of processes per contender."""
        return self._n_rounds or (quick if self.quick else default)

    def select_contenders(self, names):
        """Return the contenders to measure; quick runs take only the main ones."""
        return [name for name in names if not self.quick or name in QUICK_CONTENDERS]

    def select_datasets(self, names):
        """Return the datasets to use: the given ones, or small ones in quick runs."""
        if self._datasets is not None:
            return [name for name in names if name in self._datasets]
        return [name for name in names if not self.quick or name in QUICK_DATASETS]

    # --- Sections ---

    def begin(self, name, title):
        self._current = {
            "title": title,
            "settings": "quick" if self.quick else "full",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "machine": self.machine,
            "tables": [],
            "targets": [],
            "measured": {},
        }
        self._name, self._previous = name, self._sections.get(name)
        self._sections[name] = self._current
        warning = " (quick settings, not for comparison)" * self.quick
        print(f"\n## {name}: {title}{warning}", flush=True)

    def abandon(self, reason):
        """Give up the current section; the record keeps the previous one, if any."""
        self.note(reason)
        if self._previous is not None:
            self._sections[self._name] = self._previous

    def save(self):
        """Write the record, even while a section is incomplete."""
        if self._path is not None:
            record = _rounded({"sections": self._sections})
            self._path.write_text(json.dumps(record, indent=1) + "\n")

    # --- Results ---

    def table(self, title, columns, rows, note=""):
        """Print a table row by row, as results arrive.

        Cells are numbers, text or None; short rows are filled with None.
        """
        columns = list(columns)
        table = {"title": title, "columns": columns, "rows": [], "note": note}
        self._current["tables"].append(table)
        print(f"\n### {title}\n\n| " + " | ".join(columns) + " |")
        print("|" + "---|" * len(columns), flush=True)
        for row in rows:
            missing = len(columns) - len(row)
            table["rows"].append([_format(cell) for cell in (*row, *[None] * missing)])
            print("| " + " | ".join(table["rows"][-1]) + " |", flush=True)
        if note:
            print(f"\n{note}")
        print(f"\n_{one_line(self.machine)}_", flush=True)
        self.save()

    def note(self, text):
        """Print a paragraph, and record it with the last table."""
        tables = self._current["tables"]
        if tables:
            tables[-1]["note"] = "\n\n".join(filter(None, [tables[-1]["note"], text]))
        print(f"\n{text}", flush=True)

    def record(self, name, measured):
        """Record measurements for the plots of the documentation."""
        self._current["measured"][name] = measured

    def targets(self, targets):
        """Print the targets beside the measurements."""
        print("\n| target | required | measured | met |\n|---|---|---|---|")
        for target in targets:
            sign = ("≤", "≥")[target.at_least]
            row = [
                target.name,
                f"{sign} {target.required:g}",
                _format(target.measured),
                {True: "yes", False: "no", None: "not measured"}[target.met],
            ]
            self._current["targets"].append(row)
            print("| " + " | ".join(row) + " |", flush=True)


def _rounded(value):
    """Round every float in a record to six significant digits."""
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _format(value):
    """Format a cell: floats with three significant digits, None as a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
