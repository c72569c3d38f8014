"""Chunks of epochs: which rows they hold, in which order and with which weights."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone

from skae import DenoisingAE, DenseAE, SparseAE
from skae._train.chunks import prepare_epochs
from skae._train.config import GraphKey, TrainingConfig, TrainingData
from skae._train.corruption import Gaussian, Swap
from tests.trainings import KEY, SQUARED_ERROR, identity_network, split_rows

N_ROWS, N_HELD_OUT = 37, 5
N_TRAIN = N_ROWS - N_HELD_OUT


@pytest.fixture
def X():
    """Rows whose only feature is their index."""
    return np.arange(N_ROWS, dtype=np.float32)[:, np.newaxis]


def make_key(batch_size=10, corruption=KEY.corruption):
    network, _ = identity_network(1)
    return GraphKey(network, SQUARED_ERROR, batch_size, False, corruption)


def epochs_of(X, key=None, before_xla=None, held_out_inputs=None, **config):
    """Return all chunks of each epoch, with memory of their own."""
    config = {"learning_rate": 0.1, "n_epochs": 2, **config}
    _, epochs = prepare_epochs(
        key or make_key(),
        TrainingConfig(**config),
        TrainingData(X, held_out_inputs),
        split_rows(len(X), N_HELD_OUT),
        before_xla,
    )
    return [
        [type(chunk)(*(np.array(field) for field in chunk)) for chunk in chunks]
        for chunks in epochs
    ]


def rows_of(chunk):
    """Return the rows of each batch without the padding."""
    batch_size = chunk.row_weights.shape[1]
    weights = chunk.row_weights[chunk.has_extra_row.ravel()]
    batches = chunk.rows.reshape(-1, batch_size)
    taken = chunk.step_sizes.ravel() > 0
    return [
        batch[weight > 0]
        for batch, weight in zip(batches[taken], weights[taken], strict=True)
    ]


@pytest.mark.parametrize("before_xla", [None, 0])
def test_every_training_row_is_in_one_batch_of_each_epoch(X, before_xla):
    orders = []
    for (chunk,) in epochs_of(X, before_xla=before_xla, n_epochs=3):
        batches = rows_of(chunk)
        assert [len(batch) for batch in batches] == [8, 8, 8, 8]
        orders.append(np.concatenate(batches))
        np.testing.assert_array_equal(np.sort(orders[-1]), np.arange(N_TRAIN))
    for order, following in pairwise(orders):
        assert (order != following).any()


def test_order_depends_on_the_seed_alone(X):
    first, again, other = (
        np.array([epoch[0].rows for epoch in epochs_of(X, seed=seed)])
        for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_weights_of_rows_and_batches_add_up_to_one(X):
    for (chunk,) in epochs_of(X, make_key(batch_size=12)):
        lengths = [len(batch) for batch in rows_of(chunk)]
        assert lengths == [11, 11, 10]
        np.testing.assert_allclose(chunk.row_weights.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(
            chunk.row_fractions.ravel(), np.divide(lengths, N_TRAIN), rtol=1e-6
        )


def test_steps_are_grouped_and_the_last_group_is_padded(X, monkeypatch):
    monkeypatch.setattr("skae._train.xla._MAX_STEPS", 3)
    (single,), (by_group,) = epochs_of(X, before_xla=1, decaying=False)
    assert single.step_sizes.shape == (4, 1)
    assert by_group.step_sizes.shape == (2, 3)
    assert by_group.n_taken.tolist() == [3, 1]
    assert (by_group.step_sizes > 0).tolist() == [[True] * 3, [True, False, False]]
    assert by_group.row_fractions[1, 1:].tolist() == [0, 0]


@pytest.mark.parametrize("batch_size", [2, 10])
def test_held_out_rows_are_validated_once_an_epoch(X, batch_size):
    inputs = -X[N_TRAIN:]
    for (chunk,) in epochs_of(X, make_key(batch_size), held_out_inputs=inputs):
        weights = chunk.held_out_weights.ravel()
        np.testing.assert_allclose(weights[weights > 0], 1 / N_HELD_OUT, rtol=1e-6)
        targets = chunk.held_out.ravel()[weights > 0]
        np.testing.assert_array_equal(targets, X[N_TRAIN:].ravel())
        found = chunk.held_out_inputs.ravel()[weights > 0]
        np.testing.assert_array_equal(found, inputs.ravel())


def test_held_out_rows_are_their_own_inputs_by_default(X):
    for (chunk,) in epochs_of(X):
        np.testing.assert_array_equal(chunk.held_out_inputs, chunk.held_out)


@pytest.mark.parametrize("before_xla", [None, 0])
def test_epoch_of_many_values_is_divided_into_chunks(X, monkeypatch, before_xla):
    monkeypatch.setattr("skae._train.xla._MAX_STEPS", 1)
    key = make_key(corruption=Gaussian())
    config = {"before_xla": before_xla, "weight_decay": 0.1}
    whole = epochs_of(X, key, **config)
    monkeypatch.setattr("skae._train.chunks._MAX_VALUES", 10)
    for (chunk,), chunks in zip(whole, epochs_of(X, key, **config), strict=True):
        assert len(chunks) == 4
        for name in ("rows", "has_extra_row", "row_fractions", "step_sizes", "starts"):
            joined = np.concatenate([getattr(part, name) for part in chunks])
            np.testing.assert_array_equal(joined, getattr(chunk, name))
        # Rows are validated after the last chunk, and kernels decay before the first.
        assert [len(part.held_out) for part in chunks] == [0, 0, 0, 1]
        decays = [part.scalars[0] for part in chunks]
        assert decays == [chunk.scalars[0], 0, 0, 0]
        assert chunk.scalars[0] > 0
        # Uniform numbers depend on the seed and on the number of the step.
        seeds = [tuple(part.seed) for part in chunks]
        assert seeds == [(chunk.seed[0], chunk.seed[1] + i) for i in range(4)]


def test_values_are_swapped_with_all_rows_of_the_chunk(X):
    for (chunk,) in epochs_of(X, make_key(batch_size=12, corruption=Swap())):
        donors = chunk.rows.ravel()[chunk.donors]
        np.testing.assert_array_equal(np.sort(donors), np.arange(N_TRAIN))


def test_batches_read_normal_numbers_from_places_of_their_own(X):
    key = make_key(corruption=Gaussian())
    starts = np.concatenate([epoch[0].starts for epoch in epochs_of(X, key)])
    assert len(np.unique(starts)) == len(starts) == 8


@pytest.mark.parametrize("make", [DenseAE, SparseAE, DenoisingAE])
@pytest.mark.parametrize("by_xla", [False, True])
def test_rows_that_are_copied_chunk_by_chunk_give_the_same_fit(
    digits, use_xla, monkeypatch, make, by_xla
):
    model = make(
        3,
        hidden_layer_sizes=(8,),
        max_iter=4,
        batch_size=100,
        alpha=0.1,
        random_state=0,
    )

    def fit():
        if by_xla:
            use_xla()
        return clone(model).fit(digits)

    whole = fit()
    monkeypatch.setattr("skae._fit.task._FEW_VALUES", 0)
    monkeypatch.setattr("skae._train.chunks._MAX_VALUES", 250 * 64)
    in_chunks = fit()
    for name, losses in whole.history_.items():
        np.testing.assert_allclose(in_chunks.history_[name], losses, rtol=1e-5)
    np.testing.assert_array_equal(in_chunks.transform(digits), whole.transform(digits))
