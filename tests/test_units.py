import numpy as np
import pytest
from sklearn.decomposition import PCA

from skae._initialization import random_weights
from skae._network import Activations, dense_network
from skae._numpy_backend import forward
from skae._units import Affine, Units, change_units, code_scale, principal_codes

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


def test_principal_codes_of_a_linear_code_are_pca(digits):
    pca = PCA(4, svd_solver="full").fit(digits)
    expected = pca.transform(digits)
    mixed = expected @ np.random.default_rng(0).normal(size=(4, 4)) + 7
    codes = principal_codes(mixed, digits, np.ones(4), whiten=False)(mixed)
    np.testing.assert_allclose(
        np.cov(codes, rowvar=False).round(6),
        np.diag(codes.var(axis=0, ddof=1)).round(6),
    )
    mixed = expected @ np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0] + 7
    codes = principal_codes(mixed, digits, np.ones(4), whiten=False)(mixed)
    np.testing.assert_allclose(codes, expected, atol=1e-8)
    whitened = principal_codes(mixed, digits, np.ones(4), whiten=True)(mixed)
    np.testing.assert_allclose(
        whitened, PCA(4, whiten=True).fit_transform(digits), atol=1e-8
    )


def test_constant_codes_have_unit_scale():
    codes = np.column_stack([np.arange(5.0), np.full(5, 3.0)])
    np.testing.assert_allclose(code_scale(codes), [np.std(codes[:, 0], ddof=1), 1])
