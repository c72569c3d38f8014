"""An estimator divided at the autoencoder that is ordered, and put together again."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object, process_routing
from sklearn.utils.validation import check_memory

from skae._base import BaseAutoencoder
from skae._constraints import check_linear_code
from skae._utils.parameters import as_generator
from skae._utils.search_compat import (
    _num_features,
    _num_samples,
    _routing_enabled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skae._callbacks import MetaTask

_OWNER = "TruncationSearchCV"

# A larger share of the variance, explained by all components, is all of it but for
# rounding.
_ALL_OF_THE_VARIANCE = 1 - 1e-9

# Refining takes one in this many epochs of a whole fit.
_REFINING_DIVISOR = 4


class TooManyComponents(ValueError):
    """More components than the rows have; an error whatever `error_score` is."""


@dataclass(frozen=True)
class StepParams:
    """Parameters of `fit`, by the part of the estimator that takes them."""

    before: dict[str, Any]
    step: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True)
class DividedEstimator:
    """An estimator, divided at the autoencoder that is to be ordered.

    Attributes
    ----------
    whole : estimator
        A pipeline, or the autoencoder itself.
    index : int or None
        Position of the autoencoder in the pipeline; `None` without a pipeline.
    """

    whole: Any
    index: int | None

    @property
    def step(self) -> Any:
        """The autoencoder."""
        return self.whole if self.index is None else self.whole.steps[self.index][1]

    @property
    def parameter(self) -> str:
        """Name of the autoencoder's n_components among the estimator's parameters."""
        return "n_components" if self.index is None else f"{self._name}__n_components"

    @property
    def _name(self) -> str:
        name: str = self.whole.steps[self.index][0]
        return name

    def before(self) -> Any:
        """Return an unfitted pipeline of the steps before the autoencoder, or None."""
        return None if self.index is None else self._part(0, self.index)

    def after(self) -> Any:
        """Return an unfitted pipeline of the steps after the autoencoder, or None."""
        if self.index is None:
            return None
        return self._part(self.index + 1, len(self.whole.steps))

    def has_later_steps(self) -> bool:
        """Tell whether a step after the autoencoder does something."""
        after = self.after()
        return after is not None and any(not _is_skipped(s) for _, s in after.steps)

    def assembled(self, before: Any, step: Any, after: Any) -> Any:
        """Return the whole estimator, made of fitted parts."""
        if self.index is None:
            return step
        return self._with_steps(
            [
                *(() if before is None else before.steps),
                (self._name, step),
                *(() if after is None else after.steps),
            ]
        )

    def divide_params(self, params: dict[str, Any]) -> StepParams:
        """Divide parameters for the `fit` of the whole estimator.

        Raises
        ------
        ValueError
            If no part takes one of them.
        """
        if self.index is None:
            return StepParams({}, params, {})
        if _routing_enabled():
            return self._route(params)
        return self._divide_by_prefix(params)

    def _route(self, params: dict[str, Any]) -> StepParams:
        of_step = process_routing(self.whole, "fit", **params)[self._name]
        # A pipeline calls `fit_transform` of all its steps but the last one.
        method = "fit" if self.after() is None else "fit_transform"
        return StepParams(
            _consumed(self.before(), "fit_transform", params),
            of_step[method],
            _consumed(self.after(), "fit", params),
        )

    def _divide_by_prefix(self, params: dict[str, Any]) -> StepParams:
        names = [name for name, _ in self.whole.steps]
        divided = StepParams({}, {}, {})
        for key, value in params.items():
            prefix, _, rest = key.partition("__")
            if prefix not in names or not rest:
                raise ValueError(
                    f"{_OWNER} got the fit parameter {key!r}. Without metadata routing "
                    "it must be named after the step that takes it, such as "
                    f"'{names[-1]}__sample_weight'. The steps are {names}."
                )
            if prefix == self._name:
                divided.step[rest] = value
            else:
                is_before = names.index(prefix) < names.index(self._name)
                (divided.before if is_before else divided.after)[key] = value
        return divided

    def _part(self, start: int, stop: int) -> Any:
        steps = self.whole.steps[start:stop]
        if not steps:
            return None
        return self._with_steps([(name, clone(s, safe=False)) for name, s in steps])

    def _with_steps(self, steps: Sequence[tuple[str, Any]]) -> Any:
        # A clone keeps the class, the memory and other settings of the user's pipeline.
        return clone(self.whole).set_params(steps=list(steps))


def _consumed(part: Any, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a part of the pipeline asks for."""
    if part is None:
        return {}
    names = get_routing_for_object(part).consumes(method=method, params=params.keys())
    return {name: params[name] for name in names}


# --- Which step ---


def divide(estimator: Any, name: str | None) -> DividedEstimator:
    """Divide an estimator at the step of that name, or at the one that can be ordered.

    Raises
    ------
    TypeError
        If the estimator is neither a pipeline nor an autoencoder that can be ordered.
    ValueError
        If the step is not unique, or cannot be ordered.
    """
    if isinstance(estimator, Pipeline):
        divided = DividedEstimator(estimator, _index_of_step(estimator, name))
        _check_steps_before(divided)
    elif not _can_be_ordered(estimator):
        raise TypeError(
            f"The estimator of {_OWNER} must be a Pipeline with a DenseAE or a "
            f"DenoisingAE, or one of these itself, got {estimator!r}."
        )
    elif name is not None:
        raise ValueError(
            f"{_OWNER} got step={name!r}, but {type(estimator).__name__} is no "
            "Pipeline and has no steps. Use step=None."
        )
    else:
        divided = DividedEstimator(estimator, None)
    step, ordered = divided.step, f"ordered=True, which {_OWNER} sets,"
    check_linear_code(type(step).__name__, ordered, step.code_activation)
    return divided


def _can_be_ordered(step: Any) -> bool:
    return isinstance(step, BaseAutoencoder) and "ordered" in step.get_params()


def _index_of_step(pipeline: Any, step: str | None) -> int:
    names = [name for name, _ in pipeline.steps]
    can_be = [i for i, (_, s) in enumerate(pipeline.steps) if _can_be_ordered(s)]
    if step is not None:
        return _index_of_name(names, can_be, step)
    if len(can_be) > 1:
        raise ValueError(
            f"{_OWNER} found several steps that can be ordered: "
            f"{[names[i] for i in can_be]}. Name the one to truncate by `step`."
        )
    if not can_be:
        nested = any(isinstance(s, Pipeline) for _, s in pipeline.steps)
        raise ValueError(
            f"{_OWNER} found no step that can be ordered among {names}: it needs a "
            "DenseAE or a DenoisingAE."
            + " Pipelines within the pipeline are not looked into: list their steps in "
            "the outer pipeline." * nested
        )
    return can_be[0]


def _index_of_name(names: list[str], can_be: list[int], step: str) -> int:
    if step not in names:
        raise ValueError(
            f"{_OWNER} got step={step!r}, but the steps of its estimator are {names}."
        )
    index = names.index(step)
    if index not in can_be:
        raise ValueError(
            f"{_OWNER} got step={step!r}, which cannot be ordered: it must be a "
            "DenseAE or a DenoisingAE."
        )
    return index


def _check_steps_before(divided: DividedEstimator) -> None:
    before = divided.before()
    for name, step in () if before is None else before.steps:
        if hasattr(step, "fit_resample"):
            raise ValueError(
                f"{_OWNER} cannot use a pipeline that resamples rows before the "
                f"autoencoder, as its step {name!r} does. Put that step after it."
            )
    if divided.whole.transform_input is not None and not _routing_enabled():
        raise ValueError(
            f"{_OWNER} got a Pipeline with transform_input="
            f"{divided.whole.transform_input!r}, which scikit-learn allows only with "
            "sklearn.set_config(enable_metadata_routing=True)."
        )


def _is_skipped(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")


def check_n_components(most: int, X: Any, n_rows: int | None = None) -> None:
    """Check that PCA of rows, or of `n_rows` of them, has as many components."""
    n_rows = _num_samples(X) if n_rows is None else n_rows
    try:
        n_features = _num_features(X)
    except TypeError:  # not rows; the fit says so
        return
    limit = min(n_rows, n_features)
    if most > limit > 0:  # no rows at all are an error of the fit
        raise TooManyComponents(
            f"n_components has {most}, but the rows that the autoencoder is to be "
            f"trained on have n_samples={n_rows} and n_features={n_features}, and PCA "
            f"of them has at most {limit} components. Leave out larger numbers."
        )


# --- Fitting ---


@dataclass(frozen=True)
class OrderedFit:
    """The fitted steps up to the ordered codes, and what later steps are fitted on.

    Attributes
    ----------
    divided : DividedEstimator
        What was fitted.
    before : estimator or None
        The fitted steps before the autoencoder.
    ordered : estimator
        The fitted autoencoder, of all codes.
    X : array-like
        Rows that the autoencoder was fitted to.
    y : array-like or None
        Their targets.
    params : StepParams
        Parameters for the fits.
    """

    divided: DividedEstimator
    before: Any
    ordered: Any
    X: Any
    y: Any
    params: StepParams

    def model(self, n_components: int, refine: bool = False) -> Any:
        """Return the fitted estimator of the first codes; only later steps are fitted.

        With `refine`, the codes are first trained without the others for a while.
        """
        step = self.ordered.truncate(n_components)
        if refine and step.used_network_:
            step.set_params(max_iter=max(1, step.max_iter // _REFINING_DIVISOR))
            step.fit(self.X, self.y, **self.params.step)
        # `truncate` asks for a warm start, which a search is not to leave behind.
        asked = clone(self.divided.step).get_params(deep=False)
        step.set_params(**{**asked, "n_components": n_components, "ordered": False})
        after = self.divided.after()
        if after is not None:
            params = _transformed(
                self.divided.whole, self.params.after, [self.before, step]
            )
            after.fit(step.transform(self.X), self.y, **params)
        return self.divided.assembled(self.before, step, after)


def fit_ordered(
    divided: DividedEstimator,
    numbers: Sequence[int],
    X: Any,
    y: Any,
    params: dict[str, Any],
    callbacks: MetaTask,
) -> OrderedFit:
    """Fit the steps before the autoencoder, and it once, for all numbers of codes.

    Raises
    ------
    TooManyComponents
        If the rows that reach the autoencoder have fewer components.
    """
    by_step = divided.divide_params(params)
    before = divided.before()
    if before is not None:
        X = before.fit_transform(X, y, **by_step.before)
    most = max(numbers)
    check_n_components(most, X)
    step = clone(divided.step).set_params(n_components=most, ordered=True)
    if not isinstance(step.random_state, Integral):
        # Rows must be held out alike if the codes are refined.
        seed = as_generator(step.random_state).randint(2**31 - 1)
        step.set_params(random_state=int(seed))
    of_step = _transformed(divided.whole, by_step.step, [before])
    memory = check_memory(getattr(divided.whole, "memory", None))
    # As a pipeline with memory does, load the step if it was fitted so.
    fit = memory.cache(_fit, ignore=["callbacks"])
    ordered = fit(step, X, y, of_step, callbacks)
    _warn_of_exact_pca(ordered, numbers)
    params_by_step = StepParams(by_step.before, of_step, by_step.after)
    return OrderedFit(divided, before, ordered, X, y, params_by_step)


def _fit(step: Any, X: Any, y: Any, params: dict[str, Any], callbacks: MetaTask) -> Any:
    with callbacks.running(step):
        return step.fit(X, y, **params)


def _transformed(
    whole: Any, params: dict[str, Any], transformers: list[Any]
) -> dict[str, Any]:
    """Transform those parameters that the pipeline's `transform_input` names."""
    params = dict(params)
    for name in getattr(whole, "transform_input", None) or ():
        if params.get(name) is not None:
            for transformer in transformers:
                if transformer is not None:
                    params[name] = transformer.transform(params[name])
    return params


def _warn_of_exact_pca(ordered: Any, numbers: Sequence[int]) -> None:
    """Warn if the largest number makes the answer PCA for the smaller ones, too."""
    if ordered.used_network_ or len(set(numbers)) == 1:
        return
    if sum(ordered.explained_variance_ratio_) > _ALL_OF_THE_VARIANCE:
        warnings.warn(
            f"n_components has {max(numbers)}, with which PCA reconstructs the "
            f"training rows exactly. No network of ordered codes is better than that, "
            f"so {_OWNER} has used PCA for every number of components. Leave out "
            "numbers from the rank of the rows on.",
            UserWarning,
            stacklevel=2,
        )
