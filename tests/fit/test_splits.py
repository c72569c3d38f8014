import numpy as np
import pytest

from skae._fit.rows import HoldoutRequest, TrainingRows
from skae._fit.splits import folds, gap_of_series, hold_out, needs_folds
from skae._fit.task import FitTask
from skae._train.config import Split
from skae._utils.parameters import Seeds
from tests.fit.plans import make_plan, make_task, random_rows


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
    splits = folds(make_task(random_rows(n_samples)))
    assert len(splits) == 5
    held_out = np.concatenate([split.held_out for split in splits])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(n_samples))
    for split in splits:
        assert_is_split(split, n_samples)
        assert abs(len(split.held_out) - n_samples / 5) < 1


@pytest.mark.parametrize("choose", [hold_out, lambda task: folds(task)[0]])
def test_held_out_rows_depend_on_their_seed_alone(choose):
    first, same, other = (
        choose(make_task(random_rows(), seeds=seeds)).held_out
        for seeds in (Seeds(0, 1, 2, 3), Seeds(0, 9, 9, 9), Seeds(1, 1, 2, 3))
    )
    np.testing.assert_array_equal(first, same)
    assert {*first} != {*other}


@pytest.mark.parametrize("choose", [hold_out, lambda task: folds(task)[0]])
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


@pytest.mark.parametrize("choose", [hold_out, lambda task: folds(task)[0]])
def test_rows_that_follow_each_other_are_split_as_without_their_copies(choose):
    X = random_rows(60)
    once, thrice = (choose(make_task(rows)) for rows in (X, np.repeat(X, 3, axis=0)))
    np.testing.assert_array_equal(thrice.held_out, once.held_out * 3)


def dependent_task(X, seed=0, validation_fraction=0.1, **holdout):
    plan = make_plan(
        seeds=Seeds(seed, 1, 2, 3), validation_fraction=validation_fraction
    )
    if holdout.pop("is_series", False):
        holdout["gap"] = gap_of_series(*X.shape)
    return FitTask(plan, TrainingRows(X, "DenseAE", HoldoutRequest(**holdout)))


def splits_of(task):
    return [hold_out(task), *folds(task)]


# --- Groups ---


@pytest.mark.parametrize("sizes", [[30] * 40, [1] * 500, [5, 300, 20, 7, 50, 1, 80]])
def test_groups_stay_on_one_side(sizes):
    groups = np.random.default_rng(0).permutation(
        np.repeat(np.arange(len(sizes)), sizes)
    )
    task = dependent_task(random_rows(len(groups)), groups=groups)
    for split in splits_of(task):
        assert not {*groups[split.train]} & {*groups[split.held_out]}
        np.testing.assert_array_equal(split.clusters, groups[split.held_out])
        assert_is_split(split, len(groups))
    assert len(hold_out(task).train) >= len(groups) // 2
    held_out = np.concatenate([split.held_out for split in folds(task)])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(len(groups)))


@pytest.mark.parametrize(
    ("n_groups", "n_held_out"), [(2, 1), (6, 3), (12, 6), (60, 10), (200, 20)]
)
def test_at_least_ten_groups_are_held_out_but_no_more_than_half(n_groups, n_held_out):
    groups = np.repeat(np.arange(n_groups), 10)
    split = hold_out(dependent_task(random_rows(len(groups)), groups=groups))
    assert len(np.unique(groups[split.held_out])) == n_held_out


@pytest.mark.parametrize("sizes", [[5000, *[10] * 150], [900, 50, 50], [300, 300]])
def test_large_groups_leave_half_of_the_rows_to_train_on(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(5):
        split = hold_out(dependent_task(random_rows(len(groups)), seed, groups=groups))
        assert 0 < len(split.held_out) <= len(groups) // 2


def test_folds_of_groups_have_about_as_many_rows():
    sizes = np.random.default_rng(1).integers(1, 60, size=40)
    groups = np.repeat(np.arange(40), sizes)
    splits = folds(dependent_task(random_rows(len(groups)), groups=groups))
    n_rows = [len(split.held_out) for split in splits]
    assert len(splits) == 5
    assert max(n_rows) - min(n_rows) < 20


def test_three_groups_are_three_folds():
    groups = np.repeat(np.arange(3), 30)
    splits = folds(dependent_task(random_rows(90), groups=groups))
    assert [len(split.held_out) for split in splits] == [30, 30, 30]


def test_groups_held_out_depend_on_the_seed():
    groups = np.repeat(np.arange(50), 30)
    X = random_rows(1500)
    held_out = [
        {*groups[hold_out(dependent_task(X, seed, groups=groups)).held_out]}
        for seed in (0, 0, 1)
    ]
    assert held_out[0] == held_out[1] != held_out[2]


def test_rows_of_one_group_that_equal_those_of_another_are_not_held_out():
    X = random_rows(200)
    X[::4] = 1.0  # in every group
    groups = np.repeat(np.arange(20), 10)
    for split in splits_of(dependent_task(X, groups=groups)):
        assert not (X[split.held_out] == 1).all(axis=1).any()
        assert (X[split.train] == 1).all(axis=1).any()


def test_groups_that_repeat_each_other_count_as_one_observation():
    X = np.tile(random_rows(30), (4, 1))
    split = hold_out(dependent_task(X, groups=np.repeat(np.arange(4), 30)))
    assert len(split.held_out) == 60
    np.testing.assert_array_equal(split.clusters, 0)


@pytest.mark.parametrize(
    ("n_groups", "n_samples", "expected"),
    [
        (9, 1200, True),
        (99, 9999, True),
        (100, 1200, False),
        (9, 10_000, True),
        (10, 10_000, False),
    ],
)
def test_few_groups_of_many_rows_need_folds(n_groups, n_samples, expected):
    groups = np.arange(n_samples) % n_groups
    task = dependent_task(random_rows(n_samples), groups=groups)
    assert needs_folds(task) == expected


@pytest.mark.parametrize(
    ("n_samples", "n_features", "expected"),
    [(999, 2, True), (1200, 2, False), (3000, 40, True), (10_000, 400, False)],
)
def test_few_blocks_of_a_series_need_folds(n_samples, n_features, expected):
    task = dependent_task(random_rows(n_samples, n_features), is_series=True)
    assert needs_folds(task) == expected


# --- Series ---


@pytest.mark.parametrize("n_samples", [120, 600, 1500, 20_000])
@pytest.mark.parametrize("n_features", [2, 40])
def test_rows_near_held_out_ones_are_left_out(n_samples, n_features):
    X = random_rows(n_samples, n_features)
    gap = min(n_features, n_samples // 20)
    for split in splits_of(dependent_task(X, is_series=True)):
        index = np.searchsorted(split.train, split.held_out)
        before = split.held_out - split.train[np.maximum(index - 1, 0)]
        after = split.train[np.minimum(index, len(split.train) - 1)] - split.held_out
        distances = np.abs(np.column_stack([before, after]))
        assert distances.min() == gap + 1
        assert len(split.train) >= n_samples // 2
        np.testing.assert_array_equal(split.clusters, split.held_out // (2 * gap))


def test_blocks_of_a_series_are_spread_and_one_is_at_its_end():
    split = hold_out(dependent_task(random_rows(20_000, 10), is_series=True))
    starts = np.flatnonzero(np.diff(split.held_out, prepend=-2) > 1)
    assert len(starts) == 10
    assert len(split.held_out) == 2000
    assert split.held_out[-1] == 19_999


def test_folds_of_a_series_are_consecutive():
    splits = folds(dependent_task(random_rows(500), is_series=True))
    held_out = np.concatenate([split.held_out for split in splits])
    np.testing.assert_array_equal(held_out, np.arange(500))


# --- Rows and splits of the user ---


@pytest.mark.parametrize("n_samples", [60, 1200])
def test_validation_rows_are_held_out_and_all_others_trained_on(n_samples):
    X, X_val = random_rows(n_samples), random_rows(70, seed=1)
    task = dependent_task(X, X_val=X_val)
    split = hold_out(task)
    assert not needs_folds(task)
    np.testing.assert_array_equal(split.train, np.arange(n_samples))
    np.testing.assert_allclose(
        task.input_units(task.Z[split.held_out]), X_val, rtol=1e-5
    )
    assert split.clusters is None


def test_last_split_of_the_user_is_held_out_and_all_are_folds():
    indices = np.arange(100, dtype=np.int32)
    given = (Split(indices[:40], indices[40:60]), Split(indices[:60], indices[70:]))
    task = dependent_task(random_rows(100), splits=given)
    for chosen, expected in [
        (hold_out(task), given[-1]),
        *zip(folds(task), given, strict=True),
    ]:
        np.testing.assert_array_equal(chosen.train, expected.train)
        np.testing.assert_array_equal(chosen.held_out, expected.held_out)
        np.testing.assert_array_equal(chosen.clusters, expected.held_out)


def test_series_may_be_alike_for_longer_than_a_window():
    split = hold_out(dependent_task(random_rows(3000), gap=100))
    np.testing.assert_array_equal(split.clusters, split.held_out // 200)


def test_copies_in_the_validation_rows_count_once_and_those_of_others_never():
    X, new = random_rows(100), random_rows(20, seed=1)
    split = hold_out(dependent_task(X, X_val=np.vstack([new, new[:5], X[:7]])))
    np.testing.assert_array_equal(split.held_out, 100 + np.arange(25))
    np.testing.assert_array_equal(split.clusters, [*range(20), *range(5)])
    with pytest.raises(ValueError, match="every row of X_val among the rows of X"):
        hold_out(dependent_task(X, X_val=X[10:30]))


def test_splits_that_leave_no_row_to_train_on_are_refused():
    for X, share in ((random_rows(2), 0.1), (random_rows(1000, 30), 0.95)):
        task = dependent_task(X, validation_fraction=share, is_series=True)
        with pytest.raises(ValueError, match="too few are left to train on"):
            hold_out(task)


def test_copies_in_splits_of_the_user_count_once():
    X = np.repeat(random_rows(50), 2, axis=0)
    indices = np.arange(100, dtype=np.int32)
    task = dependent_task(X, splits=(Split(indices[:61], indices[61:]),))
    split = hold_out(task)
    # The copy of row 60 is left out, and the others belong together in pairs.
    np.testing.assert_array_equal(split.held_out, indices[62:])
    np.testing.assert_array_equal(split.clusters, indices[62:] // 2 * 2)
