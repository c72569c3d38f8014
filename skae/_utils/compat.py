"""Every private or version-dependent import from scikit-learn.

None is public, yet scikit-learn's own template for third-party estimators and its
compatible projects use them all; they are unchanged since version 1.6.
"""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

__all__ = ["HasMethods", "Interval", "StrOptions", "_fit_context"]
