"""Generators, seeds and sizes from the values of parameters."""

import numpy as np
import pytest

from skae._utils.parameters import as_generator, check_integers, draw_seeds


def test_seeds_depend_on_the_random_state():
    assert draw_seeds(0) == draw_seeds(0)
    assert draw_seeds(0) != draw_seeds(1)
    assert len(set(draw_seeds(0))) == 4
    assert all(type(seed) is int for seed in draw_seeds(0))


def test_generator_goes_on_from_fit_to_fit():
    rng = np.random.RandomState(0)
    first, second = draw_seeds(rng), draw_seeds(rng)
    assert first == draw_seeds(0)
    assert second != first
    assert as_generator(rng) is rng


def test_no_random_state_neither_uses_nor_changes_the_global_generator():
    np.random.seed(0)
    state = np.random.get_state()
    first = draw_seeds(None)
    for found, expected in zip(np.random.get_state(), state, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert draw_seeds(None) != first


@pytest.mark.parametrize(
    ("values", "expected"),
    [(8, (8,)), ((8, 4), (8, 4)), ([], ()), (np.array([8, 4]), (8, 4))],
)
def test_integers_become_a_tuple(values, expected):
    integers = check_integers(values, "sizes", "DenseAE")
    assert integers == expected
    assert all(type(item) is int for item in integers)


@pytest.mark.parametrize("values", [0, (8, 0), (8, 2.5), "big", None, [[8], [4]]])
def test_other_values_are_refused_by_name(values):
    with pytest.raises(ValueError, match=r"'sizes'.*DenseAE.*'auto' or an integer"):
        check_integers(values, "sizes", "DenseAE", "'auto' or ")
