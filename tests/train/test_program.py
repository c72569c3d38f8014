"""Compiled programs: their losses, their reuse, and fits that run at once."""

import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from skae import DenoisingAE, SparseAE, VAETransformer
from skae._network.architectures import FeatureMaps, conv_network
from skae._network.description import Network
from skae._network.nested import nested_network
from skae._train import program
from skae._train.corruption import Gaussian
from skae._train.objectives import EvidenceBound, NestedReconstruction
from skae._train.program import CompiledProgram, _NormalNumbers, lease
from tests.networks import draw_weights
from tests.trainings import (
    KEY,
    LINEAR_ENDS,
    NETWORK,
    NO_LEARNING,
    assert_equal_weights,
    reconstruct,
    train_rows,
)


def compiled_keys():
    """Return the keys of the programs that are idle."""
    return [idle.key for idle in program._idle_programs]


# --- Weights and losses ---

KEYS = {
    "dense": KEY,
    "convolutional": replace(
        KEY,
        network=conv_network(FeatureMaps((6, 1), (3,), 3), (4, 2), LINEAR_ENDS, True),
    ),
    "log-variance": replace(
        KEY,
        network=Network(replace(NETWORK.encoder, log_variance=True), NETWORK.decoder),
        objective=EvidenceBound("squared_error"),
    ),
    "nested": replace(
        KEY,
        network=nested_network(NETWORK),
        objective=NestedReconstruction("squared_error", 2),
    ),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_training_starts_from_the_given_weights(X, key):
    start = draw_weights(key.network)
    train_rows(X, key)  # leaves other weights in the program
    result = train_rows(X, key, start=start, learning_rate=NO_LEARNING)
    assert_equal_weights(result.weights, start, atol=1e-6)


@pytest.mark.parametrize("batch_size", [5, 7, 100])
def test_losses_are_means_over_rows_whatever_the_batches(X, batch_size):
    start = draw_weights(NETWORK)
    key = replace(KEY, batch_size=batch_size)
    result = train_rows(
        X[:20], key, n_held_out=8, start=start, learning_rate=NO_LEARNING
    )
    errors = (X[:20] - reconstruct(NETWORK, start, X[:20])) ** 2
    np.testing.assert_allclose(result.loss, errors[:12].mean(), rtol=1e-5)
    np.testing.assert_allclose(result.val_loss, errors[12:].mean(), rtol=1e-5)


@pytest.mark.parametrize("is_corrupted", [False, True])
def test_held_out_inputs_are_used_with_a_corruption(X, is_corrupted):
    start = draw_weights(NETWORK)
    inputs = np.zeros_like(X[-20:])
    result = train_rows(
        X,
        replace(KEY, corruption=Gaussian()) if is_corrupted else KEY,
        n_held_out=20,
        held_out_inputs=inputs,
        start=start,
        learning_rate=NO_LEARNING,
    )
    inputs = inputs if is_corrupted else X[-20:]
    errors = (X[-20:] - reconstruct(NETWORK, start, inputs)) ** 2
    np.testing.assert_allclose(result.val_loss, errors.mean(), rtol=1e-5)


def test_validation_loss_is_that_of_the_weights_after_the_epoch(X):
    result = train_rows(X, n_held_out=20, n_epochs=4)
    errors = (X[-20:] - reconstruct(NETWORK, result.weights, X[-20:])) ** 2
    np.testing.assert_allclose(result.val_loss[-1], errors.mean(), rtol=1e-5)
    assert np.ptp(result.val_loss) > 0.01


def test_normal_numbers_are_read_once_each():
    table = np.arange(100, dtype=np.float32)
    numbers = _NormalNumbers(tf.constant(table), tf.constant([7]))
    read = [numbers.read(shape).numpy() for shape in ((4, 3), (5, 2), (6, 1))]
    assert [part.shape for part in read] == [(4, 3), (5, 2), (6, 1)]
    joined = np.concatenate([part.ravel() for part in read])
    np.testing.assert_array_equal(joined, table[7:35])


# --- Reproducibility ---


def test_training_again_gives_the_same_weights(X):
    key = replace(KEY, smoothing=True)
    first, again, other = (
        train_rows(X, key, smoothing_noise=0.1, seed=(seed,)) for seed in (0, 0, 1)
    )
    assert_equal_weights(again.weights, first.weights)
    assert again.loss == first.loss
    assert other.loss != first.loss


def test_fitting_again_gives_the_same_codes(digits, make_dense):
    first, again, other = (
        make_dense(random_state=seed).fit(digits).transform(digits)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_order_of_rows_depends_on_the_random_state(digits, make_dense):
    """A single layer starts at PCA for any seed, so only the order can differ."""
    codes = [
        make_dense(hidden_layer_sizes=(), alpha=0.1, random_state=seed)
        .fit(digits)
        .transform(digits)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.allclose(codes[0], codes[2])


# --- Reuse of compilations ---


def test_folds_and_numeric_parameters_share_one_compilation(
    digits, make_dense, empty_cache
):
    make_dense().fit(digits)
    before = compiled_keys()
    grid = {
        "learning_rate_init": [1e-3, 2e-3],
        "alpha": [0.0, 0.1],
        "max_iter": [1, 2],
        "random_state": [0, 1],
    }
    GridSearchCV(make_dense(), grid, cv=3).fit(digits)
    make_dense(early_stopping=True).fit(digits[:333])
    make_dense(whiten=True).partial_fit(digits[:50])
    assert compiled_keys() == before
    assert len(before) == 1


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (DenoisingAE(3), {"noise_level": [0.1, 0.5]}),
        (SparseAE(3), {"sparsity_weight": [0.1, 1.0]}),
        (SparseAE(3, sparsity="kl"), {"target_sparsity": [0.1, 0.3]}),
        (VAETransformer(3), {"beta": [0.5, 2.0], "kl_warmup": [0, 2]}),
    ],
    ids=repr,
)
def test_parameters_of_other_estimators_share_one_compilation_too(
    digits, estimator, grid, empty_cache
):
    estimator.set_params(
        hidden_layer_sizes=(8,), early_stopping=False, max_iter=3, random_state=0
    )
    scores = []
    for parameters in ParameterGrid(grid):
        model = clone(estimator).set_params(**parameters).fit(digits)
        scores.append(model.score(digits))
    assert len(compiled_keys()) == 1
    assert len(set(scores)) == len(scores)


@pytest.mark.parametrize("enabled", [True, False])
def test_compilation_leaves_the_garbage_collector_as_it_was(enabled):
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        CompiledProgram(KEY)
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


def test_leases_of_one_key_at_the_same_time_get_programs_of_their_own(empty_cache):
    with lease(KEY) as outer, lease(KEY) as inner:
        assert inner is not outer
    assert compiled_keys() == [KEY, KEY]
    with lease(KEY) as again:
        assert again is outer  # the one that was returned last
        assert compiled_keys() == [KEY]


def test_programs_that_were_used_least_recently_are_dropped(empty_cache, monkeypatch):
    monkeypatch.setattr(program, "_MAX_IDLE_PROGRAMS", 2)
    keys = [replace(KEY, batch_size=size) for size in (1, 2, 3)]
    for key in (keys[0], keys[1], keys[0], keys[2]):
        with lease(key):
            pass
    assert compiled_keys() == [keys[0], keys[2]]


# --- Fits that run at once ---


def test_fits_in_threads_give_the_serial_codes(digits, make_dense):
    estimators = [make_dense(random_state=seed, max_iter=20) for seed in range(4)]
    serial = [model.fit(digits).transform(digits) for model in estimators]
    with ThreadPoolExecutor(2) as pool:
        fitted = list(pool.map(lambda model: clone(model).fit(digits), estimators))
    for codes, model in zip(serial, fitted, strict=True):
        np.testing.assert_allclose(model.transform(digits), codes, atol=1e-9)


def test_fit_inside_a_fit_disturbs_neither(digits, make_dense, at_epoch):
    serial = make_dense(verbose=2).fit(digits).transform(digits)
    inner = make_dense(random_state=1)
    expected = inner.fit(digits).transform(digits)
    fitted_inside = []
    at_epoch(2, lambda: fitted_inside.append(clone(inner).fit(digits)))
    outer = make_dense(verbose=2).fit(digits)
    np.testing.assert_array_equal(outer.transform(digits), serial)
    (inner,) = fitted_inside
    np.testing.assert_array_equal(inner.transform(digits), expected)
