import numpy as np
import pytest

from skae._choosing import elbow, n_wanted, without_the_others
from skae._initialization import random_weights
from skae._network import Activations, dense_network
from skae._numpy_backend import forward
from skae._ordering import (
    codes_of_views,
    cut_decoder,
    decoder_at,
    levels,
    nesting,
    ordered_network,
    ordered_start,
    views,
)
from skae._plan import Program

N_FEATURES, N_COMPONENTS = 6, 5


def network(hidden=(7, 4), shortcut=True):
    activations = Activations("gelu", "linear", "linear")
    return dense_network((N_FEATURES, *hidden, N_COMPONENTS), activations, shortcut)


@pytest.mark.parametrize(
    ("n_components", "expected"),
    [(1, (1,)), (2, (1, 2)), (5, (1, 2, 4, 5)), (8, (1, 2, 4, 8))],
)
def test_levels_are_powers_of_two_and_the_last(n_components, expected):
    assert levels(n_components) == expected


@pytest.mark.parametrize("cut", range(1, N_COMPONENTS + 1))
@pytest.mark.parametrize(
    "plain", [network(), network(shortcut=False), network(hidden=())]
)
def test_ordered_decoder_folds_into_that_of_the_first_codes(plain, cut):
    wide = ordered_network(plain).decoder
    arrays = random_weights(ordered_network(plain), seed=0).decoder
    arrays = [array + 0.1 for array in arrays]
    codes = np.random.default_rng(0).normal(size=(20, N_COMPONENTS))
    kept, shares = views(N_COMPONENTS, np.full(len(codes), cut))
    seen = codes[:, codes_of_views(N_COMPONENTS)] * kept
    expected = forward(wide, arrays, np.hstack([seen, shares]))
    folded = decoder_at(wide, arrays, N_COMPONENTS, cut)
    np.testing.assert_allclose(forward(*folded, codes[:, :cut]), expected, atol=1e-12)


@pytest.mark.parametrize("cut", range(1, N_COMPONENTS + 1))
def test_ordered_training_starts_as_the_plain_network_with_codes_at_zero(cut):
    plain = network()
    weights = random_weights(plain, seed=0)
    start = ordered_start(plain, weights)
    wide = ordered_network(plain).decoder
    folded = decoder_at(wide, start.decoder, N_COMPONENTS, cut)
    codes = np.random.default_rng(0).normal(size=(20, N_COMPONENTS))
    first = codes * (np.arange(N_COMPONENTS) < cut)
    expected = forward(plain.decoder, weights.decoder, first)
    np.testing.assert_allclose(forward(*folded, codes[:, :cut]), expected, atol=1e-12)
    shorter = cut_decoder(plain.decoder, weights.decoder, cut)
    np.testing.assert_allclose(forward(*shorter, codes[:, :cut]), expected, atol=1e-12)


def n_kept_of(views, n_components):
    """Return the number of codes that any level sees of a row."""
    seen = (views.kept > 0) * (codes_of_views(n_components) + 1)
    return seen.max(axis=1)


def test_every_cut_has_rows_in_a_batch_and_every_level_in_its_first_rows():
    nested = nesting(16, 128)
    n_kept = n_kept_of(nested.views, 16)
    assert set(n_kept) == set(range(1, 17))
    assert {1, 2, 4, 8, 16} <= set(n_kept[:10])
    np.testing.assert_array_equal(nested.groups.sum(axis=0), 1)
    assert nested.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("n_components", [2, 3, 4, 6, 8, 10, 16, 32, 64])
@pytest.mark.parametrize("batch_size", [128, 256])
def test_hardly_any_row_is_cut_twice_at_one_level(n_components, batch_size):
    nested = nesting(n_components, batch_size)
    copies = nested.groups.argmax(axis=0).reshape(nested.copies, batch_size)
    assert (copies[0] == copies[1]).mean() < 0.1


def test_own_codes_are_those_beyond_the_level_below_the_cut():
    nested = nesting(8, 64)
    n_kept = n_kept_of(nested.views, 8)
    below = {1: 0, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 8: 4}
    for cut, own in zip(n_kept, nested.own, strict=True):
        np.testing.assert_array_equal(own, np.arange(8) >= below[cut])


def test_every_row_is_trained_as_it_is_decoded_later():
    """In both halves of a batch, twice, and as much as its weight says."""
    import tensorflow as tf

    from skae._epochs import Scalars
    from skae._objective import Batch, Objective

    ordered = ordered_network(network())
    encoder, decoder = random_weights(ordered, seed=0)
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(64, N_FEATURES)), rng.uniform(size=64)
    program = Program(ordered, "squared_error", 64, False, ordered=True)
    rows, *arrays = (
        tf.constant(values, tf.float32) for values in (X, *encoder, *decoder)
    )
    batch = Batch(rows, rows, tf.constant(weights[np.newaxis], tf.float32), None)
    scalars = Scalars(*[1.0] * len(Scalars._fields))
    terms = Objective(program).terms(arrays, batch, scalars).numpy()

    nested = nesting(N_COMPONENTS, 32)
    groups = nested.groups.argmax(axis=0).reshape(2, 32)
    cuts = n_kept_of(nested.views, N_COMPONENTS).reshape(2, 32)
    codes = forward(ordered.encoder, encoder, X)
    sums = np.zeros((2, len(terms)))
    for row, weight in enumerate(weights):
        for group, cut in zip(groups[:, row % 32], cuts[:, row % 32], strict=True):
            first = decoder_at(ordered.decoder, decoder, N_COMPONENTS, cut)
            error = np.mean((forward(*first, codes[[row], :cut]) - X[row]) ** 2)
            sums[:, group] += weight * error, weight
    np.testing.assert_allclose(terms, sums[0] / sums[1] * weights.sum(), rtol=1e-4)


def test_elbow_is_where_the_curve_bends():
    explained = np.array([0.3, 0.6, 0.9, 0.91, 0.92, 0.93, 0.94])
    assert elbow(explained) == 3
    assert elbow(np.array([1.0])) == 1


def test_fewest_codes_are_kept_that_explain_the_share():
    left = np.array([0.75, 0.5, 0.25])
    assert [n_wanted(left, share) for share in (0.2, 0.25, 0.6)] == [1, 2, 3]
    assert n_wanted(left, 0.95) == 3


def test_between_levels_codes_are_expected_to_be_as_good_as_at_them():
    left = np.array([0.8, 0.4, 0.39, 0.2, 0.19, 0.19, 0.12, 0.1])
    expected = without_the_others(left)
    np.testing.assert_allclose(expected[[0, 1, 3, 7]], left[[0, 1, 3, 7]])
    assert (np.diff(expected) < 0).all()
    assert expected[2] == pytest.approx(0.2 * 2 ** np.log2(4 / 3))
    assert expected[6] == pytest.approx(0.2 / 1.75)
