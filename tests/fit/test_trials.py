import numpy as np
import pytest

from skae._fit import trials
from skae._fit.acceptance import HoldoutComparison
from skae._fit.code_kinds import CodeKind, VariationalCode
from skae._fit.run import Run, Trained
from skae._fit.trials import is_kept, kept_network, pca_of_too_few_rows, try_network
from skae._network.description import Weights
from skae._train.config import TrainingResult
from tests.fit.plans import make_task, random_rows

ALWAYS_KEPT = {"code_kind": CodeKind()}


def made_up(n_rows, gain):
    """Return a comparison in which the network is better by about the gain."""
    pca = np.ones((n_rows, 1))
    losses = pca - gain + np.linspace(-0.01, 0.01, n_rows)[:, np.newaxis]
    return HoldoutComparison(losses, pca, losses, pca, np.ones(n_rows))


@pytest.fixture
def trainings(monkeypatch):
    """Replace training; the list gets the split and the regime of each.

    The network is better by the gains that `trainings.gains` returns, by default by 0.1
    at every snapshot.
    """

    class Trainings(list):
        interrupt = False

        @staticmethod
        def gains(n_snapshots):
            return [0.1] * n_snapshots

        def train_and_compare(self, task, split, regime, previous=None):
            self.append((split, regime))
            n_snapshots = len(regime.snapshot_epochs) or 1
            gains = self.gains(n_snapshots)[:n_snapshots]
            result = TrainingResult(Weights([], []), [1.0], interrupted=self.interrupt)
            n_rows = len(split.compared)
            return [
                Run(split, Trained(result, None), made_up(n_rows, gain))
                for gain in gains
            ]

    made = Trainings()
    monkeypatch.setattr(trials, "train_and_compare", made.train_and_compare)
    return made


# --- A single hold-out ---


def test_fraction_of_many_rows_is_held_out(trainings):
    trial = try_network(make_task(random_rows(1000), validation_fraction=0.2))
    ((split, regime),) = trainings
    assert len(split.held_out) == 200
    assert regime.stop_early
    assert not regime.snapshot_epochs
    assert trial.n_epochs is None


def test_nothing_is_held_out_without_early_stopping(trainings):
    try_network(make_task(random_rows(300), early_stopping=False))
    ((split, _),) = trainings
    np.testing.assert_array_equal(split.train, np.arange(300))
    assert not len(split.held_out)


def test_few_rows_of_a_network_that_is_always_kept_are_held_out_once(trainings):
    try_network(make_task(random_rows(300), **ALWAYS_KEPT))
    ((split, _),) = trainings
    assert len(split.held_out) == 30


def test_resumed_fit_of_few_rows_has_a_single_hold_out(trainings):
    try_network(make_task(random_rows(300)), previous=object())
    assert len(trainings) == 1


# --- Folds ---


@pytest.mark.parametrize("n_samples", [50, 999])
def test_each_of_few_rows_is_held_out_and_compared_once(trainings, n_samples):
    trial = try_network(make_task(random_rows(n_samples)))
    held_out = np.concatenate([split.held_out for split, _ in trainings])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(n_samples))
    assert len(trial.comparison.errors) == n_samples


def test_folds_differ_in_their_noise_and_are_compared_at_the_same_epochs(trainings):
    trainings.gains = lambda n: [0.1, 0.2, 0.3, 0.4]
    try_network(make_task(random_rows(300), max_iter=8))
    assert [regime.fold for _, regime in trainings] == [1, 2, 3, 4, 5]
    assert {regime.snapshot_epochs for _, regime in trainings} == {(1, 2, 4, 8)}
    assert not any(regime.stop_early for _, regime in trainings)


def test_best_snapshot_over_all_folds_is_chosen(trainings):
    trainings.gains = lambda n: [0.1, 0.1, 0.1 + 0.2 * (len(trainings) > 1), 0.2]
    trial = try_network(make_task(random_rows(300), max_iter=8))
    assert trial.n_epochs == 4  # the gain of the first fold alone is best at 8
    assert trial.comparison.mean_gain == pytest.approx(0.26)


def test_later_folds_end_at_the_snapshot_after_the_best_one(trainings):
    trainings.gains = lambda n: [0.1, 0.2, 0.1, 0.1]
    trial = try_network(make_task(random_rows(300), max_iter=8))
    epochs = [regime.snapshot_epochs for _, regime in trainings]
    assert epochs == 2 * [(1, 2, 4, 8)] + 3 * [(1, 2, 4)]
    assert trial.n_epochs == 2
    assert len(trial.comparison.errors) == 300


def test_folds_end_early_if_every_snapshot_is_clearly_worse(trainings):
    trainings.gains = lambda n: [-0.1] * n
    trial = try_network(make_task(random_rows(300)))
    assert len(trainings) == 1
    assert not trial.comparison.is_accepted


def test_folds_go_on_if_one_snapshot_is_not_clearly_worse(trainings):
    trainings.gains = lambda n: [-0.1] * (n - 1) + [0.0]
    try_network(make_task(random_rows(300)))
    assert len(trainings) == 5


def test_interrupt_in_a_fold_is_raised(trainings):
    trainings.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        try_network(make_task(random_rows(300)))


def test_interrupt_of_a_single_hold_out_leaves_its_network(trainings):
    trainings.interrupt = True
    assert try_network(make_task(random_rows(1000))).was_interrupted


# --- Acceptance ---


@pytest.mark.parametrize(
    ("n_samples", "parameters", "expected"),
    [
        (49, {}, True),
        (50, {}, False),
        (49, ALWAYS_KEPT, False),
        (49, {"early_stopping": False}, False),
        (49, {"pca_shortcut": False}, False),
        (49, {"code_kind": VariationalCode(beta=2.0, warmup=0)}, False),
    ],
)
def test_fewer_than_50_rows_are_not_enough_to_choose(n_samples, parameters, expected):
    result = pca_of_too_few_rows(make_task(random_rows(n_samples), **parameters))
    assert (result is not None) == expected
    assert result is None or not result.used_network


def test_few_rows_are_reported(caplog):
    caplog.set_level("INFO", logger="skae")
    pca_of_too_few_rows(make_task(random_rows(49)))
    assert "DenseAE got 49 different rows: fewer than 50 different rows" in caplog.text


def test_copies_of_few_rows_are_few_and_the_user_is_warned():
    X = np.repeat(random_rows(49), 10, axis=0)
    with pytest.warns(UserWarning, match="got 490 rows, but only 49 of them are diff"):
        assert not pca_of_too_few_rows(make_task(X)).used_network
    assert pca_of_too_few_rows(make_task(np.repeat(random_rows(50), 2, axis=0))) is None
    assert not pca_of_too_few_rows(make_task(np.ones((60, 6)))).used_network


def test_copies_of_rows_are_cross_validated_as_the_rows_are(trainings):
    trial = try_network(make_task(np.repeat(random_rows(300), 10, axis=0)))
    assert len(trial.runs) == 5


@pytest.mark.parametrize("gain", [-0.5, 0.5])
@pytest.mark.parametrize("parameters", [{}, ALWAYS_KEPT])
def test_network_that_is_worse_is_kept_only_if_it_must_be(trainings, gain, parameters):
    trainings.gains = lambda n: [gain] * n
    task = make_task(random_rows(300), **parameters)
    assert is_kept(task, try_network(task)) == (gain > 0 or parameters != {})


def test_network_of_the_folds_is_trained_on_all_rows_up_to_the_best_snapshot(
    trainings,
):
    trainings.gains = lambda n: [0.1, 0.2, 0.1, 0.1]
    task = make_task(random_rows(60), max_iter=8)
    trial = try_network(task)
    for i, training in enumerate(trial.trainings):
        training.val_loss[:] = [i, 2 * i, 3 * i]
    result = kept_network(task, trial)
    assert len(result.history["loss"]) == trial.n_epochs == 2
    assert result.history["val_loss"] == [2, 4]
    assert result.reconstruction_error == trial.comparison.curve[-1]
