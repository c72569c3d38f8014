"""Autoencoders as scikit-learn transformers, in the place of PCA."""

from skae._dense import DenseAE

__version__ = "0.1.0.dev0"

__all__ = ["DenseAE"]
