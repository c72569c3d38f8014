"""TensorFlow beyond its documented guarantees: shared memory, raw calls, loops.

Everything that relies on how TensorFlow behaves, rather than on what it documents, is
in this module, and `tests/test_tensorflow_internals.py` has a test for each contract:

- `share_arrays`: a tensor may use a NumPy array's memory, if that is aligned. Whoever
  writes to the array afterwards changes the tensor, so it may be overwritten only once
  all calls with the tensor have returned; eager calls return when they are done.
- `read_values`: the tensor read from a variable shares its memory until the variable is
  next written to, which writes to a copy.
- `compile_function`: a traced function can be called by its raw operation, with options
  of its own.
- `scan`: steps of a loop are ordered by their state alone.
- `take_slice`: a slice along the first axis shares memory if it is aligned.
- `apply_fused_adam`: TensorFlow's operation for Adam with both powers of its decay
  rates at zero applies no bias correction.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from skae._utils.tensorflow_import import garbage_collection_paused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# TensorFlow uses memory in place if it begins at a multiple of this many bytes.
_ALIGNMENT = 64

# Of TensorFlow's graph optimizers, only the one that removes unused operations; without
# it a graph takes 7 MB more. The others take 0.05 s of a first fit of 0.27 s and make
# no step quicker.
_OPTIONS = tf.compat.v1.ConfigProto(
    graph_options=tf.compat.v1.GraphOptions(
        rewrite_options={"optimizers": ["pruning"], "meta_optimizer_iterations": 1}
    )
).SerializeToString()


def empty_aligned(
    shape: tuple[int, ...], dtype: np.typing.DTypeLike = np.float32
) -> np.ndarray:
    """Return an uninitialised array that TensorFlow can use in place."""
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(n_bytes + _ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % _ALIGNMENT
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)


def share_arrays(arrays: Sequence[np.ndarray]) -> list[tf.Tensor]:
    """Return tensors of the arrays, in their memory where it is aligned.

    The others are copied into one aligned buffer: TensorFlow's own conversion takes ten
    times as long for a few values. The tensors keep the memory alive.
    """
    sizes = [-(-array.nbytes // _ALIGNMENT) * _ALIGNMENT for array in arrays]
    buffer: np.ndarray | None = None
    tensors, begin = [], 0
    for array, size in zip(arrays, sizes, strict=True):
        shared = array
        if array.ctypes.data % _ALIGNMENT or not array.flags.c_contiguous:
            if buffer is None:
                buffer = empty_aligned((sum(sizes),), np.uint8)
            shared = buffer[begin : begin + array.nbytes].view(array.dtype)
            shared = shared.reshape(array.shape)
            shared[...] = array
            begin += size
        tensors.append(tf.experimental.dlpack.from_dlpack(shared.__dlpack__()))
    return tensors


def read_values(variable: tf.Variable) -> tf.Tensor:
    """Return the variable's present value, which later writes leave unchanged."""
    return variable.read_value()


def compile_function(
    function: Callable[[Any], Any], spec: tuple[Any, ...]
) -> Callable[[tuple[Any, ...]], list[tf.Tensor]]:
    """Compile ``function(tuple)``; `spec` gives the tensor types.

    The compiled function takes the tuple and returns the function's tensors in a list.
    """
    with garbage_collection_paused():
        graph = tf.function(
            function, input_signature=[spec], autograph=False
        ).get_concrete_function()
    variables = graph.captured_inputs
    types = [output.dtype for output in graph.outputs]

    def run(arguments: tuple[Any, ...]) -> list[tf.Tensor]:
        # Calling `graph` would use the options of the whole process.
        return tf.raw_ops.StatefulPartitionedCall(
            args=[*arguments, *variables], Tout=types, f=graph, config_proto=_OPTIONS
        )

    return run


def scan(
    n_steps: tf.Tensor,
    step: Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]],
    shape: tuple[int, ...],
    state: Any,
    capacity: int | None = None,
) -> tuple[tf.Tensor, Any]:
    """Run steps one after another inside the graph, and collect an output of each.

    As nothing but the state orders the steps, the rows of the next step can be gathered
    while the present one runs.

    Parameters
    ----------
    n_steps : int32 tensor
    step : callable
        Takes the index of the step and the state; returns an output of the given shape
        and the next state.
    shape : tuple of int
    state : nested structure of tensors
    capacity : int or None
        Length of the collected outputs, if it exceeds the number of steps.

    Returns
    -------
    outputs : tensor of shape (capacity or n_steps, *shape)
    state : nested structure of tensors
    """

    def body(i: tf.Tensor, outputs: tf.TensorArray, state: Any) -> tuple[Any, ...]:
        output, state = step(i, state)
        return i + 1, outputs.write(i, output), state

    outputs = tf.TensorArray(tf.float32, capacity or n_steps, element_shape=shape)
    _, outputs, state = tf.while_loop(
        lambda i, *_: i < n_steps, body, [0, outputs, state]
    )
    return outputs.stack(), state


def take_slice(values: tf.Tensor, i: tf.Tensor) -> tf.Tensor:
    """Return ``values[i]``, without a copy if the slice is aligned."""
    shape = values.shape[1:]
    begin = [i] + [0] * len(shape)
    return tf.reshape(tf.slice(values, begin, [1, *shape]), shape)


def apply_fused_adam(
    values: tf.Variable,
    moments: tuple[tf.Variable, tf.Variable],
    gradient: tf.Tensor,
    step_size: tf.Tensor,
    constants: tuple[float, float, float],
) -> tf.Tensor:
    """Update variables by TensorFlow's operation for Adam; return the new values.

    `step_size` is corrected for the moments' start already, which the operation would
    do from the powers of beta_1 and beta_2; `constants` are beta_1, beta_2 and epsilon.
    """
    momentum, velocity = moments
    beta_1, beta_2, epsilon = constants
    tf.raw_ops.ResourceApplyAdam(
        var=values.handle,
        m=momentum.handle,
        v=velocity.handle,
        beta1_power=0.0,
        beta2_power=0.0,
        lr=step_size,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=gradient,
    )
    return values.read_value()
