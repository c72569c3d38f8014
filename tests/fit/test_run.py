from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skae._fit.code_kinds import L1Code, NestedCode, PrincipalCode, VariationalCode
from skae._fit.finalize import network_result, pca_result
from skae._fit.run import (
    Regime,
    snapshot_epochs,
    train_and_compare,
    train_network,
)
from skae._train.config import DivergenceError, EarlyStopping, Split, TrainingResult
from skae._train.corruption import CORRUPTIONS
from tests.fit.plans import make_network, make_plan, make_task, random_rows

PLAIN = Regime()


@pytest.fixture
def trainings(monkeypatch):
    """Replace training by its start; the list gets the arguments of each."""
    calls = []

    def train(key, config, data, split, start):
        calls.append((key, config, data, split, start))
        n_snapshots = len(config.snapshot_epochs)
        return TrainingResult(start, [1.0], snapshots=[start] * n_snapshots)

    monkeypatch.setattr("skae._train.loop.train", train)
    return calls


@pytest.fixture
def configure(trainings):
    """Return the configuration of one training."""

    def configuration(regime=PLAIN, n_samples=100, n_held_out=20, **changes):
        indices = np.arange(n_samples, dtype=np.int32)
        split = Split(indices[n_held_out:], indices[:n_held_out])
        train_network(make_task(random_rows(n_samples), **changes), split, regime)
        return trainings[-1][1]

    return configuration


# --- Configuration ---


def test_parameters_are_passed_on(configure):
    config = configure(learning_rate=0.01, max_iter=7, alpha=0.3)
    assert config.learning_rate == 0.01
    assert config.n_epochs == 7
    assert config.alpha == 0.3
    assert config.min_steps == 4
    assert config.decaying
    assert config.watch is None


@pytest.mark.parametrize(
    "code_kind", [PrincipalCode(), NestedCode(), VariationalCode(1.0, 3)]
)
def test_a_single_epoch_has_a_constant_rate_and_no_warm_up(configure, code_kind):
    config = configure(
        Regime(one_epoch=True), code_kind=code_kind, network=network_of(code_kind)
    )
    assert config.n_epochs == config.min_steps == 1
    assert not config.decaying
    assert config.warmup == 0
    assert config.learning_rate == 3e-3
    assert config.early_code_gradient == 1


def network_of(code_kind):
    network = make_network()
    if not isinstance(code_kind, VariationalCode):
        return network
    return replace(network, encoder=replace(network.encoder, log_variance=True))


def test_the_kind_of_code_sets_its_part(configure):
    config = configure(code_kind=L1Code(weight=3.0))
    assert config.term_weight == pytest.approx(3 / 6)
    nested = configure(code_kind=NestedCode())
    assert nested.early_code_gradient < 1
    assert nested.learning_rate > 3e-3
    variational = VariationalCode(1.0, 3)
    config = configure(code_kind=variational, network=network_of(variational))
    assert config.warmup == 3


def test_each_fold_has_a_seed_of_its_own(configure):
    seeds = {configure(Regime(fold=fold)).seed for fold in (None, 1, 2)}
    assert len(seeds) == 3


@pytest.mark.parametrize(
    ("stop_early", "n_held_out", "stops"),
    [(True, 20, True), (True, 0, False), (False, 20, False)],
)
def test_held_out_rows_stop_training_if_they_are_to(
    configure, stop_early, n_held_out, stops
):
    regime = Regime(stop_early=stop_early)
    config = configure(
        regime, n_held_out=n_held_out, n_iter_no_change=3, tol=0.01, max_iter=100
    )
    rule = EarlyStopping(3, 0.01, start=75, grace=5)
    assert config.stopping == (rule if stops else None)


def test_held_out_rows_that_pca_reconstructs_worst_do_not_judge_epochs(trainings):
    """In heavy-tailed data they alone would decide."""
    X = random_rows(400)
    worst = [3, 77]
    X[worst] *= 10
    indices = np.arange(400, dtype=np.int32)
    split = Split(indices[100:], indices[:100])
    train_network(make_task(X), split, Regime(stop_early=True))
    weights = trainings[-1][2].held_out_weights
    assert weights[worst].tolist() == [0, 0]
    np.testing.assert_allclose(np.delete(weights, worst), 1 / 98)


def test_few_held_out_rows_all_judge_epochs(trainings):
    indices = np.arange(100, dtype=np.int32)
    split = Split(indices[40:], indices[:40])
    train_network(make_task(random_rows(100)), split, Regime(stop_early=True))
    np.testing.assert_allclose(trainings[-1][2].held_out_weights, 1 / 40)


@pytest.mark.parametrize(("warmup", "start"), [(50, 75), (80, 80)])
def test_no_epoch_of_the_warm_up_counts(configure, warmup, start):
    code_kind = VariationalCode(1.0, warmup)
    config = configure(
        Regime(stop_early=True),
        code_kind=code_kind,
        network=network_of(code_kind),
        max_iter=100,
    )
    assert config.stopping.grace == warmup
    assert config.stopping.start == start


def test_noise_shrinks_with_the_root_of_the_number_of_rows(configure):
    noise = {n: configure(n_samples=n, n_held_out=0) for n in (1000, 4000)}
    errors = {n: pca_error(random_rows(n)) for n in noise}
    multiples = {
        n: config.smoothing_noise / np.sqrt(errors[n]) for n, config in noise.items()
    }
    assert multiples[4000] == pytest.approx(0.5 * multiples[1000], rel=1e-3)


def pca_error(X):
    """Return the error of PCA in the units of training."""
    task = make_task(X)
    return task.axes(task.all_rows).error


def test_plain_networks_have_neither_noise_nor_weight_decay(configure):
    config = configure(pca_shortcut=False)
    assert config.smoothing_noise == config.weight_decay == 0
    config = configure()
    assert config.smoothing_noise > 0
    assert config.weight_decay > 0


def test_few_rows_are_compared_at_shares_of_the_epochs():
    assert snapshot_epochs(make_plan(max_iter=80), n_rows=100) == (10, 20, 40, 80)
    assert snapshot_epochs(make_plan(max_iter=1), n_rows=100) == (1,)
    assert snapshot_epochs(make_plan(max_iter=3), n_rows=100) == (1, 2, 3)


def test_few_rows_are_compared_after_the_warm_up():
    plan = make_plan(max_iter=80, code_kind=VariationalCode(1.0, warmup=20))
    assert snapshot_epochs(plan, n_rows=100) == (40, 80)


# --- The graph and the data ---


def test_scalar_parameters_share_one_graph(configure, trainings):
    configure()
    configure(Regime(stop_early=True), n_samples=50, learning_rate=1.0, max_iter=2)
    configure(Regime(one_epoch=True), alpha=0.5)
    assert len({key for key, *_ in trainings}) == 1


def test_nested_codes_are_trained_in_larger_batches_by_a_wide_decoder(
    configure, trainings
):
    configure(code_kind=NestedCode(), batch_size=16)
    ((key, *_),) = trainings
    assert key.batch_size == 32
    assert key.network == NestedCode().network_to_train(make_network())


def test_only_corrupted_rows_are_held_out_with_inputs_of_their_own(
    configure, trainings
):
    configure()
    configure(corruption=CORRUPTIONS["gaussian"], noise_level=0.5)
    configure(corruption=CORRUPTIONS["gaussian"], noise_level=0.5, n_held_out=0)
    inputs = [data.held_out_inputs for _, _, data, _, _ in trainings]
    assert inputs[0] is inputs[2] is None
    assert inputs[1].shape == (20, 6)


# --- The start ---


def reconstructed(task, weights):
    (output,) = task.plan.code_kind.reconstructions(task.plan.network, weights, task.Z)
    return output


@pytest.mark.usefixtures("trainings")
def test_training_starts_at_pca():
    task = make_task(random_rows())
    trained = train_network(task, task.all_rows, Regime())
    expected = trained.axes.reconstruct(task.Z)
    np.testing.assert_allclose(
        reconstructed(task, trained.result.weights), expected, atol=1e-5
    )


@pytest.mark.usefixtures("trainings")
def test_training_of_a_plain_network_starts_at_random():
    task = make_task(
        random_rows(), pca_shortcut=False, network=make_network(shortcut=False)
    )
    trained = train_network(task, task.all_rows, Regime())
    pca = trained.axes.reconstruct(task.Z)
    assert not np.allclose(reconstructed(task, trained.result.weights), pca, atol=0.1)


@pytest.mark.usefixtures("trainings")
@pytest.mark.parametrize("code_kind", [PrincipalCode(), NestedCode()])
def test_resumed_training_starts_where_the_previous_fit_ended(code_kind):
    """Also if mean and scale have changed."""
    task = make_task(random_rows(), code_kind=code_kind)
    (run,) = train_and_compare(task, task.all_rows, Regime())
    previous = network_result(task, run.trained, run.comparison)
    moved = make_task(random_rows() * 2 + 5, code_kind=code_kind)
    resumed = train_network(moved, moved.all_rows, Regime(), previous)
    network = code_kind.network_to_train(task.plan.network)
    rows = moved.input_units.inverse()(task.X)
    outputs = code_kind.reconstructions(network, resumed.result.weights, rows)
    expected = code_kind.reconstructions(network, run.trained.result.weights, task.Z)
    for output, before in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(
            moved.input_units(output), task.input_units(before), atol=1e-4
        )


@pytest.mark.usefixtures("trainings")
def test_training_resumes_from_pca():
    task = make_task(random_rows())
    resumed = train_network(task, task.all_rows, Regime(), pca_result(task))
    assert len(resumed.result.weights.encoder) > 2  # more than one layer
    expected = task.axes(task.all_rows).reconstruct(task.Z)
    np.testing.assert_allclose(
        reconstructed(task, resumed.result.weights), expected, atol=1e-5
    )


# --- The result ---


@pytest.mark.usefixtures("trainings")
def test_every_snapshot_is_compared_on_the_held_out_rows():
    task = make_task(random_rows())
    indices = np.arange(60, dtype=np.int32)
    split = Split(indices[20:], indices[:20])
    runs = train_and_compare(task, split, Regime(snapshot_epochs=(1, 2, 4)))
    assert len(runs) == 3
    assert {run.comparison.errors.shape for run in runs} == {(20, 1)}
    assert len(train_and_compare(task, split, Regime())) == 1


def test_divergence_from_the_start_names_the_estimator(monkeypatch):
    def diverge(*args):
        raise DivergenceError

    monkeypatch.setattr("skae._train.loop.train", diverge)
    task = make_task(random_rows(), estimator="MyAE", learning_rate=7.0)
    with pytest.raises(ValueError, match=r"MyAE diverged.*learning_rate_init.* 7\."):
        train_network(task, task.all_rows, Regime())


def test_later_divergence_warns_of_the_epoch(monkeypatch):
    def diverge(key, config, data, split, start):
        return TrainingResult(start, [1.0, 0.9], diverged=True)

    monkeypatch.setattr("skae._train.loop.train", diverge)
    task = make_task(random_rows(), estimator="MyAE")
    with pytest.warns(ConvergenceWarning, match="MyAE diverged.* before epoch 3"):
        train_network(task, task.all_rows, Regime())
