"""The network as plain data: frozen layer descriptions without any framework.

Keras trains a description (:mod:`skae._network.keras_interpreter`), NumPy runs it
(:mod:`skae._network.numpy_interpreter`) and ONNX exports it
(:mod:`skae._network.onnx_interpreter`). Rows enter and leave flat; a layer that works
on images or signals reshapes them to its `input_shape`, channels last.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Names of the activation functions, as in Keras.
ACTIVATIONS = (
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "tanh",
    "sigmoid",
    "softplus",
    "softmax",
)

# The elementwise functions that never decrease.
_INCREASING = {"relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid", "softplus"}

Arrays = list[np.ndarray]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, ``activation(x @ kernel + bias)``.

    With `n_active`, only the `n_active` largest outputs of each row are kept (the first
    ones among equals) and the others are set to zero.
    """

    n_inputs: int
    n_outputs: int
    activation: str = "linear"
    n_active: int | None = None
    has_weights: ClassVar[bool] = True

    @cached_property
    def input_shape(self) -> Shape:
        return (self.n_inputs,)

    @cached_property
    def output_shape(self) -> Shape:
        return (self.n_outputs,)

    @cached_property
    def array_shapes(self) -> list[Shape]:
        return [(self.n_inputs, self.n_outputs), (self.n_outputs,)]

    def __str__(self) -> str:
        top = "" if self.n_active is None else f" top {self.n_active}"
        return f"{self.n_outputs} {self.activation}{top}"


@dataclass(frozen=True)
class Conv:
    """A convolution of stride 1, zero-padded so that its output has the input's size.

    `input_shape` is (length, channels) or (height, width, channels).
    """

    input_shape: Shape
    filters: int
    kernel_size: int
    activation: str = "linear"
    has_weights: ClassVar[bool] = True

    @cached_property
    def output_shape(self) -> Shape:
        return (*self.input_shape[:-1], self.filters)

    @cached_property
    def array_shapes(self) -> list[Shape]:
        n_spatial = len(self.input_shape) - 1
        kernel = (self.kernel_size,) * n_spatial
        return [(*kernel, self.input_shape[-1], self.filters), (self.filters,)]

    def __str__(self) -> str:
        return f"conv {self.filters} {self.activation}"


@dataclass(frozen=True)
class MaxPool:
    """The maximum of each pair of neighbours along every axis.

    Where a size is odd, the last value has no partner and is kept.
    """

    input_shape: Shape
    activation: str = "linear"
    has_weights: ClassVar[bool] = False
    array_shapes: ClassVar[list[Shape]] = []

    @cached_property
    def output_shape(self) -> Shape:
        return _halved(self.input_shape)

    def __str__(self) -> str:
        return "pool"


@dataclass(frozen=True)
class Upsample:
    """Each value repeated twice along every axis, then cropped to `output_shape`."""

    output_shape: Shape
    activation: ClassVar[str] = "linear"
    has_weights: ClassVar[bool] = False
    array_shapes: ClassVar[list[Shape]] = []

    @cached_property
    def input_shape(self) -> Shape:
        return _halved(self.output_shape)

    def __str__(self) -> str:
        return "up"


Layer: TypeAlias = Dense | Conv | MaxPool | Upsample

_LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer for layer in (Dense, Conv, MaxPool, Upsample)
}


def _halved(shape: Shape) -> Shape:
    return (*[-(-size // 2) for size in shape[:-1]], shape[-1])


class StackArrays(NamedTuple):
    """The arrays of a `Stack`, by the part they belong to.

    Attributes
    ----------
    layers : list of ndarray
        Kernel and bias of each layer that has them.
    shortcut : list of ndarray
        Nothing, a kernel, or a kernel and a bias.
    log_variance_head : list of ndarray
        Nothing, or a kernel and a bias.
    target_head : list of ndarray
        Nothing, or a kernel and a bias.
    """

    layers: Arrays
    shortcut: Arrays
    log_variance_head: Arrays
    target_head: Arrays

    def joined(self) -> Arrays:
        """Return all arrays in the order of `Stack.array_shapes`."""
        heads = self.log_variance_head + self.target_head
        return self.layers + self.shortcut + heads


@dataclass(frozen=True)
class Stack:
    """Layers in sequence, with an optional linear path and second head beside them.

    Attributes
    ----------
    layers : tuple of Layer
    shortcut : bool
        Whether there is a linear path: a kernel from the flat input of the first layer
        to the flat pre-activation of the last one. It has a bias of its own if the last
        layer is a convolution, whose bias is shared by all positions.
    log_variance : bool
        Whether there is a second head: a linear layer beside the last one, with the
        same inputs and as many outputs.
    n_targets : int
        Number of outputs of a linear layer from the flat input to targets, beside all
        others; 0 for none. Decoders have it while they are trained beside targets, and
        fitted ones do not.
    """

    layers: tuple[Layer, ...]
    shortcut: bool = False
    log_variance: bool = False
    n_targets: int = 0

    @cached_property
    def n_inputs(self) -> int:
        return prod(self.layers[0].input_shape)

    @cached_property
    def n_outputs(self) -> int:
        return prod(self.layers[-1].output_shape)

    @cached_property
    def hidden_dense_widths(self) -> tuple[int, ...]:
        """Widths of the fully connected layers before the last layer."""
        return tuple(
            [layer.n_outputs for layer in self.layers[:-1] if isinstance(layer, Dense)]
        )

    @cached_property
    def input_shapes(self) -> list[Shape]:
        """Shape of the input of each layer."""
        return [layer.input_shape for layer in self.layers]

    @cached_property
    def max_width(self) -> int:
        """Number of values of the widest layer, the input included."""
        return max(*map(prod, self.input_shapes), self.n_outputs)

    @cached_property
    def array_shapes(self) -> list[Shape]:
        """Shapes of the stack's arrays, in their fixed order."""
        shapes = [shape for layer in self.layers for shape in layer.array_shapes]
        if self.shortcut:
            shapes.append((self.n_inputs, self.n_outputs))
            if not isinstance(self.layers[-1], Dense):
                shapes.append((self.n_outputs,))
        if self.log_variance:
            shapes += self.head.array_shapes
        if self.n_targets:
            shapes += self.target_head.array_shapes
        return shapes

    @cached_property
    def head(self) -> Dense:
        """The layer of the log-variance."""
        return Dense(prod(self.layers[-1].input_shape), self.n_outputs)

    @cached_property
    def target_head(self) -> Dense:
        """The layer from the input to the targets."""
        return Dense(self.n_inputs, self.n_targets)

    @cached_property
    def is_dense(self) -> bool:
        """Whether all layers are fully connected."""
        return {*map(type, self.layers)} == {Dense}

    @cached_property
    def has_linear_output(self) -> bool:
        """Whether the output is an affine function of the last layer's inputs."""
        last = self.layers[-1]
        if isinstance(last, Dense):
            return last.activation == "linear" and last.n_active is None
        return isinstance(last, Conv) and last.activation == "linear"

    def keeping_largest(self, n_active: int) -> Stack:
        """Return the dense stack whose output keeps the largest values of each row."""
        *others, last = self.layers
        assert isinstance(last, Dense)
        return replace(self, layers=(*others, replace(last, n_active=n_active)))

    @cached_property
    def pooled_early(self) -> Stack:
        """An equivalent stack that pools before activations where possible.

        The maximum of an increasing function is the function of the maximum, which then
        is computed for fewer values.
        """
        if self.is_dense:
            return self
        layers = list(self.layers)
        for i, (layer, following) in enumerate(pairwise(self.layers)):
            if (
                isinstance(layer, Conv)
                and isinstance(following, MaxPool)
                and layer.activation in _INCREASING
            ):
                layers[i] = replace(layer, activation="linear")
                layers[i + 1] = replace(following, activation=layer.activation)
        return replace(self, layers=tuple(layers))

    @cached_property
    def _n_layer_arrays(self) -> int:
        return 2 * sum([layer.has_weights for layer in self.layers])

    def split(self, arrays: Arrays) -> StackArrays:
        """Divide the arrays of the stack by the part they belong to."""
        last = len(arrays) - 2 * (self.n_targets > 0)
        begin, end = self._n_layer_arrays, last - 2 * self.log_variance
        return StackArrays(
            arrays[:begin], arrays[begin:end], arrays[end:last], arrays[last:]
        )

    def continues(self, previous: Stack) -> bool:
        """Tell whether the single layer `previous` fits this stack's linear path."""
        only = Dense(self.n_inputs, self.n_outputs, self.layers[-1].activation)
        linear = Stack((only,), log_variance=self.log_variance)
        return self.shortcut and previous == linear


@dataclass(frozen=True)
class Network:
    """An autoencoder: an encoder, and the decoder that inverts it."""

    encoder: Stack
    decoder: Stack

    @cached_property
    def array_shapes(self) -> list[Shape]:
        """Shapes of all arrays, the encoder's first."""
        return self.encoder.array_shapes + self.decoder.array_shapes

    @cached_property
    def n_weights(self) -> int:
        """Number of values in all arrays."""
        return sum(map(prod, self.array_shapes))

    @cached_property
    def is_dense(self) -> bool:
        """Whether all layers are fully connected."""
        return self.encoder.is_dense and self.decoder.is_dense

    def __str__(self) -> str:
        layers = self.encoder.layers + self.decoder.layers
        return (
            f"{self.encoder.n_inputs} > {' > '.join(map(str, layers))} "
            f"({'with' if self.encoder.shortcut else 'without'} a linear path)"
        )

    def continues(self, previous: Network) -> bool:
        """Tell whether training can go on from the weights of `previous`.

        It can if `previous` is the same network, or if it consists of single layers
        (as PCA does) with the inputs, codes and activations of the linear path.
        """
        return self == previous or (
            self.encoder.continues(previous.encoder)
            and self.decoder.continues(previous.decoder)
        )

    def split(self, arrays: Arrays) -> Weights:
        """Divide the arrays of the network into the encoder's and the decoder's."""
        n_encoder = len(self.encoder.array_shapes)
        return Weights(arrays[:n_encoder], arrays[n_encoder:])


class Weights(NamedTuple):
    """The arrays of a `Network`."""

    encoder: Arrays
    decoder: Arrays

    def joined(self) -> Arrays:
        """Return all arrays in the order of `Network.array_shapes`."""
        return self.encoder + self.decoder

    def astype(self, dtype: np.typing.DTypeLike) -> Weights:
        """Return the weights in another precision."""
        encoder, decoder = self
        return Weights(_astype(encoder, dtype), _astype(decoder, dtype))


def _astype(arrays: Iterable[np.ndarray], dtype: np.typing.DTypeLike) -> Arrays:
    return [array.astype(dtype) for array in arrays]


def to_builtins(network: Network) -> dict[str, Any]:
    """Describe the network with builtins only, for the saved state."""
    return {
        half: {
            "layers": [
                [type(layer).__name__, *astuple(layer)] for layer in stack.layers
            ],
            "shortcut": stack.shortcut,
            "log_variance": stack.log_variance,
        }
        for half, stack in (("encoder", network.encoder), ("decoder", network.decoder))
    }


def from_builtins(state: dict[str, Any]) -> Network:
    """Return the network that `to_builtins` described."""
    return Network(_stack(state["encoder"]), _stack(state["decoder"]))


def _stack(state: dict[str, Any]) -> Stack:
    layers = tuple([_layer(*fields) for fields in state["layers"]])
    return Stack(layers, state["shortcut"], state["log_variance"])


def _layer(name: str, *fields: Any) -> Layer:
    if name not in _LAYERS:
        raise ValueError(
            f"This autoencoder has a layer {name!r}, and this version of skae knows "
            f"only {', '.join(_LAYERS)}. A later version saved it: install that one."
        )
    return _LAYERS[name](*fields)
