"""Every private or version-dependent import from scikit-learn.

None but the callbacks are public, yet scikit-learn's own template for third-party
estimators and its compatible projects use them all; they are unchanged since version
1.6. Callbacks came with version 1.9: before, estimators do without them.
"""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Adds nothing, as this version of scikit-learn has no callbacks."""


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_check_feature_names_in",
    "_fit_context",
]
