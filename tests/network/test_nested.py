"""Nested codes: levels, the wide decoder, its folding, and the cuts of a batch."""

import numpy as np
import pytest

from skae._network.architectures import Activations, dense_network
from skae._network.nested import (
    copied_codes,
    cut_decoder,
    cut_encoder,
    cut_groups,
    cut_schedule,
    decoder_at,
    decoder_inputs,
    group_weights,
    levels,
    nested_network,
    nested_weights,
)
from skae._network.numpy_interpreter import forward
from tests.networks import draw_weights

N_FEATURES, N_COMPONENTS = 6, 5
CUTS = range(1, N_COMPONENTS + 1)


def make_network(hidden=(7, 4), shortcut=True):
    activations = Activations("gelu", "linear", "linear")
    return dense_network((N_FEATURES, *hidden, N_COMPONENTS), activations, shortcut)


NETWORKS = {
    "shortcut": make_network(),
    "plain": make_network(shortcut=False),
    "single layer": make_network(hidden=()),
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request):
    return request.param


@pytest.fixture
def codes():
    return np.random.default_rng(0).normal(size=(20, N_COMPONENTS))


@pytest.mark.parametrize(
    ("n_components", "expected"),
    [(1, (1,)), (2, (1, 2)), (5, (1, 2, 4, 5)), (8, (1, 2, 4, 8))],
)
def test_levels_are_powers_of_two_and_the_number_of_codes(n_components, expected):
    assert levels(n_components) == expected


# --- The wide decoder ---


def test_wide_decoder_reads_a_copy_of_the_codes_for_each_level():
    assert copied_codes(5).tolist() == [0, 0, 1, 0, 1, 2, 3, 0, 1, 2, 3, 4]
    assert nested_network(NETWORKS["plain"]).decoder.n_inputs == 12 + len(levels(5))


def test_cut_at_a_level_reads_that_level_alone():
    masks, mixture = decoder_inputs(5, np.array([2]))
    assert mixture.tolist() == [[0, 1, 0, 0]]
    assert masks.tolist() == [[0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]


def test_cut_between_levels_mixes_them_up_to_the_lower_one():
    masks, mixture = decoder_inputs(5, np.array([3]))
    assert mixture.tolist() == [[0, 0.5, 0.5, 0]]
    assert masks.tolist() == [[0, 0.5, 0.5, 0.5, 0.5, 1, 0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("cut", CUTS)
def test_wide_decoder_folds_into_one_of_the_first_codes(network, cut, codes):
    wide = nested_network(network)
    arrays = draw_weights(wide).decoder
    masks, mixture = decoder_inputs(N_COMPONENTS, np.full(len(codes), cut))
    inputs = np.hstack([codes[:, copied_codes(N_COMPONENTS)] * masks, mixture])
    folded = decoder_at(wide.decoder, arrays, N_COMPONENTS, cut)
    np.testing.assert_allclose(
        forward(*folded, codes[:, :cut]),
        forward(wide.decoder, arrays, inputs),
        atol=1e-12,
    )


@pytest.mark.parametrize("cut", CUTS)
def test_nested_training_starts_as_the_plain_network_with_codes_at_zero(
    network, cut, codes
):
    weights = draw_weights(network)
    start = nested_weights(network, weights)
    wide = nested_network(network).decoder
    folded = decoder_at(wide, start.decoder, N_COMPONENTS, cut)
    expected = forward(
        network.decoder, weights.decoder, codes * (np.arange(N_COMPONENTS) < cut)
    )
    np.testing.assert_allclose(forward(*folded, codes[:, :cut]), expected, atol=1e-12)
    assert start.encoder is weights.encoder


@pytest.mark.parametrize("cut", CUTS)
def test_cut_halves_are_the_network_of_the_first_codes(network, cut, codes):
    weights = draw_weights(network)
    X = np.random.default_rng(1).normal(size=(20, N_FEATURES))
    encoder, arrays = cut_encoder(network.encoder, weights.encoder, cut)
    assert [array.shape for array in arrays] == encoder.array_shapes
    np.testing.assert_allclose(
        forward(encoder, arrays, X),
        forward(network.encoder, weights.encoder, X)[:, :cut],
        atol=1e-12,
    )
    decoder, arrays = cut_decoder(network.decoder, weights.decoder, cut)
    assert [array.shape for array in arrays] == decoder.array_shapes
    np.testing.assert_allclose(
        forward(decoder, arrays, codes[:, :cut]),
        forward(
            network.decoder, weights.decoder, codes * (np.arange(N_COMPONENTS) < cut)
        ),
        atol=1e-12,
    )


# --- The cuts of a batch ---


def cuts_of(schedule):
    """Return the number of codes that each row keeps at any level."""
    kept = (schedule.inputs.masks > 0) * (copied_codes(schedule.own.shape[1]) + 1)
    return kept.max(axis=1)


def test_groups_are_the_levels_and_the_cuts_between_them():
    groups = [[*cuts] for cuts in cut_groups(8)]
    assert groups == [[1], [2], [4], [8], [3], [5, 6, 7]]


def test_cuts_between_levels_weigh_a_tenth():
    weights = group_weights(8)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights / weights[0], [1, 1, 1, 1, 0.1, 0.1])


def test_every_cut_has_rows_in_a_batch_and_every_level_in_its_first_rows():
    schedule = cut_schedule(16, 128)
    cuts = cuts_of(schedule)
    assert set(cuts) == set(range(1, 17))
    assert {1, 2, 4, 8, 16} <= set(cuts[:10])


def test_every_row_is_in_the_group_of_its_cut():
    schedule = cut_schedule(8, 64)
    np.testing.assert_array_equal(schedule.groups.sum(axis=0), 1)
    groups = cut_groups(8)
    for cut, group in zip(
        cuts_of(schedule), schedule.groups.argmax(axis=0), strict=True
    ):
        assert cut in groups[group]


def test_several_cuts_between_levels_share_a_quarter_of_the_rows_of_a_level():
    schedule = cut_schedule(16, 4000)
    n_rows = dict(zip(cut_groups(16), schedule.groups.sum(axis=1), strict=True))
    for level in levels(16):
        assert n_rows[range(level, level + 1)] == pytest.approx(
            n_rows[range(1, 2)], abs=2
        )
    for between in (range(5, 8), range(9, 16)):
        share = n_rows[between] / n_rows[range(1, 2)]
        assert share == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("n_components", [2, 3, 4, 6, 8, 10, 16, 32, 64])
@pytest.mark.parametrize("batch_size", [128, 256])
def test_hardly_any_row_is_cut_twice_at_one_level(n_components, batch_size):
    schedule = cut_schedule(n_components, batch_size)
    copies = schedule.groups.argmax(axis=0).reshape(schedule.n_copies, batch_size)
    assert (copies[0] == copies[1]).mean() < 0.1


def test_own_codes_are_those_beyond_the_level_below_the_cut():
    schedule = cut_schedule(8, 64)
    below = {1: 0, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 8: 4}
    for cut, own in zip(cuts_of(schedule), schedule.own, strict=True):
        np.testing.assert_array_equal(own, np.arange(8) >= below[cut])
