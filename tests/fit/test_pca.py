import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA

from skae._fit.pca import decompose


def exact_pca(n_components, X):
    return PCA(n_components, svd_solver="full").fit(X)


@pytest.mark.parametrize("exact", [False, True])
def test_axes_equal_pca_far_from_the_origin(exact):
    X = np.random.default_rng(0).normal(size=(2000, 9)) * np.geomspace(1, 1e4, 9) + 1e6
    axes = decompose(X, exact).axes(9)
    pca = exact_pca(9, X)
    np.testing.assert_allclose(axes.components, pca.components_, atol=1e-6)
    np.testing.assert_allclose(axes.scale**2, pca.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(axes.mean, pca.mean_)


@pytest.mark.parametrize("exact", [False, True])
def test_axes_of_given_rows_ignore_the_other_rows(digits, exact):
    rows = np.arange(0, len(digits), 7)
    axes = decompose(digits, exact, rows).axes(5)
    pca = exact_pca(5, digits[rows])
    np.testing.assert_allclose(axes.mean, pca.mean_, atol=1e-12)
    np.testing.assert_allclose(axes.components, pca.components_, atol=1e-6)


class BlocksOnly:
    """Rows that can be read a part at a time only."""

    def __init__(self, X):
        self._X = X
        self.shape = X.shape

    def __len__(self):
        return len(self._X)

    def __getitem__(self, rows):
        found = self._X[rows]
        assert len(found) < len(self._X), "all rows are read at once"
        return found


def test_very_many_rows_are_decomposed_without_a_copy(monkeypatch, digits):
    expected = decompose(digits).axes(20)
    monkeypatch.setattr("skae._fit.pca._MANY_VALUES", 10)
    axes = decompose(BlocksOnly(digits)).axes(20)
    np.testing.assert_allclose(axes.components, expected.components, atol=1e-8)
    np.testing.assert_allclose(axes.scale, expected.scale)
    residual = digits - axes.reconstruct(digits)
    np.testing.assert_allclose(axes.error, np.mean(residual**2))


@pytest.mark.parametrize("exact", [False, True])
def test_error_is_that_of_the_training_rows(digits, exact):
    X = digits[:200]
    axes = decompose(X, exact).axes(8)
    assert axes.error == pytest.approx(np.mean((X - axes.reconstruct(X)) ** 2))


def test_directions_that_are_not_needed_can_be_dropped(digits):
    whole = decompose(digits)
    kept = whole.keeping(5)
    assert kept.directions.shape == (5, 64)
    assert kept.directions.base is None  # the others are not kept in memory
    axes, expected = kept.axes(5), whole.axes(5)
    np.testing.assert_array_equal(axes.components, expected.components)
    np.testing.assert_array_equal(axes.variance_ratio, expected.variance_ratio)
    assert axes.error == expected.error


def test_first_components_reconstruct_as_pca_of_that_size(digits):
    axes = decompose(digits).axes(8)
    pca = exact_pca(3, digits)
    np.testing.assert_allclose(
        axes.reconstruct(digits, 3), pca.inverse_transform(pca.transform(digits))
    )


def test_variances_of_probabilistic_pca(digits):
    axes = decompose(digits).axes(8)
    pca = exact_pca(8, digits)
    assert axes.noise_variance == pytest.approx(pca.noise_variance_)
    np.testing.assert_allclose(axes.variance_ratio, pca.explained_variance_ratio_)
    np.testing.assert_allclose(
        np.exp(axes.log_posterior_variance),
        pca.noise_variance_ / pca.explained_variance_,
    )


def test_spare_components_are_zero_with_the_smallest_scale_as_unit():
    X = load_breast_cancer().data[:4]  # of rank 3
    axes = decompose(X).axes(6)
    assert axes.is_used.tolist() == [True] * 3 + [False] * 3
    np.testing.assert_array_equal(axes.components[4:], 0)
    np.testing.assert_array_equal(axes.variance_ratio[4:], 0)
    np.testing.assert_allclose(axes.unit_scale[3:], axes.scale[2])
    np.testing.assert_array_equal(axes.log_posterior_variance[3:], 0)


@pytest.mark.parametrize("exact", [False, True])
def test_constant_rows_have_no_variance_and_unit_scale(exact):
    axes = decompose(np.full((9, 3), 7.0), exact).axes(2)
    assert axes.error == axes.noise_variance == 0
    np.testing.assert_array_equal(axes.variance_ratio, 0)
    np.testing.assert_array_equal(axes.unit_scale, 1)
    np.testing.assert_array_equal(axes.reconstruct(np.full((1, 3), 7.0)), 7)
