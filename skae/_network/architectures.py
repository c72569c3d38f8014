"""The networks of the estimators, described from widths and activation names."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from skae._network.description import (
    Conv,
    Dense,
    Layer,
    MaxPool,
    Network,
    Shape,
    Stack,
    Upsample,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Activations(NamedTuple):
    """Names of the activation functions of an autoencoder."""

    hidden: str
    code: str
    output: str


def _dense_layers(sizes: Sequence[int], hidden: str, last: str) -> tuple[Dense, ...]:
    activations = [hidden] * (len(sizes) - 2) + [last]
    return tuple(map(Dense, sizes[:-1], sizes[1:], activations))


def dense_network(
    sizes: Sequence[int], activations: Activations, shortcut: bool
) -> Network:
    """Describe a fully connected autoencoder whose decoder mirrors its encoder.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the input to the code.
    activations : Activations
    shortcut : bool
        Whether both halves get a linear path beside their layers. A single layer is a
        linear path already and gets none.
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
        Number of filters of each convolution; every convolution is followed by pooling.
    kernel_size : int
    """

    shape: Shape
    filters: tuple[int, ...]
    kernel_size: int

    def downward(self, activation: str) -> list[Layer]:
        """Return the layers from a row to the last feature map."""
        layers: list[Layer] = []
        shape = self.shape
        for filters in self.filters:
            layers.append(Conv(shape, filters, self.kernel_size, activation))
            layers.append(MaxPool(layers[-1].output_shape))
            shape = layers[-1].output_shape
        return layers

    def upward(self, down: Sequence[Layer], hidden: str, output: str) -> list[Layer]:
        """Return the layers from the last feature map back to a row."""
        *_, channels = self.shape
        layers: list[Layer] = []
        width = down[-1].output_shape[-1]
        convolutions = down[-2::-2]
        for conv, filters in zip(convolutions, self.filters[::-1], strict=True):
            layers.append(Upsample((*conv.input_shape[:-1], width)))
            layers.append(
                Conv(layers[-1].output_shape, filters, self.kernel_size, hidden)
            )
            width = filters
        layers.append(Conv(layers[-1].output_shape, channels, self.kernel_size, output))
        return layers


def conv_network(
    maps: FeatureMaps, sizes: Sequence[int], activations: Activations, shortcut: bool
) -> Network:
    """Describe a convolutional autoencoder whose decoder mirrors its encoder.

    Parameters
    ----------
    maps : FeatureMaps
    sizes : sequence of int
        Widths of the fully connected layers between the last feature map and the code,
        the code included. If there are none, the feature map is the code and there is
        no linear path.
    activations : Activations
    shortcut : bool
    """
    hidden, code, output = activations
    down = maps.downward(hidden)
    up = maps.upward(down, hidden, output)
    if not sizes:
        return Network(Stack(tuple(down)), Stack(tuple(up)))
    sizes = (prod(down[-1].output_shape), *sizes)
    return Network(
        Stack((*down, *_dense_layers(sizes, hidden, code)), shortcut),
        Stack((*_dense_layers(sizes[::-1], hidden, hidden), *up), shortcut),
    )
