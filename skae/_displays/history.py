"""The losses of a fit, epoch by epoch."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np

from skae._base import BaseAutoencoder
from skae._conv import ConvAE
from skae._denoising import DenoisingAE
from skae._dense import DenseAE
from skae._displays.models import fitted_model
from skae._displays.style import (
    COLOURS,
    PCA,
    axes_or_new,
    legend_inside,
    set_labels,
    whole_numbers,
)

# Losses that span more than this factor are drawn on a logarithmic axis.
_WIDE_RANGE = 20.0

_SQUARED_ERROR = "share of the variance left over"


class TrainingHistoryDisplay:
    """Losses of a fit by epoch, with PCA's error as a line.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Loss on the training rows in each epoch.

    val_loss : array-like of shape (n_epochs,), default=None
        Loss on the held-out rows, if there are any.

    error : float, default=None
        Error of the fitted estimator, in the units of the losses. It is drawn as a
        point at the last epoch.

    pca_error : float, default=None
        Error of PCA on the same rows, in the units of the losses. It is drawn as a
        line.

    error_rows : str, default="held-out rows"
        Rows of the two errors, for the legend.

    loss_name : str, default="loss"
        Label of the losses.

    used_network : bool, default=True
        Whether the network was kept. If not, the title says so.

    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure of the axes.

    line_, val_line_, pca_line_ : matplotlib Line2D or None
        The three lines; `None` for what is not drawn.

    See Also
    --------
    DenseAE : Its `history_` has the losses.

    Notes
    -----
    Compare the point with PCA's line: both are errors of all held-out rows, or of the
    training rows where none were held out in the last epoch. The curve of a fit that
    may stop early leaves out the 2 % of these rows that PCA reconstructs worst, so it
    may end below the point.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import DenseAE, TrainingHistoryDisplay
    >>> X = load_digits().data
    >>> autoencoder = DenseAE(4, max_iter=5, random_state=0).fit(X)
    >>> display = TrainingHistoryDisplay.from_estimator(autoencoder)
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(
        self,
        *,
        loss: Any,
        val_loss: Any = None,
        error: float | None = None,
        pca_error: float | None = None,
        error_rows: str = "held-out rows",
        loss_name: str = "loss",
        used_network: bool = True,
        estimator_name: str | None = None,
    ) -> None:
        self.loss = loss
        self.val_loss = val_loss
        self.error = error
        self.pca_error = pca_error
        self.error_rows = error_rows
        self.loss_name = loss_name
        self.used_network = used_network
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, name: str | None = None, **kwargs: Any
    ) -> Self:
        """Draw the history of a fitted autoencoder.

        PCA's line is drawn where the loss is the squared error of the reconstruction:
        of `DenseAE`, `DenoisingAE` and `ConvAE` with a linear output, without ordered
        codes. Other losses have other terms, and no line of PCA.

        Parameters
        ----------
        estimator : autoencoder or Pipeline
            Fitted autoencoder of this package, or a pipeline or search with one.
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        name : str, default=None
            Name in the title. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is no autoencoder of this package.
        ValueError
            If no network was trained, so that there is no history.
        """
        model = fitted_model(estimator, cls.__name__).model
        _check_has_history(model, cls.__name__)
        history = model.history_
        is_squared_error = _is_squared_error(model)
        unit = model._scale**2
        display = cls(
            loss=np.array(history["loss"]),
            val_loss=np.array(history["val_loss"]) if history["val_loss"] else None,
            error=model.reconstruction_error_ / unit if is_squared_error else None,
            pca_error=model.pca_reconstruction_error_ / unit
            if is_squared_error
            else None,
            error_rows="held-out rows" if model._held_out else "training rows",
            loss_name=_SQUARED_ERROR if is_squared_error else "loss",
            used_network=model.used_network_,
            estimator_name=name or type(model).__name__,
        )
        return display.plot(ax, **kwargs)

    def plot(
        self, ax: Any = None, *, log_scale: bool | str = "auto", **kwargs: Any
    ) -> Self:
        """Draw the losses.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. `None` makes a new figure.
        log_scale : bool or "auto", default="auto"
            Whether the axis of the losses is logarithmic. "auto" makes it so if they
            are positive and span more than a factor of 20.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for both curves.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display.
        """
        self.figure_, self.ax_ = axes_or_new(type(self).__name__, ax)
        ax = self.ax_
        epochs = np.arange(1, len(self.loss) + 1)
        marker = "." if len(epochs) < 3 else None
        style = {"color": "0.55", "linestyle": ":", "marker": marker, **kwargs}
        (self.line_,) = ax.plot(epochs, self.loss, label="training rows", **style)
        self.val_line_ = self.pca_line_ = None
        if self.val_loss is not None:
            style = {"color": COLOURS[0], "marker": marker, **kwargs}
            held_out = epochs[: len(self.val_loss)]
            (self.val_line_,) = ax.plot(
                held_out, self.val_loss, label="held-out rows", **style
            )
        self._draw_errors(ax, epochs[-1])
        if log_scale is True or (log_scale == "auto" and self._spans_decades()):
            ax.set_yscale("log")
        whole_numbers(ax.xaxis)
        set_labels(ax, self._title(), "epoch", self.loss_name)
        legend_inside(ax)
        return self

    def _draw_errors(self, ax: Any, last_epoch: int) -> None:
        if self.pca_error is not None:
            self.pca_line_ = ax.axhline(
                self.pca_error,
                color=PCA["color"],
                linestyle=PCA["linestyle"],
                label=f"PCA, all {self.error_rows}",
            )
        if self.error is not None and self.used_network:
            ax.plot(
                [last_epoch],
                [self.error],
                "D",
                color=COLOURS[1],
                label=f"the fit, all {self.error_rows}",
                zorder=3,
            )

    def _spans_decades(self) -> bool:
        values = np.concatenate(
            [self.loss, [] if self.val_loss is None else self.val_loss]
        )
        return bool(values.min() > 0 and values.max() > _WIDE_RANGE * values.min())

    def _title(self) -> str:
        name = self.estimator_name or "the network"
        if self.used_network:
            return f"Training of {name}"
        return f"{name} is PCA\n(losses of the network not kept)"


def _check_has_history(model: Any, owner: str) -> None:
    if not isinstance(model, BaseAutoencoder):
        raise TypeError(
            f"{owner} expects a fitted autoencoder of skae, got "
            f"{type(model).__name__}, which has no history."
        )
    if not model.used_network_ and not model.history_["val_loss"]:
        raise ValueError(
            f"This {type(model).__name__} is PCA, and no network was trained: there is "
            "no history to draw. It had too few rows to compare a network with PCA; "
            "early_stopping=False trains one all the same."
        )


def _is_squared_error(model: Any) -> bool:
    """Tell whether the losses are mean squared errors of the reconstruction."""
    return (
        isinstance(model, (ConvAE, DenoisingAE, DenseAE))
        and model.loss == "squared_error"
        and model.output_activation == "linear"
        and not getattr(model, "ordered", False)
        # Truncated codes keep the history of the ordered ones.
        and not hasattr(model, "reconstruction_curve_")
        and (model.n_components is None or isinstance(model.n_components, Integral))
    )
