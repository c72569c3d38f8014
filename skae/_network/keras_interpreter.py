"""The network as Keras layers: description and arrays to Keras models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import keras

from skae._network.description import Conv, Dense, MaxPool, Upsample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from skae._network.description import Arrays, Layer, Network, Shape, Stack, Weights

# Layer classes by the number of spatial dimensions.
_CONV = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}
_MAX_POOL = {1: keras.layers.MaxPooling1D, 2: keras.layers.MaxPooling2D}
_UPSAMPLE = {1: keras.layers.UpSampling1D, 2: keras.layers.UpSampling2D}
_CROP = {1: keras.layers.Cropping1D, 2: keras.layers.Cropping2D}

# Every layer gets an explicit name, initializer, data format and dtype: Keras's
# automatic names, random initializers and configuration belong to the user's program.
_WEIGHTED = {"kernel_initializer": "zeros", "dtype": "float32"}
_CHANNELS_LAST = {"data_format": "channels_last", "dtype": "float32"}


def _dense(layer: Dense, activation: Any, name: str) -> list[Any]:
    return [
        keras.layers.Dense(
            layer.n_outputs, activation=activation, name=name, **_WEIGHTED
        )
    ]


def build_conv(
    layer: Conv, activation: Any, name: str, kinds: dict[int, Any] = _CONV
) -> list[Any]:
    """Build a convolution; `kinds` gives its class by the number of dimensions."""
    return [
        kinds[len(layer.input_shape) - 1](
            layer.filters,
            layer.kernel_size,
            padding="same",
            activation=activation,
            data_format="channels_last",
            name=name,
            **_WEIGHTED,
        )
    ]


def _max_pool(layer: MaxPool, activation: Any, name: str) -> list[Any]:
    pool = _MAX_POOL[len(layer.input_shape) - 1]
    layers = [pool(2, padding="same", name=name, **_CHANNELS_LAST)]
    if activation != "linear":
        layers.append(
            keras.layers.Activation(
                activation, dtype="float32", name=f"{name}_activation"
            )
        )
    return layers


def build_upsample(
    layer: Upsample, activation: Any, name: str, kinds: dict[int, Any] = _UPSAMPLE
) -> list[Any]:
    """Build an upsampling; `kinds` gives its class by the number of dimensions."""
    *sizes, _ = layer.output_shape
    n_spatial = len(sizes)
    # Keras's one-dimensional layer has no data format.
    options = {"dtype": "float32"} if n_spatial == 1 else _CHANNELS_LAST
    layers = [kinds[n_spatial](2, name=name, **options)]
    excess = [
        (0, 2 * before - after)
        for before, after in zip(layer.input_shape[:-1], sizes, strict=True)
    ]
    if any(after for _, after in excess):
        cropping = excess if n_spatial > 1 else excess[0]
        layers.append(_CROP[n_spatial](cropping, name=f"{name}_crop", **options))
    return layers


def _keep_largest(x: Any, n_active: int) -> Any:
    """Keep the largest values of each row, the first among equals, and zero the rest.

    Sorting is stable, so ranks keep exactly `n_active` values; a threshold would keep
    all values equal to it.
    """
    ranks = keras.ops.argsort(keras.ops.argsort(-x, axis=-1), axis=-1)
    return x * keras.ops.cast(ranks < n_active, "float32")


# Builds the Keras layers of a described layer, with an activation and a name.
Builder: TypeAlias = "Callable[[Any, Any, str], list[Any]]"


class Operations(NamedTuple):
    """The operations that layers are built from.

    Attributes
    ----------
    builders : dict from type of layer to Builder
    activations : dict of str to callable
        Activation functions that replace Keras's own.
    sum_activations : dict of str to callable
        Replacements where an activation follows the sum of layers and linear path.
    keep_largest : callable
        Takes codes and the number of codes of each row that stay active.
    """

    builders: dict[type[Layer], Builder]
    activations: dict[str, Any]
    sum_activations: dict[str, Any]
    keep_largest: Callable[[Any, int], Any]


STANDARD = Operations(
    {Dense: _dense, Conv: build_conv, MaxPool: _max_pool, Upsample: build_upsample},
    activations={},
    sum_activations={},
    keep_largest=_keep_largest,
)


class StackLayers:
    """The Keras layers of a stack, callable on symbolic and on eager tensors."""

    def __init__(
        self, stack: Stack, name: str, operations: Operations = STANDARD
    ) -> None:
        self._operations = operations
        self._stack = stack
        self._name = name
        self._layers: list[Any] = []
        shape: Shape = (stack.n_inputs,)
        last = len(stack.layers) - 1
        for i, layer in enumerate(stack.layers):
            layer_name = f"{name}_{i + 1}" if i < last else f"{name}_output"
            self._append_reshape(shape, layer.input_shape, f"{layer_name}_reshape")
            if i == last:
                self._n_hidden = len(self._layers)
            activation: Any = layer.activation
            if stack.shortcut and i == last:
                activation = "linear"
            activation = operations.activations.get(activation, activation)
            built = operations.builders[type(layer)](layer, activation, layer_name)
            built[0].build((None, *layer.input_shape))
            self._layers += built
            shape = layer.output_shape
        self._append_reshape(shape, (stack.n_outputs,), f"{name}_flatten")
        self._shortcut = self._shortcut_layers() if stack.shortcut else None
        self._head = None
        if stack.log_variance:
            (self._head,) = _dense(stack.head, "linear", f"{name}_log_variance")
            self._head.build((None, stack.head.n_inputs))
        self._target_head = None
        if stack.n_targets:
            head = stack.target_head
            (self._target_head,) = _dense(head, "linear", f"{name}_targets")
            self._target_head.build((None, head.n_inputs))

    def _append_reshape(self, shape: Shape, target: Shape, name: str) -> None:
        if shape != target:
            layer = keras.layers.Reshape(target, dtype="float32", name=name)
            self._layers.append(layer)

    def _shortcut_layers(self) -> tuple[Any, Any, Any]:
        last = self._stack.layers[-1]
        activation: Any = last.activation
        activation = self._operations.sum_activations.get(activation, activation)
        linear = keras.layers.Dense(
            self._stack.n_outputs,
            use_bias=not isinstance(last, Dense),
            name=f"{self._name}_shortcut",
            **_WEIGHTED,
        )
        linear.build((None, self._stack.n_inputs))
        return (
            linear,
            keras.layers.Add(dtype="float32", name=f"{self._name}_add"),
            keras.layers.Activation(
                activation, dtype="float32", name=f"{self._name}_activation"
            ),
        )

    def __call__(self, x: Any) -> Any:
        """Return the output."""
        return self.heads(x)[0]

    def heads(self, x: Any) -> tuple[Any, ...]:
        """Return the output and, if the stack has that head, the log-variance."""
        h = x
        for layer in self._layers[: self._n_hidden]:
            h = layer(h)
        outputs = [h] if self._head is None else [h, self._head(h)]
        for layer in self._layers[self._n_hidden :]:
            outputs[0] = layer(outputs[0])
        if self._shortcut is not None:
            linear, add, activation = self._shortcut
            outputs[0] = activation(add([outputs[0], linear(x)]))
        last = self._stack.layers[-1]
        if isinstance(last, Dense) and last.n_active is not None:
            outputs[0] = self._operations.keep_largest(outputs[0], last.n_active)
        return tuple(outputs)

    def targets(self, x: Any) -> Any:
        """Return the output of the head for targets."""
        assert self._target_head is not None
        return self._target_head(x)

    @property
    def variables(self) -> list[Any]:
        """Variables in the order of `Stack.array_shapes`."""
        layers = [*self._layers]
        if self._shortcut is not None:
            layers.append(self._shortcut[0])
        if self._head is not None:
            layers.append(self._head)
        if self._target_head is not None:
            layers.append(self._target_head)
        return [variable for layer in layers for variable in layer.trainable_variables]

    def set_arrays(self, arrays: Arrays) -> None:
        for variable, array in zip(self.variables, arrays, strict=True):
            variable.assign(array)


def to_model(network: Network, weights: Weights, part: str) -> keras.Model:
    """Build the Keras model of one `part` of a fitted network, with its weights.

    The part "posterior" is the encoder with both its outputs: mean and log-variance.
    """
    halves: Sequence[tuple[str, Stack, Arrays]] = [
        ("encoder", network.encoder, weights.encoder),
        ("decoder", network.decoder, weights.decoder),
    ]
    if part != "reconstruction":
        halves = halves[1:] if part == "decoder" else halves[:1]
    inputs = x = keras.Input(
        (halves[0][1].n_inputs,), dtype="float32", name=f"{part}_input"
    )
    for name, stack, arrays in halves:
        layers = StackLayers(stack, name)
        layers.set_arrays(arrays)
        x = layers.heads(x) if part == "posterior" else layers(x)
    return keras.Model(inputs, x, name=part)
