"""What each code contributes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skae._displays.models import fitted_model
from skae._displays.style import (
    COLOURS,
    axes_or_new,
    legend_inside,
    set_labels,
    whole_numbers,
)

# The attributes that may be drawn, the first that an estimator has, with their labels.
_ATTRIBUTES = {
    "kl_divergence_": "divergence from\nthe prior (nats)",
    "active_share_": "share of rows in\nwhich it is active",
    "held_out_variance_ratio_": "added share of the variance",
    "explained_variance_ratio_": "explained share of the variance",
}


class CodeActivityDisplay:
    """What each code contributes: information, activity, or explained variance.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn.

    Parameters
    ----------
    values : array-like of shape (n_components,)
        Value of each code.

    is_active : array-like of bool of shape (n_components,), default=None
        Whether each code is in use. Bars of the others are open.

    value_name : str, default="activity"
        Label of the values.

    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.

    figure_ : matplotlib Figure
        Figure of the axes.

    bars_ : matplotlib BarContainer
        The bars.

    See Also
    --------
    ComponentsCurveDisplay : Errors by the number of codes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import CodeActivityDisplay, SparseAE
    >>> X = load_digits().data
    >>> sparse = SparseAE(16, max_iter=5, random_state=0).fit(X)
    >>> display = CodeActivityDisplay.from_estimator(sparse)
    >>> len(display.bars_)
    16
    """

    def __init__(
        self,
        *,
        values: Any,
        is_active: Any = None,
        value_name: str = "activity",
        estimator_name: str | None = None,
    ) -> None:
        self.values = values
        self.is_active = is_active
        self.value_name = value_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, name: str | None = None, **kwargs: Any
    ) -> Self:
        """Draw what each code contributes.

        Of a `VAETransformer` that is `kl_divergence_`, of a `SparseAE` `active_share_`,
        of ordered codes `held_out_variance_ratio_`, and of PCA
        `explained_variance_ratio_`.

        Parameters
        ----------
        estimator : autoencoder, PCA or Pipeline
            Fitted estimator with one of these attributes, or a pipeline or search with
            one.
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        name : str, default=None
            Name in the title. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : CodeActivityDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it has none of the attributes, as contributions of the codes of a network
            do not add up.
        """
        found = fitted_model(estimator, cls.__name__)
        attribute = next((a for a in _ATTRIBUTES if hasattr(found.model, a)), None)
        if attribute is None:
            raise ValueError(
                f"{cls.__name__} needs one of {', '.join(_ATTRIBUTES)}, and this "
                f"{type(found.model).__name__} has none: the codes of its network do "
                "not add up. Fit DenseAE(ordered=True), or draw loadings."
            )
        is_kl, label = attribute == "kl_divergence_", _ATTRIBUTES[attribute]
        if attribute == "held_out_variance_ratio_":
            label += f"\n({'held-out' if found.model._held_out else 'training'} rows)"
        display = cls(
            values=getattr(found.model, attribute),
            is_active=found.model.active_units_ if is_kl else None,
            value_name=label,
            estimator_name=name or found.name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, sort: bool = False, **kwargs: Any) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        sort : bool, default=False
            Whether the largest values come first, rather than the first codes.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.bar`.

        Returns
        -------
        display : CodeActivityDisplay
            The display.
        """
        self.figure_, self.ax_ = axes_or_new(type(self).__name__, ax)
        ax, values = self.ax_, np.asarray(self.values, dtype=float)
        order = np.argsort(-values) if sort else np.arange(len(values))
        places = np.arange(1, len(values) + 1)
        style = {"color": COLOURS[0], "width": 0.8 if len(values) < 60 else 1.0}
        self.bars_ = ax.bar(places, values[order], **{**style, **kwargs})
        if self.is_active is not None:
            self._open_inactive(np.asarray(self.is_active)[order])
        ax.axhline(0, color="0.2", linewidth=0.8)
        whole_numbers(ax.xaxis)
        title = f"Codes of {self.estimator_name}" if self.estimator_name else ""
        set_labels(ax, title, "rank of the code" if sort else "code", self.value_name)
        return self

    def _open_inactive(self, is_active: np.ndarray) -> None:
        idle = [
            bar for bar, used in zip(self.bars_, is_active, strict=True) if not used
        ]
        for bar in idle:
            bar.set(facecolor="white", edgecolor="0.3", hatch="//")
        if idle:
            idle[0].set_label(f"not in use: {len(idle)} of {len(is_active)}")
            legend_inside(self.ax_, idle[:1])
