from __future__ import annotations
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar
from skae._compat import Interval, StrOptions
from skae._dense import BaseDense
from skae._network import ACTIVATIONS, Network
from skae._plan import Bound


class VAETransformer(BaseDense):
    """Doc."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDense._parameter_constraints,
        "loss": [StrOptions({"squared_error", "binary_crossentropy"})],
        "beta": [Interval(Real, 0, None, closed="left")],
        "kl_warmup": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: Any = "auto",
        hidden_layer_sizes: Any = "auto",
        activation: str = "gelu",
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
        self.beta = beta
        self.kl_warmup = kl_warmup

    def _describe_network(self, n_features: int) -> Network:
        network = super()._describe_network(n_features)
        return replace(network, encoder=replace(network.encoder, log_variance=True))

    def _resolved_code_activation(self) -> str:
        return "linear"

    def _plan_additions(self) -> dict[str, Any]:
        return {"bound": Bound(float(self.beta), self._warmup())}

    def _warmup(self) -> int:
        if self.kl_warmup == "auto":
            return min(10, self.max_iter // 2)
        return int(self.kl_warmup)
