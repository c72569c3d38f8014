"""The weights as TensorFlow's variables, and how a step of Adam changes them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from skae._epochs import BETA_1, BETA_2

if TYPE_CHECKING:
    from skae._network import Network, Stack

# Adam's last constant, as in Keras; the others are in `_epochs`.
_EPSILON = 1e-7

# Arrays of at least this size have variables of their own.
_LARGE_ARRAY = 2**15

# From this size on, values are updated by TensorFlow's operation for Adam. It shares
# even a few values among the processors, and waits longer than plain operations take.
_FUSED_SIZE = 2**16


# The values, momentum and velocity of a slot.
State: TypeAlias = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class Slot(NamedTuple):
    """Variables of arrays that are updated together: their values, one after another.

    Small arrays share one, so that the optimizer is one operation however many layers
    there are. Large ones have their own, as putting them together would copy them at
    each step.

    Attributes
    ----------
    places : list of int
        Indices of the arrays in `Network.array_shapes`.
    penalised : tf.Tensor
        1 where a value belongs to a kernel of the nonlinear path, and 0 elsewhere.
    values, momentum, velocity : tf.Variable
    """

    places: list[int]
    penalised: tf.Tensor
    values: tf.Variable
    momentum: tf.Variable
    velocity: tf.Variable

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        return self.values, self.momentum, self.velocity

    def read(self) -> State:
        """Return the tensors of now."""
        return tuple(variable.read_value() for variable in self.variables)

    def assign(self, state: State) -> list[tf.Operation]:
        """Set the variables; return the operations that do."""
        return [
            variable.assign(tensor, read_value=False)
            for variable, tensor in zip(self.variables, state, strict=True)
        ]


def make_slots(network: Network) -> list[Slot]:
    """Make the variables of all arrays of a network, filled with zeros."""
    sizes = [prod(shape) for shape in network.array_shapes]
    penalised = _is_penalised(network.encoder) + _is_penalised(network.decoder)
    places = range(len(sizes))
    small = [place for place in places if sizes[place] < _LARGE_ARRAY]
    large = [[place] for place in places if place not in small]
    return [_make_slot(group, sizes, penalised) for group in (small, *large) if group]


def _is_penalised(stack: Stack) -> list[bool]:
    """Tell which arrays are kernels of the nonlinear path: those to keep small."""
    places = stack.split([np.zeros(0)] * len(stack.array_shapes))
    others = len(places.shortcut) + len(places.log_variance)
    return [True, False] * (len(places.layers) // 2) + [False] * others


def _make_slot(places: list[int], sizes: list[int], penalised: list[bool]) -> Slot:
    own_sizes = [sizes[place] for place in places]
    mask = np.repeat([penalised[place] for place in places], own_sizes)
    variables = (tf.Variable(tf.zeros(len(mask))) for _ in range(3))
    # One number stands for those of a single array.
    return Slot(
        places,
        tf.constant(mask[:1] if len(places) == 1 else mask, tf.float32),
        *variables,
    )


def take_step(
    slot: Slot, values: tf.Tensor, gradient: tf.Tensor, step_size: tf.Tensor
) -> tf.Tensor:
    """Take a step from `values`, those of now; return the values after it.

    The step size, of shape (1,), is corrected for the moments' start already.
    """
    if slot.values.shape[0] >= _FUSED_SIZE:
        tf.raw_ops.ResourceApplyAdam(
            var=slot.values.handle,
            m=slot.momentum.handle,
            v=slot.velocity.handle,
            beta1_power=0.0,
            beta2_power=0.0,
            lr=step_size[0],
            beta1=BETA_1,
            beta2=BETA_2,
            epsilon=_EPSILON,
            grad=gradient,
        )
        return slot.values.read_value()
    with tf.control_dependencies([values]):  # so that the step before is done
        moments = slot.momentum.read_value(), slot.velocity.read_value()
    after = adam((values, *moments), gradient, step_size)
    with tf.control_dependencies(slot.assign(after)):
        return tf.identity(after[0])


def adam(state: State, gradient: tf.Tensor, step_size: tf.Tensor) -> State:
    """Return the state after a step from that of now."""
    values, momentum, velocity = state
    momentum = BETA_1 * momentum + (1 - BETA_1) * gradient
    velocity = BETA_2 * velocity + (1 - BETA_2) * tf.square(gradient)
    values -= step_size * momentum / (tf.sqrt(velocity) + _EPSILON)
    return values, momentum, velocity
