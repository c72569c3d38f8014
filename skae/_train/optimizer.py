"""The weights as TensorFlow variables, and Adam's steps on them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from skae._train.schedule import BETA_1, BETA_2
from skae._train.tensorflow_internals import apply_fused_adam, read_values

if TYPE_CHECKING:
    from skae._network.description import Network, Stack

# Adam's last constant, as in Keras.
_EPSILON = 1e-7

# Arrays of at least this size have variables of their own.
_LARGE_ARRAY = 2**15

# From this size on, TensorFlow's fused operation updates the values. It splits even few
# values among the processors, and then waits longer than plain operations take.
_FUSED_SIZE = 2**16


# The values, momentum and velocity of a parameter group.
State: TypeAlias = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class ParameterGroup(NamedTuple):
    """Variables of arrays that are updated together, flattened one after another.

    Small arrays share a group, so that the optimizer is one operation however many
    layers there are. Large ones have their own, as joining them would copy them at each
    step.

    Attributes
    ----------
    indices : list of int
        Indices of the arrays in `Network.array_shapes`.
    decay_mask : tf.Tensor
        1 for the kernels of the nonlinear path, which decay and are penalised; 0 for
        all other values.
    values, momentum, velocity : tf.Variable
    """

    indices: list[int]
    decay_mask: tf.Tensor
    values: tf.Variable
    momentum: tf.Variable
    velocity: tf.Variable

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        return self.values, self.momentum, self.velocity

    def read(self) -> State:
        """Return the present state."""
        return tuple(map(read_values, self.variables))

    def assign(self, state: State) -> list[tf.Operation]:
        """Set the variables; return the operations that do."""
        return [
            variable.assign(tensor, read_value=False)
            for variable, tensor in zip(self.variables, state, strict=True)
        ]

    def restart(self, arrays: list[np.ndarray], is_new: bool = False) -> None:
        """Set the values from the network's arrays and the moments to zero.

        Those of a new group are zero: more zeros would only take memory.
        """
        flat = [
            arrays[index].astype(np.float32, copy=False).ravel()
            for index in self.indices
        ]
        self.values.assign(flat[0] if len(flat) == 1 else np.concatenate(flat))
        for moment in () if is_new else (self.momentum, self.velocity):
            moment.assign(tf.zeros_like(moment))


def parameter_groups(network: Network) -> list[ParameterGroup]:
    """Make the variables of all arrays of a network, filled with zeros."""
    sizes = [prod(shape) for shape in network.array_shapes]
    decays = _decays(network.encoder) + _decays(network.decoder)
    small = [index for index, size in enumerate(sizes) if size < _LARGE_ARRAY]
    large = [[index] for index, size in enumerate(sizes) if size >= _LARGE_ARRAY]
    return [_make_group(group, sizes, decays) for group in (small, *large) if group]


def _decays(stack: Stack) -> list[bool]:
    """Tell for each array whether it is a kernel of the nonlinear path."""
    parts = stack.split([np.zeros(0)] * len(stack.array_shapes))
    others = len(parts.joined()) - len(parts.layers)
    return [True, False] * (len(parts.layers) // 2) + [False] * others


def _make_group(
    indices: list[int], sizes: list[int], decays: list[bool]
) -> ParameterGroup:
    own_sizes = [sizes[index] for index in indices]
    mask = np.repeat([decays[index] for index in indices], own_sizes)
    variables = (tf.Variable(tf.zeros(len(mask))) for _ in range(3))
    # A single array needs one number only, which is broadcast.
    return ParameterGroup(
        indices,
        tf.constant(mask[:1] if len(indices) == 1 else mask, tf.float32),
        *variables,
    )


def apply_adam(
    group: ParameterGroup, values: tf.Tensor, gradient: tf.Tensor, step_size: tf.Tensor
) -> tf.Tensor:
    """Apply one Adam step to the current `values`; return the new ones.

    The step size, of shape (1,), is corrected for the moments' start already.
    """
    if group.values.shape[0] >= _FUSED_SIZE:
        return apply_fused_adam(
            group.values,
            (group.momentum, group.velocity),
            gradient,
            step_size[0],
            (BETA_1, BETA_2, _EPSILON),
        )
    with tf.control_dependencies([values]):  # read only after the previous step
        moments = group.momentum.read_value(), group.velocity.read_value()
    after = adam_step((values, *moments), gradient, step_size)
    with tf.control_dependencies(group.assign(after)):
        return tf.identity(after[0])


def adam_step(state: State, gradient: tf.Tensor, step_size: tf.Tensor) -> State:
    """Return the state after one Adam step."""
    values, momentum, velocity = state
    momentum = BETA_1 * momentum + (1 - BETA_1) * gradient
    velocity = BETA_2 * velocity + (1 - BETA_2) * tf.square(gradient)
    values -= step_size * momentum / (tf.sqrt(velocity) + _EPSILON)
    return values, momentum, velocity
