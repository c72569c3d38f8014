"""Rows decoded from codes all over the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.stats import norm

from skae._displays.models import FittedModel, fitted_model
from skae._displays.style import (
    axes_or_new,
    code_names,
    set_labels,
    small_font,
)
from skae._displays.tiles import (
    RowShape,
    draw_tiles,
    resolved_image_shape,
    set_tile_ticks,
    tile_height,
    tile_limits,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# The plane extends from this share of the codes to one minus it.
_OUTSIDE = 0.02


class ManifoldDisplay:
    """Rows decoded from a grid of codes, which show what the codes stand for.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn. Each tile is a row: an image, or a line from its first feature to its last.

    Parameters
    ----------
    X : array-like of shape (n_y * n_x, n_features)
        Decoded rows: from the left to the right, and the largest `y_codes` first.

    x_codes : array-like of shape (n_x,)
        Codes along the horizontal axis, rising.

    y_codes : array-like of shape (n_y,), default=None
        Codes along the vertical axis, falling. `None` is for one code.

    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of images. `None` draws lines.

    code_names : sequence of str, default=None
        Names of the codes. `None` is "code 1" and "code 2".

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
    CodesDisplay : Where the codes of rows are.
    SamplesDisplay : Rows decoded from codes drawn at random.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import ManifoldDisplay, VAETransformer
    >>> X = load_digits().data
    >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
    >>> display = ManifoldDisplay.from_estimator(vae, image_shape=(8, 8))
    >>> display.X.shape
    (144, 64)
    """

    def __init__(
        self,
        *,
        X: Any,
        x_codes: Any,
        y_codes: Any = None,
        image_shape: Any = None,
        code_names: Sequence[str] | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.X = X
        self.x_codes = x_codes
        self.y_codes = y_codes
        self.image_shape = image_shape
        self.code_names = code_names
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        components: Sequence[int] | None = None,
        n_grid: int = 12,
        image_shape: Any = "auto",
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the rows of a grid of codes.

        The grid is at equally probable values of the codes, from 2 % to 98 %: those of
        the prior of a `VAETransformer`, or of the rows of `X`.

        Parameters
        ----------
        estimator : transformer or Pipeline
            Fitted `VAETransformer`, other autoencoder or PCA, or a pipeline or search
            with one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows whose codes span the grid. Required unless `estimator` is a
            `VAETransformer`; codes that are not drawn are at their medians.
        components : sequence of one or two int, default=None
            Indices of the codes to draw, from 0. `None` draws the first two.
        n_grid : int, default=12
            Number of tiles along each axis.
        image_shape : tuple of int, "auto" or None, default="auto"
            Shape of images, as in the constructor. "auto" is `image_shape_` of a
            `ConvAE`, and `None` of other estimators.
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        name : str, default=None
            Name in the title. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : ManifoldDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If there is no such code, or `X` is needed or has the wrong shape.
        """
        if n_grid < 2:
            raise ValueError(f"n_grid must be at least 2, got {n_grid!r}.")
        found = fitted_model(estimator, cls.__name__)
        shares = np.linspace(_OUTSIDE, 1 - _OUTSIDE, n_grid)
        quantiles, rest = _quantiles(found, X, shares, cls.__name__)
        indices = _check_components(components, len(rest), cls.__name__)
        x_codes = quantiles[:, indices[0]]
        y_codes = quantiles[::-1, indices[1]] if len(indices) == 2 else None
        n_lines = 1 if y_codes is None else n_grid
        codes = np.tile(rest, (n_lines * n_grid, 1))
        codes[:, indices[0]] = np.tile(x_codes, n_lines)
        if y_codes is not None:
            codes[:, indices[1]] = np.repeat(y_codes, n_grid)
        rows = found.decode(codes)
        display = cls(
            X=rows,
            x_codes=x_codes,
            y_codes=y_codes,
            image_shape=resolved_image_shape(image_shape, found.model, rows.shape[1]),
            code_names=code_names(indices),
            estimator_name=name or found.name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, cmap: Any = "gray") -> Self:
        """Draw the tiles.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        cmap : str or Colormap, default="gray"
            Colours of images with one channel.

        Returns
        -------
        display : ManifoldDisplay
            The display.
        """
        owner, rows = type(self).__name__, np.asarray(self.X, dtype=float)
        shape = RowShape.of(self.image_shape, rows.shape[1], owner)
        shape = RowShape((rows.shape[1],)) if shape is None else shape
        n = len(self.x_codes)
        self.figure_, self.ax_ = axes_or_new(owner, ax)
        ax, step = self.ax_, tile_height(shape)
        draw_tiles(ax, rows, shape, n, tile_limits(rows, shape), cmap)
        n_lines = len(rows) // n
        ax.set(xlim=(0, n), ylim=(n_lines * step, 0), aspect="equal")
        names = self.code_names or ["code 1", "code 2"]
        title = f"Rows decoded by {self.estimator_name}" if self.estimator_name else ""
        set_labels(ax, title, names[0], names[1] if self.y_codes is not None else "")
        _set_code_ticks(ax.xaxis, self.x_codes, 1.0, ax)
        if self.y_codes is None:
            ax.set_yticks([])
        else:
            _set_code_ticks(ax.yaxis, self.y_codes, step, ax)
        return self


def _quantiles(
    found: FittedModel, X: Any, shares: np.ndarray, owner: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantiles of each code, and the codes that stand for all others."""
    if X is not None:
        codes = found.codes(X)
        return np.quantile(codes, shares, axis=0), np.median(codes, axis=0)
    if not hasattr(found.model, "sample"):
        raise ValueError(
            f"{owner} needs X for a {type(found.model).__name__}: rows whose codes say "
            "how far the plane extends."
        )
    n_codes = found.model.n_components_
    return np.tile(norm.ppf(shares)[:, None], n_codes), np.zeros(n_codes)


def _check_components(
    components: Sequence[int] | None, n_codes: int, owner: str
) -> list[int]:
    if components is None:
        return list(range(min(2, n_codes)))
    indices = [int(index) for index in np.ravel(components)]
    if not (1 <= len(set(indices)) == len(indices) <= 2) or not all(
        0 <= index < n_codes for index in indices
    ):
        raise ValueError(
            f"components of {owner} must be one or two indices from 0 to "
            f"{n_codes - 1}, got {components!r}."
        )
    return indices


def _set_code_ticks(axis: Any, codes: Any, step: float, ax: Any) -> None:
    """Label every tile with its code, or fewer of them if there is no room."""
    labels = [f"{code:.2g}" for code in codes]
    every = -(-len(labels) // 5)
    shown = [label if i % every == 0 else "" for i, label in enumerate(labels)]
    set_tile_ticks(axis, shown, step, size=small_font(ax))
