"""Callbacks of scikit-learn follow fits, may stop them, and are in no saved state."""

import copy
import gc
import io
import pickle
import threading
import weakref

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from skae import (
    ConvAE,
    DenoisingAE,
    DenseAE,
    ReconstructionOutlierDetector,
    SparseAE,
    SupervisedAE,
    TruncationSearchCV,
    VAETransformer,
)

has_callbacks = parse_version(sklearn.__version__) >= parse_version("1.9")
needs_callbacks = pytest.mark.skipif(
    not has_callbacks, reason="callbacks came with scikit-learn 1.9"
)

ESTIMATORS = [ConvAE, DenoisingAE, DenseAE, SparseAE, SupervisedAE, VAETransformer]
QUICK = {"max_iter": 4, "random_state": 0}
SMALL = {**QUICK, "hidden_layer_sizes": (8,)}


class Recorder:
    """Keeps what it is told of; `stops` says at the end of which tasks to stop."""

    def __init__(self, stops=lambda context: False):
        self.tasks = []
        self.ended = []
        self.n_setups = self.n_teardowns = 0
        self._stops = stops

    def setup(self, estimator, context):
        self.n_setups += 1

    def teardown(self, estimator, context):
        self.n_teardowns += 1

    def on_fit_task_begin(self, estimator, context):
        self.tasks.append((context.estimator_name, context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.ended.append(context.task_name)
        return self._stops(context)


class Follower(Recorder):
    """Is passed on to the estimators within others."""

    max_propagation_depth = None


class Judge(Recorder):
    """Keeps the score of the estimator at the end of each task that has one."""

    def __init__(self):
        super().__init__()
        self.scores = []

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        if fitted_estimator is not None:
            assert fitted_estimator is not estimator
            score = fitted_estimator.score(X)
            self.scores.append((context.task_name, score))


def at_epoch(n_epochs):
    """Return a callback that stops each training after some epochs."""
    is_last = lambda context: (  # noqa: E731
        # The first subtask is the PCA start.
        context.task_name == "epoch" and context.task_id == n_epochs
    )
    return Recorder(is_last)


@pytest.fixture(scope="module")
def rows(digits):
    """Enough rows for one hold-out, (1000, 64)."""
    return digits[:1000]


# --- Older versions ---


@pytest.mark.skipif(has_callbacks, reason="this version of scikit-learn has callbacks")
def test_without_callbacks_in_scikit_learn_there_is_no_method():
    assert not hasattr(DenseAE(), "set_callbacks")
    assert not hasattr(ReconstructionOutlierDetector(), "set_callbacks")


# --- Tasks ---


@needs_callbacks
def test_tasks_of_a_hold_out(rows):
    recorder = Recorder()
    DenseAE(2, **SMALL).set_callbacks(recorder).fit(rows)
    names = [name for _, name in recorder.tasks]
    training = ["training", "PCA start", *["epoch"] * 4]
    assert names == ["fit", *training, "decision", "checks"]
    assert recorder.ended[-1] == "fit"
    assert sorted(recorder.ended) == sorted(names)


@needs_callbacks
def test_tasks_of_folds(rows):
    recorder = Recorder()
    model = DenseAE(2, **SMALL).set_callbacks(recorder).fit(rows[:200])
    names = [name for _, name in recorder.tasks]
    assert names.count("fold") == 5
    assert names.count("final training") == model.used_network_
    assert sorted(recorder.ended) == sorted(names)


@needs_callbacks
@pytest.mark.parametrize("n_components", [2, 0.5, "auto"])
@pytest.mark.parametrize("n_rows", [30, 200, 1000])
def test_every_way_to_the_result_ends_its_tasks(rows, n_rows, n_components):
    recorder = Recorder()
    model = DenseAE(n_components, **SMALL).set_callbacks(recorder)
    model.fit(rows[:n_rows])
    assert sorted(recorder.ended) == sorted(name for _, name in recorder.tasks)
    assert recorder.n_setups == recorder.n_teardowns == 1


@needs_callbacks
@pytest.mark.parametrize("n_rows", [200, 1000])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.filterwarnings("ignore:.*keeps its network")
def test_each_epoch_has_a_fitted_estimator(rows, digit_labels, estimator, n_rows):
    judge = Judge()
    model = estimator(2, **QUICK).set_callbacks(judge)
    model.fit(rows[:n_rows], digit_labels[:n_rows])
    *epochs, (last, score) = judge.scores
    assert len(epochs) >= 4
    assert {name for name, _ in epochs} == {"epoch"}
    assert last == "fit"
    assert score == model.score(rows[:n_rows])
    if model.used_network_:
        assert epochs[-1][1] == score


@needs_callbacks
def test_fitted_estimator_of_a_second_fit_is_of_that_fit(rows):
    judge = Judge()
    model = DenseAE(2, **SMALL).fit(rows)
    model.set_params(n_components=3).set_callbacks(judge).fit(rows)
    assert judge.scores[-1] == ("fit", model.score(rows))


@needs_callbacks
def test_numbers_are_those_without_callbacks(rows):
    alone = DenseAE(2, **SMALL).fit(rows)
    followed = DenseAE(2, **SMALL).set_callbacks(Recorder(), Judge()).fit(rows)
    np.testing.assert_array_equal(followed.transform(rows), alone.transform(rows))


@needs_callbacks
def test_scoring_monitor(rows):
    from sklearn.callback import ScoringMonitor

    scoring = {"score": lambda model, X, y: model.score(X)}
    monitor = ScoringMonitor(scoring=scoring)
    model = DenseAE(2, **SMALL).set_callbacks(monitor).fit(rows)
    scores = [row["score"] for row in monitor.get_logs().data]
    assert len(scores) == 5
    assert scores[0] == scores[-1] == model.score(rows)


@needs_callbacks
def test_progress_bar_names_the_steps(rows, capsys):
    from sklearn.callback import ProgressBar

    DenseAE(2, **SMALL).set_callbacks(ProgressBar()).fit(rows[:200])
    out = capsys.readouterr().out
    for name in ("fit", "folds", "fold #4"):
        assert f"DenseAE - {name}" in out


@needs_callbacks
def test_partial_fit_has_no_tasks(rows):
    recorder = Recorder()
    DenseAE(2, **SMALL).set_callbacks(recorder).partial_fit(rows)
    assert recorder.tasks == []


# --- Within other estimators ---


@needs_callbacks
def test_pipeline_and_search_pass_callbacks_on(rows, digit_labels):
    follower = Follower()
    pipeline = make_pipeline(DenseAE(2, **SMALL), LogisticRegression())
    search = GridSearchCV(pipeline, {"denseae__n_components": [1, 2]}, cv=2)
    search.set_callbacks(follower).fit(rows, digit_labels[:1000])
    fits = [task for task in follower.tasks if task == ("DenseAE", "fit")]
    assert len(fits) == 5
    assert follower.tasks.count(("DenseAE", "epoch")) > 20
    inner = search.best_estimator_["denseae"]
    assert not {"_skl_callbacks", "_parent_callback_ctx"} & set(vars(inner))


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_detector_passes_callbacks_on(rows, n_jobs, capsys):
    from sklearn.callback import ProgressBar

    inner = DenseAE(2, **SMALL)
    detector = ReconstructionOutlierDetector(inner, cv=2, n_jobs=n_jobs, random_state=0)
    detector.set_callbacks(ProgressBar()).fit(rows)
    out = capsys.readouterr().out
    for name in ("fold | DenseAE - fit #1", "final fit | DenseAE - fit #1"):
        assert f"ReconstructionOutlierDetector - {name}" in out
    assert not {"_skl_callbacks", "_parent_callback_ctx"} & set(
        vars(detector.estimator_)
    )


@needs_callbacks
def test_truncation_search_passes_callbacks_on(rows, digit_labels):
    follower = Follower()
    pipeline = make_pipeline(DenseAE(**SMALL), LogisticRegression())
    search = TruncationSearchCV(pipeline, [1, 2], cv=2).set_callbacks(follower)
    search.fit(rows, digit_labels[:1000])
    own = [name for estimator, name in follower.tasks if estimator != "DenseAE"]
    fold = ["fold", "n_components=1", "n_components=2"]
    assert own == ["fit", "search", *fold, *fold]
    assert follower.tasks.count(("DenseAE", "fit")) == 3
    assert follower.n_setups == follower.n_teardowns == 1


# --- Stopping ---


@needs_callbacks
@pytest.mark.parametrize("early_stopping", [True, False])
def test_callback_stops_training(rows, early_stopping):
    model = DenseAE(2, **{**SMALL, "max_iter": 50}, early_stopping=early_stopping)
    model.set_callbacks(at_epoch(3)).fit(rows)
    assert model.n_iter_ == 3
    assert model.score(rows) > 0
    if early_stopping:
        assert model.reconstruction_error_ <= model.pca_reconstruction_error_


@needs_callbacks
@pytest.mark.filterwarnings("ignore:.*keeps its network")
def test_stopping_keeps_the_best_epoch(rows):
    """A rate so high that the first epochs are the best."""
    judge = Judge()
    model = DenseAE(
        2, **{**SMALL, "max_iter": 50}, learning_rate_init=0.3, code_activation="tanh"
    )
    model.set_callbacks(judge, at_epoch(5)).fit(rows)
    best = int(np.argmin(model.history_["val_loss"]))
    scores = [score for name, score in judge.scores if name == "epoch"]
    assert model.score(rows) == scores[best] == scores[-1]


@needs_callbacks
def test_each_fold_and_the_final_training_are_stopped(rows):
    recorder = at_epoch(2)
    model = DenseAE(2, **{**SMALL, "max_iter": 40}, early_stopping=True)
    model.set_callbacks(recorder).fit(rows[:300])
    n_trainings = recorder.ended.count("fold") + recorder.ended.count("final training")
    assert recorder.ended.count("epoch") == 2 * n_trainings


@needs_callbacks
def test_a_final_training_that_alone_is_stopped_is_told(digits):
    def is_second_of_final_training(context):
        parent = context.parent
        return (
            parent is not None
            and parent.task_name == "final training"
            and context.task_id == 2
        )

    recorder = Recorder(is_second_of_final_training)
    model = DenseAE(4, max_iter=30, random_state=0).set_callbacks(recorder)
    with pytest.warns(UserWarning, match="stopped the final training of DenseAE after"):
        model.fit(digits[:400])
    assert model.n_iter_ == 2


@needs_callbacks
def test_closing_line_says_that_a_callback_stopped(rows, caplog):
    model = DenseAE(2, **{**SMALL, "max_iter": 50}, verbose=1)
    with caplog.at_level("INFO", logger="skae"):
        model.set_callbacks(at_epoch(3)).fit(rows)
    assert "epochs: 3 (a callback stopped the training)" in caplog.messages[-1]


# --- Failures, and what is saved ---


class Failing(Recorder):
    def __init__(self, error):
        super().__init__(lambda context: self._fail(context))
        self._error = error

    def _fail(self, context):
        if context.task_name == "epoch":
            raise self._error


@needs_callbacks
@pytest.mark.parametrize("n_rows", [200, 1000])
@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_callbacks_are_torn_down_after_a_failure(rows, n_rows, error):
    failing, other = Failing(error), Recorder()
    model = DenseAE(2, **SMALL).set_callbacks(other, failing)
    with pytest.raises(type(error)):
        model.fit(rows[:n_rows])
    assert failing.n_teardowns == other.n_teardowns == 1
    assert not {"_callback_fit_ctx", "_parent_callback_ctx"} & set(vars(model))
    recorder = Recorder()
    model.set_callbacks(recorder).fit(rows)
    assert recorder.ended[-1] == "fit"


@needs_callbacks
def test_failed_fit_changes_nothing_and_keeps_the_callbacks(rows):
    model = DenseAE(2, **SMALL).fit(rows)
    before = dict(vars(model))
    failing = Failing(OSError("full"))
    model.set_callbacks(failing)
    with pytest.raises(OSError, match="full"):
        model.fit(rows)
    assert vars(model) == {**before, "_skl_callbacks": [failing]}


@needs_callbacks
def test_refused_rows_are_told_to_no_callback(rows):
    recorder = Recorder()
    with pytest.raises(ValueError, match="NaN"):
        DenseAE(2).set_callbacks(recorder).fit(np.full((60, 3), np.nan))
    assert recorder.tasks == []
    assert recorder.n_setups == recorder.n_teardowns


@needs_callbacks
def test_callbacks_survive_a_fit_and_a_clone(rows):
    recorder = Recorder()
    model = DenseAE(2, **SMALL).set_callbacks(recorder).fit(rows)
    model.fit(rows)
    clone(model).fit(rows)
    assert recorder.n_setups == recorder.n_teardowns == 3


class Unpicklable(Follower):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@needs_callbacks
def test_callbacks_are_in_no_state_of_a_fitted_estimator(rows, digit_labels):
    X, y = rows[:120], digit_labels[:120]
    model = DenseAE(2, **SMALL)
    pipeline = make_pipeline(clone(model), LogisticRegression())
    for estimator in (
        model,
        ReconstructionOutlierDetector(model, cv=2),
        TruncationSearchCV(pipeline, [1, 2], cv=2),
    ):
        estimator.set_callbacks(Unpicklable()).fit(X, y)
        for copied in (pickle.loads(pickle.dumps(estimator)), copy.copy(estimator)):
            assert not any("callback" in name for name in vars(copied))
        assert not any("callback" in name for name in estimator.__getstate__())
        estimator.set_callbacks()


@needs_callbacks
def test_skops_saves_no_callbacks(rows):
    dump = pytest.importorskip("skops.io").dump
    model = DenseAE(2, **SMALL).set_callbacks(Unpicklable()).fit(rows)
    dump(model, io.BytesIO())


@needs_callbacks
def test_unfitted_estimators_take_callbacks_to_workers(rows):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="explained_variance")
    model = DenseAE(2, **SMALL).set_callbacks(monitor)
    assert pickle.loads(pickle.dumps(model))._skl_callbacks


@needs_callbacks
def test_tasks_are_freed_after_the_fit(rows):
    class Keeper(Recorder):
        def on_fit_task_begin(self, estimator, context):
            contexts.append(weakref.ref(context))

    contexts = []
    model = DenseAE(2, **SMALL).set_callbacks(Keeper()).fit(rows)
    gc.collect()
    assert len(contexts) > 4
    assert not any(context() for context in contexts)
    assert model.n_iter_ == 4


@needs_callbacks
def test_detector_of_pca_has_tasks_of_its_own(rows):
    recorder = Recorder()
    ReconstructionOutlierDetector(PCA(2), cv=2).set_callbacks(recorder).fit(rows)
    names = [name for _, name in recorder.tasks]
    assert names == ["fit", "folds", "fold", "fold", "final fit"]


@needs_callbacks
def test_returned_estimators_of_parallel_folds_have_no_callbacks(rows):
    model = DenseAE(2, **SMALL).set_callbacks(Recorder())
    results = cross_validate(model, rows, cv=2, return_estimator=True)
    assert all(each.n_iter_ == 4 for each in results["estimator"])
