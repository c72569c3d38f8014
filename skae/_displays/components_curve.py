"""Errors or scores by the number of codes."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._displays.models import fitted_model
from skae._displays.style import (
    NETWORK,
    PCA,
    axes_or_new,
    legend_inside,
    set_labels,
    whole_numbers,
)

if TYPE_CHECKING:
    from skae._comparison import PCAComparison

_ERROR = "mean squared error"

# Fields of a comparison, and labels, by what is drawn.
_OF_COMPARISON = {
    "error": ("errors", f"{_ERROR}\n(held-out rows)"),
    "explained": ("explained", "explained share of the variance"),
    "score": ("scores", "score on the codes"),
}

# Numbers that span more than this factor with gaps are drawn on a logarithmic axis.
_WIDE_RANGE = 6


class ComponentsCurveDisplay:
    """Errors or scores by the number of codes, beside those of PCA.

    Create it with :meth:`from_estimator` or :meth:`from_comparison`. The constructor
    takes the arrays that are drawn.

    Parameters
    ----------
    n_components : array-like of int of shape (n_numbers,)
        Numbers of codes.

    values : array-like of shape (n_numbers,) or (n_numbers, n_splits)
        Error or score for each number, for each split if there are several. The mean
        over the splits is drawn, with bars of one standard deviation.

    pca_values : array-like of shape (n_numbers,) or (n_numbers, n_splits), default=None
        Those of PCA.

    used_network : array-like of bool, of the shape of `values`, default=None
        Whether the autoencoder uses its network. The marker is open where it is PCA in
        one of the splits or more.

    chosen : int, default=None
        Number of codes that was chosen, for a line.

    value_name : str, default="mean squared error"
        Label of the values.

    estimator_name : str, default=None
        Name of the estimator, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure of the axes.

    line_, pca_line_, chosen_line_ : matplotlib Line2D or None
        The three lines; `None` for what is not drawn.

    See Also
    --------
    compare_with_pca : Measures errors and scores of both.
    TruncationSearchCV : Chooses the number of codes by the score of a later model.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import ComponentsCurveDisplay, DenseAE
    >>> X = load_digits().data
    >>> autoencoder = DenseAE(8, ordered=True, max_iter=5, random_state=0).fit(X)
    >>> display = ComponentsCurveDisplay.from_estimator(autoencoder)
    >>> display.values.shape
    (8,)
    """

    def __init__(
        self,
        *,
        n_components: Any,
        values: Any,
        pca_values: Any = None,
        used_network: Any = None,
        chosen: int | None = None,
        value_name: str = _ERROR,
        estimator_name: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.values = values
        self.pca_values = pca_values
        self.used_network = used_network
        self.chosen = chosen
        self.value_name = value_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        scoring: str | None = None,
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the errors of an ordered autoencoder, or the scores of a search.

        Parameters
        ----------
        estimator : autoencoder, Pipeline or search
            Fitted autoencoder with ``ordered=True``, with a share or "auto" as
            `n_components`, or a pipeline with one. Or a fitted search over
            `n_components`, whose mean scores over the folds are drawn, without PCA.
        scoring : str, default=None
            Which score of a search with several. `None` is the one that `refit` names.
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        name : str, default=None
            Name in the legend. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : ComponentsCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it has no errors or scores for several numbers of codes.
        """
        check_is_fitted(estimator)
        if hasattr(estimator, "cv_results_"):
            fields = _of_search(estimator, scoring, cls.__name__)
            if name is not None:
                fields["estimator_name"] = name
            return cls(**fields).plot(ax, **kwargs)
        found = fitted_model(estimator, cls.__name__)
        curve = getattr(found.model, "reconstruction_curve_", None)
        if curve is None:
            raise ValueError(
                f"{cls.__name__} needs errors for several numbers of codes, and this "
                f"{type(found.model).__name__} has one. Fit it with ordered=True, or "
                "use compare_with_pca(X).plot()."
            )
        n_chosen = found.model.n_components_
        rows = "held-out" if found.model._held_out else "training"
        display = cls(
            n_components=np.arange(1, len(curve) + 1),
            values=curve,
            pca_values=found.model.pca_reconstruction_curve_,
            chosen=n_chosen if n_chosen < len(curve) else None,
            value_name=f"{_ERROR}\n({rows} rows)",
            estimator_name=name or found.name,
        )
        return display.plot(ax, **kwargs)

    @classmethod
    def from_comparison(
        cls,
        comparison: PCAComparison,
        *,
        value: str = "error",
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw a comparison with PCA.

        Parameters
        ----------
        comparison : PCAComparison
            Result of :func:`compare_with_pca`.
        value : {"error", "explained", "score"}, default="error"
            What to draw: mean squared errors, explained shares of the variance, or
            scores of the estimator on the codes.
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        name : str, default=None
            Name in the legend. `None` is "autoencoder".
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : ComponentsCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the comparison has no such values.
        """
        if value not in _OF_COMPARISON:
            raise ValueError(
                f"value must be one of {sorted(_OF_COMPARISON)}, got {value!r}."
            )
        field, label = _OF_COMPARISON[value]
        values = getattr(comparison, f"autoencoder_{field}")
        if values is None:
            raise ValueError(
                "The comparison has no scores. Pass `estimator` and `y` to "
                "compare_with_pca."
            )
        display = cls(
            n_components=comparison.n_components,
            values=values,
            pca_values=getattr(comparison, f"pca_{field}"),
            used_network=comparison.used_network,
            value_name=label,
            estimator_name=name or "autoencoder",
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.errorbar` for the curve of the
            autoencoder.

        Returns
        -------
        display : ComponentsCurveDisplay
            The display.
        """
        self.figure_, self.ax_ = axes_or_new(type(self).__name__, ax)
        ax, numbers = self.ax_, np.asarray(self.n_components)
        order = np.argsort(numbers)
        self.pca_line_ = self.chosen_line_ = None
        if self.pca_values is not None:
            self.pca_line_ = _draw(ax, numbers, self.pca_values, order, PCA, "PCA")
        name = self.estimator_name or "autoencoder"
        style = {**NETWORK, **kwargs}
        self.line_ = _draw(ax, numbers, self.values, order, style, name)
        self._open_markers(numbers)
        if self.chosen is not None:
            self.chosen_line_ = ax.axvline(
                self.chosen,
                color="0.2",
                linestyle=":",
                label=f"chosen: {self.chosen}",
            )
        _set_numbers(ax, numbers[order])
        set_labels(ax, "", "number of codes", self.value_name)
        legend_inside(ax)
        return self

    def _open_markers(self, numbers: np.ndarray) -> None:
        if self.used_network is None:
            return
        used = np.reshape(self.used_network, (len(numbers), -1)).all(axis=1)
        if used.all():
            return
        self.ax_.plot(
            numbers[~used],
            _mean(self.values)[~used],
            linestyle="",
            marker="o",
            color=self.line_.get_color(),
            markerfacecolor="white",
            zorder=3,
            label="is PCA in one split or more" if used.any() else "is PCA",
        )


def _mean(values: Any) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    mean: np.ndarray = values.reshape(len(values), -1).mean(axis=1)
    return mean


def _draw(
    ax: Any,
    numbers: np.ndarray,
    values: Any,
    order: np.ndarray,
    style: dict[str, Any],
    label: str,
) -> Any:
    """Draw one curve, with bars if there are several splits; return its line."""
    values = np.asarray(values, dtype=float).reshape(len(numbers), -1)
    spread = values.std(axis=1)[order] if values.shape[1] > 1 else None
    container = ax.errorbar(
        numbers[order],
        values.mean(axis=1)[order],
        spread,
        label=label,
        **{"capsize": 2.5, "elinewidth": 1, "markersize": 4.5, **style},
    )
    return container.lines[0]


def _set_numbers(ax: Any, numbers: np.ndarray) -> None:
    """Set the axis of the numbers: logarithmic if they grow by factors."""
    has_gaps = bool((np.diff(numbers) > 1).any())
    if has_gaps and numbers[-1] > _WIDE_RANGE * numbers[0]:
        ax.set_xscale("log", base=2)
    if len(numbers) <= 8:
        ax.set_xticks(numbers, [str(k) for k in numbers])
        ax.minorticks_off()
    else:
        ax.set_xscale("linear")
        whole_numbers(ax.xaxis)


def _of_search(search: Any, scoring: str | None, owner: str) -> dict[str, Any]:
    """Return what to draw of a fitted search."""
    results = search.cv_results_
    parameters = [key for key in results if key.startswith("param_")]
    if len(parameters) != 1 or not parameters[0].endswith("n_components"):
        searched = [key.removeprefix("param_") for key in parameters]
        raise ValueError(
            f"{owner} draws searches over n_components alone, such as "
            f"TruncationSearchCV; this one is over {searched}."
        )
    if scoring is None:
        scoring = search.refit if isinstance(search.refit, str) else "score"
    if f"mean_test_{scoring}" not in results:
        names = [key[10:] for key in results if key.startswith("mean_test_")]
        raise ValueError(f"scoring of {owner} must be one of {names}, got {scoring!r}.")
    folds = [results[f"split{i}_test_{scoring}"] for i in range(search.n_splits_)]
    numbers = results[parameters[0]].tolist()
    if not all(isinstance(number, Integral) for number in numbers):
        raise ValueError(
            f"{owner} draws searches over whole numbers as n_components, got {numbers}."
        )
    best = getattr(search, "best_params_", {}).get(parameters[0].removeprefix("param_"))
    return {
        "n_components": np.array(numbers, dtype=int),
        "values": np.transpose(folds),
        "chosen": best,
        "value_name": "score" if scoring == "score" else scoring,
        "estimator_name": f"mean of {search.n_splits_} folds",
    }
