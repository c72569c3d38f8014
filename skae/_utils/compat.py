"""Every private or version-dependent import from scikit-learn.

None but the callbacks are public, yet scikit-learn's own template for third-party
estimators and its compatible projects use them all; they are unchanged since version
1.6, but for the module of `_VisualBlock`. Callbacks came with version 1.9: before,
estimators do without them.
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


try:
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:  # before 1.7
    from sklearn.utils._estimator_html_repr import _VisualBlock

__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_VisualBlock",
    "_check_feature_names_in",
    "_fit_context",
]
