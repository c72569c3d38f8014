"""When XLA compiles steps, and that its steps are the same."""

from dataclasses import replace

import numpy as np
import pytest

from skae._network.architectures import (
    Activations,
    FeatureMaps,
    conv_network,
    dense_network,
)
from skae._network.nested import nested_network
from skae._train import program
from skae._train.config import EarlyStopping, TrainingConfig
from skae._train.objectives import L1Penalty, NestedReconstruction
from skae._train.xla import epochs_before_xla, steps_per_call
from tests.trainings import (
    KEY,
    LINEAR_ENDS,
    NETWORK,
    assert_equal_weights,
    reconstruct,
    train_rows,
)

PLAIN = dense_network((6, 5, 2), LINEAR_ENDS, shortcut=False)


def key_of_width(n_features, batch_size=100):
    network = dense_network((n_features, 10), LINEAR_ENDS, shortcut=False)
    return replace(KEY, network=network, batch_size=batch_size)


def steps_compiled():
    """Return the numbers of steps in the groups of all idle programs."""
    return {
        n_steps
        for compiled in program._idle_programs
        for n_steps in compiled._functions
    }


# --- The decision ---


def configured(n_epochs, n_trainings=1):
    return TrainingConfig(1e-3, n_epochs, min_steps=4, n_trainings=n_trainings)


@pytest.mark.parametrize(
    ("n_rows", "n_epochs", "expected"),
    [
        (1000, 100, None),
        (10_000, 16, None),
        (10_000, 100, 15),
        (1_000_000, 1, None),
        (1_000_000, 2, 1),
    ],
)
def test_xla_takes_over_only_if_much_work_remains(n_rows, n_epochs, expected):
    key, config = key_of_width(72), configured(n_epochs)
    assert epochs_before_xla(key, config, n_rows) == expected


@pytest.mark.parametrize(("n_trainings", "expected"), [(1, None), (2, None), (5, 0)])
def test_folds_that_follow_share_the_compilation(n_trainings, expected):
    """All of them profit from it, so it begins at once."""
    key, config = key_of_width(72), configured(100, n_trainings)
    assert epochs_before_xla(key, config, n_rows=300) == expected


def test_xla_takes_over_neither_convolutions_nor_wide_batches():
    conv = conv_network(
        FeatureMaps((72, 1), (2,), 3),
        (10,),
        Activations("relu", "linear", "linear"),
        False,
    )
    for key in (replace(KEY, network=conv), key_of_width(72, batch_size=2**18)):
        assert epochs_before_xla(key, configured(1000), 1_000_000) is None


@pytest.mark.parametrize(
    ("n_features", "expected"), [(64, 32), (2**12, 10), (2**16, 1)]
)
def test_fewer_steps_of_wide_rows_are_taken_at_once(n_features, expected):
    assert steps_per_call(key_of_width(n_features), 100) == expected


@pytest.mark.parametrize(("n_steps", "expected"), [(1, 1), (4, 4), (7, 4), (8, 8)])
def test_no_more_steps_are_taken_at_once_than_an_epoch_has(n_steps, expected):
    assert steps_per_call(key_of_width(64), n_steps) == expected


def test_little_work_is_done_without_xla(X, empty_cache):
    train_rows(X)
    assert steps_compiled() == {1}


def test_much_work_is_done_by_xla(X, empty_cache, monkeypatch):
    monkeypatch.setattr("skae._train.xla._SECONDS_BEFORE", 1e-9)
    monkeypatch.setattr("skae._train.xla._SECONDS_WORTH_COMPILING", 1e-9)
    train_rows(X, n_epochs=3)
    assert steps_compiled() == {1, 4}


# --- The steps ---

NESTED = replace(
    KEY,
    network=nested_network(PLAIN),
    objective=NestedReconstruction("squared_error", 2),
)


@pytest.mark.parametrize(
    ("key", "config"),
    [
        (replace(KEY, network=PLAIN), {"alpha": 0.1}),
        (KEY, {"weight_decay": 0.1}),
        (
            KEY,
            {
                "n_held_out": 20,
                "n_epochs": 30,
                "learning_rate": 0.1,
                "stopping": EarlyStopping(patience=1, tol=0.05),
            },
        ),
        (replace(KEY, objective=L1Penalty("huber")), {"term_weight": 0.1}),
        (NESTED, {"early_code_gradient": 0.3}),
    ],
    ids=["penalty", "decay", "early stopping", "sparsity", "nested"],
)
def test_steps_by_xla_give_the_same_training(X, use_xla, key, config):
    config = {"n_epochs": 6, **config}
    single = train_rows(X, key, **config)
    use_xla()
    by_xla = train_rows(X, key, **config)
    assert steps_compiled() == {1, 4}
    np.testing.assert_allclose(by_xla.loss, single.loss, rtol=1e-4)
    np.testing.assert_allclose(by_xla.val_loss, single.val_loss, rtol=1e-4)
    assert_equal_weights(by_xla.weights, single.weights, atol=1e-4)
    assert single.loss[-1] < 0.9 * single.loss[0]


def test_steps_by_xla_are_reproducible(X, use_xla):
    use_xla()
    key = replace(KEY, smoothing=True)
    first, again = (train_rows(X, key, smoothing_noise=0.1) for _ in range(2))
    assert_equal_weights(again.weights, first.weights)


def test_training_by_xla_learns(X, use_xla):
    use_xla()
    result = train_rows(X, n_epochs=30, learning_rate=0.03)
    error = np.mean((X - reconstruct(NETWORK, result.weights, X)) ** 2)
    assert error < 0.3 * X.var(axis=0).mean()
