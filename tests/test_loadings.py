"""Loadings of fitted estimators."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import skae
from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer
from tests.estimators import NAMES

NETWORK = {"early_stopping": False, "hidden_layer_sizes": (8,), "max_iter": 3}
RNG = np.random.default_rng(0)
# Too few rows for a network, so that the answer is PCA.
FEW = RNG.normal(size=(30, 9)) * np.arange(1, 10) + 5


def differences(function, X, step=1e-6):
    """Return the Jacobian at each row by finite differences."""
    columns = []
    for j in range(X.shape[1]):
        shift = np.zeros(X.shape[1])
        shift[j] = step
        columns.append((function(X + shift) - function(X - shift)) / (2 * step))
    return np.stack(columns, axis=2)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize("cls", [DenseAE, DenoisingAE, ConvAE])
def test_loadings_of_pca_are_its_components(cls, part):
    model = cls(3, random_state=0).fit(FEW)
    assert not model.used_network_
    expected = PCA(3).fit(FEW).components_
    loadings = model.loadings(FEW, part=part)
    np.testing.assert_allclose(loadings, expected, atol=1e-10)
    absolute = model.loadings(FEW, part=part, absolute=True)
    np.testing.assert_allclose(absolute, np.abs(expected), atol=1e-10)


def test_loadings_of_whitened_codes_have_their_scale():
    pca = PCA(3).fit(FEW)
    model = DenseAE(3, whiten=True).fit(FEW)
    scale = np.sqrt(pca.explained_variance_)[:, None]
    np.testing.assert_allclose(model.loadings(FEW), pca.components_ / scale)
    decoder = model.loadings(FEW, part="decoder")
    np.testing.assert_allclose(decoder, pca.components_ * scale)


@pytest.mark.parametrize("name", NAMES)
def test_loadings_are_mean_derivatives(digits, digit_labels, name):
    X = digits[:20]
    model = getattr(skae, name)(3, random_state=0, activation="tanh", **NETWORK)
    model.fit(digits[:100], digit_labels[:100])
    std = StandardScaler().fit(X).scale_
    backwards = differences(model.inverse_transform, model.transform(X))
    parts = {
        "encoder": (differences(model.transform, X), std),
        "decoder": (backwards.swapaxes(1, 2), 1 / std),
    }
    for part, (expected, scale) in parts.items():
        tolerance = {"rtol": 1e-3, "atol": 1e-6}
        signed = model.loadings(X, part=part)
        np.testing.assert_allclose(signed, expected.mean(axis=0), **tolerance)
        absolute = model.loadings(X, part=part, absolute=True)
        np.testing.assert_allclose(absolute, np.abs(expected).mean(axis=0), **tolerance)
        standardized = model.loadings(X, part=part, standardized=True)
        np.testing.assert_allclose(standardized, signed * scale, **tolerance)


def test_codes_that_are_not_active_have_no_loadings(digits):
    model = SparseAE(
        6, sparsity="topk", target_sparsity=1, random_state=0, **NETWORK
    ).fit(digits[:100])
    one = digits[:1]
    (active,) = np.flatnonzero(model.transform(one)[0])
    loadings = model.loadings(one)
    assert [*np.flatnonzero(np.abs(loadings).sum(axis=1))] == [active]


def test_standardized_loadings_do_not_depend_on_the_units_of_features():
    X = RNG.normal(size=(40, 4))
    factor = np.array([1.0, 10.0, 0.1, 5.0])
    model = DenseAE(2).fit(X * factor)
    scaled = model.loadings(X * factor, standardized=True)
    expected = model.loadings(X * factor) * X.std(axis=0) * factor
    np.testing.assert_allclose(scaled, expected)


def test_sparse_rows_give_the_same_loadings():
    X = np.where(RNG.random((40, 6)) < 0.5, 0, RNG.normal(size=(40, 6)))
    model = VAETransformer(2, random_state=0, **NETWORK).fit(X)
    for standardized in (False, True):
        np.testing.assert_allclose(
            model.loadings(csr_array(X), standardized=standardized),
            model.loadings(X, standardized=standardized),
        )


def test_invalid_part_is_refused():
    with pytest.raises(ValueError, match=r"part must be one of .* got 'both'"):
        DenseAE(2).fit(FEW).loadings(FEW, part="both")
