"""Loadings as a heat map, or as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skae._displays.models import FittedModel, fitted_model
from skae._displays.style import (
    SEQUENTIAL,
    SIGNED,
    axes_or_new,
    code_names,
    longest_name,
    set_bar_label,
    set_labels,
    short_name,
    small_font,
    symmetric_limit,
)
from skae._displays.tiles import (
    RowShape,
    draw_tiles,
    n_tile_columns,
    resolved_image_shape,
    tile_height,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# More names than this are not written.
_MAX_NAMES = 40

# At most so many cells have their numbers written into them.
_MAX_NUMBERS = 60


class LoadingsDisplay:
    """Loadings as a heat map: how codes and features change with each other.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn. Features are lines and codes are columns; of images, each code is an image.

    Parameters
    ----------
    loadings : array-like of shape (n_components, n_features)
        Loadings.

    feature_names : array-like of str of shape (n_features,), default=None
        Names of the features. `None` is their indices.

    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of images, whose channels are
        averaged. `None` draws a heat map.

    value_name : str, default="loading"
        Label of the values.

    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the heat map.

    figure_ : matplotlib Figure
        Figure of the axes.

    image_ : matplotlib AxesImage
        The heat map.

    See Also
    --------
    DenseAE.loadings : Returns the loadings.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import DenseAE, LoadingsDisplay
    >>> X, _ = load_wine(return_X_y=True, as_frame=True)
    >>> autoencoder = DenseAE(2, max_iter=5, random_state=0)
    >>> model = make_pipeline(StandardScaler(), autoencoder).fit(X)
    >>> display = LoadingsDisplay.from_estimator(model, X)
    >>> display.loadings.shape
    (2, 13)
    """

    def __init__(
        self,
        *,
        loadings: Any,
        feature_names: Any = None,
        image_shape: Any = None,
        value_name: str = "loading",
        estimator_name: str | None = None,
    ) -> None:
        self.loadings = loadings
        self.feature_names = feature_names
        self.image_shape = image_shape
        self.value_name = value_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        part: str = "encoder",
        absolute: bool = False,
        standardized: bool = False,
        image_shape: Any = "auto",
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the loadings of an autoencoder, or the components of PCA.

        Parameters
        ----------
        estimator : autoencoder, PCA or Pipeline
            Fitted estimator, or a pipeline or search with one. Features are those that
            it gets from the steps before it.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows at which to take the derivatives, as `estimator` takes them: some
            hundreds suffice. Not used for PCA.
        part : {"encoder", "decoder"}, default="encoder"
            Change of the codes with the features, or of the features with the codes, as
            in :meth:`DenseAE.loadings`.
        absolute : bool, default=False
            Whether to average absolute derivatives, rather than signed ones.
        standardized : bool, default=False
            Whether a unit of each feature is its standard deviation over the rows.
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
        display : LoadingsDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it has neither `loadings` nor `components_`.
        ValueError
            If `X` is missing or has the wrong shape, or PCA gets an option that it has
            not.
        """
        found = fitted_model(estimator, cls.__name__)
        options = {"part": part, "absolute": absolute, "standardized": standardized}
        loadings = _loadings(found, X, options, cls.__name__)
        n_features = loadings.shape[1]
        display = cls(
            loadings=loadings,
            feature_names=found.input_names(),
            image_shape=resolved_image_shape(image_shape, found.model, n_features),
            value_name=_value_name(part, absolute, standardized),
            estimator_name=name or found.name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, cmap: Any = None, **kwargs: Any) -> Self:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        cmap : str or Colormap, default=None
            Colours. `None` is "viridis" if no loading is negative, and otherwise
            "cividis", with grey for zero.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`, but not for images.

        Returns
        -------
        display : LoadingsDisplay
            The display.
        """
        loadings = np.asarray(self.loadings, dtype=float)
        shape = RowShape.of(self.image_shape, loadings.shape[1], type(self).__name__)
        self.figure_, self.ax_ = axes_or_new(type(self).__name__, ax)
        bound, is_signed = symmetric_limit(loadings), bool((loadings < 0).any())
        limits = (-bound if is_signed else 0.0, bound)
        cmap = cmap or (SIGNED if is_signed else SEQUENTIAL)
        if shape is not None and shape.is_image:
            self._draw_images(loadings, shape, limits, cmap)
        else:
            self._draw_map(loadings, limits, cmap, kwargs)
        bar = self.figure_.colorbar(self.image_, ax=self.ax_, aspect=25)
        set_bar_label(bar, self.ax_, self.value_name)
        name = self.estimator_name
        set_labels(self.ax_, f"Loadings of {name}" if name else "")
        return self

    def _draw_map(
        self,
        loadings: np.ndarray,
        limits: tuple[float, float],
        cmap: Any,
        kwargs: dict[str, Any],
    ) -> None:
        ax, (n_codes, n_features) = self.ax_, loadings.shape
        style = {"cmap": cmap, "vmin": limits[0], "vmax": limits[1], "aspect": "auto"}
        style = {**style, "interpolation": "nearest", **kwargs}
        self.image_ = ax.imshow(loadings.T, **style)
        set_labels(ax)
        if n_codes <= 12:
            is_wide = self._width() > 36 * n_codes
            names = code_names(range(n_codes))
            shown = names if is_wide else [name[5:] for name in names]
            ax.set_xticks(np.arange(n_codes), shown)
        if n_codes > 12 or not is_wide:
            set_labels(ax, xlabel="code" if n_codes <= 12 else "code, from 0")
        self._name_features(n_features)
        if loadings.size <= _MAX_NUMBERS:
            self._write_numbers(loadings)

    def _name_features(self, n_features: int) -> None:
        names: Sequence[str] | None = self.feature_names
        ax = self.ax_
        if names is None or n_features > _MAX_NAMES:
            set_labels(ax, ylabel="feature")
            return
        height = ax.get_window_extent().height / ax.figure.dpi * 72
        size = float(np.clip(height / (1.25 * n_features), 4, small_font(ax)))
        shown = [short_name(name, longest_name(ax)) for name in names]
        ax.set_yticks(np.arange(n_features), shown, fontsize=size)

    def _width(self) -> float:
        """Return about the width, in points, that names and colour bar will leave."""
        box, names = self.ax_.get_window_extent(), self.feature_names
        width: float = box.width * 72 / self.ax_.figure.dpi - 70
        if names is None or len(names) > _MAX_NAMES:
            return width
        shown = min(longest_name(self.ax_), max(len(str(name)) for name in names))
        return width - 0.55 * small_font(self.ax_) * shown

    def _write_numbers(self, loadings: np.ndarray) -> None:
        ax = self.ax_
        box = ax.get_window_extent()
        points = 72 / ax.figure.dpi
        high = box.height * points / loadings.shape[1]
        wide = self._width() / loadings.shape[0]
        size = min(0.75 * high, wide / 4.5, small_font(ax))
        if size < _SMALLEST_NUMBER:
            return
        for (code, feature), value in np.ndenumerate(loadings):
            r, g, b, _ = self.image_.cmap(self.image_.norm(value))
            is_light = 0.3 * r + 0.59 * g + 0.11 * b > 0.5
            ax.text(
                code,
                feature,
                f"{value:.2g}" if abs(value) >= 0.005 else "0",
                ha="center",
                va="center",
                fontsize=size,
                color="black" if is_light else "white",
            )

    def _draw_images(
        self,
        loadings: np.ndarray,
        shape: RowShape,
        limits: tuple[float, float],
        cmap: Any,
    ) -> None:
        ax, n_codes = self.ax_, len(loadings)
        flat = RowShape(shape.shape[:2])
        n_columns = n_tile_columns(n_codes)
        rows = shape.images(loadings).reshape(n_codes, -1)
        self.image_ = draw_tiles(ax, rows, flat, n_columns, limits, cmap)
        step = tile_height(flat)
        ax.set(xticks=[], yticks=[], xlim=(0, n_columns), aspect="equal")
        ax.set_ylim(-(-n_codes // n_columns) * step, 0)
        for i, name in enumerate(code_names(range(n_codes))):
            line, column = divmod(i, n_columns)
            ax.text(
                column + 0.06,
                step * (line + 0.05),
                name.removeprefix("code "),
                va="top",
                fontsize=small_font(ax),
                color="black",
                bbox={"facecolor": "white", "alpha": 0.7, "lw": 0, "pad": 0.8},
            )
        ax.spines[:].set_visible(False)
        set_labels(ax, xlabel="a tile for each code")


# Smaller numbers, in points, cannot be read.
_SMALLEST_NUMBER = 4.5


def _loadings(
    found: FittedModel, X: Any, options: dict[str, Any], owner: str
) -> np.ndarray:
    model = found.model
    if hasattr(model, "loadings"):
        if X is None:
            raise ValueError(f"{owner} needs X: rows at which to take the derivatives.")
        loadings: np.ndarray = model.loadings(found.inputs(X), **options)
        return loadings
    if not hasattr(model, "components_"):
        raise TypeError(
            f"{owner} expects an autoencoder of skae or PCA, got "
            f"{type(model).__name__}, which has neither `loadings` nor `components_`."
        )
    if options["part"] != "encoder" or options["standardized"]:
        raise ValueError(
            f"{owner} draws `components_` of {type(model).__name__}, which has no "
            f"other loadings; got part={options['part']!r} and "
            f"standardized={options['standardized']!r}."
        )
    components = np.asarray(model.components_)
    return np.abs(components) if options["absolute"] else components


def _value_name(part: str, absolute: bool, standardized: bool) -> str:
    """Return what a loading is the mean of."""
    unit = "standard deviation" if standardized else "unit"
    kind = "absolute change" if absolute else "change"
    if part == "encoder":
        return f"mean {kind} of the code\nfor one {unit} of the feature"
    of = " (in standard deviations)" if standardized else ""
    return f"mean {kind} of the feature{of}\nfor one unit of the code"
