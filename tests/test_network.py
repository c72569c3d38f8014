import pickle

import pytest

from skae._network import (
    Activations,
    dense_network,
    from_builtins,
    to_builtins,
)

ACTIVATIONS = Activations("relu", "tanh", "sigmoid")


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
    assert str(network) == "7-5-2-5-7 (relu, tanh, relu, sigmoid; linear path: no)"


def test_single_layer_is_its_own_linear_path():
    network = dense_network((7, 2), ACTIVATIONS, shortcut=True)
    assert network.array_shapes == [(7, 2), (2,), (2, 7), (7,)]


@pytest.mark.parametrize("shortcut", [False, True])
def test_description_survives_as_builtins(shortcut):
    network = dense_network((7, 5, 2), ACTIVATIONS, shortcut)
    state = to_builtins(network)
    assert b"skae" not in pickle.dumps(state)
    assert from_builtins(state) == network
