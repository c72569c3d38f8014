"""The fully connected autoencoder."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from skae._base import BaseAutoencoder
from skae._network import DenseActivations, Network, dense_network

# Chosen with `python -m benchmarks quality`.
_AUTO_HIDDEN_LAYER_SIZES = (256, 128)


class DenseAE(BaseAutoencoder):
    """Autoencoder of fully connected layers, in the place of PCA.

    TODO

    Examples
    --------
    >>> from skae import DenseAE
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        hidden_layer_sizes: Any = "auto",
        activation: str = "gelu",
        code_activation: str = "linear",
        output_activation: str = "linear",
        pca_shortcut: bool = True,
        whiten: bool = False,
        loss: str = "squared_error",
        alpha: float = 0.0,
        learning_rate_init: float = 3e-3,
        batch_size: int | str = "auto",
        max_iter: int = 100,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.pca_shortcut = pca_shortcut
        self.whiten = whiten
        self.loss = loss
        self.alpha = alpha
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _describe_network(self, n_features: int) -> Network:
        return dense_network(
            (n_features, *self._hidden_layer_sizes(), int(self.n_components)),
            DenseActivations(
                self.activation, self.code_activation, self.output_activation
            ),
            self.pca_shortcut,
        )

    def _hidden_layer_sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str):
            return _AUTO_HIDDEN_LAYER_SIZES
        sizes = tuple(np.atleast_1d(np.asarray(sizes, dtype=object)))
        if not all(isinstance(size, Integral) and size >= 1 for size in sizes):
            raise ValueError(
                "hidden_layer_sizes must be 'auto' or a sequence of integers of at "
                f"least 1, from the input to the code, got {self.hidden_layer_sizes!r}."
            )
        return tuple(int(size) for size in sizes)
