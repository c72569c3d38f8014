import pickle
from dataclasses import replace

import pytest

from skae._network import (
    Activations,
    FeatureMaps,
    Network,
    conv_network,
    dense_network,
    from_builtins,
    to_builtins,
)

ACTIVATIONS = Activations("relu", "tanh", "sigmoid")
DENSE = dense_network((7, 5, 2), ACTIVATIONS, shortcut=False)
NETWORKS = [
    DENSE,
    dense_network((7, 5, 2), ACTIVATIONS, shortcut=True),
    Network(DENSE.encoder.keeping_largest(1), DENSE.decoder),
    Network(replace(DENSE.encoder, log_variance=True), DENSE.decoder),
    conv_network(FeatureMaps((6, 5, 1), (3, 2), 3), (4, 2), ACTIVATIONS, shortcut=True),
]


def test_decoder_mirrors_encoder():
    network = dense_network((7, 5, 2), ACTIVATIONS, shortcut=False)
    assert network.encoder.array_shapes == [(7, 5), (5,), (5, 2), (2,)]
    assert network.decoder.array_shapes == [(2, 5), (5,), (5, 7), (7,)]
    assert [layer.activation for layer in network.encoder.layers] == ["relu", "tanh"]
    assert [layer.activation for layer in network.decoder.layers] == ["relu", "sigmoid"]


def test_shortcut_adds_one_kernel_to_each_half():
    network = dense_network((7, 5, 2), ACTIVATIONS, shortcut=True)
    assert network.encoder.array_shapes[-1] == (7, 2)
    assert network.decoder.array_shapes[-1] == (2, 7)


def test_network_reads_as_its_widths():
    network = dense_network((7, 5, 2), ACTIVATIONS, shortcut=False)
    assert str(network) == (
        "7 > 5 relu > 2 tanh > 5 relu > 7 sigmoid (without a linear path)"
    )


def test_single_layer_is_its_own_linear_path():
    network = dense_network((7, 2), ACTIVATIONS, shortcut=True)
    assert network.array_shapes == [(7, 2), (2,), (2, 7), (7,)]


def test_convolutions_halve_and_double_the_size():
    maps = FeatureMaps((7, 4, 2), (5, 3), 3)
    network = conv_network(maps, (), ACTIVATIONS, shortcut=False)
    assert str(network) == (
        "56 > conv 5 relu > pool > conv 3 relu > pool "
        "> up > conv 3 relu > up > conv 5 relu > conv 2 sigmoid (without a linear path)"
    )
    shapes = [layer.output_shape for layer in network.encoder.layers]
    assert shapes == [(7, 4, 5), (4, 2, 5), (4, 2, 3), (2, 1, 3)]
    shapes = [layer.output_shape for layer in network.decoder.layers]
    assert shapes == [(4, 2, 3), (4, 2, 3), (7, 4, 3), (7, 4, 5), (7, 4, 2)]


def test_linear_path_of_a_convolution_has_a_bias():
    maps = FeatureMaps((6, 1), (5,), 3)
    network = conv_network(maps, (4, 2), ACTIVATIONS, shortcut=True)
    assert network.encoder.array_shapes[-1] == (6, 2)
    assert network.decoder.array_shapes[-2:] == [(2, 6), (6,)]


@pytest.mark.parametrize("network", NETWORKS)
def test_description_survives_as_builtins(network):
    state = to_builtins(network)
    assert b"skae" not in pickle.dumps(state)
    assert from_builtins(state) == network
