"""The network as an ONNX graph: description and arrays to nodes and constants.

A `Graph` is plain data, built without the package `onnx`. It becomes a model of its own
(`to_model`) or part of a pipeline's model (:mod:`skae._network.skl2onnx_converter`).
Its operators have the same meaning in every opset from 11 on.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skae._network.description import Conv, Dense, MaxPool, Upsample
from skae._utils.optional import import_optional
from skae._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from skae._network.description import Arrays, Layer, Network, Shape, Stack, Weights

# Runtimes can read these versions since 2022. The defaults of the package `onnx` are
# those of its own release, which older runtimes refuse.
_OPSET = 17
_IR_VERSION = 8

# Names of the input and output of each part.
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
        """Append a node for a `place` in the network; return its output's name."""
        output = self._new_name(f"{place}_{operator.lower()}")
        self.nodes.append(Node(operator, inputs, (output,), attributes))
        return output

    def add_top_k(self, place: str, x: str, n_kept: str) -> tuple[str, str]:
        """Append a TopK node, which has two outputs; return their names."""
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

    def rename(self, names: dict[str, str]) -> None:
        """Rename outputs of nodes, given their new names by their old ones."""
        self.nodes = [
            node._replace(
                inputs=tuple(names.get(name, name) for name in node.inputs),
                outputs=tuple(names.get(name, name) for name in node.outputs),
            )
            for node in self.nodes
        ]

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
    """Compute ``x * (erf(x * sqrt(1/2)) + 1) / 2``: the opset has no Gelu yet."""
    root, one, half = (
        graph.constant(f"gelu_{name}", value)
        for name, value in [("root", 0.5**0.5), ("one", 1.0), ("half", 0.5)]
    )
    y = graph.add(place, "Erf", graph.add(place, "Mul", x, root))
    y = graph.add(place, "Mul", graph.add(place, "Add", y, one), half)
    return graph.add(place, "Mul", x, y)


def _silu(graph: Graph, place: str, x: str) -> str:
    return graph.add(place, "Mul", x, graph.add(place, "Sigmoid", x))


# In every value the second dimension holds the channels, or the features of flat rows.
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
    # ONNX wants filters and channels first, spatial axes last.
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
    # All of the image: skl2onnx cannot order nodes that leave an input out, and the
    # reference implementation of ONNX 1.17 fails on an empty one.
    region = graph.constant(f"{place}_roi", np.repeat([0.0, 1.0], len(sizes) + 2))
    x = graph.add(
        place,
        "Resize",
        x,
        region,
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


# Each operation adds the nodes before the activation.
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
            f"The export to ONNX does not support the layer {type(layer).__name__} "
            f"with the activation {layer.activation!r}. It supports the layers "
            f"{', '.join(known.__name__ for known in _OPERATIONS)} and the activations "
            f"{', '.join(_FUNCTIONS)}."
        )
    return _OPERATIONS[type(layer)]


def _reshape(graph: Graph, place: str, x: str, before: Shape, after: Shape) -> str:
    """Reshape flat rows to images with channels first, or back."""
    if before == after:
        return x
    spatial = max(before, after, key=len)
    channels_last = [0, *range(2, len(spatial) + 1), 1]
    channels_first = [0, len(spatial), *range(1, len(spatial))]
    if len(before) > 1:
        x = graph.add(place, "Transpose", x, perm=channels_last)
    # In ONNX's Reshape, 0 keeps the dimension: the number of rows.
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
    """Keep the largest values of each row, the first among equals, and zero the rest.

    TopK orders equal values by their index.
    """
    zeros = graph.add(place, "ConstantOfShape", graph.add(place, "Shape", x))
    n_kept = graph.constant(f"{place}_n_active", [n_active])
    values, indices = graph.add_top_k(place, x, n_kept)
    return graph.add(place, "ScatterElements", zeros, indices, values, axis=1)


def add_stack(graph: Graph, name: str, stack: Stack, arrays: Arrays, x: str) -> str:
    """Add the nodes of a stack that takes the value `x`, rows of single precision.

    Returns
    -------
    y : str
        Name of the output of the last node.
    """
    stack = stack.pooled_early
    parts = stack.split(arrays)
    remaining = iter(parts.layers)
    last = len(stack.layers) - 1
    shape: Shape = (stack.n_inputs,)
    y = x
    for i, layer in enumerate(stack.layers):
        operation = _operation(layer)
        place = f"{name}_{i + 1}" if i < last else f"{name}_output"
        y = _reshape(graph, f"{place}_input", y, shape, layer.input_shape)
        own = [next(remaining), next(remaining)] if layer.has_weights else []
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
    graph.rename({x: output_name})
    single = onnx.TensorProto.FLOAT
    return model_of(
        graph,
        f"skae_{part}",
        (input_name, single, halves[0][1].n_inputs),
        [(output_name, single, halves[-1][1].n_outputs)],
    )


def model_of(
    graph: Graph,
    name: str,
    input_: tuple[str, int, int],
    outputs: list[tuple[str, int, int]],
) -> onnx.ModelProto:
    """Make a model of a graph, given the name, type and width of its ends."""
    onnx = import_optional("onnx", "onnx", "to_onnx")
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            [_to_proto(onnx, node) for node in graph.nodes],
            name,
            [_rows(onnx, *input_)],
            [_rows(onnx, *output) for output in outputs],
            [
                onnx.numpy_helper.from_array(array, constant)
                for constant, array in graph.constants.items()
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


def _rows(onnx: Any, name: str, kind: int, width: int) -> onnx.ValueInfoProto:
    """Declare an input or output with any number of rows."""
    return onnx.helper.make_tensor_value_info(name, kind, ["n_samples", width])
