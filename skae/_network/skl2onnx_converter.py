"""Converts encoders and detectors inside the pipelines that skl2onnx converts.

skl2onnx asks an unknown estimator for three functions: one declares its outputs, one
sets their types, and one adds its nodes. This module makes them. Some converters look
up registered classes instead, so the class is registered as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skae._network.onnx_interpreter import Graph, add_stack
from skae._network.outlier_graph import add_detector
from skae._utils.optional import import_optional

if TYPE_CHECKING:
    from collections.abc import Callable

    from skae._network.description import Arrays, Stack
    from skae._network.outlier_graph import Detector


def codes_parser(cls: type, stack: Stack) -> Callable[..., list[tuple[str, Any]]]:
    """Return the function that declares the codes as output of an estimator."""

    def parse(scope: Any, inputs: Any) -> list[tuple[str, Any]]:
        _register(cls)
        return [("codes", _codes_type(stack))]

    return parse


def codes_shape_calculator(stack: Stack) -> Callable[[Any], None]:
    """Return the function that checks the inputs and sets the type of the codes."""

    def calculate(operator: Any) -> None:
        _check_width(operator, stack.n_inputs, "autoencoder")
        (output,) = operator.outputs
        output.type = _codes_type(stack)

    return calculate


def codes_converter(stack: Stack, arrays: Arrays) -> Callable[[Any, Any, Any], None]:
    """Return the function that adds the nodes of the encoder."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        graph = Graph()
        (output,) = operator.outputs
        x = _add_input(graph, operator.inputs)
        codes = add_stack(graph, "encoder", stack, arrays, x)
        _add_to_container(graph, scope, container, {codes: output.full_name})

    return convert


def detector_parser(cls: type) -> Callable[..., list[tuple[str, Any]]]:
    """Return the function that declares the label and score of a detector."""

    def parse(scope: Any, inputs: Any) -> list[tuple[str, Any]]:
        _register(cls)
        return [*zip(("label", "scores"), _detector_types(), strict=True)]

    return parse


def detector_shape_calculator(n_features: int) -> Callable[[Any], None]:
    """Return the function that checks the inputs and sets the types of the outputs."""

    def calculate(operator: Any) -> None:
        _check_width(operator, n_features, "detector")
        for output, kind in zip(operator.outputs, _detector_types(), strict=True):
            output.type = kind

    return calculate


def detector_converter(detector: Detector) -> Callable[[Any, Any, Any], None]:
    """Return the function that adds the nodes of a detector."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        graph = Graph()
        x = _add_input(graph, operator.inputs)
        outputs = add_detector(graph, detector, x)
        names = [output.full_name for output in operator.outputs]
        renamed = dict(zip(outputs, names, strict=True))
        _add_to_container(graph, scope, container, renamed)

    return convert


def _check_width(operator: Any, n_features: int, subject: str) -> None:
    widths = [variable.type.shape[1] for variable in operator.inputs]
    if None not in widths and sum(widths) != n_features:
        raise ValueError(
            f"The {subject} was fitted to {n_features} features, but in the "
            f"pipeline to convert it receives {sum(widths)}. Correct the "
            "initial_types, or the rows that skl2onnx derives them from."
        )


def _detector_types() -> list[Any]:
    """Return the types of label and score, as of skl2onnx's own detectors."""
    types = _import("skl2onnx.common.data_types")
    return [types.Int64TensorType([None, 1]), types.FloatTensorType([None, 1])]


def _register(cls: type) -> None:
    """Register a class, as the converter of searches looks up registered classes.

    Everywhere else, the functions of the estimator take precedence.
    """

    def calculate(operator: Any) -> None:
        operator.raw_operator.onnx_shape_calculator()(operator)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        operator.raw_operator.onnx_converter()(scope, operator, container)

    alias = f"{cls.__module__}.{cls.__qualname__}"
    _import("skl2onnx").update_registered_converter(cls, alias, calculate, convert)


def _codes_type(stack: Stack) -> Any:
    """Return the type of the codes: single precision, which every later step accepts.

    With codes in double precision, skl2onnx writes graphs of trees and support vector
    regressors that no runtime loads; the same happens after its own scalers.
    """
    types = _import("skl2onnx.common.data_types")
    return types.FloatTensorType([None, stack.n_outputs])


def _add_input(graph: Graph, inputs: Any) -> str:
    """Join the inputs in single precision: a data frame has one for each column."""
    single = _import("onnx").TensorProto.FLOAT
    names = [
        graph.add(f"encoder_X_{i + 1}", "Cast", variable.full_name, to=single)
        for i, variable in enumerate(inputs)
    ]
    return names[0] if len(names) == 1 else graph.add("X", "Concat", *names, axis=1)


def _add_to_container(
    graph: Graph, scope: Any, container: Any, outputs: dict[str, str]
) -> None:
    """Add nodes and constants under names that are unique in the pipeline.

    `outputs` has the names in the pipeline of the graph's outputs.
    """
    graph.rename(outputs)
    from_array = import_optional(
        "onnx", "onnx", "The conversion"
    ).numpy_helper.from_array
    own = [
        *graph.constants,
        *(name for node in graph.nodes for name in node.outputs),
    ]
    given = {*outputs.values()}
    new = {
        name: scope.get_unique_variable_name(name) for name in own if name not in given
    }
    for name, array in graph.constants.items():
        tensor = from_array(array, new[name])
        container.add_initializer(new[name], tensor.data_type, array.shape, tensor)
    for node in graph.nodes:
        container.add_node(
            node.operator,
            [new.get(name, name) for name in node.inputs],
            [new.get(name, name) for name in node.outputs],
            name=scope.get_unique_operator_name(node.outputs[0]),
            **node.attributes,
        )


def _import(package: str) -> Any:
    return import_optional(package, "onnx", "The conversion of a pipeline to ONNX")
