"""Errors of rows, and the threshold of a detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skae._displays.models import last_step
from skae._displays.style import COLOURS, axes_or_new, legend_inside, set_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

# Errors that span more than this factor are drawn on a logarithmic axis.
_WIDE_RANGE = 30.0

_HATCHES = ("", "//", "..", "xx")
_NAMES_OF_LABELS = {"1": "normal", "-1": "outlier"}


class OutlierScoresDisplay:
    """Histogram of the reconstruction errors of rows, with the threshold.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn. Errors are minus the scores, so that outliers are on the right.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        Scores of the rows, low for outliers, as `score_samples` returns them.

    threshold : float, default=None
        Rows that score lower are outliers; `offset_` of the detector.

    labels : array-like of shape (n_samples,), default=None
        Class of each row, if it is known. 1 is called "normal" and -1 "outlier", as in
        scikit-learn.

    error_name : str, default="reconstruction error"
        Label of minus the scores.

    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the histogram.

    figure_ : matplotlib Figure
        Figure of the axes.

    threshold_line_ : matplotlib Line2D or None
        Line at minus the threshold, if there is one.

    See Also
    --------
    FeatureErrorsDisplay : Which features make a row unusual.
    ReconstructionOutlierDetector : Sets the threshold.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae import OutlierScoresDisplay, ReconstructionOutlierDetector
    >>> X = load_digits().data
    >>> detector = ReconstructionOutlierDetector(PCA(16), random_state=0).fit(X[:1000])
    >>> display = OutlierScoresDisplay.from_estimator(detector, X[1000:])
    >>> print(f"{display.threshold:.0f}")
    -314
    """

    def __init__(
        self,
        *,
        scores: Any,
        threshold: float | None = None,
        labels: Any = None,
        error_name: str = "reconstruction error",
        estimator_name: str | None = None,
    ) -> None:
        self.scores = scores
        self.threshold = threshold
        self.labels = labels
        self.error_name = error_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the errors of the rows of `X`.

        Parameters
        ----------
        estimator : outlier detector, autoencoder or Pipeline
            Fitted estimator with `score_samples`, or a pipeline that ends in one. An
            autoencoder has no threshold.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, best those that it was not fitted to.
        y : array-like of shape (n_samples,), default=None
            Class of each row, if it is known, such as 1 and -1.
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        name : str, default=None
            Name in the title. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : OutlierScoresDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it has no `score_samples`.
        ValueError
            If `X` or `y` has the wrong shape.
        """
        found = last_step(estimator)
        if not hasattr(estimator, "score_samples"):
            raise TypeError(
                f"{cls.__name__} expects an estimator with `score_samples`, got "
                f"{type(found.model).__name__}. Fit a ReconstructionOutlierDetector."
            )
        scores = np.asarray(estimator.score_samples(X))
        if y is not None:
            check_consistent_length(scores, y)
        is_ours = type(found.model).__module__.startswith("skae.")
        display = cls(
            scores=scores,
            threshold=getattr(found.model, "offset_", None),
            labels=y,
            error_name=_error_name(found.model) if is_ours else "minus the score",
            estimator_name=name or found.name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, bins: int = 40, **kwargs: Any) -> Self:
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        bins : int, default=40
            Number of bins.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        display : OutlierScoresDisplay
            The display.
        """
        self.figure_, self.ax_ = axes_or_new(type(self).__name__, ax)
        ax, errors = self.ax_, -np.asarray(self.scores, dtype=float)
        edges = self._edges(errors, bins)
        for i, (name, members) in enumerate(_groups(self.labels, len(errors))):
            colour = "0.75" if i == 0 else COLOURS[(i - 1) % len(COLOURS)]
            style = {
                "histtype": "stepfilled" if i == 0 else "step",
                "facecolor": colour if i == 0 else "none",
                "edgecolor": "0.4" if i == 0 else colour,
                "hatch": _HATCHES[i % len(_HATCHES)],
                "linewidth": 1.2,
            }
            ax.hist(errors[members], edges, label=name, **{**style, **kwargs})
        self.threshold_line_ = None
        if self.threshold is not None:
            n_flagged = int((errors > -self.threshold).sum())
            self.threshold_line_ = ax.axvline(
                -self.threshold,
                color="black",
                linestyle="--",
                label=f"threshold: {n_flagged} of\n{len(errors)} rows beyond",
            )
        title = f"Errors by {self.estimator_name}" if self.estimator_name else ""
        set_labels(ax, title, self.error_name, "rows")
        if ax.get_legend_handles_labels()[1]:
            legend_inside(ax)
        return self

    def _edges(self, errors: np.ndarray, bins: int) -> np.ndarray:
        """Return the edges of the bins, and make the axis logarithmic if need be."""
        shown = errors if self.threshold is None else np.append(errors, -self.threshold)
        low, high = float(shown.min()), float(shown.max())
        if low > 0 and high > _WIDE_RANGE * low:
            self.ax_.set_xscale("log")
            return np.geomspace(low, high, bins + 1)
        return np.linspace(low, high if high > low else low + 1.0, bins + 1)


def _groups(labels: Any, n_rows: int) -> list[tuple[str | None, np.ndarray]]:
    """Return the name and the rows of each class; the normal ones come first."""
    if labels is None:
        return [(None, np.full(n_rows, True))]
    labels = np.asarray(labels)
    if labels.dtype.kind == "f" and (labels == np.round(labels)).all():
        labels = labels.astype(np.int64)  # "-1", not "-1.0"
    texts = labels.astype(str)
    if texts.shape != (n_rows,):
        raise ValueError(
            f"labels must have one class for each of the {n_rows} rows, got the shape "
            f"{texts.shape}."
        )
    different: Sequence[str] = sorted(np.unique(texts), key=lambda text: text == "-1")
    return [(_NAMES_OF_LABELS.get(text, text), texts == text) for text in different]


def _error_name(model: Any) -> str:
    """Return what the score of a row sums."""
    kind = getattr(model, "error", "squared")
    units = ", held-out units" if getattr(model, "units", "data") == "held_out" else ""
    return f"sum of {kind} errors of a row{units}"
