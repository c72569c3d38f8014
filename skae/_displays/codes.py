"""Codes of rows, in scatter plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skae._displays.groups import Groups
from skae._displays.models import fitted_model
from skae._displays.style import (
    COLOURS,
    LINE_STYLES,
    axes_or_new,
    code_names,
    grid_of_axes,
    legend_outside,
    set_bar_label,
    set_labels,
    small_font,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# More codes make pictures too small to see anything.
_MAX_CODES = 8

# More classes than this are named in the picture only, and not in a legend.
_MAX_IN_LEGEND = 40

# Points beyond this number are drawn as pixels, in files of vectors, too.
_MANY_POINTS = 2000


class CodesDisplay:
    """Scatter plot of codes, by class or by value.

    Create it with :meth:`from_estimator`. The constructor takes the arrays that are
    drawn. Of three codes or more, each pair has axes of its own.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_codes)
        Codes to draw: from one to eight.

    target : array-like of shape (n_samples,), default=None
        Class or value of each row. Strings, booleans, and whole numbers with at most 20
        different values are classes: they have a colour and a marker each, and short
        names stand at their medians, too. Other numbers are values, and have a colour
        bar; rows without one (NaN) are grey.

    code_names : sequence of str, default=None
        Names of the codes. `None` is "code 1", "code 2" and so on.

    target_name : str, default=None
        Title of the legend or of the colour bar.

    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first axes.

    axes_ : ndarray of matplotlib Axes
        All axes: of shape (1, 1) for two codes or one, and otherwise of shape
        (n_codes - 1, n_codes - 1), of which those above the diagonal are empty.

    figure_ : matplotlib Figure
        Figure of the axes.

    legend_ : matplotlib Legend or None
        Names of the classes. `None` without classes, with more than 40, or where there
        is no room for it.

    See Also
    --------
    ManifoldDisplay : What the codes stand for, all over the plane.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import CodesDisplay, DenseAE
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = DenseAE(2, max_iter=5, random_state=0).fit(X)
    >>> display = CodesDisplay.from_estimator(autoencoder, X, y, target_name="digit")
    >>> display.ax_.get_xlabel()
    'code 1'
    """

    def __init__(
        self,
        *,
        codes: Any,
        target: Any = None,
        code_names: Sequence[str] | None = None,
        target_name: str | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.codes = codes
        self.target = target
        self.code_names = code_names
        self.target_name = target_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        components: Sequence[int] | None = None,
        target_name: str | None = None,
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the codes of the rows of `X`.

        Parameters
        ----------
        estimator : transformer or Pipeline
            Fitted autoencoder, PCA or other transformer, or a pipeline or search with
            one; what follows the autoencoder is left out.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as `estimator` takes them.
        y : array-like of shape (n_samples,), default=None
            Class or value of each row.
        components : sequence of int, default=None
            Indices of the codes to draw, from 0. `None` draws the first two.
        target_name : str, default=None
            Title of the legend or of the colour bar. `None` is the name of `y`, if it
            is a series that has one.
        ax : matplotlib Axes, default=None
            Axes to draw on, divided if there are three codes or more. `None` makes a
            new figure.
        name : str, default=None
            Name in the title. `None` is that of the class.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : CodesDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `X` or `y` has the wrong shape, or there is no such code.
        """
        model = fitted_model(estimator, cls.__name__)
        codes = model.codes(X)
        if y is not None:
            check_consistent_length(codes, y)
            target_name = target_name or getattr(y, "name", None)
        indices = _check_components(components, codes.shape[1], cls.__name__)
        display = cls(
            codes=codes[:, indices],
            target=y,
            code_names=code_names(indices),
            target_name=target_name,
            estimator_name=name or model.name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, cmap: Any = None, **kwargs: Any) -> Self:
        """Draw the codes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, divided if there are three codes or more. `None` makes a
            new figure.
        cmap : str or Colormap, default=None
            Colours of values; `None` is "viridis". Of classes, `None` is a palette of
            seven colours for the colour-blind.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.scatter`, such as `s` and `alpha`.

        Returns
        -------
        display : CodesDisplay
            The display.
        """
        owner, codes = type(self).__name__, np.asarray(self.codes)
        n_codes = codes.shape[1]
        if n_codes > _MAX_CODES:
            raise ValueError(
                f"{owner} draws at most {_MAX_CODES} codes, got {n_codes}. Choose some "
                "with `components`."
            )
        groups = Groups.of(self.target, len(codes), cmap)
        self.legend_ = None
        if n_codes <= 2:
            self.figure_, self.ax_ = axes_or_new(owner, ax)
            self.axes_ = np.array([[self.ax_]])
        else:
            n = n_codes - 1
            self.figure_, self.axes_ = grid_of_axes(
                owner, ax, (n, n), sharex="col", sharey="row"
            )
            self.ax_ = self.axes_[0, 0]
        names = self.code_names or code_names(range(n_codes))
        style = {**_style_of_points(self.ax_, len(codes)), **kwargs}
        if n_codes == 1:
            self._draw_one(groups, codes[:, 0], names[0], style)
        else:
            self._draw_pairs(groups, codes, names, style)
        title = f"Codes of {self.estimator_name}" if self.estimator_name else ""
        if self.legend_ is None and groups.need_legend:
            title += f"\n({len(groups.members)} classes; no room for their names)"
        if n_codes <= 2:
            set_labels(self.ax_, title)
        elif ax is None and title:
            self.figure_.suptitle(title)
        return self

    def _draw_one(
        self, groups: Groups, codes: np.ndarray, name: str, style: dict[str, Any]
    ) -> None:
        """Draw one code: its distribution, by class if there are any, or by value."""
        ax = self.ax_
        if groups.values is not None:
            ax.scatter(codes, groups.values, color=COLOURS[0], **style)
            set_labels(ax, "", name, self.target_name or "value")
            return
        bins = np.histogram_bin_edges(codes, 30)
        for i, (members, _) in enumerate(groups.members):
            ax.hist(
                codes[members],
                bins,
                histtype="step" if len(groups.members) > 1 else "stepfilled",
                color=COLOURS[i % len(COLOURS)],
                linestyle=LINE_STYLES[i % len(LINE_STYLES)],
                linewidth=1.3,
            )
        set_labels(ax, "", name, "rows")
        if len(groups.members) > 1:
            self._add_legend(ax, groups, ax.patches)

    def _draw_pairs(
        self,
        groups: Groups,
        codes: np.ndarray,
        names: Sequence[str],
        style: dict[str, Any],
    ) -> None:
        last = len(self.axes_) - 1
        for (row, column), ax in np.ndenumerate(self.axes_):
            if column > row:
                ax.set_axis_off()
                continue
            points = groups.draw(ax, codes[:, column], codes[:, row + 1], style)
            if last == 0:
                groups.name_medians(ax, codes)
            set_labels(
                ax,
                xlabel=names[column] if row == last else "",
                ylabel=names[row + 1] if column == 0 else "",
            )
        if groups.values is not None:
            bar = self.figure_.colorbar(points[0], ax=list(self.axes_.flat))
            set_bar_label(bar, self.ax_, self.target_name or "value")
            bar.solids.set(alpha=1)
        elif 1 < len(groups.members) <= _MAX_IN_LEGEND:
            self._add_legend(self.axes_[0, -1], groups, points)

    def _add_legend(self, ax: Any, groups: Groups, handles: Sequence[Any]) -> None:
        names = [name for _, name in groups.members]
        if len(self.axes_) == 1:
            legend = legend_outside(ax, handles, names, self.target_name)
        else:  # there is room above the diagonal
            size = small_font(self.ax_)
            height = ax.get_window_extent().height * 72 / ax.figure.dpi
            n_lines = int(height * (len(self.axes_) - 1) / (1.6 * size))
            legend = ax.legend(
                handles,
                names,
                loc="upper right",
                ncols=-(-len(names) // max(1, n_lines - 1)),
                title=self.target_name,
                fontsize=size,
                title_fontsize=size,
                labelspacing=0.2,
                columnspacing=0.8,
                handletextpad=0.2,
                frameon=False,
            )
            legend.set_in_layout(False)
        self.legend_ = legend
        for handle in legend.legend_handles if legend is not None else ():
            handle.set_alpha(1)
            if hasattr(handle, "set_sizes"):
                handle.set_sizes([18])


def _style_of_points(ax: Any, n_points: int) -> dict[str, Any]:
    """Return smaller and more transparent points for more rows and smaller axes."""
    box = ax.get_window_extent()
    area = box.width * box.height * (72 / ax.figure.dpi) ** 2
    return {
        "s": float(np.clip(0.15 * area / n_points, 2, 25)),
        "alpha": float(np.clip(1.5 * n_points**-0.12, 0.2, 0.85)),
        "linewidths": 0,
        "rasterized": n_points > _MANY_POINTS,
    }


def _check_components(
    components: Sequence[int] | None, n_codes: int, owner: str
) -> list[int]:
    if components is None:
        return list(range(min(2, n_codes)))
    indices = [int(index) for index in np.ravel(components)]
    if not indices or min(indices) < 0 or max(indices) >= n_codes:
        raise ValueError(
            f"components of {owner} must be indices from 0 to {n_codes - 1}, got "
            f"{components!r}."
        )
    return indices
