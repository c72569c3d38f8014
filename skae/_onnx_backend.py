"""The network as an ONNX graph: description and arrays to nodes and constants.

A `Graph` is plain data, made without the package `onnx`. It becomes a model of its own
(`to_model`) or a part of a pipeline's (:mod:`skae._skl2onnx`). Its operators mean the
same from opset 11 on.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skae._network import Conv, Dense, MaxPool, Upsample
from skae._optional import import_optional
from skae._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from skae._network import Arrays, Layer, Network, Shape, Stack, Weights

# What runtimes of 2022 read already; the defaults of `onnx` are those of its release.
_OPSET = 17
_IR_VERSION = 8

# Names of the input and the output of each part.
_ENDS = {
    "encoder": ("X", "codes"),
    "decoder": ("codes", "reconstruction"),
    "reconstruction": ("X", "reconstruction"),
}
PARTS = tuple(_ENDS)


class Node(NamedTuple):
    """An operator applied to values, all by their names."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


class Graph:
    """Nodes in the order of the computation, and the constants that they use.

    Attributes
    ----------
    nodes : list of Node
    constants : dict of str to ndarray
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}

    def add(self, place: str, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node at a `place` of the network; return the name of its output."""
        output = self._new_name(f"{place}_{operator.lower()}")
        self.nodes.append(Node(operator, inputs, (output,), attributes))
        return output

    def add_top_k(self, place: str, x: str, n_kept: str) -> tuple[str, str]:
        """Append the only operator with two outputs; return their names."""
        values, indices = f"{place}_values", f"{place}_indices"
        node = Node("TopK", (x, n_kept), (values, indices), {"axis": 1})
        self.nodes.append(node)
        return values, indices

    def constant(self, name: str, values: Any) -> str:
        """Add a constant, floats in single precision; return its name."""
        array = np.asarray(values)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        self.constants[name] = array
        return name

    def name_output(self, name: str) -> None:
        """Give the output of the last node its final name."""
        self.nodes[-1] = self.nodes[-1]._replace(outputs=(name,))

    def _new_name(self, stem: str) -> str:
        taken = {output for node in self.nodes for output in node.outputs}
        names = (f"{stem}_{i}" if i > 1 else stem for i in count(1))
        return next(name for name in names if name not in taken)


def _simple(operator: str, **attributes: Any) -> Callable[[Graph, str, str], str]:
    def function(graph: Graph, place: str, x: str) -> str:
        return graph.add(place, operator, x, **attributes)

    return function


def _linear(graph: Graph, place: str, x: str) -> str:
    return x


def _gelu(graph: Graph, place: str, x: str) -> str:
    """Compute ``x * (erf(x * sqrt(1/2)) + 1) / 2``, as Gelu is newer than the opset."""
    root, one, half = (
        graph.constant(f"gelu_{name}", value)
        for name, value in [("root", 0.5**0.5), ("one", 1.0), ("half", 0.5)]
    )
    y = graph.add(place, "Erf", graph.add(place, "Mul", x, root))
    y = graph.add(place, "Mul", graph.add(place, "Add", y, one), half)
    return graph.add(place, "Mul", x, y)


def _silu(graph: Graph, place: str, x: str) -> str:
    return graph.add(place, "Mul", x, graph.add(place, "Sigmoid", x))


# Channels are the second dimension of every value, as the features of flat rows are.
_FUNCTIONS: dict[str, Callable[[Graph, str, str], str]] = {
    "linear": _linear,
    "relu": _simple("Relu"),
    "leaky_relu": _simple("LeakyRelu", alpha=0.2),
    "elu": _simple("Elu"),
    "selu": _simple("Selu"),
    "gelu": _gelu,
    "silu": _silu,
    "tanh": _simple("Tanh"),
    "sigmoid": _simple("Sigmoid"),
    "softplus": _simple("Softplus"),
    "softmax": _simple("Softmax", axis=1),
}


def _dense(graph: Graph, place: str, layer: Dense, arrays: Arrays, x: str) -> str:
    kernel, bias = _kernel_and_bias(graph, place, arrays)
    return graph.add(place, "Gemm", x, kernel, bias)


def _conv(graph: Graph, place: str, layer: Conv, arrays: Arrays, x: str) -> str:
    kernel, bias = arrays
    # Filters and channels go first, places last.
    kernel = np.moveaxis(kernel, (-1, -2), (0, 1))
    n_spatial = len(layer.input_shape) - 1
    before, after = (layer.kernel_size - 1) // 2, layer.kernel_size // 2
    return graph.add(
        place,
        "Conv",
        x,
        *_kernel_and_bias(graph, place, [kernel, bias]),
        pads=[before] * n_spatial + [after] * n_spatial,
    )


def _max_pool(graph: Graph, place: str, layer: MaxPool, arrays: Arrays, x: str) -> str:
    *sizes, _ = layer.input_shape
    return graph.add(
        place,
        "MaxPool",
        x,
        kernel_shape=[2] * len(sizes),
        strides=[2] * len(sizes),
        pads=[0] * len(sizes) + [size % 2 for size in sizes],
    )


def _upsample(graph: Graph, place: str, layer: Upsample, arrays: Arrays, x: str) -> str:
    *sizes, _ = layer.output_shape
    scales = graph.constant(f"{place}_scales", [1.0, 1.0] + [2.0] * len(sizes))
    x = graph.add(
        place,
        "Resize",
        x,
        "",
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    odd = [axis for axis, size in enumerate(sizes) if size % 2]
    if not odd:
        return x
    starts = graph.constant(f"{place}_starts", [0] * len(odd))
    ends = graph.constant(f"{place}_ends", [sizes[axis] for axis in odd])
    axes = graph.constant(f"{place}_axes", [axis + 2 for axis in odd])
    return graph.add(place, "Slice", x, starts, ends, axes)


# Each adds the nodes before the activation.
_OPERATIONS: dict[type[Layer], Callable[[Graph, str, Any, Arrays, str], str]] = {
    Dense: _dense,
    Conv: _conv,
    MaxPool: _max_pool,
    Upsample: _upsample,
}


def _kernel_and_bias(graph: Graph, place: str, arrays: Arrays) -> list[str]:
    names = (f"{place}_kernel", f"{place}_bias")
    return [
        graph.constant(name, array) for name, array in zip(names, arrays, strict=False)
    ]


def _operation(layer: Layer) -> Callable[[Graph, str, Any, Arrays, str], str]:
    if type(layer) not in _OPERATIONS or layer.activation not in _FUNCTIONS:
        raise NotImplementedError(
            f"The export to ONNX does not know the layer {type(layer).__name__} with "
            f"the activation {layer.activation!r}. It knows the layers "
            f"{', '.join(known.__name__ for known in _OPERATIONS)} and the activations "
            f"{', '.join(_FUNCTIONS)}."
        )
    return _OPERATIONS[type(layer)]


def _reshape(graph: Graph, place: str, x: str, before: Shape, after: Shape) -> str:
    """Bring flat rows into the shape of images, channels first, and back."""
    if before == after:
        return x
    spatial = max(before, after, key=len)
    channels_last = [0, *range(2, len(spatial) + 1), 1]
    channels_first = [0, len(spatial), *range(1, len(spatial))]
    if len(before) > 1:
        x = graph.add(place, "Transpose", x, perm=channels_last)
    # The dimension 0 is the number of rows that there are.
    x = graph.add(place, "Reshape", x, graph.constant(f"{place}_shape", [0, *after]))
    if len(after) > 1:
        x = graph.add(place, "Transpose", x, perm=channels_first)
    return x


def _add_shortcut(graph: Graph, place: str, shortcut: Arrays, x: str, y: str) -> str:
    kernel, *biases = _kernel_and_bias(graph, place, shortcut)
    y = graph.add(place, "Gemm", x, kernel, y)
    for bias in biases:
        y = graph.add(place, "Add", y, bias)
    return y


def _keep_largest(graph: Graph, place: str, n_active: int, x: str) -> str:
    """Set all but the largest values of a row to zero; of equal ones keep the first.

    So TopK orders equal ones.
    """
    zeros = graph.add(place, "ConstantOfShape", graph.add(place, "Shape", x))
    n_kept = graph.constant(f"{place}_n_active", [n_active])
    values, indices = graph.add_top_k(place, x, n_kept)
    return graph.add(place, "ScatterElements", zeros, indices, values, axis=1)


def add_stack(graph: Graph, name: str, stack: Stack, arrays: Arrays, x: str) -> str:
    """Add the stack `name` on the value `x`, rows of single precision.

    Returns
    -------
    y : str
        Name of the last node's output.
    """
    stack = stack.pooled_early()
    parts = stack.split(arrays)
    arrays_left = iter(parts.layers)
    last = len(stack.layers) - 1
    shape: Shape = (stack.n_inputs,)
    y = x
    for i, layer in enumerate(stack.layers):
        operation = _operation(layer)
        place = f"{name}_{i + 1}" if i < last else f"{name}_output"
        y = _reshape(graph, f"{place}_input", y, shape, layer.input_shape)
        own = [next(arrays_left), next(arrays_left)] if layer.weighted else []
        y, shape = operation(graph, place, layer, own, y), layer.output_shape
        if i == last and parts.shortcut:
            y = _reshape(graph, place, y, shape, (stack.n_outputs,))
            shape = (stack.n_outputs,)
            y = _add_shortcut(graph, f"{name}_shortcut", parts.shortcut, x, y)
        y = _FUNCTIONS[layer.activation](graph, place, y)
        if isinstance(layer, Dense) and layer.n_active is not None:
            y = _keep_largest(graph, place, layer.n_active, y)
    return _reshape(graph, name, y, shape, (stack.n_outputs,))


def to_model(network: Network, weights: Weights, part: str) -> onnx.ModelProto:
    """Build the ONNX model of one `part` of a fitted network."""
    onnx = import_optional("onnx", "onnx", "to_onnx")
    halves = [
        ("encoder", network.encoder, weights.encoder),
        ("decoder", network.decoder, weights.decoder),
    ]
    if part != "reconstruction":
        halves = halves[1:] if part == "decoder" else halves[:1]
    input_name, output_name = _ENDS[part]
    graph, x = Graph(), input_name
    for name, stack, arrays in halves:
        x = add_stack(graph, name, stack, arrays, x)
    graph.name_output(output_name)
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            [_to_proto(onnx, node) for node in graph.nodes],
            f"skae_{part}",
            [_rows(onnx, input_name, halves[0][1].n_inputs)],
            [_rows(onnx, output_name, halves[-1][1].n_outputs)],
            [
                onnx.numpy_helper.from_array(array, name)
                for name, array in graph.constants.items()
            ],
        ),
        producer_name="skae",
        producer_version=__version__,
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )


def _to_proto(onnx: Any, node: Node) -> onnx.NodeProto:
    return onnx.helper.make_node(
        node.operator,
        node.inputs,
        node.outputs,
        name=node.outputs[0],
        **node.attributes,
    )


def _rows(onnx: Any, name: str, width: int) -> onnx.ValueInfoProto:
    """Declare an input or output of any number of rows."""
    return onnx.helper.make_tensor_value_info(
        name, onnx.TensorProto.FLOAT, ["n_samples", width]
    )
