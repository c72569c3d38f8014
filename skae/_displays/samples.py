"""Rows decoded from codes drawn at random."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skae._displays.models import fitted_model
from skae._displays.style import axes_or_new, set_labels
from skae._displays.tiles import (
    RowShape,
    draw_tiles,
    n_tile_columns,
    tile_height,
    tile_limits,
)


class SamplesDisplay:
    """New rows, drawn from a variational autoencoder.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn. Each tile is a row: an image, or a line from its first feature to its last.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.

    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of images. `None` draws lines.

    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the tiles.

    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    VAETransformer.sample : Draws the rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import SamplesDisplay, VAETransformer
    >>> X = load_digits().data
    >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
    >>> display = SamplesDisplay.from_estimator(
    ...     vae, image_shape=(8, 8), random_state=0
    ... )
    >>> display.X.shape
    (36, 64)
    """

    def __init__(
        self, *, X: Any, image_shape: Any = None, estimator_name: str | None = None
    ) -> None:
        self.X = X
        self.image_shape = image_shape
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n_samples: int = 36,
        random_state: Any = None,
        image_shape: Any = None,
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw new rows.

        Parameters
        ----------
        estimator : VAETransformer or Pipeline
            Fitted estimator, or a pipeline or search with one.
        n_samples : int, default=36
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Source of the codes. Pass an int for reproducible rows.
        image_shape : tuple of int or None, default=None
            Shape of images, as in the constructor.
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        name : str, default=None
            Name in the title. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : SamplesDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it cannot draw rows.
        """
        found = fitted_model(estimator, cls.__name__)
        if not hasattr(found.model, "sample"):
            raise TypeError(
                f"{cls.__name__} expects a VAETransformer, got "
                f"{type(found.model).__name__}, whose codes have no distribution to "
                "draw from. For its codes of rows, use ManifoldDisplay."
            )
        rows = found.model.sample(n_samples, random_state=random_state)
        display = cls(
            X=found.in_first_units(rows),
            image_shape=image_shape,
            estimator_name=name or found.name,
        )
        return display.plot(ax, **kwargs)

    def plot(
        self, ax: Any = None, *, n_columns: int | None = None, cmap: Any = "gray"
    ) -> Self:
        """Draw the tiles.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        n_columns : int, default=None
            Number of tiles side by side. `None` makes about as many columns as rows.
        cmap : str or Colormap, default="gray"
            Colours of images with one channel.

        Returns
        -------
        display : SamplesDisplay
            The display.
        """
        owner, rows = type(self).__name__, np.asarray(self.X, dtype=float)
        shape = RowShape.of(self.image_shape, rows.shape[1], owner)
        shape = RowShape((rows.shape[1],)) if shape is None else shape
        n_columns = n_columns or n_tile_columns(len(rows))
        self.figure_, self.ax_ = axes_or_new(owner, ax)
        draw_tiles(self.ax_, rows, shape, n_columns, tile_limits(rows, shape), cmap)
        height = -(-len(rows) // n_columns) * tile_height(shape)
        self.ax_.set(xlim=(0, n_columns), ylim=(height, 0), aspect="equal")
        self.ax_.set(xticks=[], yticks=[])
        self.ax_.spines[:].set_visible(False)
        name = self.estimator_name
        set_labels(self.ax_, f"Samples of {name}" if name else "")
        return self
