"""The network as plain data: frozen layer descriptions without any framework.

Keras trains a description (:mod:`skae._keras_backend`) and NumPy runs it
(:mod:`skae._numpy_backend`). The arrays of a `Stack` are one flat list: the kernel
and the bias of each layer in turn, then the kernel of the shortcut if there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, ``activation(x @ kernel + bias)``."""

    n_inputs: int
    n_outputs: int
    activation: str = "linear"


@dataclass(frozen=True)
class Stack:
    """Layers in sequence, and optionally a linear path beside them.

    The `shortcut` is a kernel from the input of the first layer to the pre-activation
    of the last one.
    """

    layers: tuple[Dense, ...]
    shortcut: bool = False

    @property
    def n_inputs(self) -> int:
        return self.layers[0].n_inputs

    @property
    def n_outputs(self) -> int:
        return self.layers[-1].n_outputs

    @property
    def array_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the stack's arrays, in their fixed order."""
        shapes: list[tuple[int, ...]] = []
        for layer in self.layers:
            shapes += [(layer.n_inputs, layer.n_outputs), (layer.n_outputs,)]
        if self.shortcut:
            shapes.append((self.n_inputs, self.n_outputs))
        return shapes

    def continues(self, previous: Stack) -> bool:
        """Tell whether the single layer `previous` fits this stack's linear path."""
        only = Dense(self.n_inputs, self.n_outputs, self.layers[-1].activation)
        return self.shortcut and previous.layers == (only,)


@dataclass(frozen=True)
class Network:
    """An autoencoder: an encoder and the decoder that undoes it."""

    encoder: Stack
    decoder: Stack

    @property
    def array_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of all arrays, the encoder's first."""
        return self.encoder.array_shapes + self.decoder.array_shapes

    def __str__(self) -> str:
        layers = self.encoder.layers + self.decoder.layers
        widths = [self.encoder.n_inputs, *(layer.n_outputs for layer in layers)]
        return (
            f"{'-'.join(map(str, widths))} "
            f"({', '.join(layer.activation for layer in layers)}; linear path: "
            f"{'yes' if self.encoder.shortcut else 'no'})"
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


class DenseActivations(NamedTuple):
    """Names of the activation functions of a dense autoencoder."""

    hidden: str
    code: str
    output: str


def dense_stack(sizes: Sequence[int], hidden: str, last: str, shortcut: bool) -> Stack:
    """Describe fully connected layers between the given `sizes`.

    A single layer is its own linear path and takes no shortcut.
    """
    activations = [hidden] * (len(sizes) - 2) + [last]
    layers = tuple(
        Dense(n_inputs, n_outputs, activation)
        for n_inputs, n_outputs, activation in zip(
            sizes[:-1], sizes[1:], activations, strict=True
        )
    )
    return Stack(layers, shortcut=shortcut and len(layers) > 1)


def dense_network(
    sizes: Sequence[int], activations: DenseActivations, shortcut: bool
) -> Network:
    """Describe an autoencoder whose decoder mirrors its encoder.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the input to the code.
    activations : DenseActivations
        Names of the activation functions.
    shortcut : bool
        Whether both halves get a linear path beside their layers.
    """
    return Network(
        dense_stack(sizes, activations.hidden, activations.code, shortcut),
        dense_stack(sizes[::-1], activations.hidden, activations.output, shortcut),
    )


def to_builtins(network: Network) -> dict[str, Any]:
    """Describe the network by builtins only, so that a fitted state pickles lightly."""
    return {
        half: {
            "layers": [
                [layer.n_inputs, layer.n_outputs, layer.activation]
                for layer in stack.layers
            ],
            "shortcut": stack.shortcut,
        }
        for half, stack in (("encoder", network.encoder), ("decoder", network.decoder))
    }


def from_builtins(state: dict[str, Any]) -> Network:
    """Undo `to_builtins`."""
    return Network(
        *(
            Stack(
                tuple(Dense(*layer) for layer in state[half]["layers"]),
                shortcut=state[half]["shortcut"],
            )
            for half in ("encoder", "decoder")
        )
    )
