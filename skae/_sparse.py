from __future__ import annotations
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar
from skae._compat import Interval, StrOptions
from skae._dense import BaseDense
from skae._network import ACTIVATIONS, Network
from skae._plan import Sparsity

_CODE_ACTIVATIONS = {"l1": "relu", "kl": "sigmoid", "topk": "linear"}


class SparseAE(BaseDense):
    """Doc."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDense._parameter_constraints,
        "code_activation": [StrOptions({"auto", *ACTIVATIONS})],
        "sparsity": [StrOptions(set(_CODE_ACTIVATIONS))],
        "sparsity_weight": [Interval(Real, 0, None, closed="left")],
        "target_sparsity": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        sparsity: str = "l1",
        sparsity_weight: float = 0.1,
        target_sparsity: float = 0.05,
        hidden_layer_sizes: Any = "auto",
        activation: str = "gelu",
        code_activation: str = "auto",
        output_activation: str = "linear",
        pca_shortcut: bool = True,
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
        self.sparsity = sparsity
        self.sparsity_weight = sparsity_weight
        self.target_sparsity = target_sparsity

    def _describe_network(self, n_features: int) -> Network:
        network = super()._describe_network(n_features)
        if self.sparsity != "topk":
            return network
        *hidden, code = network.encoder.layers
        code = replace(code, n_active=self._n_active())
        return replace(network, encoder=replace(network.encoder, layers=(*hidden, code)))

    def _resolved_code_activation(self) -> str:
        if self.code_activation == "auto":
            return _CODE_ACTIVATIONS[self.sparsity]
        return self.code_activation

    def _n_active(self) -> int:
        k, target = int(self.n_components), self.target_sparsity
        if isinstance(target, Integral):
            return int(target)
        return max(1, round(target * k))

    def _plan_additions(self) -> dict[str, Any]:
        if self.sparsity == "topk":
            return {}
        target = self.target_sparsity
        if isinstance(target, Integral):
            target = target / self.n_components
        return {"sparsity": Sparsity(self.sparsity, float(self.sparsity_weight), float(target))}
