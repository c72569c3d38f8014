"""What a fit tells of itself as it goes.

The steps of a fit are tasks, and tasks have subtasks: a fit, its trainings, their
epochs. Whoever is to know of them is a watcher: the line of `verbose`, or callbacks.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Report(NamedTuple):
    """What is known at the end of a task.

    Attributes
    ----------
    result : callable
        Makes the result of the fit as if it had ended with the task.
    loss, val_loss, start_loss : float or None
        After an epoch: the losses on training rows and on held-out rows, and that of
        the first weights on held-out rows.
    start : str
        What the first weights are.
    """

    result: Callable[[], Any]
    loss: float | None = None
    val_loss: float | None = None
    start_loss: float | None = None
    start: str = ""


class Watcher(Protocol):
    """Is told of tasks as they begin and end, the innermost first to end."""

    def begin(self, name: str, n_subtasks: int | None) -> None: ...
    def end(self, report: Report | None) -> bool: ...


class Progress:
    """Tells watchers of the tasks of a fit."""

    def __init__(self, watchers: Sequence[Watcher] = ()) -> None:
        self._watchers = list(watchers)
        self._n_open = 0

    @classmethod
    def told_to(cls, *watchers: Watcher | None) -> Progress:
        """Return the progress that is told to those watchers that are not `None`."""
        return cls([watcher for watcher in watchers if watcher is not None])

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    def begin(self, name: str, n_subtasks: int | None = 0) -> None:
        """Begin a task.

        Parameters
        ----------
        name : str
        n_subtasks : int or None
            The most subtasks that it may have; `None` if that is not known.
        """
        for watcher in self._watchers:
            watcher.begin(name, n_subtasks)
        # Last, as the user may interrupt a watcher, which then has no task to end.
        self._n_open += 1

    def end(self, report: Report | None = None) -> bool:
        """End the task begun last; return whether a watcher asks to stop."""
        self._n_open -= 1
        stops = [watcher.end(report) for watcher in self._watchers]
        return any(stops)

    @contextmanager
    def task(self, name: str, n_subtasks: int | None = 0) -> Iterator[None]:
        """Begin a task, and end it and what has been left open in it.

        After an error it is left open, as the fit ends.
        """
        n_before = self._n_open
        self.begin(name, n_subtasks)
        yield
        while self._n_open > n_before:
            self.end()
