from __future__ import annotations
from math import isqrt, prod
from numbers import Integral
from typing import Any, ClassVar, Self
import numpy as np
from skae._base import BaseAutoencoder
from skae._compat import Interval, StrOptions
from skae._network import ACTIVATIONS, Activations, FeatureMaps, Network, conv_network


class ConvAE(BaseAutoencoder):
    """Doc."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseAutoencoder._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "image_shape": [StrOptions({"auto"}), "array-like"],
        "filters": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "whiten": ["boolean"],
    }

    def __init__(
        self,
        n_components: int | None = 2,
        *,
        image_shape: Any = "auto",
        filters: Any = (16, 8),
        kernel_size: int = 3,
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
        super().__init__(
            n_components,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            output_activation=output_activation,
            pca_shortcut=pca_shortcut,
            loss=loss,
            alpha=alpha,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            max_iter=max_iter,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.code_activation = code_activation
        self.whiten = whiten
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size

    def _describe_network(self, n_features: int) -> Network:
        shape = self._image_shape(n_features)
        if len(shape) < 3 and len(shape)==2: shape = (*shape, 1)
        if len(shape) == 1: shape = (*shape, 1)
        *sizes, channels = shape
        if len(sizes) == 2 and 1 in sizes:
            shape = (max(sizes), channels)
        k = self.n_components
        sizes = () if k is None else (*self._hidden_layer_sizes(()), int(k))
        return conv_network(
            FeatureMaps(shape, tuple(self.filters), int(self.kernel_size)),
            sizes,
            Activations(self.activation, self.code_activation, self.output_activation),
            bool(self.pca_shortcut),
        )

    def _image_shape(self, n_features):
        if not isinstance(self.image_shape, str):
            return tuple(self.image_shape)
        side = isqrt(n_features)
        if side >= 4 and side**2 == n_features:
            return (side, side)
        return (n_features,)

    def _plan_additions(self) -> dict[str, Any]:
        return {"whiten": bool(self.whiten)}
