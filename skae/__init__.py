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
    from skae._displays.activity import CodeActivityDisplay
    from skae._displays.codes import CodesDisplay
    from skae._displays.components_curve import ComponentsCurveDisplay
    from skae._displays.feature_errors import FeatureErrorsDisplay
    from skae._displays.history import TrainingHistoryDisplay
    from skae._displays.loadings import LoadingsDisplay
    from skae._displays.manifold import ManifoldDisplay
    from skae._displays.outlier_scores import OutlierScoresDisplay
    from skae._displays.reconstruction import ReconstructionDisplay
    from skae._displays.samples import SamplesDisplay
    from skae._truncation_search import TruncationSearchCV

del TYPE_CHECKING, sklearn  # no public names of this package

# What serving does not need is imported when it is asked for: pictures, and the search,
# which takes scikit-learn's searches to import.
_MODULE_OF = {
    "CodeActivityDisplay": "_displays.activity",
    "CodesDisplay": "_displays.codes",
    "ComponentsCurveDisplay": "_displays.components_curve",
    "FeatureErrorsDisplay": "_displays.feature_errors",
    "LoadingsDisplay": "_displays.loadings",
    "ManifoldDisplay": "_displays.manifold",
    "OutlierScoresDisplay": "_displays.outlier_scores",
    "ReconstructionDisplay": "_displays.reconstruction",
    "SamplesDisplay": "_displays.samples",
    "TrainingHistoryDisplay": "_displays.history",
    "TruncationSearchCV": "_truncation_search",
}

__all__ = [
    "CodeActivityDisplay",
    "CodesDisplay",
    "ComponentsCurveDisplay",
    "ConvAE",
    "DenoisingAE",
    "DenseAE",
    "FeatureErrorsDisplay",
    "LoadingsDisplay",
    "ManifoldDisplay",
    "MixedTableEncoder",
    "OutlierScoresDisplay",
    "PCAComparison",
    "ReconstructionDisplay",
    "ReconstructionOutlierDetector",
    "SamplesDisplay",
    "SparseAE",
    "SupervisedAE",
    "TrainingHistoryDisplay",
    "TruncationSearchCV",
    "VAETransformer",
    "compare_with_pca",
    "skops_trusted_types",
]


def __getattr__(name: str) -> object:
    if name in _MODULE_OF:
        from importlib import import_module

        return getattr(import_module(f"skae.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
