"""Descriptions of networks: their shapes, their text, and their saved form."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from skae._network.architectures import (
    Activations,
    FeatureMaps,
    conv_network,
    dense_network,
)
from skae._network.description import (
    Conv,
    Dense,
    MaxPool,
    Network,
    Stack,
    from_builtins,
    to_builtins,
)
from tests.networks import draw_weights

ACTIVATIONS = Activations("relu", "tanh", "sigmoid")
LINEAR_CODE = Activations("relu", "linear", "linear")
DENSE = dense_network((7, 5, 2), ACTIVATIONS, shortcut=False)
WITH_SHORTCUT = dense_network((7, 5, 2), LINEAR_CODE, shortcut=True)
CONV = conv_network(
    FeatureMaps((6, 5, 1), (3, 2), 3), (4, 2), ACTIVATIONS, shortcut=True
)


def with_log_variance(network):
    return Network(replace(network.encoder, log_variance=True), network.decoder)


NETWORKS = {
    "dense": DENSE,
    "shortcut": WITH_SHORTCUT,
    "top k": Network(DENSE.encoder.keeping_largest(1), DENSE.decoder),
    "log-variance": with_log_variance(WITH_SHORTCUT),
    "convolutional": CONV,
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request):
    return request.param


def test_description_survives_as_builtins(network):
    state = to_builtins(network)
    assert b"skae" not in pickle.dumps(state)
    assert from_builtins(state) == network


def test_layer_of_a_later_version_is_named():
    state = to_builtins(DENSE)
    state["encoder"]["layers"][0][0] = "Attention"
    with pytest.raises(ValueError, match=r"'Attention'.*A later version saved it"):
        from_builtins(state)


def test_parts_of_a_network_join_to_all_its_arrays(network):
    weights = draw_weights(network)
    for stack, arrays in zip((network.encoder, network.decoder), weights, strict=True):
        assert [array.shape for array in arrays] == stack.array_shapes
        joined = stack.split(arrays).joined()
        assert [*map(id, joined)] == [*map(id, arrays)]
    assert sum(array.size for array in weights.joined()) == network.n_weights


def test_linear_path_and_head_come_last():
    encoder = NETWORKS["log-variance"].encoder
    parts = encoder.split([np.empty(shape) for shape in encoder.array_shapes])
    assert [a.shape for a in parts.layers] == [(7, 5), (5,), (5, 2), (2,)]
    assert [a.shape for a in parts.shortcut] == [(7, 2)]
    assert [a.shape for a in parts.log_variance_head] == [(5, 2), (2,)]


def test_linear_path_to_a_convolution_has_a_bias():
    assert CONV.encoder.array_shapes[-1] == (30, 2)
    assert CONV.decoder.array_shapes[-2:] == [(2, 30), (30,)]


def test_network_reads_as_its_layers():
    assert str(NETWORKS["top k"]) == (
        "7 > 5 relu > 2 tanh top 1 > 5 relu > 7 sigmoid (without a linear path)"
    )
    assert str(CONV) == (
        "30 > conv 3 relu > pool > conv 2 relu > pool > 4 relu > 2 tanh > 4 relu > "
        "8 relu > up > conv 2 relu > up > conv 3 relu > conv 1 sigmoid "
        "(with a linear path)"
    )


def test_width_is_that_of_the_widest_layer():
    assert DENSE.encoder.max_width == 7
    assert dense_network((3, 9, 2), ACTIVATIONS, shortcut=False).decoder.max_width == 9
    assert CONV.encoder.max_width == 6 * 5 * 3


@pytest.mark.parametrize(
    ("last", "is_linear"),
    [
        (Dense(4, 2), True),
        (Dense(4, 2, "relu"), False),
        (Dense(4, 2, n_active=1), False),
        (Conv((2, 2), 1, 3), True),
        (Conv((2, 2), 1, 3, "sigmoid"), False),
        (MaxPool((2, 2)), False),
    ],
)
def test_output_is_linear_if_the_last_layer_is_an_affine_map(last, is_linear):
    assert Stack((Dense(3, 4, "relu"), last)).has_linear_output is is_linear


@pytest.mark.parametrize(
    ("activation", "moves"), [("relu", True), ("elu", True), ("gelu", False)]
)
def test_only_increasing_activations_are_applied_after_pooling(activation, moves):
    activations = Activations(activation, "linear", "linear")
    network = conv_network(FeatureMaps((6, 1), (3,), 3), (), activations, False)
    conv, pool = network.encoder.pooled_early.layers
    expected = ("linear", activation) if moves else (activation, "linear")
    assert (conv.activation, pool.activation) == expected
    assert DENSE.encoder.pooled_early is DENSE.encoder


# --- Training that continues ---

PCA = dense_network((7, 2), LINEAR_CODE, shortcut=False)


def test_training_continues_from_the_same_network_and_from_pca():
    assert DENSE.continues(DENSE)
    assert WITH_SHORTCUT.continues(PCA)
    assert with_log_variance(WITH_SHORTCUT).continues(with_log_variance(PCA))


@pytest.mark.parametrize(
    ("network", "previous"),
    [
        (WITH_SHORTCUT, DENSE),
        (WITH_SHORTCUT, dense_network((7, 3), LINEAR_CODE, shortcut=False)),
        (with_log_variance(WITH_SHORTCUT), PCA),
        (dense_network((7, 5, 2), LINEAR_CODE, shortcut=False), PCA),
        (dense_network((7, 5, 2), ACTIVATIONS, shortcut=True), PCA),
    ],
    ids=["layers", "width", "head", "no linear path", "activations"],
)
def test_training_does_not_continue_from_another_network(network, previous):
    assert not network.continues(previous)
