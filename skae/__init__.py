"""Autoencoders as scikit-learn transformers, in the place of PCA."""

# Imported first for speed: from deeper in the stack of imports it takes a tenth longer.
import sklearn.base

from skae._comparison import PCAComparison, compare_with_pca
from skae._conv import ConvAE
from skae._denoising import DenoisingAE
from skae._dense import DenseAE
from skae._skops import skops_trusted_types
from skae._sparse import SparseAE
from skae._vae import VAETransformer
from skae._version import __version__ as __version__

del sklearn  # not a public name of this package

__all__ = [
    "ConvAE",
    "DenoisingAE",
    "DenseAE",
    "PCAComparison",
    "SparseAE",
    "VAETransformer",
    "compare_with_pca",
    "skops_trusted_types",
]
