"""Tables and plots of the page on performance, from what the benchmark recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
RECORD = HERE / "performance.json"
FOLDER = HERE / "generated" / "performance"

SECTIONS = (
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
)

# Safe for colour-blind readers (Okabe & Ito, 2008), and each with its own marker.
LOOKS = {
    "skae DenseAE": ("#0072B2", "o"),
    "keras.Model.fit": ("#D55E00", "s"),
    "torch loop": ("#009E73", "^"),
    "sklearn MLPRegressor": ("#CC79A7", "D"),
}
OTHER = "#999999"
STYLE = {
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
    """Write a file of tables for each section of the record, and the plots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    sections = json.loads(RECORD.read_text())["sections"]
    for name in SECTIONS:
        text = as_rst(sections[name]) if name in sections else "Not measured yet.\n"
        (FOLDER / f"{name}.inc").write_text(text)
    with plt.rc_context(STYLE):
        for name, plot in PLOTS.items():
            figure = plot(sections)
            figure.savefig(FOLDER / f"{name}.png")
            plt.close(figure)


# --- Tables ---


def as_rst(section: dict[str, Any]) -> str:
    """Return the tables of a section, what is asked of it, and where it was run."""
    parts = []
    for table in section["tables"]:
        parts.append(list_table(table["title"], table["columns"], table["rows"]))
        parts.append(table["note"])
    if section["figures"]:
        columns = ["what is asked for", "asked", "measured", "met"]
        parts.append(list_table("Aims", columns, section["figures"]))
    parts.append(where(section))
    return "\n\n".join(part for part in parts if part) + "\n"


def list_table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    lines = [f".. list-table:: {title}"]
    if any(columns):
        lines.append("   :header-rows: 1")
    lines.append("")
    for row in [columns, *rows] if any(columns) else rows:
        for i, value in enumerate(row):
            text = r"\-" if value == "-" else value  # or it would begin a list
            lines.append(f"   {' *'[i == 0]} - {text}".rstrip())
    return "\n".join(lines)


def where(section: dict[str, Any]) -> str:
    machine = section["machine"]
    versions = ", ".join(
        f"{name} {number}" for name, number in machine["versions"].items() if number
    )
    # Older records name none.
    commit = f"; commit {machine['commit']}" if "commit" in machine else ""
    small = " Quick settings, not for comparison." * (section["settings"] == "quick")
    return (
        f"{section['date']}, {machine['processors']} processors "
        f"({machine['processor']}); {machine['threads']}; Python "
        f"{machine['python']}, {versions}{commit}.{small}"
    )


# --- Plots ---


# Share of PCA's error whose time is asked for.
_WANTED = 0.8


def rounds_of(kept: dict[str, Any]) -> list[dict[str, Any]]:
    return kept.get("rounds", [])


def plot_fits(sections: dict[str, Any]) -> plt.Figure:
    """First and later fits, one bar each, on a logarithmic scale."""
    measured = {
        name: kept["median"]
        for name, kept in sections["fits"]["measured"]["digits"].items()
        if rounds_of(kept)
    }
    names = sorted(measured, key=lambda name: measured[name]["later"], reverse=True)
    figure, axes = plt.subplots(figsize=(7, 0.45 * len(names) + 1))
    for offset, key, color in ((0.2, "first", "#56B4E9"), (-0.2, "later", "#0072B2")):
        places = [i + offset for i in range(len(names))]
        values = [measured[name][key] for name in names]
        bars = axes.barh(places, values, 0.38, color=color, label=f"{key} fit")
        axes.bar_label(bars, [f"{value:.2g}" for value in values], padding=3, size=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("seconds, logarithmic")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return figure


def plot_memory(sections: dict[str, Any]) -> plt.Figure:
    """Memory after each of many fits, above that after the first."""
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
            grown = [value - memory[0] for value in memory]
            axes.plot(range(1, len(grown) + 1), grown, line, color=color, label=name)
            # Keras's fits are fewer; the label would be in the way of other lines.
            side = "left" if len(grown) > 100 else "right"
            axes.annotate(
                f"{grown[-1]:+.0f} MB",
                (len(grown), grown[-1]),
                (6 if side == "left" else -6, 0),
                textcoords="offset points",
                va="center",
                ha=side,
                color=color,
                size=9,
            )
    axes.set_xlabel("fits in one process")
    axes.set_ylabel("MB more than after the first fit")
    axes.margins(x=0.1)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=1)
    return figure


def plot_rows(sections: dict[str, Any]) -> plt.Figure:
    """The time of an epoch against the number of rows."""
    figure, axes = plt.subplots(figsize=(7, 4))
    by_rows = sections["scaling"]["measured"]["rows"]
    for name, (color, marker) in LOOKS.items():
        points = [
            (int(n_rows), measured[name]["median"]["epoch"])
            for n_rows, measured in by_rows.items()
            if rounds_of(measured.get(name, {}))
        ]
        if points:
            axes.plot(
                *zip(*points, strict=True), color=color, marker=marker, label=name
            )
    n_rows = [int(n) for n in by_rows]
    least = min(
        kept["median"]["epoch"] / max(n_rows)
        for kept in by_rows[str(max(n_rows))].values()
        if rounds_of(kept)
    )
    straight = [n * least for n in n_rows]
    axes.plot(n_rows, straight, ":", color=OTHER, label="in proportion to the rows")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_xlabel("rows of 32 features")
    axes.set_ylabel("seconds an epoch")
    axes.legend()
    return figure


def plot_quality_time(sections: dict[str, Any]) -> plt.Figure:
    """The held-out error of a fit while time goes by, a panel for each dataset."""
    measured = sections["quality_time"]["measured"]
    figure, panels = plt.subplots(
        *(1, len(measured)),
        figsize=(4 * len(measured), 3.6),
        sharey=True,
        squeeze=False,
    )
    for axes, (data, contenders) in zip(panels[0], measured.items(), strict=True):
        for name, kept in contenders.items():
            color, marker = LOOKS[name]
            for which, line in (("later", "-"), ("first", ":")):
                curves = [result[f"{which}_curve"] for result in rounds_of(kept)]
                if not curves:
                    continue
                seconds, errors = zip(*curves[len(curves) // 2], strict=True)
                label = f"{name}, {which} fit"
                reached = [i for i, error in enumerate(errors) if error <= _WANTED]
                marks = {"marker": marker, "markevery": reached[:1]}
                axes.plot(seconds, errors, line, color=color, label=label, **marks)
        axes.axhline(_WANTED, color=OTHER, linewidth=1, zorder=0)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_title(data, size=10)
        axes.set_xlabel("seconds since the start of the fit")
    panels[0][0].set_ylabel("held-out error, PCA's is 1")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=2, bbox_to_anchor=(0.5, 0))
    return figure


PLOTS = {
    "fits": plot_fits,
    "memory": plot_memory,
    "rows": plot_rows,
    "quality_time": plot_quality_time,
}
