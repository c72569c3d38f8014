"""Autoencoders as scikit-learn transformers, in the place of PCA."""

from typing import TYPE_CHECKING

# Imported first for speed: from deeper in the stack of imports it takes a tenth longer.
import sklearn.base

from skae._comparison import PCAComparison, compare_with_pca
from skae._conv import ConvAE
from skae._denoising import DenoisingAE
from skae._dense import DenseAE
from skae._outliers import ReconstructionOutlierDetector
from skae._skops import skops_trusted_types
from skae._sparse import SparseAE
from skae._supervised import SupervisedAE
from skae._tables import MixedTableEncoder
from skae._vae import VAETransformer
from skae._version import __version__ as __version__

if TYPE_CHECKING:
    from skae._truncation_search import TruncationSearchCV

del TYPE_CHECKING, sklearn  # no public names of this package

__all__ = [
    "ConvAE",
    "DenoisingAE",
    "DenseAE",
    "MixedTableEncoder",
    "PCAComparison",
    "ReconstructionOutlierDetector",
    "SparseAE",
    "SupervisedAE",
    "TruncationSearchCV",
    "VAETransformer",
    "compare_with_pca",
    "skops_trusted_types",
]


def __getattr__(name: str) -> object:
    # It takes scikit-learn's searches to import, which serving does not need.
    if name == "TruncationSearchCV":
        from skae._truncation_search import TruncationSearchCV

        return TruncationSearchCV
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
