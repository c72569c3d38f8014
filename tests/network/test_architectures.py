"""The networks that estimators describe from their parameters."""

import pytest

from skae._network.architectures import (
    Activations,
    FeatureMaps,
    conv_network,
    dense_network,
)
from skae._network.description import Conv

ACTIVATIONS = Activations("relu", "tanh", "sigmoid")


def test_dense_decoder_mirrors_the_encoder():
    network = dense_network((7, 5, 2), ACTIVATIONS, shortcut=False)
    assert network.encoder.array_shapes == [(7, 5), (5,), (5, 2), (2,)]
    assert network.decoder.array_shapes == [(2, 5), (5,), (5, 7), (7,)]
    assert [layer.activation for layer in network.encoder.layers] == ["relu", "tanh"]
    assert [layer.activation for layer in network.decoder.layers] == ["relu", "sigmoid"]


def test_shortcut_adds_one_kernel_to_each_half():
    plain = dense_network((7, 5, 2), ACTIVATIONS, shortcut=False)
    network = dense_network((7, 5, 2), ACTIVATIONS, shortcut=True)
    assert network.encoder.array_shapes == [*plain.encoder.array_shapes, (7, 2)]
    assert network.decoder.array_shapes == [*plain.decoder.array_shapes, (2, 7)]


def test_single_layer_is_its_own_linear_path():
    network = dense_network((7, 2), ACTIVATIONS, shortcut=True)
    assert network == dense_network((7, 2), ACTIVATIONS, shortcut=False)
    assert network.array_shapes == [(7, 2), (2,), (2, 7), (7,)]


def test_convolutions_halve_and_double_the_size():
    maps = FeatureMaps((7, 4, 2), (5, 3), 3)
    network = conv_network(maps, (), ACTIVATIONS, shortcut=False)
    shapes = [layer.output_shape for layer in network.encoder.layers]
    assert shapes == [(7, 4, 5), (4, 2, 5), (4, 2, 3), (2, 1, 3)]
    shapes = [layer.output_shape for layer in network.decoder.layers]
    assert shapes == [(4, 2, 3), (4, 2, 3), (7, 4, 3), (7, 4, 5), (7, 4, 2)]


def test_convolutions_use_the_hidden_activation_except_the_last():
    maps = FeatureMaps((7, 4, 2), (5, 3), 3)
    network = conv_network(maps, (), ACTIVATIONS, shortcut=False)
    activations = [
        layer.activation
        for layer in network.encoder.layers + network.decoder.layers
        if isinstance(layer, Conv)
    ]
    assert activations == ["relu", "relu", "relu", "relu", "sigmoid"]


@pytest.mark.parametrize("shortcut", [False, True])
def test_feature_map_is_the_code_without_dense_layers(shortcut):
    maps = FeatureMaps((6, 1), (5,), 3)
    network = conv_network(maps, (), ACTIVATIONS, shortcut)
    assert network.encoder.n_outputs == network.decoder.n_inputs == 3 * 5
    assert not network.encoder.shortcut
    assert not network.decoder.shortcut


def test_dense_layers_join_the_feature_map_and_the_code():
    maps = FeatureMaps((6, 1), (5,), 3)
    network = conv_network(maps, (4, 2), ACTIVATIONS, shortcut=True)
    assert str(network) == (
        "6 > conv 5 relu > pool > 4 relu > 2 tanh > 4 relu > 15 relu > up > "
        "conv 5 relu > conv 1 sigmoid (with a linear path)"
    )
    assert network.encoder.shortcut
    assert network.decoder.shortcut
