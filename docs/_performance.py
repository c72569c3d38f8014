"""Tables and plots of the performance page, made from the benchmark record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
RECORD = HERE / "performance.json"
FOLDER = HERE / "generated" / "performance"

NOT_MEASURED = "Not measured yet.\n"
SECTIONS = (
    "quality",
    "family",
    "dimension",
    "fits",
    "quality_time",
    "epochs",
    "limit",
    "transform",
    "serving",
    "memory",
    "tall",
    "scaling",
    "search",
    "compared",
    "supervised",
    "outliers",
    "tables",
    "denoising",
)

# The columns of each section that the pages show, with the heads that readers get.
# Sections that are not listed show all their columns.
COLUMNS = {
    "quality": {
        "data": "data",
        "components": "codes",
        "error relative to PCA (worst)": "error relative to PCA (worst)",
        "network used": "fits that kept the network",
        "accuracy gain (points)": "accuracy above PCA (points)",
        "time (s)": "time of a fit (s)",
    },
    "dimension": {
        "data": "data",
        "components": "codes",
        "error relative to PCA (worst)": "error relative to PCA (worst)",
        "error relative to separate fits": "error relative to separate fits",
        "error after refining, relative to separate fits": (
            "error after refining, relative to separate fits"
        ),
        "time relative to separate fits": "time relative to separate fits",
        "seed": "random state",
        "components of PCA": "codes of PCA",
        "components of DenseAE": "codes of DenseAE",
        "held-out variance explained": "held-out variance explained",
    },
    "fits": {
        "": "library",
        "first fit (s)": "first fit (s)",
        "later fits (s)": "later fits (s)",
        "later fits, ratio to skae": "later fits relative to skae",
    },
    "quality_time": {
        "": "library",
        "PCA error, later fits": "later fits: time to PCA error (s)",
        "0.8 PCA error, first fit": "first fit: time to 0.8 PCA error (s)",
        "0.8 PCA error, later fits": "later fits: time to 0.8 PCA error (s)",
    },
    "epochs": {
        "": "library",
        "time (s)": "time of an epoch (s)",
        "ratio to skae": "time relative to skae",
        "ratio to the limit": "time relative to the limit",
    },
    "memory": {
        "": "library",
        "fits": "fits",
        "growth after warm-up (MB)": "growth after the first fits (MB)",
        "growth per fit (MB)": "growth per fit (MB)",
    },
    "tall": {
        "": "library",
        "fit (s)": "time of the fit (s)",
        "memory of fit (multiples of the data)": "memory of the fit (data = 1)",
        "memory of transform (multiples of the data)": (
            "memory of transform (data = 1)"
        ),
    },
    "supervised": {
        "data": "data",
        "components": "codes",
        "PCA": "PCA",
        "LDA": "LDA",
        "NCA": "NCA",
        "PLS": "PLS",
        "DenseAE": "DenseAE",
        "SupervisedAE": "SupervisedAE",
        "SupervisedAE, higher by": "SupervisedAE, higher on training rows by",
        "relative to DenseAE": "error of SupervisedAE relative to DenseAE",
        "DenseAE, time (s)": "DenseAE: time of a fit (s)",
        "SupervisedAE, time (s)": "SupervisedAE: time of a fit (s)",
    },
    "outliers": {
        "data": "data",
        "DenseAE, half": "DenseAE, half",
        "PCA, half": "PCA, half",
        "DenseAE, quarter": "DenseAE, quarter",
        "PCA, quarter": "PCA, quarter",
        "IsolationForest": "Isolation Forest",
        "LOF": "LOF",
        "pyod AutoEncoder": "pyod",
        "DenseAE (lowest to highest)": "DenseAE (lowest to highest)",
        "PCA (lowest to highest)": "PCA (lowest to highest)",
    },
    "search": {
        "hidden layers": "hidden layers",
        "": "library",
        "time (s)": "time (s)",
        "ratio to skae": "time relative to skae",
        "growth per further search (MB)": "growth per further search (MB)",
    },
}

# Colours that colour-blind readers can tell apart (Okabe & Ito, 2008), and markers.
CONTENDER_STYLES = {
    "skae DenseAE": ("#0072B2", "o"),
    "keras.Model.fit": ("#D55E00", "s"),
    "torch loop": ("#009E73", "^"),
    "sklearn MLPRegressor": ("#CC79A7", "D"),
}
REFERENCE_COLOR = "#999999"
RC_PARAMS = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "figure.dpi": 150,
    "savefig.bbox": "tight",
}


def write() -> None:
    """Write the tables of each section, one file per section, and the plots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    sections = json.loads(RECORD.read_text())["sections"]
    for name in SECTIONS:
        text = as_rst(name, sections[name]) if name in sections else NOT_MEASURED
        (FOLDER / f"{name}.inc").write_text(text)
    with plt.rc_context(RC_PARAMS):
        for name, plot in PLOTS.items():
            figure = plot(sections)
            figure.savefig(FOLDER / f"{name}.png")
            plt.close(figure)


# --- Tables ---


def as_rst(name: str, section: dict[str, Any]) -> str:
    """Return the tables of a section, and the machine that ran it.

    What the project requires of the measurements is in the output of the benchmarks.
    """
    parts = []
    for table in section["tables"]:
        columns, rows = shown(table, COLUMNS.get(name))
        if columns:
            parts.append(list_table(table["title"], columns, rows))
            parts.append(table["note"])
    parts.append(provenance(section))
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(
    table: dict[str, Any], heads: dict[str, str] | None
) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of the columns that the pages show."""
    recorded = table["columns"]
    if heads is None:
        # Two columns without a head name the data and the method.
        unnamed = iter(["method"] if recorded.count("") < 2 else ["data", "method"])
        return [head or next(unnamed) for head in recorded], table["rows"]
    indices = [recorded.index(head) for head in heads if head in recorded]
    rows = [[row[i] for i in indices] for row in table["rows"]]
    return [heads[recorded[i]] for i in indices], rows


def list_table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    lines = [f".. list-table:: {title}", "   :header-rows: 1", ""]
    # Heads may be broken after an underscore (at a space without width).
    heads = [column.replace("_", "_\u200b") for column in columns]
    for row in [heads, *rows]:
        for i, cell in enumerate(row):
            # A bare dash would begin a list; there is no accuracy without classes.
            text = r"\-" if cell in ("-", "+nan") else cell
            lines.append(f"   {' *'[i == 0]} - {text}".rstrip())
    return "\n".join(lines)


def provenance(section: dict[str, Any]) -> str:
    """Return the date, the machine, the versions and the commit of a section."""
    machine = section["machine"]
    versions = ", ".join(
        f"{name} {number}" for name, number in machine["versions"].items() if number
    )
    # Some older records do not name the commit.
    commit = f"; commit {machine['commit']}" if "commit" in machine else ""
    warning = " Quick settings, not for comparison." * (section["settings"] == "quick")
    return (
        f"Measured on {section['date']}, on {machine['processors']} processors "
        f"({machine['processor']}); threads: {machine['threads']}; Python "
        f"{machine['python']}, {versions}{commit}.{warning}"
    )


# --- Plots ---


# Fraction of the PCA error that the plot of time to quality marks.
_ERROR_LEVEL = 0.8


def rounds_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the measurements of a contender; there are none if it failed."""
    return result.get("rounds", [])


def plot_fits(sections: dict[str, Any]) -> plt.Figure:
    """Plot the times of first and later fits as bars, on a logarithmic scale."""
    medians = {
        name: result["median"]
        for name, result in sections["fits"]["measured"]["digits"].items()
        if rounds_of(result)
    }
    names = sorted(medians, key=lambda name: medians[name]["later"], reverse=True)
    figure, axes = plt.subplots(figsize=(7, 0.45 * len(names) + 1))
    for offset, key, color in ((0.2, "first", "#56B4E9"), (-0.2, "later", "#0072B2")):
        positions = [i + offset for i in range(len(names))]
        values = [medians[name][key] for name in names]
        bars = axes.barh(positions, values, 0.38, color=color, label=f"{key} fit")
        axes.bar_label(bars, [f"{value:.2g}" for value in values], padding=3, size=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("time (s), logarithmic")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return figure


def plot_memory(sections: dict[str, Any]) -> plt.Figure:
    """Plot the growth of memory since the first of many fits."""
    figure, axes = plt.subplots(figsize=(7, 3.6))
    styles = {
        "skae DenseAE, 8 architectures": ("#0072B2", "-"),
        "skae DenseAE, 60 architectures": ("#56B4E9", "--"),
        "keras.Model.fit, 8 architectures": ("#D55E00", "-."),
    }
    measured = sections["memory"]["measured"]["growth"]
    for name, (color, line) in styles.items():
        for result in rounds_of(measured.get(name, {})):
            memory = result["memory"]
            growth = [value - memory[0] for value in memory]
            axes.plot(range(1, len(growth) + 1), growth, line, color=color, label=name)
            # Keras has fewer fits; a label to the right would cover the other lines.
            side = "left" if len(growth) > 100 else "right"
            axes.annotate(
                f"{growth[-1]:+.0f} MB",
                (len(growth), growth[-1]),
                (6 if side == "left" else -6, 0),
                textcoords="offset points",
                va="center",
                ha=side,
                color=color,
                size=9,
            )
    axes.set_xlabel("fits in one process")
    axes.set_ylabel("growth since the first fit (MB)")
    axes.margins(x=0.1)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=1)
    return figure


def plot_rows(sections: dict[str, Any]) -> plt.Figure:
    """Plot the time of an epoch against the number of rows."""
    figure, axes = plt.subplots(figsize=(7, 4))
    by_rows = sections["scaling"]["measured"]["rows"]
    for name, (color, marker) in CONTENDER_STYLES.items():
        points = [
            (int(n_rows), results[name]["median"]["epoch"])
            for n_rows, results in by_rows.items()
            if rounds_of(results.get(name, {}))
        ]
        if points:
            axes.plot(
                *zip(*points, strict=True), color=color, marker=marker, label=name
            )
    row_counts = [int(n_rows) for n_rows in by_rows]
    largest = max(row_counts)
    least = min(
        result["median"]["epoch"] / largest
        for result in by_rows[str(largest)].values()
        if rounds_of(result)
    )
    axes.plot(
        row_counts,
        [n_rows * least for n_rows in row_counts],
        ":",
        color=REFERENCE_COLOR,
        label="proportional to the rows",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_xlabel("rows of 32 features")
    axes.set_ylabel("time of an epoch (s)")
    axes.legend()
    return figure


def plot_quality_time(sections: dict[str, Any]) -> plt.Figure:
    """Plot the held-out error over the time of a fit, one panel per dataset."""
    measured = sections["quality_time"]["measured"]
    figure, panels = plt.subplots(
        1,
        len(measured),
        figsize=(4 * len(measured), 3.6),
        sharey=True,
        squeeze=False,
    )
    for axes, (data, contenders) in zip(panels[0], measured.items(), strict=True):
        for name, result in contenders.items():
            color, marker = CONTENDER_STYLES[name]
            for which, line in (("later", "-"), ("first", ":")):
                curves = [run[f"{which}_curve"] for run in rounds_of(result)]
                if not curves:
                    continue
                seconds, errors = zip(*curves[len(curves) // 2], strict=True)
                label = f"{name}, {which} fit"
                reached = [i for i, error in enumerate(errors) if error <= _ERROR_LEVEL]
                marks = {"marker": marker, "markevery": reached[:1]}
                axes.plot(seconds, errors, line, color=color, label=label, **marks)
        axes.axhline(_ERROR_LEVEL, color=REFERENCE_COLOR, linewidth=1, zorder=0)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_title(data, size=10)
        axes.set_xlabel("time since the start of the fit (s)")
    panels[0][0].set_ylabel("held-out error relative to PCA")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=2, bbox_to_anchor=(0.5, 0))
    return figure


PLOTS = {
    "fits": plot_fits,
    "memory": plot_memory,
    "rows": plot_rows,
    "quality_time": plot_quality_time,
}
