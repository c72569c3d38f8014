"""Watchers are told of tasks in order, and whoever asks to stop is heard."""

import pytest

from skae._utils.progress import Progress, Report


class Recorder:
    def __init__(self, stops=False):
        self.events = []
        self._stops = stops

    def begin(self, name, n_subtasks):
        self.events.append((name, n_subtasks))

    def end(self, report):
        self.events.append(report)
        return self._stops


def test_all_watchers_are_told_and_one_is_enough_to_stop():
    first, second = Recorder(stops=True), Recorder()
    progress = Progress.told_to(first, None, second)
    progress.begin("fit", 3)
    report = Report(lambda: None, loss=1.0)
    assert progress.end(report)
    assert first.events == second.events == [("fit", 3), report]
    assert not Progress.told_to(second).end()


def test_the_end_of_a_task_ends_what_was_left_open_in_it():
    watcher = Recorder()
    progress = Progress([watcher])
    with progress.task("training", 2):
        progress.begin("epoch")
    assert watcher.events == [("training", 2), ("epoch", 0), None, None]


def test_interrupted_watcher_has_as_many_tasks_to_end_as_are_ended():
    class Interrupted(Recorder):
        def begin(self, name, n_subtasks):
            if name == "epoch":
                raise KeyboardInterrupt
            super().begin(name, n_subtasks)

    watcher = Interrupted()
    progress = Progress([watcher])
    with progress.task("training", 1):
        with pytest.raises(KeyboardInterrupt):
            progress.begin("epoch")
    assert watcher.events == [("training", 1), None]


def test_a_failed_task_stays_open():
    watcher = Recorder()
    with pytest.raises(ValueError, match="no"), Progress([watcher]).task("training"):
        raise ValueError("no")
    assert watcher.events == [("training", 0)]


def test_nobody_need_watch():
    assert not Progress.told_to(None).is_watched
    with Progress().task("fit"):
        pass
