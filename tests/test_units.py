from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skae._initialization import random_weights
from skae._losses import kl_to_prior
from skae._network import (
    Activations,
    FeatureMaps,
    Network,
    conv_network,
    dense_network,
)
from skae._numpy_backend import forward, forward_log_variance
from skae._units import (
    Affine,
    Units,
    change_units,
    code_moments,
    principal_codes,
    prior_codes,
)

LINEAR_ENDS = Activations("gelu", "linear", "linear")


@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("sizes", [(5, 4, 3), (5, 3)])
def test_change_of_units_is_folded_into_the_arrays(sizes, shortcut):
    rng = np.random.default_rng(0)
    network = dense_network(sizes, LINEAR_ENDS, shortcut)
    old = random_weights(network, seed=0)
    inputs = Affine(3.0, rng.normal(size=5))
    codes = Affine(rng.normal(size=(3, 3)), rng.normal(size=3))
    new = change_units(network, old, Units(inputs, codes))

    X = rng.normal(size=(20, 5))
    old_codes = forward(network.encoder, old.encoder, X)
    new_codes = forward(network.encoder, new.encoder, inputs(X))
    np.testing.assert_allclose(new_codes, codes(old_codes))
    np.testing.assert_allclose(
        forward(network.decoder, new.decoder, new_codes),
        inputs(forward(network.decoder, old.decoder, old_codes)),
    )

    back = change_units(network, new, Units(inputs, codes).inverse())
    for array, original in zip(back.all, old.all, strict=True):
        np.testing.assert_allclose(array, original, atol=1e-12)


@pytest.mark.parametrize("shortcut", [False, True])
def test_scale_is_folded_into_convolutions(shortcut):
    """They take no shift of the inputs, but any map of the codes."""
    rng = np.random.default_rng(0)
    maps = FeatureMaps((5, 3, 2), (3,), 3)
    network = conv_network(maps, (4, 2), LINEAR_ENDS, shortcut)
    old = network.split([rng.normal(size=shape) for shape in network.array_shapes])
    inputs = Affine(3.0, np.zeros(30))
    codes = Affine(rng.normal(size=(2, 2)), rng.normal(size=2))
    new = change_units(network, old, Units(inputs, codes))
    X = rng.normal(size=(20, 30))
    old_codes = forward(network.encoder, old.encoder, X)
    new_codes = forward(network.encoder, new.encoder, inputs(X))
    np.testing.assert_allclose(new_codes, codes(old_codes))
    np.testing.assert_allclose(
        forward(network.decoder, new.decoder, new_codes),
        inputs(forward(network.decoder, old.decoder, old_codes)),
    )


@pytest.mark.parametrize("sizes", [(5, 4, 3), (5, 3)])
def test_log_variance_follows_the_scale_of_the_codes(sizes):
    rng = np.random.default_rng(0)
    network = dense_network(sizes, LINEAR_ENDS, shortcut=True)
    encoder = replace(network.encoder, log_variance=True)
    network = Network(encoder, network.decoder)
    old = network.split([rng.normal(size=shape) for shape in network.array_shapes])
    X = rng.normal(size=(20, 5))
    inputs = Affine(3.0, rng.normal(size=5))
    codes = Affine(np.diag([0.5, 2.0, 3.0]), rng.normal(size=3))
    new = change_units(network, old, Units(inputs, codes))
    before = forward_log_variance(encoder, old.encoder, X)
    after = forward_log_variance(encoder, new.encoder, inputs(X))
    np.testing.assert_allclose(np.exp(after / 2), np.exp(before / 2) * [0.5, 2.0, 3.0])


def test_prior_codes_have_the_least_divergence():
    rng = np.random.default_rng(0)
    mean = rng.normal(3, 2, size=(500, 2))
    log_variance = rng.normal(-1, 1, size=(500, 2))

    def divergence(scale, shift):
        moved = scale * mean + shift
        return kl_to_prior(np, moved, log_variance + np.log(scale**2)).mean()

    units = prior_codes(mean, log_variance)
    scale, shift = np.diag(units.matrix), units.shift
    least = divergence(scale, shift)
    for factor in (0.99, 1.01):
        assert divergence(scale * factor, shift * factor) > least
        assert divergence(scale, shift * factor) > least


def moments_of(codes, X):
    """Return them from blocks of unlike sizes."""
    return code_moments((codes[rows], X[rows]) for rows in (slice(3), slice(3, None)))


def test_principal_codes_of_a_linear_code_are_pca(digits):
    pca = PCA(4, svd_solver="full").fit(digits)
    expected = pca.transform(digits)
    mixed = expected @ np.random.default_rng(0).normal(size=(4, 4)) + 7
    codes = principal_codes(moments_of(mixed, digits), np.ones(4), False)(mixed)
    np.testing.assert_allclose(
        np.cov(codes, rowvar=False).round(6),
        np.diag(codes.var(axis=0, ddof=1)).round(6),
    )
    mixed = expected @ np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0] + 7
    codes = principal_codes(moments_of(mixed, digits), np.ones(4), False)(mixed)
    np.testing.assert_allclose(codes, expected, atol=1e-8)
    whitened = principal_codes(moments_of(mixed, digits), np.ones(4), True)(mixed)
    np.testing.assert_allclose(
        whitened, PCA(4, whiten=True).fit_transform(digits), atol=1e-8
    )


def test_constant_codes_have_unit_scale():
    codes = np.column_stack([np.arange(5.0), np.full(5, 3.0)])
    scale = moments_of(codes, codes).scale
    np.testing.assert_allclose(scale, [np.std(codes[:, 0], ddof=1), 1])
