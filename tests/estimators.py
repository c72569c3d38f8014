"""The names of the public estimators."""

import skae

NAMES = [name for name in skae.__all__ if hasattr(getattr(skae, name), "fit")]
