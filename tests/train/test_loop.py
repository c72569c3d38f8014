"""How training ends, and which weights it returns."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.exceptions import ConvergenceWarning

from skae._train.config import (
    DivergenceError,
    EarlyStopping,
    Ending,
    EpochWatch,
    GraphKey,
)
from skae._train.program import CompiledProgram, EpochTrace
from skae._utils.progress import Progress
from tests.trainings import (
    NETWORK,
    SQUARED_ERROR,
    assert_equal_weights,
    identity_network,
    reconstruct,
    train_rows,
)

nan = np.nan


@pytest.fixture
def script(monkeypatch):
    """Return a function that replaces the epochs by given losses.

    After the first epoch all weights are 1, after the second 2, and so on. An exception
    in the place of a loss is raised.
    """

    def script_losses(losses, val_losses=None, start_loss=np.inf):
        epochs = enumerate(zip(losses, val_losses or losses, strict=True), start=1)

        def run_epoch(program, chunks):
            epoch, (loss, val_loss) = next(epochs)
            if isinstance(loss, BaseException):
                raise loss
            values = [tf.fill(g.values.shape, float(epoch)) for g in program._groups]
            return EpochTrace(np.array([loss]), np.array([val_loss]), values)

        def validate(program, chunk):
            return np.array([start_loss])

        monkeypatch.setattr(CompiledProgram, "run_epoch", run_epoch)
        monkeypatch.setattr(CompiledProgram, "validate", validate)

    return script_losses


def epoch_of(weights):
    """Return the scripted epoch of the weights: the value of them all."""
    (value,) = {*np.concatenate([array.ravel() for array in weights.joined()])}
    return value


# --- The whole schedule ---


def test_last_epoch_is_kept_without_early_stopping(X, script):
    script([1.0, 0.5, 0.7])
    result = train_rows(X, n_epochs=3)
    assert epoch_of(result.weights) == 3
    assert result.loss == [1.0, 0.5, 0.7]
    assert result.val_loss == []
    assert not result.diverged
    assert not result.interrupted
    assert result.snapshots == []


def test_losses_are_kept_by_epoch(X, script):
    script([1.0, 0.5, 0.7], [2.0, 1.5, 1.7])
    result = train_rows(X, n_held_out=10, n_epochs=3)
    assert result.loss == [1.0, 0.5, 0.7]
    assert result.val_loss == [2.0, 1.5, 1.7]


# --- Early stopping ---


@pytest.mark.parametrize(
    ("val_losses", "rule", "n_epochs", "best"),
    [
        ([3, 2, 2.5, 2.2, 1], EarlyStopping(patience=2, tol=0), 4, 2),
        ([3, 2, 2.5, 1, 2, 3], EarlyStopping(patience=2, tol=0), 6, 4),
        # An improvement by less than the tolerance is kept, but does not count ...
        ([1, 0.95, 0.92, 0.5], EarlyStopping(patience=2, tol=0.1), 3, 3),
        # ... unless several add up to it.
        ([1, 0.95, 0.89, 0.85, 0.84], EarlyStopping(patience=2, tol=0.1), 5, 5),
        ([1, 2, 3, 4, 5, 6], EarlyStopping(patience=2, tol=0, start=3), 5, 1),
        # Losses that are logarithms may be negative.
        ([-1, -1.05, -1.08, -2], EarlyStopping(patience=2, tol=0.1), 3, 3),
        ([-1, -1.2, -1.25, -1.28, -2], EarlyStopping(patience=2, tol=0.1), 4, 4),
        ([3, 2, 1], EarlyStopping(patience=2, tol=0), 3, 3),
    ],
)
def test_patience_ends_training_and_the_best_epoch_is_kept(
    X, script, val_losses, rule, n_epochs, best
):
    script([1.0] * len(val_losses), val_losses)
    result = train_rows(X, n_held_out=10, n_epochs=len(val_losses), stopping=rule)
    assert result.val_loss == val_losses[:n_epochs]
    assert epoch_of(result.weights) == best


@pytest.mark.parametrize(
    ("val_losses", "n_epochs"),
    [
        ([2, 3, 3, 1, 1], 3),  # no better than the start
        ([0.8, 1, 1, 0.7, 0.6], 3),  # better once, and then as bad as the start
        ([2, 3, 0.9, 0.95, 0.95, 0.95, 0.95], 6),  # better: until patience begins
        ([2, 3, 0.9, 1, 0.95, 1, 0.95], 5),
        ([4, 3, 2, 1.5, 1.2, 1.1], 6),  # it keeps falling
    ],
)
def test_before_patience_begins_only_epochs_no_better_than_the_start_count(
    X, script, val_losses, n_epochs
):
    script([1.0] * len(val_losses), val_losses, start_loss=1.0)
    rule = EarlyStopping(patience=2, tol=0, start=4)
    result = train_rows(X, n_held_out=10, n_epochs=len(val_losses), stopping=rule)
    assert len(result.val_loss) == n_epochs


def test_no_epoch_counts_during_the_grace_period(X, script):
    script([1.0] * 6, [2.0] * 6, start_loss=1.0)
    rule = EarlyStopping(patience=2, tol=0, start=4, grace=3)
    assert len(train_rows(X, n_held_out=10, n_epochs=6, stopping=rule).loss) == 5


def test_start_is_judged_by_its_loss_on_held_out_rows(X):
    """With a start that cannot be improved, no epoch is better."""
    network, start = identity_network(6)
    rule = EarlyStopping(patience=3, tol=0, start=90)
    key = GraphKey(network, SQUARED_ERROR, batch_size=16, smoothing=False)
    result = train_rows(
        X, key, start=start, n_held_out=10, n_epochs=100, stopping=rule, alpha=0.1
    )
    assert len(result.loss) == 4


def test_weights_of_held_out_rows_are_those_of_their_loss(X):
    weights = np.zeros(10)
    weights[[2, 7]] = 0.25, 0.75
    result = train_rows(X, n_held_out=10, held_out_weights=weights)
    errors = np.square(X[-10:] - reconstruct(NETWORK, result.weights, X[-10:]))
    expected = errors.mean(axis=1) @ weights
    assert result.val_loss[-1] == pytest.approx(expected, rel=1e-4)


def test_returned_weights_have_the_lowest_validation_loss(X):
    result = train_rows(
        X,
        n_held_out=20,
        learning_rate=0.3,
        n_epochs=100,
        stopping=EarlyStopping(patience=3, tol=1e-4),
    )
    assert len(result.loss) == len(result.val_loss) < 100
    assert min(result.val_loss) < result.val_loss[-1]
    error = np.mean((X[-20:] - reconstruct(NETWORK, result.weights, X[-20:])) ** 2)
    assert error == pytest.approx(min(result.val_loss), rel=1e-4)


def test_fit_stops_early_and_reports_the_error_of_the_best_epoch(
    digits, make_dense, monkeypatch
):
    monkeypatch.setattr("skae._fit.acceptance._LEFT_OUT_SHARE", 0.0)
    model = make_dense(
        early_stopping=True,
        learning_rate_init=0.05,
        max_iter=100,
        n_iter_no_change=3,
        pca_shortcut=False,
    ).fit(digits)
    val_loss = model.history_["val_loss"]
    assert model.n_iter_ == len(val_loss) == len(model.history_["loss"]) < 100
    reported = model.reconstruction_error_ / digits.var(axis=0).mean()
    assert reported == pytest.approx(min(val_loss), rel=1e-4)


# --- Snapshots ---


@pytest.mark.parametrize(("warmup", "first"), [(0, 2.5), (2, 3)])
def test_snapshots_are_means_of_the_second_half_of_the_epochs_before(
    X, script, warmup, first
):
    """They leave out the warm-up; at the end of the schedule one epoch is enough."""
    script([1.0] * 8)
    result = train_rows(X, n_epochs=8, warmup=warmup, snapshot_epochs=(3, 4, 8))
    found = [epoch_of(weights) for weights in result.snapshots]
    assert found == [first, 4, 8]
    assert epoch_of(result.weights) == 8


def test_later_epochs_leave_a_snapshot_unchanged(X):
    (only,) = train_rows(X, n_epochs=4, snapshot_epochs=(1,)).snapshots
    first, second = train_rows(X, n_epochs=4, snapshot_epochs=(1, 3)).snapshots
    assert_equal_weights(first, only)
    assert np.abs(second.encoder[0] - first.encoder[0]).max() > 1e-3


def test_training_ends_with_the_last_snapshot(X, script):
    script([1.0] * 8)
    result = train_rows(X, n_epochs=8, snapshot_epochs=(2, 4))
    assert len(result.loss) == 4
    assert [epoch_of(weights) for weights in result.snapshots] == [2, 3.5]
    assert epoch_of(result.weights) == 3.5


def test_kept_weights_stand_in_for_snapshots_that_were_not_reached(X, script):
    script([1.0, 1.0, 1.0, 1.0, nan])
    result = train_rows(X, n_epochs=8, snapshot_epochs=(2, 8))
    assert result.diverged
    assert [epoch_of(weights) for weights in result.snapshots] == [2, 3]
    assert epoch_of(result.weights) == 3


# --- Divergence ---


@pytest.mark.parametrize("loss", [nan, np.inf])
def test_divergence_at_once_is_an_error(X, script, loss):
    script([loss])
    with pytest.raises(DivergenceError):
        train_rows(X)


def test_divergence_later_leaves_weights_whose_loss_was_finite(X, script):
    """An epoch's loss is that of the weights it began with."""
    script([1.0, 0.9, 0.8, nan])
    result = train_rows(X, n_epochs=8)
    assert result.diverged
    assert result.loss == [1.0, 0.9, 0.8]
    assert epoch_of(result.weights) == 2


def test_divergence_later_leaves_the_best_epoch_of_early_stopping(X, script):
    script([1.0] * 5, [1.0, 0.5, 0.7, 0.6, nan])
    result = train_rows(
        X, n_held_out=10, n_epochs=8, stopping=EarlyStopping(patience=5, tol=0)
    )
    assert result.diverged
    assert result.val_loss == [1.0, 0.5, 0.7, 0.6]
    assert epoch_of(result.weights) == 2


def test_fit_that_diverges_at_once_gives_advice_and_keeps_the_previous_fit(
    digits, make_dense
):
    model = make_dense().fit(digits)
    codes = model.transform(digits)
    for max_iter in (1, 5):
        model.set_params(learning_rate_init=1e30, max_iter=max_iter)
        with pytest.raises(ValueError, match=r"Scale the data .* learning_rate_init"):
            model.fit(digits[:, :30])
        assert model.n_features_in_ == 64
        np.testing.assert_array_equal(model.transform(digits), codes)


@pytest.fixture
def leap(monkeypatch):
    """Return a function that makes the steps of one epoch far too large."""
    run_epoch = CompiledProgram.run_epoch
    n_epochs = 0

    def leap_in(epoch):
        """Choose the epoch by its number among all epochs of all trainings."""

        def run(program, chunks):
            nonlocal n_epochs
            n_epochs += 1
            factor = 1e30 if n_epochs == epoch else 1.0
            return run_epoch(
                program,
                (
                    chunk._replace(step_sizes=chunk.step_sizes * factor)
                    for chunk in chunks
                ),
            )

        monkeypatch.setattr(CompiledProgram, "run_epoch", run)

    return leap_in


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
@pytest.mark.parametrize("early_stopping", [True, False])
def test_fit_that_diverges_later_warns_and_keeps_the_best_weights(
    digits, make_dense, leap, early_stopping
):
    leap(4)
    model = make_dense(early_stopping=early_stopping, max_iter=60, pca_shortcut=False)
    with pytest.warns(ConvergenceWarning, match="best weights before epoch"):
        model.fit(digits)
    assert model.n_iter_ == 3
    assert model.score(digits) > 0


def test_fold_that_diverges_keeps_its_best_weights(digits, make_dense, leap):
    leap(4 * 32 + 28)  # in the last of five folds
    model = make_dense(early_stopping=True, max_iter=32, learning_rate_init=0.02)
    with pytest.warns(ConvergenceWarning, match="best weights before epoch"):
        model.fit(digits[:400])
    assert model.used_network_


# --- Interrupts ---


def interrupt():
    raise KeyboardInterrupt


def watched_by(function):
    """Return a watch that calls a function with the number of epochs and a report."""

    class Watcher:
        n_ended = 0

        def begin(self, name, n_subtasks):
            assert name == "epoch"

        def end(self, report):
            self.n_ended += 1
            return function(self.n_ended, report)

    return EpochWatch(Progress([Watcher()]), lambda training: training, "PCA")


def test_interrupt_ends_training_with_the_weights_of_the_epoch_before(X, script):
    script([1.0, 0.9, KeyboardInterrupt()])
    result = train_rows(X, n_epochs=8)
    assert result.interrupted
    assert not result.diverged
    assert epoch_of(result.weights) == 2


def test_interrupt_of_the_first_epoch_is_passed_on(X, script):
    script([KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        train_rows(X)


@pytest.mark.parametrize("epoch", [1, 2])
def test_interrupt_by_a_watcher_keeps_the_epoch_that_is_reported(X, script, epoch):
    script([1.0, 0.9, 0.8])
    watch = watched_by(lambda n_ended, report: n_ended == epoch and interrupt())
    result = train_rows(X, n_held_out=10, watch=watch)
    assert result.interrupted
    assert result.loss == result.val_loss == [1.0, 0.9][:epoch]
    assert epoch_of(result.weights) == epoch


def test_interrupted_fit_is_usable(digits, make_dense, at_epoch):
    at_epoch(2, interrupt)
    model = make_dense(verbose=2, max_iter=50)
    with pytest.raises(KeyboardInterrupt):
        model.fit(digits)
    assert model.n_iter_ == 2
    assert model.score(digits) > 0


def test_interrupt_without_a_result_leaves_the_previous_fit(
    digits, make_dense, at_epoch
):
    model = make_dense(early_stopping=True, max_iter=5).fit(digits)
    model.verbose = 2
    state = model.__dict__.copy()
    at_epoch(2, interrupt)
    # Few rows are held out in folds: the interrupt falls into the first one.
    with pytest.raises(KeyboardInterrupt):
        model.fit(digits[:200])
    assert model.__dict__ == state


# --- Watchers ---


def test_watchers_are_told_of_losses_and_may_have_the_result_of_each_epoch(X, script):
    script([1.0, 0.8, 0.9])
    told = []
    watch = watched_by(lambda n_ended, report: told.append((report, report.result())))
    train_rows(X, n_held_out=10, watch=watch, stopping=EarlyStopping(5, 0.0))
    assert [report.loss for report, _ in told] == [1.0, 0.8, 0.9]
    assert [report.val_loss for report, _ in told] == [1.0, 0.8, 0.9]
    assert {report.start for report, _ in told} == {"PCA"}
    # The best epoch so far.
    assert [epoch_of(result.weights) for _, result in told] == [1, 2, 2]


@pytest.mark.parametrize("stopping", [None, EarlyStopping(5, 0.0)])
def test_watcher_that_asks_to_stop_ends_the_training(X, script, stopping):
    script([1.0, 0.8, 0.9, 0.7])
    watch = watched_by(lambda n_ended, report: n_ended == 3)
    result = train_rows(X, n_held_out=10, n_epochs=4, watch=watch, stopping=stopping)
    assert result.ending is Ending.STOPPED_BY_CALLBACK
    assert len(result.loss) == 3
    assert epoch_of(result.weights) == (3 if stopping is None else 2)


def test_watching_changes_no_number(X):
    alone, watched = (
        train_rows(X, n_held_out=10, watch=watch)
        for watch in (None, watched_by(lambda n_ended, report: report.result() is None))
    )
    assert watched.loss == alone.loss
    assert_equal_weights(watched.weights, alone.weights)


# --- Graph mode ---


def test_training_inside_a_graph_is_refused(X):
    with tf.Graph().as_default(), pytest.raises(RuntimeError, match="eager mode"):
        train_rows(X)
