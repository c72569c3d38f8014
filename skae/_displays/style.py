"""Axes, colours and labels that all displays share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skae._utils.optional import import_optional

if TYPE_CHECKING:
    from collections.abc import Sequence

# Okabe & Ito (2008), "Color universal design", without yellow, which is too light.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Their number has no factor in common with that of the colours, so that 56 classes
# differ in one or the other, and neighbours in both: also without colours.
MARKERS = ("o", "^", "s", "v", "D", "P", "X", "*")
LINE_STYLES = ("-", "--", "-.", ":")

# Lightness rises steadily in both, and the middle of the second is grey: it tells
# negative from positive without colours, too.
SEQUENTIAL, SIGNED = "viridis", "cividis"
NETWORK = {"color": COLOURS[0], "linestyle": "-", "marker": "o"}
PCA = {"color": "0.35", "linestyle": "--", "marker": "s"}

# In axes narrower than this, in inches, text is smaller.
_NARROW = 4.0

_MIN_FONT = 5.0


def pyplot(owner: str) -> Any:
    """Import matplotlib's pyplot, or say how to install it."""
    return import_optional("matplotlib.pyplot", "plot", owner)


def axes_or_new(
    owner: str, ax: Any, figsize: tuple[float, float] | None = None
) -> tuple[Any, Any]:
    """Return the figure and the axes to draw on: the given ones, or new ones."""
    plt = pyplot(owner)
    if ax is None:
        return plt.subplots(figsize=figsize, layout="constrained")
    return ax.figure, ax


def grid_of_axes(
    owner: str, ax: Any, shape: tuple[int, int], **sharing: Any
) -> tuple[Any, np.ndarray]:
    """Return a figure, and a grid of axes in it: in the place of `ax` if given."""
    plt = pyplot(owner)
    if ax is None:
        width, height = plt.rcParams["figure.figsize"]
        size = max(width, 1.9 * shape[1]), max(height, 1.7 * shape[0])
        figure = plt.figure(figsize=size, layout="constrained")
        return figure, figure.subplots(*shape, squeeze=False, **sharing)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            f"{owner} needs several axes, and divides `ax` for them, which must "
            "come from `plt.subplots`. Leave `ax` out, or make it with that."
        )
    ax.set_axis_off()
    grid = place.subgridspec(*shape)
    return ax.figure, np.asarray(grid.subplots(squeeze=False, **sharing))


def font_size(ax: Any, text: str = "", size: float = 11.0) -> float:
    """Return a size, in points, at which the longest line fits above the axes."""
    width = ax.get_window_extent().width / ax.figure.dpi
    longest = max(map(len, text.split("\n"))) or 1
    # A letter is about half as wide as high, and titles may be wider than axes.
    fitting = 72 * 1.2 * width / (0.52 * longest)
    return float(np.clip(fitting, _MIN_FONT, size if width > _NARROW else size - 2))


def small_font(ax: Any) -> float:
    """Return the size of the text inside or beside the axes, in points."""
    width = ax.get_window_extent().width / ax.figure.dpi
    return 9.0 if width > _NARROW else 7.0


def set_labels(ax: Any, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Set labels, in smaller letters if the axes are small."""
    size = font_size(ax, size=10.0)
    if title:
        ax.set_title(title, fontsize=font_size(ax, title))
    if xlabel:
        ax.set_xlabel(xlabel, fontsize=size)
    if ylabel:
        height = ax.get_window_extent().height / ax.figure.dpi
        fitting = 72 * 1.2 * height / (0.52 * max(map(len, ylabel.split("\n"))))
        ax.set_ylabel(ylabel, fontsize=float(np.clip(fitting, _MIN_FONT, size)))
    ax.tick_params(labelsize=small_font(ax))


def whole_numbers(axis: Any) -> None:
    """Put the ticks of an axis at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def legend_outside(
    ax: Any, handles: Sequence[Any], labels: Sequence[str], title: str | None = None
) -> Any:
    """Put a legend to the right of the axes, in columns if it is long."""
    height = ax.get_window_extent().height / ax.figure.dpi * 72
    size = small_font(ax)
    rows = max(1, int(height / (1.45 * size)) - (title is not None))
    return ax.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        ncols=-(-len(labels) // rows),
        fontsize=size,
        title=title,
        title_fontsize=size,
        handletextpad=0.3,
        handlelength=1.4,
        columnspacing=0.8,
        labelspacing=0.25,
        frameon=False,
    )


def symmetric_limit(values: np.ndarray) -> float:
    """Return the largest absolute value, or 1 if all are zero."""
    return float(np.abs(values).max(initial=0.0)) or 1.0


def code_names(indices: Sequence[int]) -> list[str]:
    """Return the names of codes for readers, who count from 1."""
    return [f"code {index + 1}" for index in indices]
