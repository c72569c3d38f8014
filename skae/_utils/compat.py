"""Every private or version-dependent import from scikit-learn.

None is public, yet scikit-learn's own template for third-party estimators and its
compatible projects use them all; they are unchanged since version 1.6, but for the
module of `_VisualBlock`.
"""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in

try:
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:  # before 1.7
    from sklearn.utils._estimator_html_repr import _VisualBlock

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "_VisualBlock",
    "_check_feature_names_in",
    "_fit_context",
]
