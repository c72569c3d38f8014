"""Rows by class, or with values: who gets which colour."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skae._displays.style import COLOURS, MARKERS, SEQUENTIAL, short_name, small_font

# Whole numbers with at most so many values are taken for classes.
_MAX_CLASSES = 20

# Names with more letters than this stand in the legend only.
_LONG_NAME = 12


class Groups:
    """Rows by class, or all of them with their values.

    Attributes
    ----------
    members : list of (ndarray of bool, str)
        The rows of each class, and its name; a single class without targets.
    values : ndarray of float or None
        Value of each row, if they have values rather than classes.
    """

    def __init__(
        self, members: list[tuple[np.ndarray, str]], values: Any, cmap: Any
    ) -> None:
        self.members = members
        self.values = values
        self.cmap = cmap

    @classmethod
    def of(cls, target: Any, n_rows: int, cmap: Any) -> Self:
        """Return the groups of targets, which may be `None`."""
        if target is None:
            return cls([(np.full(n_rows, True), "")], None, cmap)
        target = np.asarray(target)
        if target.shape != (n_rows,):
            raise ValueError(
                f"target must have one class or value for each of the {n_rows} rows, "
                f"got the shape {target.shape}."
            )
        if _are_values(target):
            return cls([(np.full(n_rows, True), "")], target.astype(float), cmap)
        texts = target.astype(str) if target.dtype.kind == "O" else target
        members = [(texts == label, _short(label)) for label in np.unique(texts)]
        return cls(members, None, cmap)

    @property
    def need_legend(self) -> bool:
        """Whether the names are too long to stand in the picture."""
        longest = max(len(name) for _, name in self.members)
        return len(self.members) > 1 and longest > _LONG_NAME

    def draw(
        self, ax: Any, x: np.ndarray, y: np.ndarray, style: dict[str, Any]
    ) -> list[Any]:
        """Scatter the rows, and return the collection of each class."""
        if self.values is None:
            return [
                ax.scatter(
                    x[rows],
                    y[rows],
                    **{"color": self._colour(i), "marker": self._marker(i), **style},
                )
                for i, (rows, _) in enumerate(self.members)
            ]
        known = np.isfinite(self.values)
        if not known.all():
            ax.scatter(x[~known], y[~known], **{"color": "0.8", **style})
        style = {"cmap": self.cmap or SEQUENTIAL, **style}
        return [ax.scatter(x[known], y[known], c=self.values[known], **style)]

    def _colour(self, i: int) -> Any:
        if self.cmap is None:
            return COLOURS[i % len(COLOURS)]
        from matplotlib import colormaps

        cmap = colormaps[self.cmap] if isinstance(self.cmap, str) else self.cmap
        return cmap(i / max(1, len(self.members) - 1))

    def _marker(self, i: int) -> str:
        return MARKERS[i % len(MARKERS)] if len(self.members) > 1 else "o"

    def name_medians(self, ax: Any, codes: np.ndarray) -> None:
        """Write the name of each class at the median of its codes."""
        from matplotlib.patheffects import withStroke

        if len(self.members) < 2 or self.need_legend:
            return
        for rows, name in self.members:
            ax.annotate(
                name,
                np.median(codes[rows], axis=0),
                ha="center",
                va="center",
                fontsize=small_font(ax),
                fontweight="bold",
                path_effects=[withStroke(linewidth=2.5, foreground="white")],
            )


def _are_values(target: np.ndarray) -> bool:
    """Tell whether targets are numbers to be shown by a colour bar."""
    if target.dtype.kind not in "iuf":
        return False
    different = np.unique(target[np.isfinite(target)])
    whole = bool((different == np.round(different)).all())
    return not (whole and len(different) <= _MAX_CLASSES and np.isfinite(target).all())


def _short(label: Any) -> str:
    """Return the name of a class, cut if it is long."""
    if isinstance(label, np.floating) and label == round(float(label)):
        label = int(label)
    return short_name(label)
