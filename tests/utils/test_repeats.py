import numpy as np
import pytest

from skae._utils.repeats import first_of_equal_rows, occur_in


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_features", [1, 3, 40])
def test_copies_are_found_wherever_they_are(dtype, n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, n_features)).astype(dtype)
    source = np.arange(500)
    source[rng.permutation(499)[:200] + 1] = 0  # any row may be a copy of the first one
    source[1] = 1
    source[450] = 1
    np.testing.assert_array_equal(first_of_equal_rows(X[source]), source)


def test_different_rows_are_told_apart():
    rng = np.random.default_rng(0)
    assert first_of_equal_rows(rng.normal(size=(1000, 5))) is None
    # Small integers, whose bits are mostly zero, and rows that differ in one column.
    assert first_of_equal_rows(np.indices((30, 30, 3)).reshape(3, -1).T + 0.0) is None
    one_differs = np.zeros((64, 64)) + np.eye(64)
    assert first_of_equal_rows(one_differs) is None


def test_columns_that_are_not_looked_at_first_count_too():
    X = np.zeros((4, 40))
    X[1, 1] = X[2, 39] = 1e-300
    np.testing.assert_array_equal(first_of_equal_rows(X), [0, 1, 2, 0])


def test_negative_zero_equals_zero():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]])
    np.testing.assert_array_equal(first_of_equal_rows(X), [0, 0, 2])


def test_rows_that_share_a_hash_are_compared(monkeypatch):
    monkeypatch.setattr(
        "skae._utils.repeats._combine", lambda words: np.zeros(len(words), np.uint64)
    )
    X = np.array([[0.0], [1.0], [0.0], [2.0]])
    np.testing.assert_array_equal(first_of_equal_rows(X), [0, 1, 0, 3])
    assert first_of_equal_rows(np.array([[0.0], [1.0]])) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_occur_in_others_are_found(dtype):
    X = np.random.default_rng(0).normal(size=(300, 4)).astype(dtype)
    X[0] = 0.0
    rows = np.vstack([X[:3] * -1.0, X[5:9], X[5:9] + 1])
    expected = [True, False, False, *[True] * 4, *[False] * 4]  # -0.0 equals 0.0
    np.testing.assert_array_equal(occur_in(rows, X), expected)
