"""Loss terms, elementwise, for any module of array functions.

`xp` is :mod:`keras.ops` in training and :mod:`numpy` elsewhere. Losses compare outputs
with targets; the other terms are functions of the codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Keeps the logarithms finite; Keras's own `epsilon()`.
_EPSILON = 1e-7


def squared_error(xp: Any, target: Any, output: Any) -> Any:
    return xp.square(output - target)


def absolute_error(xp: Any, target: Any, output: Any) -> Any:
    return xp.abs(output - target)


def huber(xp: Any, target: Any, output: Any) -> Any:
    """Quadratic up to an error of 1, linear beyond (Huber, 1964)."""
    error = xp.abs(output - target)
    quadratic = xp.minimum(error, 1.0)
    return quadratic * (error - 0.5 * quadratic)


def binary_crossentropy(xp: Any, target: Any, output: Any) -> Any:
    output = xp.clip(output, _EPSILON, 1.0 - _EPSILON)
    return -(target * xp.log(output) + (1.0 - target) * xp.log(1.0 - output))


LOSSES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "squared_error": squared_error,
    "absolute_error": absolute_error,
    "huber": huber,
    "binary_crossentropy": binary_crossentropy,
}


def class_loss(xp: Any, labels: Any, outputs: Any) -> Any:
    """Cross-entropy of the softmax of the outputs, of shape (n_rows, 1).

    `labels` has the weight of the row in the column of its class, and 0 elsewhere.
    """
    outputs = outputs - xp.max(outputs, axis=1, keepdims=True)
    log_total = xp.log(xp.sum(xp.exp(outputs), axis=1, keepdims=True))
    return xp.sum(labels * (log_total - outputs), axis=1, keepdims=True)


def number_loss(xp: Any, labels: Any, outputs: Any) -> Any:
    """Mean squared error over the numbers of each row, of shape (n_rows, 1).

    `labels` has the numbers, followed by the weight of the row in the last column.
    """
    errors = xp.mean(xp.square(outputs - labels[:, :-1]), axis=1, keepdims=True)
    return labels[:, -1:] * errors


TARGET_LOSSES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "classes": class_loss,
    "numbers": number_loss,
}


def l1(xp: Any, code: Any) -> Any:
    return xp.abs(code)


def kl_to_target_rate(xp: Any, target_rate: Any, mean_code: Any) -> Any:
    """Divergence of a unit's mean activation from the target rate.

    Both are the means of Bernoulli variables (Ng, 2011, "Sparse autoencoder").
    """
    rate = xp.clip(mean_code, _EPSILON, 1.0 - _EPSILON)
    return target_rate * xp.log(target_rate / rate) + (1.0 - target_rate) * xp.log(
        (1.0 - target_rate) / (1.0 - rate)
    )


def kl_to_prior(xp: Any, mean: Any, log_variance: Any) -> Any:
    """Divergence of a normal posterior from the standard normal prior, in nats.

    Kingma & Welling (2014), "Auto-encoding variational Bayes", appendix B.
    """
    return 0.5 * (xp.square(mean) + xp.exp(log_variance) - 1.0 - log_variance)


# Clipping log-variances to this range keeps their exponential finite.
_LOG_VARIANCE_LIMIT = 20.0


def clip_log_variance(xp: Any, log_variance: Any) -> Any:
    return xp.clip(log_variance, -_LOG_VARIANCE_LIMIT, _LOG_VARIANCE_LIMIT)
