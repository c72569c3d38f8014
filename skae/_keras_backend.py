"""The network as Keras layers: description and arrays to Keras models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skae._network import Arrays, Network, Stack, Weights


class StackLayers:
    """The Keras layers of a stack, callable on tensors of either kind.

    Every layer has an explicit name, initializer and dtype: Keras's automatic names,
    its random initializers and its dtype policy are the user's global state.
    """

    def __init__(self, stack: Stack, name: str) -> None:
        self.n_inputs = stack.n_inputs
        last = len(stack.layers) - 1
        self._layers = [
            keras.layers.Dense(
                layer.n_outputs,
                activation=(None if stack.shortcut and i == last else layer.activation),
                kernel_initializer="zeros",
                dtype="float32",
                name=f"{name}_dense_{i + 1}" if i < last else f"{name}_output",
            )
            for i, layer in enumerate(stack.layers)
        ]
        self._shortcut: tuple[Any, ...] = ()
        if stack.shortcut:
            self._shortcut = (
                keras.layers.Dense(
                    stack.n_outputs,
                    use_bias=False,
                    kernel_initializer="zeros",
                    dtype="float32",
                    name=f"{name}_shortcut",
                ),
                keras.layers.Add(dtype="float32", name=f"{name}_add"),
                keras.layers.Activation(
                    stack.layers[-1].activation,
                    dtype="float32",
                    name=f"{name}_activation",
                ),
            )
        self._build()

    def _build(self) -> None:
        width = self.n_inputs
        for layer in self._layers:
            layer.build((None, width))
            width = layer.units
        if self._shortcut:
            self._shortcut[0].build((None, self.n_inputs))

    def __call__(self, x: Any) -> Any:
        h = x
        for layer in self._layers:
            h = layer(h)
        if not self._shortcut:
            return h
        linear, add, activation = self._shortcut
        return activation(add([h, linear(x)]))

    @property
    def variables(self) -> list[Any]:
        """Variables in the order of `Stack.array_shapes`."""
        layers = [*self._layers, *self._shortcut[:1]]
        return [variable for layer in layers for variable in layer.trainable_variables]

    def set_arrays(self, arrays: Arrays) -> None:
        for variable, array in zip(self.variables, arrays, strict=True):
            variable.assign(array)


def to_model(network: Network, weights: Weights, part: str) -> keras.Model:
    """Build the Keras model of one `part` of a fitted network, with its weights."""
    halves: Sequence[tuple[str, Stack, Arrays]] = [
        ("encoder", network.encoder, weights.encoder),
        ("decoder", network.decoder, weights.decoder),
    ]
    if part != "reconstruction":
        halves = [half for half in halves if half[0] == part]
    inputs = x = keras.Input(
        (halves[0][1].n_inputs,), dtype="float32", name=f"{part}_input"
    )
    for name, stack, arrays in halves:
        layers = StackLayers(stack, name)
        layers.set_arrays(arrays)
        x = layers(x)
    return keras.Model(inputs, x, name=part)
