"""Private imports from scikit-learn that only a search needs.

They are apart from `compat` because they take longer to import than the rest of
scikit-learn that this package uses, and serving needs none of them.
"""

from __future__ import annotations

from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils.metadata_routing import _routing_enabled
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params, _num_features, _num_samples

__all__ = [
    "BaseSearchCV",
    "_MultimetricScorer",
    "_check_method_params",
    "_insert_error_scores",
    "_num_features",
    "_num_samples",
    "_routing_enabled",
    "_safe_split",
    "_score",
    "_warn_or_raise_about_fit_failures",
]
