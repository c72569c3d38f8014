"""Rows beside their reconstructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skae._displays.models import first_rows, fitted_model
from skae._displays.style import (
    COLOURS,
    SIGNED,
    axes_or_new,
    grid_of_axes,
    set_labels,
    short_name,
    small_font,
    symmetric_limit,
)
from skae._displays.tiles import (
    RowShape,
    draw_tiles,
    limits_of,
    resolved_image_shape,
    set_tile_ticks,
    tile_height,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# More features than this are drawn as a line, and no name is written for them.
_MAX_POINTS = 30
_MAX_NAMES = 15


class ReconstructionDisplay:
    """Rows, their reconstructions, and the difference: input minus reconstruction.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn. Images are drawn as images, one column for each. Signals and other rows have
    two axes each, the lower ones with the difference.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Rows.

    X_reconstructed : array-like of shape (n_rows, n_features)
        Their reconstructions, in the same units.

    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of images, or (length,) of signals.
        Three channels are red, green and blue; of other channels the mean is drawn.
        `None` is for features that are neither.

    feature_names : array-like of str of shape (n_features,), default=None
        Names of the features.

    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first axes.

    axes_ : ndarray of matplotlib Axes
        All axes: of shape (1, 1) for images, and of shape (2, n_rows) for others.

    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    FeatureErrorsDisplay : The errors of one row by feature.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import DenseAE, ReconstructionDisplay
    >>> X = load_digits().data
    >>> autoencoder = DenseAE(8, max_iter=5, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(
    ...     autoencoder, X, image_shape=(8, 8)
    ... )
    >>> display.X.shape
    (5, 64)
    """

    def __init__(
        self,
        *,
        X: Any,
        X_reconstructed: Any,
        image_shape: Any = None,
        feature_names: Any = None,
        estimator_name: str | None = None,
    ) -> None:
        self.X = X
        self.X_reconstructed = X_reconstructed
        self.image_shape = image_shape
        self.feature_names = feature_names
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        n_rows: int = 5,
        image_shape: Any = "auto",
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the first rows of `X` and their reconstructions.

        Parameters
        ----------
        estimator : transformer or Pipeline
            Fitted autoencoder, PCA or other transformer with `inverse_transform`, or a
            pipeline or search with one. Rows are drawn in the units of `X` if all steps
            up to it can invert numbers, and otherwise in those of its inputs.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as `estimator` takes them.
        n_rows : int, default=5
            Number of rows to draw.
        image_shape : tuple of int, "auto" or None, default="auto"
            Shape of images or signals, as in the constructor. "auto" is `image_shape_`
            of a `ConvAE`, and `None` of other estimators.
        ax : matplotlib Axes, default=None
            Axes to draw on, divided unless the rows are images. `None` makes a new
            figure.
        name : str, default=None
            Name in the title. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `X` has the wrong shape, or `image_shape` does not fit it.
        """
        found = fitted_model(estimator, cls.__name__)
        rows, reconstructed = found.reconstruction(first_rows(X, n_rows, cls.__name__))
        n_features = rows.shape[1]
        display = cls(
            X=rows,
            X_reconstructed=reconstructed,
            image_shape=resolved_image_shape(image_shape, found.model, n_features),
            feature_names=found.feature_names(n_features),
            estimator_name=name or found.name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, cmap: Any = "gray") -> Self:
        """Draw rows, reconstructions and differences.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, divided unless the rows are images. `None` makes a new
            figure.
        cmap : str or Colormap, default="gray"
            Colours of images with one channel.

        Returns
        -------
        display : ReconstructionDisplay
            The display.
        """
        rows = np.asarray(self.X, dtype=float)
        again = np.asarray(self.X_reconstructed, dtype=float)
        if rows.ndim != 2 or rows.shape != again.shape:
            raise ValueError(
                "X and X_reconstructed must be two-dimensional, of the same shape; got "
                f"{rows.shape} and {again.shape}."
            )
        shape = RowShape.of(self.image_shape, rows.shape[1], type(self).__name__)
        title = (
            f"Reconstruction by {self.estimator_name}" if self.estimator_name else ""
        )
        if shape is not None and shape.is_image:
            self._draw_images(ax, rows, again, shape, cmap, title)
        else:
            self._draw_lines(ax, rows, again, is_signal=shape is not None)
            if ax is None and title:
                self.figure_.suptitle(title)
        return self

    def _draw_images(
        self,
        ax: Any,
        rows: np.ndarray,
        again: np.ndarray,
        shape: RowShape,
        cmap: Any,
        title: str,
    ) -> None:
        n, height = len(rows), tile_height(shape)
        figsize = (1.15 * n + 2.4, 3.1 * height + 0.5)
        self.figure_, self.ax_ = axes_or_new(type(self).__name__, ax, figsize)
        ax = self.ax_
        limits = limits_of(rows, again)
        difference = shape.images(rows - again).reshape(n, -1)
        bound = symmetric_limit(difference)
        image = draw_tiles(ax, rows, shape, n, limits, cmap)
        draw_tiles(ax, again, shape, n, limits, cmap, top=height)
        flat = RowShape(shape.shape[:2])
        errors = draw_tiles(
            ax, difference, flat, n, (-bound, bound), SIGNED, top=2 * height
        )
        ax.set(xlim=(0, n), ylim=(3 * height, 0), aspect="equal", xticks=[])
        ax.spines[:].set_visible(False)
        self.axes_ = np.array([[ax]])
        set_labels(ax, title)
        size = small_font(ax)
        set_tile_ticks(
            ax.yaxis, ["input", "reconstructed", "difference"], height, size=size
        )
        # As axes within the axes, the bars keep to the rows that they belong to.
        bars = [(errors, 0.02, 0.29)]
        if not shape.is_coloured:
            bars.append((image, 0.36, 0.62))
        for artist, bottom, share in bars:
            place = ax.inset_axes((1 + 0.1 / n, bottom, 0.15 / n, share))
            bar = self.figure_.colorbar(artist, cax=place)
            bar.ax.tick_params(labelsize=size - 1)
            bar.ax.locator_params(axis="y", nbins=4)

    def _draw_lines(
        self, ax: Any, rows: np.ndarray, again: np.ndarray, is_signal: bool
    ) -> None:
        n, n_features = rows.shape
        # No legend: it would hide lines in small axes.
        self.figure_, self.axes_ = grid_of_axes(
            type(self).__name__, ax, (2, n), sharex=True, sharey="row"
        )
        self.ax_ = self.axes_[0, 0]
        x = np.arange(n_features)
        as_line = is_signal or n_features > _MAX_POINTS
        for i, (upper, lower) in enumerate(self.axes_.T):
            if as_line:
                upper.plot(x, rows[i], color="0.3", lw=1.2)
                upper.plot(x, again[i], "--", color=COLOURS[1], lw=1.2)
                lower.plot(x, rows[i] - again[i], color=COLOURS[0], lw=1)
            else:
                upper.plot(x, rows[i], "o", color="0.3", ms=4)
                upper.plot(x, again[i], "x", color=COLOURS[1], ms=5)
                lower.bar(x, rows[i] - again[i], color=COLOURS[0])
            lower.axhline(0, color="0.4", lw=0.6)
            set_labels(upper, f"row {i + 1}" if n > 1 else "")
            set_labels(lower, xlabel="sample" if is_signal else "feature")
            if not is_signal:
                self._name_features(lower, n_features)
        marks = "dashed" if as_line else "crosses"
        set_labels(self.axes_[0, 0], ylabel=f"value ({marks}:\nreconstructed)")
        set_labels(self.axes_[1, 0], ylabel="difference")

    def _name_features(self, ax: Any, n_features: int) -> None:
        names: Sequence[str] | None = self.feature_names
        if names is not None and n_features <= _MAX_NAMES:
            shown = [short_name(name, 14) for name in names]
            ax.set_xticks(np.arange(n_features), shown, rotation=90)
            ax.set_xlabel("")
