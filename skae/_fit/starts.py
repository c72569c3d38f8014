"""Starting weights: PCA on the linear path, zero at the end of the nonlinear one.

Also PCA itself as a network of single linear layers.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from skae._network.architectures import Activations, dense_network
from skae._network.description import (
    Arrays,
    Dense,
    Network,
    Stack,
    StackArrays,
    Weights,
)

if TYPE_CHECKING:
    from skae._fit.pca import PrincipalAxes

# Relative size of what rounding in double precision leaves of a constant direction.
_ROUNDING = 1e-12

_LINEAR = Activations("linear", "linear", "linear")


def pca_network(axes: PrincipalAxes, whiten: bool) -> tuple[Network, Weights]:
    """Return PCA as a network of one linear layer in each half."""
    n_components, n_features = axes.components.shape
    network = dense_network((n_features, n_components), _LINEAR, shortcut=False)
    scale = np.ones(n_components)
    if whiten:
        varies = axes.scale > _ROUNDING * axes.scale.max(initial=0.0)
        scale = np.where(varies, axes.scale, 1.0)
    return network, _linear_weights(axes, axes.components, scale)


def variational_pca_network(axes: PrincipalAxes) -> tuple[Network, Weights]:
    """Return PCA with the posteriors of probabilistic PCA.

    Over all rows, the means and variances of each code add up to variance 1, as in the
    prior.
    """
    network, _ = pca_network(axes, whiten=True)
    encoder = replace(network.encoder, log_variance=True)
    variance = np.exp(axes.log_posterior_variance)
    total = np.where(axes.is_used, 1 + variance, 1.0)
    scale = axes.unit_scale * np.sqrt(total)
    weights = _linear_weights(axes, axes.components, scale)
    head = [np.zeros_like(weights.encoder[0]), np.log(variance / total)]
    weights = Weights(weights.encoder + head, weights.decoder)
    return Network(encoder, network.decoder), weights


def _linear_weights(
    axes: PrincipalAxes, components: np.ndarray, scale: np.ndarray
) -> Weights:
    """Return linear layers to codes in units of `scale`, and back."""
    encode = components.T / scale
    return Weights(
        [encode, -axes.mean @ encode],
        [components * scale[:, np.newaxis], axes.mean],
    )


def random_weights(network: Network, seed: int) -> Weights:
    """Draw kernels after Glorot & Bengio (2010), Keras's default; biases are zero."""
    rng = np.random.default_rng(seed)
    arrays = []
    for shape in network.array_shapes:
        if len(shape) == 1:
            arrays.append(np.zeros(shape))
            continue
        *window, n_inputs, n_outputs = shape
        limit = np.sqrt(6 / (prod(window) * (n_inputs + n_outputs)))
        arrays.append(rng.uniform(-limit, limit, shape))
    return network.split(arrays)


def linear_start(network: Network, linear: Weights, seed: int) -> Weights:
    """Return weights with which the network equals one of single linear layers.

    The last layer of the nonlinear path starts at zero, so that the network has nothing
    to unlearn first.
    """
    weights = random_weights(network, seed)
    encoder = network.encoder.split(weights.encoder)
    decoder = network.decoder.split(weights.decoder)
    return Weights(
        _with_linear_path(network.encoder, encoder, linear.encoder),
        _with_linear_path(network.decoder, decoder, linear.decoder),
    )


def _with_linear_path(stack: Stack, parts: StackArrays, linear: Arrays) -> Arrays:
    if not stack.shortcut:
        # Without a shortcut, only a single layer is a linear path.
        return linear if len(stack.layers) == 1 else parts.joined()
    kernel, bias, *head = linear
    *hidden, last_kernel, last_bias = parts.layers
    last = [np.zeros_like(last_kernel), bias]
    shortcut = [kernel]
    if not isinstance(stack.layers[-1], Dense):
        last, shortcut = [np.zeros_like(last_kernel), last_bias], [kernel, bias]
    if stack.log_variance:
        head = [np.zeros(stack.head.array_shapes[0]), head[1]]
    return [*hidden, *last, *shortcut, *head]


def pca_start(network: Network, axes: PrincipalAxes, seed: int) -> Weights:
    """Return weights with which the network is PCA, with codes of unit variance.

    Spare components start at zero.
    """
    return linear_start(network, _unit_pca(axes), seed)


def variational_pca_start(network: Network, axes: PrincipalAxes, seed: int) -> Weights:
    """Return weights of a PCA start with the posteriors of probabilistic PCA."""
    linear = _unit_pca(axes)
    head = [np.zeros_like(linear.encoder[0]), axes.log_posterior_variance]
    return linear_start(network, Weights(linear.encoder + head, linear.decoder), seed)


def _unit_pca(axes: PrincipalAxes) -> Weights:
    """Return linear layers to codes of unit variance and back, zero if spare."""
    components = axes.components * axes.is_used[:, np.newaxis]
    return _linear_weights(axes, components, axes.unit_scale)


def mirrored_pca_start(network: Network, axes: PrincipalAxes, seed: int) -> Weights:
    """Return weights for sparse codes, so that no code starts inactive.

    The first codes start as principal components and the next ones as their negatives:
    with codes cut off below zero, each pair still adds up to its component. Codes that
    are left over start along random directions, which the decoder ignores at first.
    """
    rank, n_components = int(axes.is_used.sum()), len(axes.scale)
    positive = np.eye(n_components, rank)
    negative = np.eye(n_components, rank, -rank)
    rng = np.random.default_rng(seed)
    random = rng.standard_normal((n_components, rank)) / np.sqrt(max(rank, 1))
    random[: 2 * rank] = 0
    encode = (axes.components[:rank] / axes.scale[:rank, np.newaxis]).T
    decode = axes.components[:rank] * axes.scale[:rank, np.newaxis]
    encode = encode @ (positive - negative + random).T
    decode = (positive - negative) @ decode
    linear = Weights([encode, -axes.mean @ encode], [decode, axes.mean])
    return linear_start(network, linear, seed)
