"""Trainings of small networks, called as a fit calls them."""

import numpy as np

from skae._network.architectures import Activations, dense_network
from skae._network.numpy_interpreter import forward
from skae._train.config import GraphKey, Split, TrainingConfig, TrainingData
from skae._train.loop import train
from skae._train.objectives import Reconstruction
from tests.networks import draw_weights

N_FEATURES = 6
LINEAR_ENDS = Activations("gelu", "linear", "linear")
NETWORK = dense_network((N_FEATURES, 5, 2), LINEAR_ENDS, shortcut=True)
SQUARED_ERROR = Reconstruction("squared_error")
KEY = GraphKey(NETWORK, SQUARED_ERROR, batch_size=16, smoothing=False)

#: A learning rate that leaves the weights as they are.
NO_LEARNING = 1e-30


def identity_network(n_features):
    """Return a network that reproduces its inputs, and its weights."""
    network = dense_network((n_features, n_features), LINEAR_ENDS, shortcut=False)
    layer = [np.eye(n_features), np.zeros(n_features)]
    return network, network.split(layer + layer)


def split_rows(n_rows, n_held_out=0):
    """Hold out the last rows."""
    indices = np.arange(n_rows, dtype=np.int32)
    n_train = n_rows - n_held_out
    return Split(indices[:n_train], indices[n_train:])


def train_rows(
    X,
    key=KEY,
    *,
    n_held_out=0,
    held_out_inputs=None,
    held_out_weights=None,
    start=None,
    **config,
):
    """Train on the rows; the keywords of the configuration are optional."""
    config = {"learning_rate": 1e-2, "n_epochs": 3, **config}
    return train(
        key,
        TrainingConfig(**config),
        TrainingData(X, held_out_inputs, held_out_weights),
        split_rows(len(X), n_held_out),
        draw_weights(key.network) if start is None else start,
    )


def reconstruct(network, weights, X):
    codes = forward(network.encoder, weights.encoder, X)
    return forward(network.decoder, weights.decoder, codes)


def assert_equal_weights(found, expected, **tolerance):
    for array, other in zip(found.joined(), expected.joined(), strict=True):
        np.testing.assert_allclose(array, other, **{"rtol": 0, **tolerance})
