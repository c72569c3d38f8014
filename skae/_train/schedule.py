"""What changes from step to step and from epoch to epoch: rates, decay, weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from skae._train.config import TrainingConfig

# Decay of Adam's moments (Kingma & Ba, 2015), as in Keras.
BETA_1, BETA_2 = 0.9, 0.999

# Epochs of linear warm-up before the cosine.
WARMUP_EPOCHS = 5


class Scalars(NamedTuple):
    """Numbers that hold for an epoch.

    `decay` is the share that is taken off the kernels at the start of the epoch; the
    others are described in `TrainingConfig` and `CorruptionValues`.
    """

    decay: Any
    smoothing_noise: Any
    noise_level: Any
    alpha: Any
    target_rate: Any
    term_weight: Any
    early_code_gradient: Any


def epoch_schedule(
    epoch: int, n_batches: int, config: TrainingConfig
) -> tuple[np.ndarray, Scalars]:
    """Return the step size of each batch, of shape (n_batches,), and the scalars."""
    rates = learning_rates(epoch, n_batches, config)
    return adam_step_sizes(epoch, rates), _epoch_scalars(epoch, rates, config)


def _epoch_scalars(epoch: int, rates: np.ndarray, config: TrainingConfig) -> Scalars:
    """Return the numbers of an epoch; some grow from one epoch to the next."""
    grown = min(1.0, (epoch + 1) / max(config.warmup, 1))
    first_gradient = config.early_code_gradient
    return Scalars(
        decay=-np.expm1(-config.weight_decay * rates.sum()),
        smoothing_noise=config.smoothing_noise,
        noise_level=config.corruption.level,
        alpha=config.alpha,
        target_rate=config.target_rate,
        term_weight=grown * config.term_weight,
        early_code_gradient=(
            first_gradient + (1 - first_gradient) * epoch / config.n_epochs
        ),
    )


def learning_rates(epoch: int, n_batches: int, config: TrainingConfig) -> np.ndarray:
    """Return the rate of each step of an epoch, of shape (n_batches,).

    Rates warm up linearly, then fall to zero along half a cosine (Loshchilov & Hutter,
    2017).
    """
    if not config.decaying:
        return np.full(n_batches, config.learning_rate)
    warmup = min(WARMUP_EPOCHS, config.n_epochs / 2)
    time = epoch + (np.arange(n_batches) + 0.5) / n_batches
    progress = np.maximum(time - warmup, 0) / (config.n_epochs - warmup)
    factor = np.minimum(time / warmup, 1) * (1 + np.cos(np.pi * progress)) / 2
    return config.learning_rate * factor


def adam_step_sizes(epoch: int, rates: np.ndarray) -> np.ndarray:
    """Correct an epoch's rates for Adam's moments, which start at zero."""
    step = epoch * len(rates) + np.arange(1, len(rates) + 1)
    return rates * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
