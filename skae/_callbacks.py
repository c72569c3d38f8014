"""What scikit-learn's callbacks and the line of `verbose` are told of an estimator."""

from __future__ import annotations

import inspect
from contextlib import contextmanager, nullcontext
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

from skae._transaction import snapshot
from skae._utils.compat import CallbackSupportMixin
from skae._utils.display import worker_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skae._utils.progress import Report

_CALLBACKS = "_skl_callbacks"

# What scikit-learn sets for the time of a fit.
_OF_A_FIT = ("_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown")

# The longest value of a parameter in a label.
_LONGEST_VALUE = 24


class CallbackMixin(CallbackSupportMixin):
    """Adds `set_callbacks` if scikit-learn has it, and keeps callbacks out of states.

    An estimator that is not fitted keeps them when it is pickled, as searches send it
    to the processes that fit it.
    """

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        is_fitted = any(name.endswith("_") and name[0] != "_" for name in state)
        for name in (*_OF_A_FIT, _CALLBACKS) if is_fitted else _OF_A_FIT:
            state.pop(name, None)
        return state


def has_callbacks(estimator: Any) -> bool:
    """Tell whether callbacks follow the next fit of an estimator."""
    return bool(vars(estimator).get(_CALLBACKS))


class CallbackTasks:
    """A watcher that tells scikit-learn's callbacks of the tasks of a fit.

    Parameters
    ----------
    estimator : estimator
        The estimator that `fit` was called on.
    new : estimator
        The copy of it that is being fitted.
    set_fitted : callable
        Sets the fitted attributes of an estimator from the result of a fit.
    rows : tuple
        `X` and `y` of the fit.
    """

    def __init__(
        self,
        estimator: Any,
        new: Any,
        set_fitted: Callable[[Any, Any], None],
        rows: tuple[Any, Any],
    ) -> None:
        X, y = rows
        # An autoencoder without labels is to return its rows.
        self._rows = {"X": X, "y": X if y is None else y}
        self._estimator = estimator
        self._new = new
        self._set_fitted = set_fitted
        self._open: list[Any] = []

    @classmethod
    def of(cls, estimator: Any, *others: Any) -> Self | None:
        """Return the watcher of an estimator with callbacks, or else `None`."""
        return cls(estimator, *others) if has_callbacks(estimator) else None

    def begin(self, name: str, n_subtasks: int | None) -> None:
        """Begin a task in that begun last."""
        begin = self._estimator._init_callback_context
        if self._open:
            begin = self._open[-1].subcontext
        context = begin(task_name=name, max_subtasks=n_subtasks)
        self._open.append(context)
        context.call_on_fit_task_begin(estimator=self._estimator, **self._rows)

    def end(self, report: Report | None) -> bool:
        """End the task begun last; return whether a callback asks to stop."""
        attributes = None
        if report is not None:
            attributes = lambda: self._attributes(report.result())  # noqa: E731
        stops: bool = self._open.pop().call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=attributes,
            **self._rows,
        )
        return stops

    def _attributes(self, result: Any) -> dict[str, Any]:
        """Return the attributes that a fit with this result would set."""
        fitted, before = snapshot(self._new), vars(self._estimator)
        self._set_fitted(fitted, result)
        return {
            name: value
            for name, value in vars(fitted).items()
            if name not in before or value is not before[name]
        }


class MetaTask:
    """A task of a meta-estimator, which may be the fit of another estimator.

    It goes to the workers of parallel fits; those that run there are made beforehand.

    Parameters
    ----------
    estimator : estimator
        The meta-estimator.
    context : CallbackContext or None
        What scikit-learn knows the task by; `None` without callbacks.
    """

    def __init__(self, estimator: Any, context: Any) -> None:
        self._estimator = estimator
        self._context = context

    @classmethod
    def of(cls, estimator: Any, n_subtasks: int) -> Self:
        """Return the fit of a meta-estimator."""
        context = None
        if has_callbacks(estimator):
            context = estimator._init_callback_context(max_subtasks=n_subtasks)
        return cls(estimator, context)

    def subtask(self, name: str, n_subtasks: int = 0) -> MetaTask:
        """Return a task within this one."""
        if self._context is None:
            return self
        context = self._context.subcontext(task_name=name, max_subtasks=n_subtasks)
        return MetaTask(self._estimator, context)

    @contextmanager
    def running(self, fitted: Any = None) -> Iterator[None]:
        """Tell of the task, and pass the callbacks on to the estimator it fits, if any.

        After an error it is left open.
        """
        if self._context is None:
            yield
            return
        passed_on: Any = nullcontext()
        if fitted is not None:
            passed_on = self._context.propagate_callback_context(fitted)
        with passed_on:
            self._context.call_on_fit_task_begin(estimator=self._estimator)
            yield
            self._context.call_on_fit_task_end(estimator=self._estimator)


def label_of(estimator: Any, X: Any) -> str:
    """Return what tells a fit from others: its parameters, rows, and the worker.

    Of the parameters, those that are not the defaults, and always n_components.
    """
    parameters = inspect.signature(type(estimator)).parameters.values()
    values = estimator.get_params(deep=False)
    changed = [
        f"{each.name}={_short(values[each.name])}"
        for each in parameters
        if each.name == "n_components"
        or (each.name != "verbose" and _differs(values[each.name], each.default))
    ]
    label = f"{type(estimator).__name__}({', '.join(changed)})"
    shape = getattr(X, "shape", None)
    if shape:
        label += ", " + " x ".join(f"{size:,}" for size in shape)
    worker = worker_name()
    return f"{label} [{worker}]" if worker else label


def _differs(value: Any, default: Any) -> bool:
    plain = (str, Real, tuple, list, type(None))
    if isinstance(value, plain) and isinstance(default, plain):
        return bool(value != default)
    return value is not default


def _short(value: Any) -> str:
    text = repr(value)
    if isinstance(value, (str, Real, type(None))) or len(text) <= _LONGEST_VALUE:
        return text
    return f"{type(value).__name__}(...)"
