from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA

from skae._fit.pca import decompose
from skae._fit.starts import (
    mirrored_pca_start,
    pca_network,
    pca_start,
    random_weights,
    variational_pca_network,
    variational_pca_start,
)
from skae._network.architectures import (
    Activations,
    FeatureMaps,
    conv_network,
    dense_network,
)
from skae._network.description import Network
from skae._network.numpy_interpreter import forward, forward_log_variance
from tests.fit.plans import LINEAR_ENDS


def with_log_variance(network):
    return Network(replace(network.encoder, log_variance=True), network.decoder)


# --- Networks that start at PCA ---


@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_start_is_pca_with_codes_of_unit_variance(digits, hidden, offset):
    X = digits + offset
    network = dense_network((64, *hidden, 5), LINEAR_ENDS, shortcut=True)
    start = pca_start(network, decompose(X).axes(5), seed=0)
    codes = forward(network.encoder, start.encoder, X)
    pca = PCA(5, svd_solver="full", whiten=True).fit(X)
    np.testing.assert_allclose(codes, pca.transform(X), atol=1e-6)
    np.testing.assert_allclose(
        forward(network.decoder, start.decoder, codes),
        pca.inverse_transform(pca.transform(X)),
        atol=1e-6,
    )


def test_convolutional_network_starts_as_pca(digits):
    maps = FeatureMaps((8, 8, 1), (3,), kernel_size=3)
    network = conv_network(maps, (7, 5), LINEAR_ENDS, shortcut=True)
    axes = decompose(digits).axes(5)
    start = pca_start(network, axes, seed=0)
    codes = forward(network.encoder, start.encoder, digits)
    outputs = forward(network.decoder, start.decoder, codes)
    np.testing.assert_allclose(outputs, axes.reconstruct(digits), atol=1e-6)


def test_spare_components_start_at_zero():
    X = load_breast_cancer().data[:4].copy()
    X[:, 0] = 1.0
    network = dense_network((30, 16, 6), LINEAR_ENDS, shortcut=True)
    start = pca_start(network, decompose(X).axes(6), seed=0)
    codes = forward(network.encoder, start.encoder, X)
    np.testing.assert_allclose(codes[:, 3:], 0, atol=1e-9)
    assert np.isfinite(codes).all()


@pytest.mark.parametrize("n_components", [40, 128, 200])
def test_every_code_of_a_mirrored_start_is_active(digits, n_components):
    network, start = mirrored_start(digits, n_components)
    codes = forward(network.encoder, start.encoder, digits)
    assert (codes.max(axis=0) > 0).all()


@pytest.mark.parametrize("n_components", [122, 200])  # twice the rank, and more
def test_mirrored_start_is_pca_if_there_are_two_codes_for_each_component(
    digits, n_components
):
    network, start = mirrored_start(digits, n_components)
    codes = forward(network.encoder, start.encoder, digits)
    outputs = forward(network.decoder, start.decoder, codes)
    np.testing.assert_allclose(outputs, digits, atol=1e-6)


def mirrored_start(X, n_components):
    """Return a network with nonnegative codes, and its start."""
    activations = Activations("gelu", "relu", "linear")
    network = dense_network((64, 16, n_components), activations, shortcut=True)
    axes = decompose(X).axes(n_components)
    return network, mirrored_pca_start(network, axes, seed=0)


def test_log_variance_starts_as_in_probabilistic_pca(digits):
    plain = dense_network((64, 16, 5), LINEAR_ENDS, shortcut=True)
    network = with_log_variance(plain)
    start = variational_pca_start(network, decompose(digits).axes(5), seed=0)
    pca = PCA(5, svd_solver="full").fit(digits)
    log_variance = forward_log_variance(network.encoder, start.encoder, digits)
    np.testing.assert_allclose(
        np.exp(log_variance),
        np.tile(pca.noise_variance_ / pca.explained_variance_, (len(digits), 1)),
    )


# --- Random weights ---


def test_random_weights_depend_on_the_seed():
    network = dense_network((30, 16, 2), LINEAR_ENDS, shortcut=False)
    first, again, other = (random_weights(network, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.encoder[0], again.encoder[0])
    assert (first.encoder[0] != other.encoder[0]).all()


def test_random_kernels_have_glorot_limits_and_biases_are_zero():
    network = dense_network((30, 16, 2), LINEAR_ENDS, shortcut=False)
    kernel, bias, *_ = random_weights(network, seed=0).encoder
    limit = np.sqrt(6 / (30 + 16))
    assert 0.95 * limit < np.abs(kernel).max() <= limit
    np.testing.assert_array_equal(bias, 0)


# --- PCA as a network ---


@pytest.mark.parametrize("whiten", [False, True])
def test_pca_network_equals_pca(digits, whiten):
    network, weights = pca_network(decompose(digits).axes(5), whiten)
    pca = PCA(5, svd_solver="full", whiten=whiten).fit(digits)
    codes = forward(network.encoder, weights.encoder, digits)
    np.testing.assert_allclose(codes, pca.transform(digits), atol=1e-8)
    np.testing.assert_allclose(
        forward(network.decoder, weights.decoder, codes),
        pca.inverse_transform(pca.transform(digits)),
        atol=1e-8,
    )


def test_whitened_pca_does_not_divide_by_rounding_errors():
    X = np.random.default_rng(0).normal(size=(2, 5))  # of rank 1
    network, weights = pca_network(decompose(X).axes(2), whiten=True)
    codes = forward(network.encoder, weights.encoder, X)
    np.testing.assert_allclose(np.abs(codes), [[np.sqrt(0.5), 0]] * 2, atol=1e-12)


def test_posteriors_of_variational_pca_add_up_to_the_prior(digits):
    network, weights = variational_pca_network(decompose(digits).axes(5))
    means = forward(network.encoder, weights.encoder, digits)
    log_variance = forward_log_variance(network.encoder, weights.encoder, digits)
    np.testing.assert_allclose(means.mean(axis=0), 0, atol=1e-9)
    total = means.var(axis=0, ddof=1) + np.exp(log_variance).mean(axis=0)
    np.testing.assert_allclose(total, 1)
