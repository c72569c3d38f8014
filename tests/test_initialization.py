from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA

from skae._initialization import (
    mirrored_pca_start,
    pca_start,
    principal_axes,
    random_weights,
)
from skae._network import Activations, Network, dense_network
from skae._numpy_backend import forward, forward_log_variance

LINEAR_ENDS = Activations("gelu", "linear", "linear")


@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_start_is_pca_with_codes_of_unit_variance(digits, hidden, offset):
    X = digits + offset
    network = dense_network((64, *hidden, 5), LINEAR_ENDS, shortcut=True)
    start = pca_start(network, principal_axes(X, 5), seed=0)
    codes = forward(network.encoder, start.encoder, X)
    pca = PCA(5, svd_solver="full", whiten=True).fit(X)
    np.testing.assert_allclose(codes, pca.transform(X), atol=1e-6)
    np.testing.assert_allclose(
        forward(network.decoder, start.decoder, codes),
        pca.inverse_transform(pca.transform(X)),
        atol=1e-6,
    )


@pytest.mark.parametrize("exact", [False, True])
def test_axes_are_pca_far_from_the_origin(exact):
    X = np.random.default_rng(0).normal(size=(2000, 9)) * np.geomspace(1, 1e4, 9) + 1e6
    axes = principal_axes(X, 9, exact)
    pca = PCA(9, svd_solver="full").fit(X)
    np.testing.assert_allclose(axes.components, pca.components_, atol=1e-6)
    np.testing.assert_allclose(axes.scale**2, pca.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(axes.mean, pca.mean_)


def test_spare_and_constant_directions_start_at_zero():
    X = load_breast_cancer().data[:4].copy()
    X[:, 0] = 1.0
    network = dense_network((30, 16, 6), LINEAR_ENDS, shortcut=True)
    start = pca_start(network, principal_axes(X, 6), seed=0)
    codes = forward(network.encoder, start.encoder, X)
    np.testing.assert_allclose(codes[:, 3:], 0, atol=1e-9)
    assert np.isfinite(codes).all()


@pytest.mark.parametrize("n_components", [40, 128, 200])
def test_mirrored_start_is_pca_where_codes_suffice(digits, n_components):
    """A positive part and a negative one add up to a component of PCA."""
    activations = Activations("gelu", "relu", "linear")
    network = dense_network((64, 16, n_components), activations, shortcut=True)
    axes = principal_axes(digits, n_components)
    start = mirrored_pca_start(network, axes, seed=0)
    codes = forward(network.encoder, start.encoder, digits)
    assert (codes.max(axis=0) > 0).all()
    if n_components >= 2 * 61:  # three features are constant
        np.testing.assert_allclose(
            forward(network.decoder, start.decoder, codes), digits, atol=1e-6
        )


def test_log_variance_starts_as_in_probabilistic_pca(digits):
    network = dense_network((64, 16, 5), LINEAR_ENDS, shortcut=True)
    encoder = replace(network.encoder, log_variance=True)
    start = pca_start(
        Network(encoder, network.decoder), principal_axes(digits, 5), seed=0
    )
    pca = PCA(5, svd_solver="full").fit(digits)
    log_variance = forward_log_variance(encoder, start.encoder, digits)
    np.testing.assert_allclose(
        np.exp(log_variance),
        np.tile(pca.noise_variance_ / pca.explained_variance_, (len(digits), 1)),
    )


def test_random_start_depends_on_the_seed_alone():
    network = dense_network((30, 16, 2), LINEAR_ENDS, shortcut=False)
    first, again, other = (random_weights(network, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.encoder[0], again.encoder[0])
    assert (first.encoder[0] != other.encoder[0]).all()
    assert np.abs(first.encoder[0]).max() <= np.sqrt(6 / 46)
