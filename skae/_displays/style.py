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
_NARROW, _VERY_NARROW = 4.0, 1.2

# Titles that would be smaller than this, in points, are broken into two lines.
_MIN_FONT, _SMALL_TITLE = 5.0, 8.0

# Widest legend beside axes, as a share of their width without it.
_MAX_LEGEND_SHARE = 0.8


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
    fitting = 72 * 1.1 * width / (0.55 * longest)
    return float(np.clip(fitting, _MIN_FONT, size if width > _NARROW else size - 2))


def is_narrow(ax: Any) -> bool:
    """Tell whether text beside the axes must be short."""
    return bool(ax.get_window_extent().width / ax.figure.dpi < _NARROW)


def small_font(ax: Any) -> float:
    """Return the size of the text inside or beside the axes, in points."""
    width = ax.get_window_extent().width / ax.figure.dpi
    if width > _NARROW:
        return 9.0
    return 7.0 if width > _VERY_NARROW else 5.5


def set_labels(ax: Any, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Set labels, in smaller letters if the axes are small."""
    size = font_size(ax, size=10.0)
    if title:
        if font_size(ax, title) < _SMALL_TITLE:
            title = title.replace(" by ", "\nby ")
        ax.set_title(title, fontsize=font_size(ax, title))
    if xlabel:
        ax.set_xlabel(xlabel, fontsize=size)
    if ylabel:
        ax.set_ylabel(ylabel, fontsize=min(size, _upright_size(ax, ylabel)))
    ax.tick_params(labelsize=small_font(ax))


def set_bar_label(bar: Any, ax: Any, label: str) -> None:
    """Label the colour bar of axes."""
    size = small_font(ax)
    bar.set_label(label, fontsize=min(size, _upright_size(ax, label)))
    bar.ax.tick_params(labelsize=size)


def _upright_size(ax: Any, label: str) -> float:
    """Return a size, in points, at which a label fits beside the axes."""
    height = ax.get_window_extent().height / ax.figure.dpi
    # Labels and titles below and above take some of the height.
    return max(_MIN_FONT, 72 * height / (0.6 * max(map(len, label.split("\n")))))


def whole_numbers(axis: Any) -> None:
    """Put the ticks of an axis at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def legend_inside(ax: Any, handles: Sequence[Any] | None = None) -> Any:
    """Put a legend where the fewest points are, and let these shine through."""
    given = {} if handles is None else {"handles": handles}
    return ax.legend(
        **given,
        fontsize=small_font(ax),
        framealpha=0.75,
        edgecolor="none",
        labelspacing=0.3,
    )


def short_name(name: Any, longest: int = 18) -> str:
    """Return a name as text, cut if it is long."""
    text = str(name)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def longest_name(ax: Any) -> int:
    """Return the number of letters that leave most of the width to the axes."""
    box = ax.get_window_extent()
    width = box.width * 72 / ax.figure.dpi
    return max(8, int(0.35 * width / (0.55 * small_font(ax))))


def legend_outside(
    ax: Any, handles: Sequence[Any], labels: Sequence[str], title: str | None = None
) -> Any:
    """Put a legend to the right of the axes, in columns if it is long.

    Return `None` where it would leave too little room for the axes.
    """
    box, size = ax.get_window_extent(), small_font(ax)
    points = 72 / ax.figure.dpi
    rows = max(1, int(box.height * points / (1.45 * size)) - (title is not None))
    n_columns = -(-len(labels) // rows)
    width = n_columns * size * (0.55 * max(map(len, labels)) + 2.5)
    if width > _MAX_LEGEND_SHARE * box.width * points:
        return None
    return ax.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        ncols=n_columns,
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
