"""The network as plain data: frozen layer descriptions without any framework.

Keras trains a description (:mod:`skae._keras_backend`) and NumPy runs it
(:mod:`skae._numpy_backend`). Rows go in and come out flat; a layer that works on images
or signals takes them in its `input_shape`, channels last.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

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

# Those that never fall, one value at a time.
_INCREASING = {"relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid", "softplus"}

Arrays = list[np.ndarray]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, ``activation(x @ kernel + bias)``.

    With `n_active`, only that many outputs of each row are kept, the largest ones (of
    equal ones the first), and the others are zero.
    """

    n_inputs: int
    n_outputs: int
    activation: str = "linear"
    n_active: int | None = None
    weighted: ClassVar[bool] = True

    @property
    def input_shape(self) -> Shape:
        return (self.n_inputs,)

    @property
    def output_shape(self) -> Shape:
        return (self.n_outputs,)

    @property
    def array_shapes(self) -> list[Shape]:
        return [(self.n_inputs, self.n_outputs), (self.n_outputs,)]

    def __str__(self) -> str:
        top = "" if self.n_active is None else f" top {self.n_active}"
        return f"{self.n_outputs} {self.activation}{top}"


@dataclass(frozen=True)
class Conv:
    """A convolution of stride 1 that keeps the size, padding with zeros.

    `input_shape` is (length, channels) or (height, width, channels).
    """

    input_shape: Shape
    filters: int
    kernel_size: int
    activation: str = "linear"
    weighted: ClassVar[bool] = True

    @property
    def output_shape(self) -> Shape:
        return (*self.input_shape[:-1], self.filters)

    @property
    def array_shapes(self) -> list[Shape]:
        n_spatial = len(self.input_shape) - 1
        kernel = (self.kernel_size,) * n_spatial
        return [(*kernel, self.input_shape[-1], self.filters), (self.filters,)]

    def __str__(self) -> str:
        return f"conv {self.filters} {self.activation}"


@dataclass(frozen=True)
class MaxPool:
    """The maximum of every two neighbours in each direction; a last odd one stays."""

    input_shape: Shape
    activation: str = "linear"
    weighted: ClassVar[bool] = False
    array_shapes: ClassVar[list[Shape]] = []

    @property
    def output_shape(self) -> Shape:
        return _halved(self.input_shape)

    def __str__(self) -> str:
        return "pool"


@dataclass(frozen=True)
class Upsample:
    """Every value twice in each direction, cropped to the `output_shape`."""

    output_shape: Shape
    activation: ClassVar[str] = "linear"
    weighted: ClassVar[bool] = False
    array_shapes: ClassVar[list[Shape]] = []

    @property
    def input_shape(self) -> Shape:
        return _halved(self.output_shape)

    def __str__(self) -> str:
        return "up"


Layer: TypeAlias = Dense | Conv | MaxPool | Upsample

_LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer for layer in (Dense, Conv, MaxPool, Upsample)
}


def _halved(shape: Shape) -> Shape:
    return (*(-(-size // 2) for size in shape[:-1]), shape[-1])


class Parts(NamedTuple):
    """The arrays of a `Stack` by their place.

    Attributes
    ----------
    layers : list of ndarray
        Kernel and bias of each layer that has them.
    shortcut : list of ndarray
        Nothing, a kernel, or a kernel and a bias.
    log_variance : list of ndarray
        Nothing, or a kernel and a bias.
    """

    layers: Arrays
    shortcut: Arrays
    log_variance: Arrays

    @property
    def all(self) -> Arrays:
        return self.layers + self.shortcut + self.log_variance


@dataclass(frozen=True)
class Stack:
    """Layers in sequence, and what may stand beside them.

    Attributes
    ----------
    layers : tuple of Layer
    shortcut : bool
        A linear path: a kernel from the flat input of the first layer to the flat
        pre-activation of the last one. If that is not dense, its bias is not one value
        a feature, so the path has a bias too.
    log_variance : bool
        A second head: a linear layer beside the last one, on the same inputs and of as
        many outputs.
    """

    layers: tuple[Layer, ...]
    shortcut: bool = False
    log_variance: bool = False

    @property
    def n_inputs(self) -> int:
        return prod(self.layers[0].input_shape)

    @property
    def n_outputs(self) -> int:
        return prod(self.layers[-1].output_shape)

    @property
    def array_shapes(self) -> list[Shape]:
        """Shapes of the stack's arrays, in their fixed order."""
        shapes = [shape for layer in self.layers for shape in layer.array_shapes]
        if self.shortcut:
            shapes.append((self.n_inputs, self.n_outputs))
            if not isinstance(self.layers[-1], Dense):
                shapes.append((self.n_outputs,))
        if self.log_variance:
            shapes += self.head.array_shapes
        return shapes

    @property
    def head(self) -> Dense:
        """The layer of the log-variance."""
        return Dense(prod(self.layers[-1].input_shape), self.n_outputs)

    @property
    def dense(self) -> bool:
        """Whether all layers are fully connected."""
        return all(isinstance(layer, Dense) for layer in self.layers)

    @property
    def linear_output(self) -> bool:
        """Whether the output is an affine function of what the last layer takes."""
        last = self.layers[-1]
        if isinstance(last, Dense):
            return last.activation == "linear" and last.n_active is None
        return isinstance(last, Conv) and last.activation == "linear"

    def keeping_largest(self, n_active: int) -> Stack:
        """Return the dense stack with all but the largest outputs of a row zero."""
        *others, last = self.layers
        assert isinstance(last, Dense)
        return replace(self, layers=(*others, replace(last, n_active=n_active)))

    def pooled_early(self) -> Stack:
        """Return an equal stack that pools before activations where it can.

        The maximum of an increasing function is the function of the maximum, and of
        fewer values.
        """
        if self.dense:
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

    def split(self, arrays: Arrays) -> Parts:
        """Part the arrays of the stack by their place."""
        n_layers = 2 * sum(layer.weighted for layer in self.layers)
        n_head = 2 if self.log_variance else 0
        end = len(arrays) - n_head
        return Parts(arrays[:n_layers], arrays[n_layers:end], arrays[end:])

    def continues(self, previous: Stack) -> bool:
        """Tell whether the single layer `previous` fits this stack's linear path."""
        only = Dense(self.n_inputs, self.n_outputs, self.layers[-1].activation)
        linear = Stack((only,), log_variance=self.log_variance)
        return self.shortcut and previous == linear


@dataclass(frozen=True)
class Network:
    """An autoencoder: an encoder and the decoder that undoes it."""

    encoder: Stack
    decoder: Stack

    @property
    def array_shapes(self) -> list[Shape]:
        """Shapes of all arrays, the encoder's first."""
        return self.encoder.array_shapes + self.decoder.array_shapes

    @property
    def dense(self) -> bool:
        """Whether all layers are fully connected."""
        return self.encoder.dense and self.decoder.dense

    def __str__(self) -> str:
        layers = self.encoder.layers + self.decoder.layers
        return (
            f"{self.encoder.n_inputs} > {' > '.join(map(str, layers))} "
            f"({'with' if self.encoder.shortcut else 'without'} a linear path)"
        )

    def continues(self, previous: Network) -> bool:
        """Tell whether this network can be trained from the weights of `previous`.

        It is the same, or `previous` is single layers, such as PCA, with the inputs,
        codes and activations of this one's linear path.
        """
        return self == previous or (
            self.encoder.continues(previous.encoder)
            and self.decoder.continues(previous.decoder)
        )

    def split(self, arrays: Arrays) -> Weights:
        """Part the arrays of the network into the encoder's and the decoder's."""
        n_encoder = len(self.encoder.array_shapes)
        return Weights(arrays[:n_encoder], arrays[n_encoder:])


class Weights(NamedTuple):
    """The arrays of a `Network`."""

    encoder: Arrays
    decoder: Arrays

    @property
    def all(self) -> Arrays:
        return self.encoder + self.decoder


class Activations(NamedTuple):
    """Names of the activation functions of an autoencoder."""

    hidden: str
    code: str
    output: str


def _dense_layers(sizes: Sequence[int], hidden: str, last: str) -> tuple[Dense, ...]:
    activations = [hidden] * (len(sizes) - 2) + [last]
    return tuple(
        Dense(n_inputs, n_outputs, activation)
        for n_inputs, n_outputs, activation in zip(
            sizes[:-1], sizes[1:], activations, strict=True
        )
    )


def dense_network(
    sizes: Sequence[int], activations: Activations, shortcut: bool
) -> Network:
    """Describe a fully connected autoencoder whose decoder mirrors its encoder.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the input to the code.
    activations : Activations
        Names of the activation functions.
    shortcut : bool
        Whether both halves get a linear path beside their layers. A single layer is its
        own linear path and gets none.
    """
    hidden, code, output = activations
    shortcut = shortcut and len(sizes) > 2
    return Network(
        Stack(_dense_layers(sizes, hidden, code), shortcut),
        Stack(_dense_layers(sizes[::-1], hidden, output), shortcut),
    )


class FeatureMaps(NamedTuple):
    """The convolutional part of an autoencoder.

    Attributes
    ----------
    shape : tuple of int
        (length, channels) or (height, width, channels) of the rows.
    filters : tuple of int
        Of each convolution, every one followed by pooling.
    kernel_size : int
    """

    shape: Shape
    filters: tuple[int, ...]
    kernel_size: int


def conv_network(
    maps: FeatureMaps,
    sizes: Sequence[int],
    activations: Activations,
    shortcut: bool,
) -> Network:
    """Describe a convolutional autoencoder whose decoder mirrors its encoder.

    Parameters
    ----------
    maps : FeatureMaps
    sizes : sequence of int
        Widths of the fully connected layers from after the feature map to the code.
        Without any, the feature map is the code, and there is no linear path.
    activations : Activations
    shortcut : bool
    """
    *_, channels = maps.shape
    hidden, code, output = activations
    down: list[Layer] = []
    shape = maps.shape
    for filters in maps.filters:
        down.append(Conv(shape, filters, maps.kernel_size, hidden))
        down.append(MaxPool(down[-1].output_shape))
        shape = down[-1].output_shape
    up: list[Layer] = []
    width = shape[-1]
    for before, filters in zip(down[-2::-2], maps.filters[::-1], strict=True):
        up.append(Upsample((*before.input_shape[:-1], width)))
        up.append(Conv(up[-1].output_shape, filters, maps.kernel_size, hidden))
        width = filters
    up.append(Conv(up[-1].output_shape, channels, maps.kernel_size, output))
    if not sizes:
        return Network(Stack(tuple(down)), Stack(tuple(up)))
    sizes = (prod(shape), *sizes)
    return Network(
        Stack((*down, *_dense_layers(sizes, hidden, code)), shortcut),
        Stack((*_dense_layers(sizes[::-1], hidden, hidden), *up), shortcut),
    )


def to_builtins(network: Network) -> dict[str, Any]:
    """Describe the network by builtins only, so that a fitted state pickles lightly."""
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
    """Undo `to_builtins`."""
    return Network(
        *(
            Stack(
                tuple(_layer(*fields) for fields in half["layers"]),
                half["shortcut"],
                half["log_variance"],
            )
            for half in (state["encoder"], state["decoder"])
        )
    )


def _layer(name: str, *fields: Any) -> Layer:
    if name not in _LAYERS:
        raise ValueError(
            f"This autoencoder has a layer {name!r}, and this version of skae knows "
            f"only {', '.join(_LAYERS)}. It was saved by a later version: install that."
        )
    return _LAYERS[name](*fields)
