import numpy as np
import pytest
from sklearn.decomposition import PCA

from skae._fit.code_units import (
    CodeMoments,
    TrainedCodes,
    centred_codes,
    principal_codes,
    prior_codes,
)
from skae._network.description import Dense, Stack
from skae._network.losses import kl_to_prior


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Make sums over the digits take several blocks, the last one smaller."""
    monkeypatch.setattr("skae._utils.blocks._BLOCK_SIZE", 500 * 64)


def trained(matrix, shift, X, log_variance=()):
    """Return the codes of a linear encoder."""
    encoder = Stack((Dense(*matrix.shape),), log_variance=bool(log_variance))
    return TrainedCodes(encoder, [matrix, shift, *log_variance], X)


def mixed_pca(X, mixing):
    """Return a mixture of PCA's codes, and its moments."""
    pca = PCA(4, svd_solver="full").fit(X)
    matrix = pca.components_.T @ mixing
    shift = 7 - pca.mean_ @ matrix
    return X @ matrix + shift, trained(matrix, shift, X).moments()


@pytest.fixture(scope="module")
def mixing():
    return np.random.default_rng(0).normal(size=(4, 4))


# --- Moments ---


def test_moments_are_those_of_all_rows(digits, mixing):
    codes, moments = mixed_pca(digits, mixing)
    np.testing.assert_allclose(moments.mean, codes.mean(axis=0))
    np.testing.assert_allclose(moments.covariance, np.cov(codes, rowvar=False))
    np.testing.assert_allclose(moments.scale, codes.std(axis=0, ddof=1))


def test_signs_follow_the_strongest_feature(digits, mixing):
    codes, moments = mixed_pca(digits, mixing)
    covariances = digits.T @ (codes - codes.mean(axis=0))
    strongest = covariances[np.abs(covariances).argmax(axis=0), range(4)]
    np.testing.assert_array_equal(moments.signs, np.sign(strongest))


def test_constant_codes_have_unit_scale_and_positive_sign():
    moments = CodeMoments(np.array([2.0, 3.0]), np.diag([2.5, 0.0]), np.zeros((3, 2)))
    np.testing.assert_allclose(moments.scale, [np.sqrt(2.5), 1])
    np.testing.assert_array_equal(moments.signs, [1, 1])


def test_moments_of_the_posterior_are_those_of_all_rows(digits):
    rng = np.random.default_rng(0)
    matrix, head = rng.normal(size=(2, 64, 2)) / 64
    codes = trained(matrix, np.ones(2), digits, log_variance=(head, np.zeros(2)))
    mean, variance = codes.posterior_moments()
    means, variances = digits @ matrix + 1, np.exp(digits @ head)
    np.testing.assert_allclose(mean, means.mean(axis=0))
    np.testing.assert_allclose(variance, means.var(axis=0) + variances.mean(axis=0))


# --- Linear codes ---


def test_principal_codes_are_centred_uncorrelated_and_sorted(digits, mixing):
    codes, moments = mixed_pca(digits, mixing)
    principal = principal_codes(moments, np.ones(4), whiten=False)(codes)
    covariance = np.cov(principal, rowvar=False)
    np.testing.assert_allclose(principal.mean(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-6)
    assert (np.diff(np.diag(covariance)) < 0).all()


@pytest.mark.parametrize("whiten", [False, True])
def test_principal_codes_of_rotated_pca_are_pca(digits, mixing, whiten):
    rotation = np.linalg.qr(mixing)[0]
    codes, moments = mixed_pca(digits, rotation)
    principal = principal_codes(moments, np.ones(4), whiten)(codes)
    pca = PCA(4, svd_solver="full", whiten=whiten)
    np.testing.assert_allclose(principal, pca.fit_transform(digits), atol=1e-8)


def test_principal_axes_are_found_in_the_units_of_the_data(digits):
    pca = PCA(4, svd_solver="full").fit(digits)
    scale = np.sqrt(pca.explained_variance_)
    codes, moments = mixed_pca(digits, np.diag(1 / scale))  # of unit variance
    principal = principal_codes(moments, scale, whiten=False)(codes)
    np.testing.assert_allclose(principal, pca.transform(digits), atol=1e-8)


def test_centred_codes_are_neither_mixed_nor_reordered(digits, mixing):
    codes, moments = mixed_pca(digits, mixing)
    unit_scale = np.array([1.0, 2.0, 3.0, 4.0])
    centred = centred_codes(moments, unit_scale, whiten=False)(codes)
    expected = (codes - codes.mean(axis=0)) * unit_scale * moments.signs
    np.testing.assert_allclose(centred, expected, atol=1e-8)
    whitened = centred_codes(moments, unit_scale, whiten=True)(codes)
    np.testing.assert_allclose(whitened, centred / centred.std(axis=0, ddof=1))


# --- Variational codes ---


def test_prior_codes_have_the_least_divergence():
    rng = np.random.default_rng(0)
    mean = rng.normal(3, 2, size=(500, 2))
    log_variance = rng.normal(-1, 1, size=(500, 2))

    def divergence(scale, shift):
        mapped = scale * mean + shift
        return kl_to_prior(np, mapped, log_variance + np.log(scale**2)).mean()

    variance = mean.var(axis=0) + np.exp(log_variance).mean(axis=0)
    units = prior_codes(mean.mean(axis=0), variance)
    scale, shift = np.diag(units.matrix), units.shift
    least = divergence(scale, shift)
    for factor in (0.99, 1.01):
        assert divergence(scale * factor, shift * factor) > least
        assert divergence(scale, shift * factor) > least
