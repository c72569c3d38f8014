"""Rows as images or signals, side by side in one picture."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

# Share of a tile that is left empty around it.
_MARGIN = 0.06

# Share of the pixels of decoded images that may be darker than black.
_EXTREME = 0.005


@dataclass(frozen=True)
class RowShape:
    """What the features of a row are: pixels of an image, or samples of a signal.

    Attributes
    ----------
    shape : tuple of int
        (height, width), (height, width, channels) or (length,).
    """

    shape: tuple[int, ...]

    @classmethod
    def of(cls, image_shape: Any, n_features: int, owner: str) -> RowShape | None:
        """Check a shape given by the user; `None` stays `None`."""
        if image_shape is None:
            return None
        shape = tuple(int(size) for size in np.ravel(image_shape))
        if not 1 <= len(shape) <= 3 or prod(shape) != n_features:
            raise ValueError(
                f"image_shape={image_shape!r} of {owner} does not fit rows of "
                f"{n_features} features: expected (height, width), (height, width, "
                "channels) or (length,), whose product is that number."
            )
        return cls(shape)

    @property
    def is_image(self) -> bool:
        """Whether rows are images rather than signals."""
        return len(self.shape) > 1 and min(self.shape[:2]) > 1

    @property
    def is_coloured(self) -> bool:
        """Whether the channels are red, green and blue."""
        return self.is_image and self.shape[2:] == (3,)

    @property
    def aspect(self) -> float:
        """The height of a tile divided by its width."""
        return self.shape[0] / self.shape[1] if self.is_image else 0.7

    def images(self, rows: np.ndarray, coloured: bool = False) -> np.ndarray:
        """Return rows as images; other channels than colours are averaged."""
        images = rows.reshape(len(rows), *self.shape)
        if images.ndim == 3 or coloured:
            return images
        mean: np.ndarray = images.mean(axis=-1)
        return mean


def resolved_image_shape(image_shape: Any, model: Any, n_features: int) -> Any:
    """Return the shape that "auto" stands for: the estimator's, if rows have it."""
    if not isinstance(image_shape, str):
        return image_shape
    if image_shape != "auto":
        raise ValueError(f"image_shape must be 'auto' if a str, got {image_shape!r}.")
    shape = getattr(model, "image_shape_", None)
    return shape if shape is not None and prod(shape) == n_features else None


def n_tile_columns(n_tiles: int) -> int:
    """Return the number of columns of a picture that is about as wide as high."""
    return ceil(sqrt(n_tiles))


def draw_tiles(
    ax: Any,
    rows: np.ndarray,
    shape: RowShape,
    n_columns: int,
    limits: tuple[float, float],
    cmap: Any,
    top: float = 0.0,
) -> Any:
    """Draw rows as tiles of width 1, from the left to the right and then downwards.

    Parameters
    ----------
    limits : tuple of float
        The values of the darkest and the brightest colour, or of the bottom and the top
        of a tile with a signal.
    top : float
        The height at which the first tiles begin; heights increase downwards.

    Returns
    -------
    image : matplotlib AxesImage or LineCollection
    """
    n_lines = ceil(len(rows) / n_columns)
    if not shape.is_image:
        return _draw_signals(ax, rows, shape, n_columns, limits, top)
    images = shape.images(rows, coloured=shape.is_coloured)
    height, width = shape.shape[:2]
    gap = max(1, round(_MARGIN * width))
    mosaic = np.full(
        (n_lines * (height + gap), n_columns * (width + gap), *images.shape[3:]), np.nan
    )
    for i, image in enumerate(images):
        y, x = (i // n_columns) * (height + gap), (i % n_columns) * (width + gap)
        mosaic[y + gap // 2 :, x + gap // 2 :][:height, :width] = image
    if shape.is_coloured:
        low, high = limits
        mosaic = np.nan_to_num(np.clip((mosaic - low) / (high - low), 0, 1), nan=1.0)
    extent = (0, n_columns, top + n_lines * tile_height(shape), top)
    return ax.imshow(
        mosaic,
        cmap=cmap,
        vmin=limits[0],
        vmax=limits[1],
        extent=extent,
        interpolation="nearest",
        aspect="auto",
    )


def tile_height(shape: RowShape) -> float:
    """Return the height of a tile of width 1, with its margin."""
    if not shape.is_image:
        return shape.aspect
    height, width = shape.shape[:2]
    gap = max(1, round(_MARGIN * width))
    return (height + gap) / (width + gap)


def _draw_signals(
    ax: Any,
    rows: np.ndarray,
    shape: RowShape,
    n_columns: int,
    limits: tuple[float, float],
    top: float,
) -> Any:
    from matplotlib.collections import LineCollection

    low, high = limits
    inside = 1 - 2 * _MARGIN
    x = _MARGIN + inside * np.linspace(0, 1, rows.shape[1])
    lines = []
    for i, row in enumerate(rows):
        line, column = divmod(i, n_columns)
        share = np.clip((high - row) / (high - low), 0, 1)
        y = top + shape.aspect * (line + _MARGIN + inside * share)
        lines.append(np.column_stack([column + x, y]))
    return ax.add_collection(LineCollection(lines, colors="black", linewidths=0.8))


def limits_of(*arrays: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest value, apart even if they are equal."""
    low = float(min(values.min() for values in arrays))
    high = float(max(values.max() for values in arrays))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def tile_limits(rows: np.ndarray, shape: RowShape) -> tuple[float, float]:
    """Return limits for rows that were not given, but decoded.

    The few extreme pixels of decoded images would take the contrast from all others.
    """
    if not shape.is_image:
        return limits_of(rows)
    return limits_of(np.quantile(rows, [_EXTREME, 1 - _EXTREME]))


def set_tile_ticks(
    axis: Any, labels: Sequence[str], step: float, start: float = 0.0, size: float = 9.0
) -> None:
    """Put labels at the centres of tiles."""
    places = start + step * (np.arange(len(labels)) + 0.5)
    axis.set_ticks(places, labels, fontsize=size)
    axis.set_tick_params(length=0)
