import numpy as np
import pytest
from sklearn.decomposition import PCA

from skae._fit.n_components import (
    elbow,
    expected_after_refining,
    n_components_for,
    n_components_of_pca,
    n_components_to_train,
)
from skae._fit.rows import TrainingRows


def test_elbow_is_where_the_curve_bends_most():
    explained = np.array([0.3, 0.6, 0.9, 0.91, 0.92, 0.93, 0.94])
    assert elbow(explained) == 3
    assert elbow(np.array([1.0])) == 1


def test_fewest_codes_that_explain_more_than_the_target():
    unexplained = np.array([0.75, 0.5, 0.25])
    targets = (0.2, 0.25, 0.6)
    assert [n_components_for(unexplained, target) for target in targets] == [1, 2, 3]


def test_all_codes_if_no_number_reaches_the_target():
    assert n_components_for(np.array([0.75, 0.5, 0.25]), 0.95) == 3


def test_auto_is_the_elbow():
    unexplained = 1 - np.array([0.3, 0.6, 0.9, 0.91, 0.92, 0.93, 0.94])
    assert n_components_for(unexplained, "auto") == 3


def test_codes_between_levels_are_expected_to_follow_the_levels_around_them():
    unexplained = np.array([0.8, 0.4, 0.39, 0.2, 0.19, 0.19, 0.12, 0.1])
    expected = expected_after_refining(unexplained)
    np.testing.assert_allclose(expected[[0, 1, 3, 7]], unexplained[[0, 1, 3, 7]])
    assert (np.diff(expected) < 0).all()
    assert expected[2] == pytest.approx(0.2 * 2 ** np.log2(4 / 3))
    assert expected[6] == pytest.approx(0.2 / 1.75)


def test_more_codes_are_never_expected_to_leave_more():
    unexplained = np.array([0.5, 0.3, 0.2, 0.4, 0.0])
    np.testing.assert_array_equal(
        expected_after_refining(unexplained), [0.5, 0.3, 0.2, 0.2, 0.0]
    )


# --- Numbers that PCA tells ---


@pytest.fixture(scope="module")
def rows(digits):
    return TrainingRows(digits, "DenseAE")


@pytest.mark.parametrize("target", [0.1, 0.5, 0.9, 0.99])
def test_pca_needs_as_many_components_as_in_scikit_learn(digits, rows, target):
    expected = PCA(target, svd_solver="full").fit(digits).n_components_
    assert n_components_of_pca(rows, target) == expected
    assert n_components_of_pca(rows, target, most=20) == min(expected, 20)


@pytest.mark.parametrize("target", [0.1, 0.5, 0.9, 0.99])
def test_codes_to_train_are_the_next_power_of_two(rows, target):
    needed = n_components_of_pca(rows, target)
    n_trained = n_components_to_train(rows, target)
    assert needed <= n_trained < 2 * needed
    assert n_trained in (1, 2, 4, 8, 16, 32, 64)


def test_codes_to_train_are_at_most_the_features(digits):
    rows = TrainingRows(digits[:, :20], "DenseAE")
    assert n_components_to_train(rows, 0.999) == 20


def test_the_elbow_is_looked_for_among_64_codes_at_most():
    X = np.random.default_rng(0).normal(size=(400, 150))  # every component counts
    assert n_components_to_train(TrainingRows(X, "DenseAE"), "auto") == 64


@pytest.mark.parametrize("target", [0.5, "auto"])
def test_constant_rows_need_one_code(target):
    rows = TrainingRows(np.ones((60, 4)), "DenseAE")
    assert n_components_of_pca(rows, target) == n_components_to_train(rows, target) == 1
