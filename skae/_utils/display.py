"""Shows the progress of a fit: one line that is updated, or lines of the log.

A line that is updated needs a notebook, or a terminal and the package rich. Else, and
for `verbose` of 2 and more, there are lines of the log.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import threading
from contextlib import contextmanager
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from skae._utils.log import is_read, log_shown, logger, notebook_shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._utils.progress import Report

# Seconds between updates of a line, and after which a line of the log repeats what the
# fit is doing.
_SECONDS_OF_LINE = 0.5
_SECONDS_OF_LOG = 6.0

# Tasks of which there are several, "epoch 3/100", and those that go without saying.
_NUMBERED = ("fold", "epoch")
_OUTER = ("fit", "folds", "training")

# A terminal or notebook shows one updating line at a time.
_one_line = threading.Lock()


class _Task:
    """A task that is not ended, and its number among the subtasks of its parent.

    Only subtasks of the same name are counted.
    """

    def __init__(self, name: str, n_subtasks: int | None) -> None:
        self.name = name
        self.number = self.total = 0
        self._n_subtasks = n_subtasks
        self._n_by_name: dict[str, int] = {}

    def __str__(self) -> str:
        return f"{self.name} {self.number}/{self.total}" if self.total else self.name

    def add(self, task: _Task) -> None:
        """Give a subtask its number, and their total if it is known."""
        counts = self._n_by_name
        task.number = counts[task.name] = counts.get(task.name, 0) + 1
        if task.name in _NUMBERED and self._n_subtasks is not None:
            others = sum(counts.values()) - task.number
            task.total = self._n_subtasks - others


class Status:
    """A watcher that can say in a line what the fit is doing.

    Parameters
    ----------
    label : str
        What tells this fit from others.
    sink : Sink
        Where the line is shown.
    every_epoch : bool
        Whether each epoch gets a line of its own.

    Attributes
    ----------
    closing : str or None
        The last line to show, once the fit is done.
    """

    def __init__(self, label: str, sink: Sink, every_epoch: bool) -> None:
        self.label = label
        self._sink = sink
        self._every_epoch = every_epoch
        self._open: list[_Task] = []
        self._phase = "reading rows"
        self._values = ""
        # When the fit began, the present epochs did, and the last of them ended.
        self._began = self._since = self._last_end = perf_counter()
        self._n_done = self._n_left = 0
        self.closing: str | None = None

    def line(self) -> str:
        """Return the label, the phase, losses, and the time.

        The label gives way to the name of the estimator where the line is too long.
        """
        text = f": {self._phase}{self._values}{self._time()}"
        is_short = len(self.label + text) <= self._sink.width
        return (self.label if is_short else self.label.partition("(")[0]) + text

    def begin(self, name: str, n_subtasks: int | None) -> None:
        """Take note of a task."""
        task = _Task(name, n_subtasks)
        if self._open:
            self._open[-1].add(task)
        else:
            n_subtasks = 0  # of the fit as a whole
        self._open.append(task)
        is_first_epoch = name == "epoch" and task.number == 1
        if name != "epoch" or is_first_epoch:
            self._values, self._n_done, self._since = "", 0, perf_counter()
        self._phase = self._open_phase()
        # PCA by itself is a phase, and so are the epochs of a training.
        if n_subtasks is None or is_first_epoch:
            self._sink.phase(self.line())

    def end(self, report: Report | None) -> bool:
        """Take note of the end of the task begun last; never asks to stop."""
        task = self._open.pop()
        if task.name == "epoch" and report is not None:
            self._values = _losses(report)
            self._n_left, self._last_end = task.total - task.number, perf_counter()
            self._n_done = task.number
            if self._every_epoch:
                self._sink.phase(f"{self.label}: {self._phase}{self._values}")
        if task.name != "epoch":
            self._phase = self._open_phase() or "last steps"
            self._values, self._n_done = "", 0
        return False

    def _open_phase(self) -> str:
        inner = [str(task) for task in self._open if task.name not in _OUTER]
        if inner or not self._open:
            return ", ".join(inner)
        last = self._open[-1].name
        return last if last == "training" else "decision"

    def _time(self) -> str:
        """Return the time left of the epochs, or that since the fit began."""
        n_done = self._n_done  # the thread that trains may set it to 0 meanwhile
        if n_done:
            one_epoch = (self._last_end - self._since) / n_done
            left = one_epoch * self._n_left - (perf_counter() - self._last_end)
            return f", {_duration(max(left, 0))} left"
        seconds = perf_counter() - self._began
        return f", {_duration(seconds)} so far" if seconds >= 1 else ""


def _losses(report: Report) -> str:
    losses = f", loss {report.loss:.4g}"
    if report.val_loss is not None:
        losses += f", validation {report.val_loss:.4g}"
        losses += f" ({report.start} {report.start_loss:.4g})"
    return losses


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Sink(Protocol):
    """Shows the line of a status."""

    #: Seconds between calls of `update`.
    interval: float

    @property
    def width(self) -> float:
        """The number of characters that a line may have."""

    def phase(self, line: str) -> None:
        """Show the line as a phase begins."""

    def update(self, line: str) -> None:
        """Show the line as time goes by."""

    def close(self, line: str) -> None:
        """Show the last line."""

    def stop(self) -> None:
        """Leave the terminal as it was."""


class _Log:
    """Lines of the log: one a phase, and one whenever none came for some seconds."""

    interval = 1.0
    width = inf

    def __init__(self, has_phases: bool) -> None:
        self._has_phases = has_phases
        self._last = perf_counter()

    def phase(self, line: str) -> None:
        if self._has_phases:
            self.close(line)

    def update(self, line: str) -> None:
        if perf_counter() - self._last > _SECONDS_OF_LOG:
            self.close(line)

    def close(self, line: str) -> None:
        self._last = perf_counter()
        logger.info("%s", line)

    def stop(self) -> None:
        """Nothing is to be undone."""


class _Terminal:
    """A line of the terminal, by rich."""

    interval = _SECONDS_OF_LINE

    def __init__(self, live: Any, text: Any) -> None:
        self._live = live
        self._text = text
        live.start()

    @property
    def width(self) -> float:
        return float(self._live.console.width)

    def phase(self, line: str) -> None:
        """Nothing: the line is updated soon."""

    def update(self, line: str) -> None:
        text = self._text(line, no_wrap=True, overflow="ellipsis")
        self._live.update(text, refresh=True)

    def close(self, line: str) -> None:
        self._live.update(self._text(line), refresh=True)

    def stop(self) -> None:
        self._live.stop()


class _Notebook:
    """An output of a notebook's cell."""

    interval = _SECONDS_OF_LINE
    width = inf

    def __init__(self, display: Any) -> None:
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def phase(self, line: str) -> None:
        """Nothing: the line is updated soon."""

    def update(self, line: str) -> None:
        self._handle.update({"text/plain": line}, raw=True)

    def close(self, line: str) -> None:
        self.update(line)

    def stop(self) -> None:
        """Nothing is to be undone."""


@contextmanager
def status_shown(
    label: str, verbose: int, *, alone: bool, has_phases: bool
) -> Iterator[Status | None]:
    """Show what a fit is doing, until the end of the context.

    Parameters
    ----------
    label : str
        What tells this fit from others.
    verbose : int
        0 shows nothing, and yields `None`; 1 shows one line, or lines of the log; from
        2 on, the log has a line for each epoch, too.
    alone : bool
        Whether nothing else may be drawing on the terminal.
    has_phases : bool
        Whether the log has a line for each phase, rather than the closing one only.
    """
    if not verbose:
        yield None
        return
    is_line = alone and verbose == 1 and not is_read() and not worker_name()
    if not (is_line and _one_line.acquire(blocking=False)):
        log = _Log(has_phases or verbose > 1)
        with log_shown(), _updated(log, label, verbose > 1) as status:
            yield status
        return
    try:
        sink = _notebook() or _terminal()
        with log_shown(sink is None):
            with _updated(sink or _Log(has_phases), label, every_epoch=False) as status:
                yield status
    finally:
        _one_line.release()


@contextmanager
def _updated(sink: Sink, label: str, every_epoch: bool) -> Iterator[Status]:
    """Yield a status that a thread shows regularly, as a fit may not come to it."""
    status, stopped = Status(label, sink, every_epoch), threading.Event()

    def update() -> None:
        while not stopped.wait(sink.interval):
            sink.update(status.line())

    thread = threading.Thread(target=update, name="skae-progress", daemon=True)
    sink.phase(status.line())
    thread.start()
    try:
        yield status
    finally:
        stopped.set()
        thread.join()
        try:
            if status.closing is not None:
                sink.close(f"{label} {status.closing}")
        finally:
            sink.stop()


def worker_name() -> str:
    """Return the name of a worker, a process or a thread, or "" outside of workers."""
    process, thread = multiprocessing.current_process(), threading.current_thread()
    if process.name != "MainProcess":
        return process.name
    return "" if thread is threading.main_thread() else thread.name


def _notebook() -> Sink | None:
    if notebook_shell() is None:
        return None
    return _Notebook(sys.modules["IPython"].display.display)


def _terminal() -> Sink | None:
    if not sys.stdout.isatty():
        return None
    try:
        console, live, text = (
            importlib.import_module(f"rich.{name}")
            for name in ("console", "live", "text")
        )
    except ImportError:
        return None
    screen = console.Console()
    if screen.is_dumb_terminal:
        return None
    shown = live.Live(console=screen, auto_refresh=False, vertical_overflow="visible")
    return _Terminal(shown, text.Text)
