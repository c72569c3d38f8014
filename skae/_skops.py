"""What skops is to trust."""

from __future__ import annotations

from skae._conv import ConvAE
from skae._denoising import DenoisingAE
from skae._dense import DenseAE
from skae._outliers import ReconstructionOutlierDetector
from skae._sparse import SparseAE
from skae._supervised import SupervisedAE
from skae._tables import MixedTableEncoder
from skae._vae import VAETransformer

_ESTIMATORS = (
    ConvAE,
    DenoisingAE,
    DenseAE,
    SparseAE,
    SupervisedAE,
    VAETransformer,
    ReconstructionOutlierDetector,
    MixedTableEncoder,
)

# Named, as only those who search need to import it.
_SEARCH = "skae._truncation_search.TruncationSearchCV"


def skops_trusted_types() -> list[str]:
    """Return the types that skops must trust to load the estimators of this package.

    These types are the six autoencoders, the outlier detector, the encoder of tables
    and the search. skops trusts all other types in their saved states by default, but
    for a splitter given as `holdout` or `cv` and the scorer of a search: add their
    types, such as
    "sklearn.model_selection._split.TimeSeriesSplit" and
    "sklearn.metrics._scorer._PassthroughScorer".

    Returns
    -------
    types : list of str
        Names of the types, for the argument `trusted` of `skops.io.load` and
        `skops.io.loads` and for the argument `skops_trusted_types` of
        `mlflow.sklearn.log_model`.

    Examples
    --------
    >>> from skae import skops_trusted_types
    >>> for name in skops_trusted_types():
    ...     print(name)
    skae._conv.ConvAE
    skae._denoising.DenoisingAE
    skae._dense.DenseAE
    skae._sparse.SparseAE
    skae._supervised.SupervisedAE
    skae._vae.VAETransformer
    skae._outliers.ReconstructionOutlierDetector
    skae._tables.MixedTableEncoder
    skae._truncation_search.TruncationSearchCV
    """
    types = [f"{cls.__module__}.{cls.__qualname__}" for cls in _ESTIMATORS]
    return [*types, _SEARCH]
