"""The score and the label of an outlier detector as nodes of an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skae._network.description import Dense, Stack
from skae._network.onnx_interpreter import Graph, add_stack

if TYPE_CHECKING:
    from skae._network.description import Arrays


class Step(NamedTuple):
    """A part of the way from rows to codes or back."""

    stack: Stack
    arrays: Arrays


def affine_step(matrix: np.ndarray, shift: np.ndarray) -> Step:
    """Return the step ``x @ matrix + shift``."""
    return Step(Stack((Dense(*matrix.shape),)), [matrix, shift])


class Detector(NamedTuple):
    """What the score of a row is computed from.

    Attributes
    ----------
    encoders, decoders : list of Step
        From a row to its code, and back.
    limits : ndarray of shape (2, n_codes) or None
        Lower and upper limits of the codes.
    scale : ndarray of shape (n_features,)
        What the error of each feature is divided by.
    absolute : bool
        Whether absolute errors are summed, rather than squared ones.
    offset : float
        Score of the threshold.
    """

    encoders: list[Step]
    decoders: list[Step]
    limits: np.ndarray | None
    scale: np.ndarray
    absolute: bool
    offset: float

    @property
    def n_features(self) -> int:
        """Number of features of a row."""
        return self.encoders[0].stack.n_inputs


def add_detector(graph: Graph, detector: Detector, x: str) -> tuple[str, str]:
    """Add the nodes of a detector that takes the value `x`, rows of single precision.

    Returns
    -------
    label, score : str
        Names of the outputs, columns of 1 or -1 and of scores above the threshold.
    """
    y = _add_steps(graph, "encoder", detector.encoders, x)
    if detector.limits is not None:
        for operator, limit in zip(("Max", "Min"), detector.limits, strict=True):
            name = graph.constant(f"code_{operator.lower()}imum", limit)
            y = graph.add("code", operator, y, name)
    y = _add_steps(graph, "decoder", detector.decoders, y)
    error = graph.add("error", "Sub", x, y)
    error = graph.add(
        "error", "Mul", error, graph.constant("error_factor", 1 / detector.scale)
    )
    if detector.absolute:
        error = graph.add("error", "Abs", error)
    else:
        error = graph.add("error", "Mul", error, error)
    ones = graph.constant("minus_ones", np.full((detector.n_features, 1), -1.0))
    # Minus the threshold, added to minus the sum of the errors.
    shift = graph.constant("minus_offset", np.array([-detector.offset]))
    score = graph.add("score", "Gemm", error, ones, shift)
    zero = graph.constant("zero", np.array(0.0))
    is_outlier = graph.add("label", "Less", score, zero)
    values = [graph.constant(f"label_{i}", np.array(i)) for i in (-1, 1)]
    label = graph.add("label", "Where", is_outlier, *values)
    return label, score


def _add_steps(graph: Graph, name: str, steps: list[Step], x: str) -> str:
    for i, (stack, arrays) in enumerate(steps):
        x = add_stack(graph, f"{name}_{i + 1}", stack, arrays, x)
    return x
