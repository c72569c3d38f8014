"""Every private or version-dependent import from scikit-learn.

None is public, yet scikit-learn's own template for third-party estimators and its
compatible projects use them all; they are unchanged since version 1.6.
"""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "_check_feature_names_in",
    "_fit_context",
]
