"""`verbose` shows one line a fit, in the place that fits: terminal, notebook or log."""

import io
import logging
import sys
from contextlib import redirect_stdout
from types import SimpleNamespace

import pytest

from skae._utils import display
from skae._utils.display import Status, status_shown
from skae._utils.progress import Progress, Report


class Sink:
    """Keeps what it is shown."""

    interval = 0.001
    width = 1000

    def __init__(self):
        self.lines = []
        self.n_updates = 0

    def phase(self, line):
        self.lines.append(line)

    def update(self, line):
        self.n_updates += 1


def fit_of_two_folds(progress):
    with progress.task("fit", 4), progress.task("folds", 2):
        for _ in range(2):
            with progress.task("fold", 4):
                with progress.task("PCA start"):
                    pass
                for epoch in range(3):
                    progress.begin("epoch")
                    loss = 0.5 - epoch / 10
                    report = Report(lambda: None, loss, 2 * loss, 1.25, "PCA")
                    progress.end(report)


def test_lines_name_fold_epoch_and_losses():
    sink = Sink()
    fit_of_two_folds(Progress([Status("DenseAE(n_components=2)", sink, True)]))
    assert len(sink.lines) == 8
    assert sink.lines[0] == "DenseAE(n_components=2): fold 1/2, epoch 1/3"
    assert sink.lines[-1] == (
        "DenseAE(n_components=2): fold 2/2, epoch 3/3, loss 0.3, validation 0.6 "
        "(PCA 1.25)"
    )


def test_each_phase_has_a_line_at_most():
    sink = Sink()
    fit_of_two_folds(Progress([Status("AE()", sink, False)]))
    assert sink.lines == ["AE(): fold 1/2, epoch 1/3", "AE(): fold 2/2, epoch 1/3"]


def test_time_left_is_told_after_an_epoch(monkeypatch):
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(display, "perf_counter", lambda: float(next(clock)))
    status = Status("AE()", Sink(), False)
    assert status.line() == "AE(): reading rows, 30 s so far"
    status.begin("fit", 3)
    status.begin("training", 11)
    status.begin("epoch", 0)
    status.end(Report(lambda: None, 0.5))
    assert status.line().startswith("AE(): epoch 1/11, loss 0.5, ")
    assert status.line().endswith(" min 0 s left")


def test_line_is_made_while_another_thread_begins_the_next_training():
    class Racing(Status):
        reads = iter([3])
        _n_done = property(lambda self: next(self.reads, 0), lambda self, value: None)

    assert Racing("AE()", Sink(), False).line() == "AE(): reading rows, 0 s left"


def test_label_gives_way_to_the_rest_of_the_line():
    sink = Sink()
    status = Status("DenseAE(n_components=2), 100 x 3", sink, False)
    sink.width = 30
    assert status.line() == "DenseAE: reading rows"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.7, "1 min 0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")],
)
def test_durations(seconds, text):
    assert display._duration(seconds) == text


# --- The log ---


def shown(verbose=1, alone=True, has_phases=True):
    return status_shown("AE()", verbose, alone=alone, has_phases=has_phases)


def test_without_verbose_nothing_is_shown(caplog):
    with shown(verbose=0) as status:
        assert status is None
    assert caplog.messages == []


def test_log_has_the_phases_and_the_closing_line(caplog):
    with shown() as status:
        status.closing = "is done"
    assert caplog.messages == ["AE(): reading rows", "AE() is done"]
    with shown(has_phases=False) as status:
        status.closing = "is done"
    assert caplog.messages[2:] == ["AE() is done"]


def test_log_repeats_what_the_fit_is_doing(caplog, monkeypatch):
    monkeypatch.setattr(display, "_SECONDS_OF_LOG", 0.0)
    monkeypatch.setattr(display._Log, "interval", 0.001)
    with shown():
        while len(caplog.messages) < 3:
            pass
    assert set(caplog.messages) == {"AE(): reading rows"}


def test_a_failed_fit_has_no_closing_line(caplog):
    with pytest.raises(ValueError, match="no"), shown():
        raise ValueError("no")
    assert caplog.messages == ["AE(): reading rows"]


# --- A terminal ---


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Return a terminal, to which the output is to be redirected."""
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


@pytest.fixture
def bare_log(monkeypatch):
    """Replace the logger by one without handlers, as in a user's program."""
    manager = logging.Manager(logging.RootLogger(logging.WARNING))
    logger = manager.getLogger("skae")
    monkeypatch.setattr("skae._utils.log.logger", logger)
    monkeypatch.setattr("skae._utils.display.logger", logger)
    return logger


def shown_on(terminal, **settings):
    """Show a status that is closed at once."""
    with redirect_stdout(terminal), shown(**settings) as status:
        status.closing = "is done"


@pytest.mark.usefixtures("bare_log")
def test_terminal_shows_a_line_that_is_updated(terminal, capsys):
    with redirect_stdout(terminal), shown() as status:
        fit_of_two_folds(Progress([status]))
        status.closing = "is done"
    assert "AE() is done" in terminal.getvalue()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("bare_log")
@pytest.mark.parametrize("settings", [{"verbose": 2}, {"alone": False}])
def test_the_log_has_lines_where_one_line_would_be_in_the_way(
    terminal, settings, capsys
):
    shown_on(terminal, **settings)
    assert capsys.readouterr().err.splitlines() == [
        "AE(): reading rows",
        "AE() is done",
    ]
    assert terminal.getvalue() == ""


def test_users_who_read_the_log_get_lines_of_it(terminal, bare_log, caplog):
    bare_log.addHandler(caplog.handler)
    bare_log.setLevel(logging.INFO)
    shown_on(terminal)
    assert caplog.messages == ["AE(): reading rows", "AE() is done"]
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("bare_log")
def test_fits_inside_a_fit_write_to_the_log(terminal, capsys):
    with redirect_stdout(terminal), shown() as outer:
        with shown() as inner:
            inner.closing = "is in"
        outer.closing = "is out"
    assert "AE() is out" in terminal.getvalue()
    assert "AE() is in" in terminal.getvalue() + capsys.readouterr().err
    shown_on(terminal)  # the terminal is free again
    assert "AE() is done" in terminal.getvalue()


@pytest.mark.usefixtures("bare_log")
def test_without_rich_there_are_lines_of_the_log(terminal, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    shown_on(terminal)
    assert capsys.readouterr().err.splitlines() == [
        "AE(): reading rows",
        "AE() is done",
    ]


@pytest.mark.usefixtures("bare_log")
def test_worker_processes_write_to_the_log(terminal, monkeypatch, capsys):
    process = SimpleNamespace(name="LokyProcess-1")
    monkeypatch.setattr(display.multiprocessing, "current_process", lambda: process)
    shown_on(terminal)
    assert "AE() is done" in capsys.readouterr().err
    assert display.worker_name() == "LokyProcess-1"


# --- A notebook ---


class Notebook:
    """Stands for IPython in a notebook; keeps what is displayed."""

    def __init__(self):
        self.shown = []
        self.display = SimpleNamespace(display=self._display)

    def get_ipython(self):
        return SimpleNamespace(kernel=object())

    def _display(self, data, raw, display_id):
        return self

    def update(self, data, raw):
        self.shown.append(data["text/plain"])


@pytest.fixture
def notebook(monkeypatch):
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    return notebook


@pytest.mark.usefixtures("bare_log")
def test_notebooks_display_a_line_and_nothing_in_red(notebook, capsys):
    with shown() as status:
        status.closing = "is done"
    assert notebook.shown[-1] == "AE() is done"
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.usefixtures("bare_log", "notebook")
def test_epochs_in_notebooks_are_not_in_red(capsys):
    with shown(verbose=2) as status:
        status.closing = "is done"
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["AE(): reading rows", "AE() is done"]
    assert captured.err == ""
