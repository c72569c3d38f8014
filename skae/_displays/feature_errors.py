"""The errors of one row, feature by feature."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import _num_samples

from skae._displays.models import first_rows, fitted_model, last_step
from skae._displays.style import (
    COLOURS,
    SIGNED,
    axes_or_new,
    is_narrow,
    longest_name,
    set_bar_label,
    set_labels,
    short_name,
    small_font,
    symmetric_limit,
)
from skae._displays.tiles import RowShape, resolved_image_shape

# At most so many bars, each with so much room, in points.
_MAX_BARS, _ROOM_OF_BAR = 15, 12.0

_UNITS = {
    "data": "value minus reconstruction",
    "held_out": "error, in multiples\nof the usual one",
}


class FeatureErrorsDisplay:
    """Errors of one row by feature, which say why it is unusual.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn. Features are bars, the largest errors first; pixels are an image, and samples
    of a signal are a line.

    Parameters
    ----------
    errors : array-like of shape (n_features,)
        Value minus reconstruction of each feature.

    feature_names : array-like of str of shape (n_features,), default=None
        Names of the features. `None` is "feature 0", "feature 1" and so on.

    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of an image, whose channels are
        averaged, or (length,) of a signal. `None` is for features that are neither.

    error_name : str, default="value minus reconstruction"
        Label of the errors.

    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the errors.

    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    ReconstructionOutlierDetector.feature_errors : Returns the errors.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skae import FeatureErrorsDisplay, ReconstructionOutlierDetector
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, _ = load_wine(return_X_y=True, as_frame=True)
    >>> detector = ReconstructionOutlierDetector(PCA(4), random_state=0)
    >>> model = make_pipeline(StandardScaler(), detector).fit(X)
    >>> display = FeatureErrorsDisplay.from_estimator(model, X[:1], units="held_out")
    >>> len(display.ax_.patches)
    13
    """

    def __init__(
        self,
        *,
        errors: Any,
        feature_names: Any = None,
        image_shape: Any = None,
        error_name: str = _UNITS["data"],
        estimator_name: str | None = None,
    ) -> None:
        self.errors = errors
        self.feature_names = feature_names
        self.image_shape = image_shape
        self.error_name = error_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        units: str = "data",
        image_shape: Any = "auto",
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the errors of one row.

        Parameters
        ----------
        estimator : ReconstructionOutlierDetector, transformer or Pipeline
            Fitted detector, autoencoder or PCA, or a pipeline that ends in one. Behind
            other steps, the errors of a detector are in the units that it gets.
        X : {array-like, sparse matrix} of shape (1, n_features)
            The row, such as ``X[i : i + 1]``.
        units : {"data", "held_out"}, default="data"
            Units of a detector's errors: those of the data, or multiples of the
            feature's usual error on held-out rows, which can be compared between
            features.
        image_shape : tuple of int, "auto" or None, default="auto"
            Shape of the image or signal, as in the constructor. "auto" is
            `image_shape_` of a `ConvAE`, and `None` of other estimators.
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        name : str, default=None
            Name in the title. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : FeatureErrorsDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `X` is not one row of the right length, or `units` need a detector.
        """
        row = first_rows(X, 2, cls.__name__)
        if _num_samples(row) != 1:
            raise ValueError(
                f"{cls.__name__} draws one row, got X with several. Pass one of them, "
                "such as X[i : i + 1]."
            )
        found = last_step(estimator)
        if hasattr(found.model, "feature_errors"):
            errors = found.model.feature_errors(found.inputs(row), units=units)[0]
            shaped, names = found.model.estimator_, found.input_names()
        elif units != "data":
            raise ValueError(
                f"units={units!r} needs a ReconstructionOutlierDetector, got "
                f"{type(found.model).__name__}. Use units='data'."
            )
        else:
            found = fitted_model(estimator, cls.__name__)
            value, reconstructed = found.reconstruction(row)
            errors, shaped = (value - reconstructed)[0], found.model
            names = found.feature_names(len(errors))
        display = cls(
            errors=errors,
            feature_names=names,
            image_shape=resolved_image_shape(image_shape, shaped, len(errors)),
            error_name=_UNITS[units],
            estimator_name=name or found.name,
        )
        return display.plot(ax, **kwargs)

    def plot(
        self, ax: Any = None, *, max_features: int | None = None, **kwargs: Any
    ) -> Self:
        """Draw the errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        max_features : int, default=None
            Number of bars: the features with the largest errors. `None` draws as many
            as there is room for, but at most 15.
        **kwargs : dict
            Passed to the function of matplotlib that draws the errors: `barh`, `plot`
            for a signal, or `imshow` for an image.

        Returns
        -------
        display : FeatureErrorsDisplay
            The display.
        """
        errors = np.asarray(self.errors, dtype=float)
        shape = RowShape.of(self.image_shape, len(errors), type(self).__name__)
        self.figure_, self.ax_ = axes_or_new(type(self).__name__, ax)
        title = "Errors of one row"
        if self.estimator_name and not is_narrow(self.ax_):
            title += f" by {self.estimator_name}"
        if shape is None:
            shown = self._draw_bars(errors, max_features, kwargs)
            if shown < len(errors):
                title += f"\n(the {shown} largest of {len(errors)} features)"
            set_labels(self.ax_, title, self.error_name)
        elif shape.is_image:
            self._draw_image(errors, shape, kwargs)
            set_labels(self.ax_, title)
        else:
            style = {"color": COLOURS[0], "linewidth": 1.2, **kwargs}
            self.ax_.plot(np.arange(len(errors)), errors, **style)
            self.ax_.axhline(0, color="0.4", linewidth=0.8)
            set_labels(self.ax_, title, "sample", self.error_name)
        return self

    def _draw_bars(
        self, errors: np.ndarray, max_features: int | None, kwargs: dict[str, Any]
    ) -> int:
        """Draw bars of the largest errors, and return how many."""
        ax = self.ax_
        height = ax.get_window_extent().height / ax.figure.dpi * 72
        if max_features is None:
            max_features = int(np.clip(height / _ROOM_OF_BAR, 3, _MAX_BARS))
        order = np.argsort(-np.abs(errors), kind="stable")[:max_features]
        names = self.feature_names
        if names is None:
            names = [f"feature {i}" for i in range(len(errors))]
        places = np.arange(len(order))
        style = {
            "color": [COLOURS[1] if errors[i] > 0 else COLOURS[5] for i in order],
            "edgecolor": "0.2",
            "linewidth": 0.6,
            **kwargs,
        }
        ax.barh(places, errors[order], **style)
        ax.axvline(0, color="0.2", linewidth=0.8)
        ax.set_ylim(len(order) - 0.4, -0.6)
        size = float(np.clip(height / (1.8 * len(order)), 4, small_font(ax)))
        set_labels(ax)
        longest = longest_name(ax)
        shown = [short_name(names[i], longest) for i in order]
        ax.set_yticks(places, shown, fontsize=size)
        return len(order)

    def _draw_image(
        self, errors: np.ndarray, shape: RowShape, kwargs: dict[str, Any]
    ) -> None:
        bound = symmetric_limit(errors)
        style = {"cmap": SIGNED, "vmin": -bound, "vmax": bound, **kwargs}
        image = self.ax_.imshow(shape.images(errors[None])[0], **style)
        self.ax_.set(xticks=[], yticks=[])
        bar = self.figure_.colorbar(image, ax=self.ax_)
        set_bar_label(bar, self.ax_, self.error_name)
