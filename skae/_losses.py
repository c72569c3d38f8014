"""Loss terms, elementwise, for any module of array functions.

`xp` is :mod:`keras.ops` in training and :mod:`numpy` elsewhere.
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
