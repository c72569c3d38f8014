"""Every private or version-dependent import from scikit-learn.

None is public, yet all are what scikit-learn's own template for third-party estimators
and its compatible projects use; they are the same from 1.6 on.
"""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

__all__ = ["Interval", "StrOptions", "_fit_context"]
