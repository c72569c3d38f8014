import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    ConvAE,
    DenseAE,
    ReconstructionOutlierDetector,
    SparseAE,
    VAETransformer,
)

QUICK = {"max_iter": 3, "random_state": 0}
SMALL = {"hidden_layer_sizes": (8,), **QUICK}


@pytest.fixture(scope="package")
def dense(digits):
    """A network with three codes."""
    return DenseAE(3, **SMALL).fit(digits)


@pytest.fixture(scope="package")
def ordered(digits):
    return DenseAE(4, ordered=True, **SMALL).fit(digits)


@pytest.fixture(scope="package")
def noise():
    """Rows that no network compresses better than PCA."""
    return np.random.default_rng(0).normal(size=(120, 6))


@pytest.fixture(scope="package")
def fallback(noise):
    """An autoencoder that is PCA."""
    model = DenseAE(2, **SMALL).fit(noise)
    assert not model.used_network_
    return model


@pytest.fixture(scope="package")
def conv(digits):
    return ConvAE(4, filters=(2,), image_shape=(8, 8), **QUICK).fit(digits)


@pytest.fixture(scope="package")
def vae(digits):
    return VAETransformer(2, **SMALL).fit(digits)


@pytest.fixture(scope="package")
def sparse(digits):
    return SparseAE(12, **SMALL).fit(digits)


@pytest.fixture(scope="package")
def pca(digits):
    return PCA(3).fit(digits)


@pytest.fixture(scope="package")
def detector(digits):
    return ReconstructionOutlierDetector(PCA(8), random_state=0).fit(digits[:900])


@pytest.fixture(scope="package")
def wine():
    return load_wine(as_frame=True)


@pytest.fixture(scope="package")
def pipeline(wine):
    """A scaler, an autoencoder and a classifier, fitted to a data frame."""
    steps = (StandardScaler(), DenseAE(2, **SMALL), LogisticRegression())
    return make_pipeline(*steps).fit(wine.data, wine.target)
