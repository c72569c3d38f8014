import numpy as np
import pytest

from skae._fit.splits import folds, hold_out
from skae._utils.parameters import Seeds
from tests.fit.plans import make_task, random_rows


def assert_is_split(split, n_samples):
    """Assert that each row is either trained on or held out."""
    both = np.concatenate([split.train, split.held_out])
    np.testing.assert_array_equal(np.sort(both), np.arange(n_samples))


@pytest.mark.parametrize(
    ("n_samples", "fraction", "n_held_out"),
    [
        (1000, 0.1, 100),
        (1005, 0.1, 101),
        (60, 0.25, 15),
        (1000, 1e-4, 2),
        (3, 0.1, 2),
        (2, 0.1, 1),  # one is left to train on
    ],
)
def test_fraction_of_the_rows_is_held_out(n_samples, fraction, n_held_out):
    split = hold_out(make_task(random_rows(n_samples), validation_fraction=fraction))
    assert len(split.held_out) == n_held_out
    assert_is_split(split, n_samples)


@pytest.mark.parametrize("n_samples", [50, 303])
def test_each_row_is_held_out_in_one_of_five_folds(n_samples):
    splits = [*folds(make_task(random_rows(n_samples)))]
    assert len(splits) == 5
    held_out = np.concatenate([split.held_out for split in splits])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(n_samples))
    for split in splits:
        assert_is_split(split, n_samples)
        assert abs(len(split.held_out) - n_samples / 5) < 1


@pytest.mark.parametrize("choose", [hold_out, lambda task: next(folds(task))])
def test_held_out_rows_depend_on_their_seed_alone(choose):
    first, same, other = (
        choose(make_task(random_rows(), seeds=seeds)).held_out
        for seeds in (Seeds(0, 1, 2, 3), Seeds(0, 9, 9, 9), Seeds(1, 1, 2, 3))
    )
    np.testing.assert_array_equal(first, same)
    assert {*first} != {*other}


@pytest.mark.parametrize("choose", [hold_out, lambda task: next(folds(task))])
def test_equal_rows_stay_on_one_side_and_one_copy_is_held_out(choose):
    distinct = random_rows(60)
    X = distinct[np.random.default_rng(0).integers(60, size=300)]
    split = choose(make_task(X))
    trained_on, held_out = X[split.train], X[split.held_out]
    assert not {*map(tuple, trained_on)} & {*map(tuple, held_out)}
    assert len({*map(tuple, held_out)}) == len(held_out)
    # All copies of the other rows are trained on.
    n_unused = sum(len(X[(X == row).all(axis=1)]) for row in held_out)
    assert len(split.train) == 300 - n_unused


@pytest.mark.parametrize("choose", [hold_out, lambda task: next(folds(task))])
def test_rows_that_follow_each_other_are_split_as_without_their_copies(choose):
    X = random_rows(60)
    once, thrice = (choose(make_task(rows)) for rows in (X, np.repeat(X, 3, axis=0)))
    np.testing.assert_array_equal(thrice.held_out, once.held_out * 3)
