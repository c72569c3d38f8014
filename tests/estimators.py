"""The names of the autoencoders."""

import skae

NAMES = [name for name in skae.__all__ if hasattr(getattr(skae, name), "reconstruct")]
