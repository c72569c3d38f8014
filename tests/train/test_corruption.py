"""Corruption of inputs, by NumPy for held-out rows and inside the graph."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from skae._network.architectures import dense_network
from skae._network.description import Network
from skae._train.chunks import prepare_epochs
from skae._train.config import GraphKey, TrainingConfig, TrainingData
from skae._train.corruption import (
    CORRUPTIONS,
    NO_CORRUPTION,
    CorruptionValues,
    Gaussian,
    Masking,
    NumpyDraws,
    RowsToCorrupt,
    SaltAndPepper,
    Swap,
)
from skae._train.objectives import EvidenceBound
from skae._train.program import lease
from tests.trainings import (
    LINEAR_ENDS,
    NO_LEARNING,
    SQUARED_ERROR,
    identity_network,
    split_rows,
    train_rows,
)

LEVEL = 0.3
N_FEATURES = 5
LOW, HIGH = np.full(N_FEATURES, -9.0), np.full(N_FEATURES, 11.0)


@pytest.fixture
def rows():
    """Rows whose features have no value in common."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, N_FEATURES)) + 20 * np.arange(1, N_FEATURES + 1)
    return rows.astype(np.float32)


# --- Values in the units of training ---


def values_of(corruption, rows, level=LEVEL, unit=2.0):
    zero = np.arange(float(rows.shape[1]))
    indices = np.arange(10, len(rows))
    return corruption.values(level, unit, lambda: RowsToCorrupt(rows, indices, zero))


def test_level_of_gaussian_noise_is_in_units_of_the_data(rows):
    assert values_of(Gaussian(), rows).level == LEVEL * 2.0


def test_masked_values_are_zero_in_units_of_the_data(rows):
    level, low, high = values_of(Masking(), rows)
    assert level == LEVEL
    assert low.tolist() == high.tolist() == [0, 1, 2, 3, 4]


def test_salt_and_pepper_are_the_extremes_of_the_training_rows(rows):
    rows[0] = 1e6  # no training row
    level, low, high = values_of(SaltAndPepper(), rows)
    assert level == LEVEL
    np.testing.assert_array_equal(low, rows[10:].min(axis=0))
    np.testing.assert_array_equal(high, rows[10:].max(axis=0))


# --- Held-out rows, by NumPy ---


def corrupted(rows, corruption, level=LEVEL, donors=None):
    draws = NumpyDraws(
        CorruptionValues(level, LOW, HIGH),
        np.random.default_rng(0),
        lambda: rows if donors is None else donors,
    )
    return corruption.apply(np, rows, draws)


def test_gaussian_noise_has_mean_zero_and_its_level(rows):
    noise = corrupted(rows, Gaussian(), 0.5) - rows
    np.testing.assert_allclose(noise.std(axis=0), 0.5, rtol=0.02)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.02)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("corruption", [Masking(), SaltAndPepper()])
def test_half_of_the_replaced_values_are_low_and_half_are_high(rows, corruption, level):
    noisy = corrupted(rows, corruption, level)
    for value in (LOW[0], HIGH[0]):
        share = (noisy == value).mean(axis=0)
        np.testing.assert_allclose(share, level / 2, atol=0.015)
    kept = (noisy != LOW[0]) & (noisy != HIGH[0])
    np.testing.assert_array_equal(noisy[kept], rows[kept])


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_swapped_values_come_from_the_same_feature_of_the_donors(rows, level):
    donors = rows[:50] + 1000
    noisy = corrupted(rows, Swap(), level, donors)
    is_swapped = noisy != rows
    np.testing.assert_allclose(is_swapped.mean(axis=0), level, atol=0.015)
    for values, swapped, donated in zip(noisy.T, is_swapped.T, donors.T, strict=True):
        expected = set(donated) if level else set()
        assert set(values[swapped]) == expected


def test_rows_without_corruption_are_left_as_they_are(rows):
    assert NO_CORRUPTION.apply(np, rows, None) is rows
    assert not NO_CORRUPTION.is_active


# --- Training rows, inside the graph ---


def losses_of_identity(rows, corruption, smoothing_noise=0.0, seed=0):
    """Return the mean squared change of the inputs in each of two epochs.

    A network that returns its inputs has this loss.
    """
    network, start = identity_network(N_FEATURES)
    smoothing = smoothing_noise > 0
    result = train_rows(
        rows,
        GraphKey(network, SQUARED_ERROR, 1000, smoothing, corruption),
        start=start,
        learning_rate=NO_LEARNING,
        n_epochs=2,
        smoothing_noise=smoothing_noise,
        corruption=CorruptionValues(LEVEL, LOW, HIGH),
        seed=(seed,),
    )
    return np.array(result.loss)


def expected_losses(rows):
    rows = rows.astype(float)
    replaced = LEVEL / 2 * sum(np.mean((rows - end) ** 2) for end in (LOW, HIGH))
    return {
        "gaussian": LEVEL**2,
        "masking": replaced,
        "salt_and_pepper": replaced,
        # Two values of a feature differ by twice its variance.
        "swap": LEVEL * 2 * rows.var(axis=0).mean(),
    }


@pytest.mark.parametrize("by_xla", [False, True])
@pytest.mark.parametrize("noise", CORRUPTIONS)
def test_training_corrupts_rows_as_strongly_as_numpy_does(rows, noise, by_xla, use_xla):
    if by_xla:
        use_xla()
    expected = expected_losses(rows)[noise]
    losses = losses_of_identity(rows, CORRUPTIONS[noise])
    np.testing.assert_allclose(losses, expected, rtol=0.05)
    noisy = corrupted(rows, CORRUPTIONS[noise])
    np.testing.assert_allclose(np.mean((noisy - rows) ** 2), expected, rtol=0.05)


@pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_corruption_depends_on_the_seed_and_changes_every_epoch(rows, corruption):
    first, again, other = (
        losses_of_identity(rows[:2000], corruption, seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert len({*first, *other}) == 4


def test_smoothing_noise_adds_to_the_corruption(rows):
    alone = losses_of_identity(rows, NO_CORRUPTION, smoothing_noise=0.4)
    np.testing.assert_allclose(alone, 0.4**2, rtol=0.03)
    both = losses_of_identity(rows, Gaussian(), smoothing_noise=0.4)
    # Variances add if the numbers of the two are independent.
    np.testing.assert_allclose(both, LEVEL**2 + 0.4**2, rtol=0.03)


# --- Noise of any kind ---


def variational_key(corruption=NO_CORRUPTION, smoothing=False):
    network = dense_network((N_FEATURES, N_FEATURES), LINEAR_ENDS, shortcut=False)
    network = Network(replace(network.encoder, log_variance=True), network.decoder)
    objective = EvidenceBound("squared_error")
    return GraphKey(network, objective, 1000, smoothing, corruption)


def variational_start(key, std):
    """Return the identity with posteriors of standard deviation `std`."""
    kernel, bias = np.eye(N_FEATURES), np.zeros(N_FEATURES)
    head = [np.zeros_like(kernel), np.full(N_FEATURES, 2 * np.log(std))]
    return key.network.split([kernel, bias, *head, kernel, bias])


@pytest.mark.parametrize("by_xla", [False, True])
def test_posterior_noise_is_independent_of_the_noise_on_the_inputs(
    rows, by_xla, use_xla
):
    if by_xla:
        use_xla()
    key = variational_key(Gaussian(), smoothing=True)
    result = train_rows(
        rows,
        key,
        n_held_out=4000,
        held_out_inputs=rows[-4000:],
        start=variational_start(key, std=0.5),
        learning_rate=NO_LEARNING,
        n_epochs=2,
        smoothing_noise=0.4,
        corruption=CorruptionValues(LEVEL),
    )
    # The loss is half the logarithm of the error: its other term has no weight.
    errors = np.exp(2 * np.array(result.loss))
    np.testing.assert_allclose(errors, 0.5**2 + 0.4**2 + LEVEL**2, rtol=0.03)
    held_out = np.exp(2 * np.array(result.val_loss))
    np.testing.assert_allclose(held_out, 0.5**2, rtol=0.06)


def first_batch(chunk):
    """Return the chunk without its later batches."""
    varying = ("rows", "n_taken", "has_extra_row", "step_sizes", "starts")
    fields = {name: getattr(chunk, name)[:1] for name in varying}
    return chunk._replace(row_fractions=tf.ones((1, 1)), **fields)


@pytest.mark.parametrize("source", ["gaussian", "masking", "smoothing", "posterior"])
def test_noise_is_drawn_anew_in_every_batch(source):
    """Batches of equal rows would otherwise have equal losses."""
    rows = np.tile(np.arange(1, N_FEATURES + 1, dtype=np.float32), (64, 1))
    if source == "posterior":
        key = replace(variational_key(), batch_size=32)
        start = variational_start(key, std=0.5)
    else:
        network, start = identity_network(N_FEATURES)
        corruption = CORRUPTIONS.get(source, NO_CORRUPTION)
        key = GraphKey(network, SQUARED_ERROR, 32, source == "smoothing", corruption)
    config = TrainingConfig(
        learning_rate=NO_LEARNING,
        n_epochs=2,
        smoothing_noise=0.4,
        corruption=CorruptionValues(LEVEL, LOW, HIGH),
    )
    losses = []
    with lease(key) as program:
        program.restart(start)
        data = TrainingData(rows)
        _, epochs = prepare_epochs(key, config, data, split_rows(64), None)
        for chunks in epochs:
            (chunk,) = chunks
            for some in (chunk, first_batch(chunk)):
                losses.append(program.run_epoch([some]).terms[0])
    assert len(set(losses)) == 4


def test_table_of_normal_numbers_suffices_for_all_noise(rows, monkeypatch, use_xla):
    use_xla()
    # Without room to spare, reading beyond the end would fail.
    monkeypatch.setattr("skae._train.chunks._N_STARTS", 1)
    key = replace(variational_key(Gaussian(), smoothing=True), batch_size=32)
    result = train_rows(
        rows[:192],
        key,
        n_held_out=64,
        held_out_inputs=rows[128:192],
        start=variational_start(key, std=0.5),
        learning_rate=NO_LEARNING,
        smoothing_noise=0.4,
        corruption=CorruptionValues(LEVEL),
    )
    assert len(result.loss) == 3
