"""Adam's steps, decay and penalty, whatever the grouping of the arrays."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from skae._network.architectures import FeatureMaps, conv_network
from skae._network.description import Network
from skae._train.objectives import EvidenceBound
from skae._train.optimizer import apply_adam, parameter_groups
from skae._train.schedule import adam_step_sizes
from tests.networks import draw_weights
from tests.trainings import (
    KEY,
    LINEAR_ENDS,
    NETWORK,
    assert_equal_weights,
    train_rows,
)

N_WEIGHTS = NETWORK.n_weights


@pytest.fixture(params=[2**16, 0], ids=["plain operations", "fused operation"])
def set_operation(request, monkeypatch):
    """Choose how values are updated, by the size from which on steps are fused."""
    monkeypatch.setattr("skae._train.optimizer._FUSED_SIZE", request.param)


# --- One step ---


@pytest.mark.usefixtures("set_operation")
def test_first_step_moves_each_value_by_the_rate_against_its_gradient():
    (group,) = parameter_groups(NETWORK)
    group.restart(draw_weights(NETWORK).joined())
    before = group.values.numpy()
    gradient = np.random.default_rng(0).normal(size=N_WEIGHTS).astype(np.float32)
    step_size = tf.constant(adam_step_sizes(0, np.array([0.01])), tf.float32)
    after = apply_adam(group, group.values.read_value(), gradient, step_size)
    expected = before - 0.01 * np.sign(gradient)
    np.testing.assert_allclose(after, expected, atol=1e-5)
    np.testing.assert_allclose(group.momentum, 0.1 * gradient, rtol=1e-5)
    np.testing.assert_allclose(group.velocity, 0.001 * gradient**2, rtol=1e-4)


@pytest.mark.usefixtures("set_operation")
def test_steps_are_those_of_adam_in_keras():
    (group,) = parameter_groups(NETWORK)
    group.restart(draw_weights(NETWORK).joined())
    theirs = keras.Variable(group.values.numpy())
    adam = keras.optimizers.Adam(learning_rate=0.01)
    rng = np.random.default_rng(0)
    values = group.values.read_value()
    for epoch in range(2):
        for step_size in adam_step_sizes(epoch, np.full(3, 0.01)):
            gradient = tf.constant(rng.normal(size=N_WEIGHTS), tf.float32)
            step_size = tf.constant([step_size], tf.float32)
            values = apply_adam(group, values, gradient, step_size)
            adam.apply([gradient], [theirs])
    np.testing.assert_allclose(values, theirs.numpy(), atol=1e-5)
    np.testing.assert_array_equal(values, group.values)


# --- Groups of arrays ---


def test_few_and_many_values_are_updated_alike(X, monkeypatch, empty_cache):
    few = train_rows(X, n_epochs=10)
    empty_cache()
    monkeypatch.setattr("skae._train.optimizer._FUSED_SIZE", 0)
    many = train_rows(X, n_epochs=10)
    assert few.loss[-1] < 0.9 * few.loss[0]
    np.testing.assert_allclose(many.loss, few.loss, rtol=1e-4)
    assert_equal_weights(many.weights, few.weights, atol=1e-4)


def test_large_arrays_are_updated_as_small_ones_are(X, monkeypatch, empty_cache):
    config = {"n_epochs": 10, "alpha": 0.1, "weight_decay": 0.5}
    together = train_rows(X, **config)
    empty_cache()
    monkeypatch.setattr("skae._train.optimizer._LARGE_ARRAY", 11)
    assert len(parameter_groups(NETWORK)) > 2
    apart = train_rows(X, **config)
    np.testing.assert_allclose(apart.loss, together.loss, rtol=1e-4)
    assert_equal_weights(apart.weights, together.weights, atol=1e-4)


# --- Decay and penalty ---


def with_log_variance(network):
    return Network(replace(network.encoder, log_variance=True), network.decoder)


CONV = conv_network(FeatureMaps((6, 1), (3,), 3), (4, 2), LINEAR_ENDS, shortcut=True)
KEYS = {
    "dense": KEY,
    "convolutional": replace(KEY, network=CONV),
    "log-variance": replace(
        KEY,
        network=with_log_variance(NETWORK),
        objective=EvidenceBound("squared_error"),
    ),
}


@pytest.fixture(params=KEYS.values(), ids=KEYS)
def key(request):
    return request.param


def is_kernel_of_the_nonlinear_path(network):
    """Tell it for each array of the network."""
    flags = []
    for stack in (network.encoder, network.decoder):
        parts = stack.split([np.empty(shape) for shape in stack.array_shapes])
        flags += [array.ndim > 1 for array in parts.layers]
        flags += [False] * len(parts.shortcut + parts.log_variance_head)
    return flags


def test_only_kernels_of_the_nonlinear_path_decay(X, key):
    start = draw_weights(key.network)
    config = {"learning_rate": 1e-6, "decaying": False, "n_epochs": 2}
    # Seven steps in each of two epochs: the steps themselves change next to nothing.
    result = train_rows(X, key, start=start, weight_decay=1e5, **config)
    kept = np.exp(-1e5 * 1e-6 * 2 * 7)
    for found, before, decays in zip(
        result.weights.joined(),
        start.joined(),
        is_kernel_of_the_nonlinear_path(key.network),
        strict=True,
    ):
        expected = before * (kept if decays else 1)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=5e-5)


def test_only_kernels_of_the_nonlinear_path_are_penalised(X, key):
    key = replace(key, batch_size=len(X))
    start = draw_weights(key.network)
    config = {"learning_rate": 0.01, "decaying": False, "n_epochs": 1}

    def change(alpha):
        """Return the change by one step, which has the size of the rate."""
        result = train_rows(X, key, start=start, alpha=alpha, **config)
        return [
            after - before
            for after, before in zip(
                result.weights.joined(), start.joined(), strict=True
            )
        ]

    flags = is_kernel_of_the_nonlinear_path(key.network)
    for penalised, plain, before, is_kernel in zip(
        change(1e6), change(0.0), start.joined(), flags, strict=True
    ):
        expected = -0.01 * np.sign(before) if is_kernel else plain
        np.testing.assert_allclose(penalised, expected, atol=1e-5)
