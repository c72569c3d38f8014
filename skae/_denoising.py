from __future__ import annotations
from numbers import Real
from typing import Any, ClassVar
from skae._compat import Interval, StrOptions
from skae._corruption import NOISES
from skae._dense import DenseAE
from skae._plan import Noise


class DenoisingAE(DenseAE):
    """Doc."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseAE._parameter_constraints,
        "noise": [StrOptions(set(NOISES))],
        "noise_level": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        noise: str = "gaussian",
        noise_level: float = 0.1,
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
            code_activation=code_activation,
            output_activation=output_activation,
            pca_shortcut=pca_shortcut,
            whiten=whiten,
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
        self.noise = noise
        self.noise_level = noise_level

    def _plan_additions(self) -> dict[str, Any]:
        level = float(self.noise_level)
        if self.noise != "gaussian" and level > 1:
            raise ValueError(
                f"noise={self.noise!r} needs a noise_level of at most 1, the share of "
                f"the values to corrupt, got {level:g}."
            )
        return {**super()._plan_additions(), "noise": Noise(self.noise, level)}
