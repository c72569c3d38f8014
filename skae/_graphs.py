"""Graphs of TensorFlow: run as they are traced, and loops in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from skae._tensorflow import garbage_collection_paused

if TYPE_CHECKING:
    from collections.abc import Callable

# Of TensorFlow's rewriting of graphs only the removal of what is unused, which would
# take 7 MB a graph. The rest takes 0.05 s of a first fit of 0.27 s, and steps are no
# quicker by it.
_OPTIONS = tf.compat.v1.ConfigProto(
    graph_options=tf.compat.v1.GraphOptions(
        rewrite_options={"optimizers": ["pruning"], "meta_optimizer_iterations": 1}
    )
).SerializeToString()


def run_as_traced(
    function: Callable[[Any], Any], spec: tuple[Any, ...]
) -> Callable[[tuple[Any, ...]], list[tf.Tensor]]:
    """Compile a function of a tuple of tensors, of which `spec` has the types.

    What is returned takes such a tuple, and returns the function's tensors in a list.
    """
    with garbage_collection_paused():
        graph = tf.function(
            function, input_signature=[spec], autograph=False
        ).get_concrete_function()
    variables = graph.captured_inputs
    types = [output.dtype for output in graph.outputs]

    def run(arguments: tuple[Any, ...]) -> list[tf.Tensor]:
        # A call of `graph` would take the options of the whole process.
        return tf.raw_ops.StatefulPartitionedCall(
            args=[*arguments, *variables], Tout=types, f=graph, config_proto=_OPTIONS
        )

    return run


def for_each(
    n_batches: tf.Tensor,
    run: Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]],
    shape: tuple[int, ...],
    state: Any,
    n_places: int | None = None,
) -> tuple[tf.Tensor, Any]:
    """Run the batches one after another, inside the graph.

    Each takes the state that the one before returns. As nothing else orders the steps,
    rows of the next one can be gathered beside the present one. What else each returns,
    of the given shape, is collected, in `n_places` if there are more of them.
    """

    def collect(i: tf.Tensor, collected: tf.TensorArray, state: Any) -> tuple[Any, ...]:
        terms, state = run(i, state)
        return i + 1, collected.write(i, terms), state

    places = tf.TensorArray(tf.float32, n_places or n_batches, element_shape=shape)
    _, collected, state = tf.while_loop(
        lambda i, *_: i < n_batches, collect, [0, places, state]
    )
    return collected.stack(), state


def view(values: tf.Tensor, i: tf.Tensor) -> tf.Tensor:
    """Return ``values[i]``, without a copy if it lies as TensorFlow needs it."""
    shape = values.shape[1:]
    begin = [i] + [0] * len(shape)
    return tf.reshape(tf.slice(values, begin, [1, *shape]), shape)
