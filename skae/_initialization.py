"""Where training starts: PCA on the linear path, nothing on the nonlinear one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from skae._blocks import moments, row_blocks
from skae._network import (
    Activations,
    Arrays,
    Dense,
    Network,
    Stack,
    Weights,
    dense_network,
)

if TYPE_CHECKING:
    from skae._blocks import RowSource

# Directions whose standard deviation is below this share of the largest are noise of
# single precision, in which the network trains: they start like spare ones.
_SMALLEST_RELATIVE_SCALE = 1e-5

# Where PCA leaves no error, probabilistic PCA knows the codes exactly.
_SMALLEST_POSTERIOR = 1e-6

# More values than this are not copied to decompose them.
_MANY_VALUES = 2**22

# What is left of a constant direction in double precision, relative to the largest.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class PrincipalAxes:
    """PCA of the training rows, with zeros for spare components.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    components : ndarray of shape (n_components, n_features)
        Orthonormal rows with scikit-learn's signs, by decreasing variance.
    scale : ndarray of shape (n_components,)
        Standard deviation along each component.
    variance_ratio : ndarray of shape (n_components,)
        Share of the total variance along each component.
    noise_variance : float
        Mean variance of the directions left out: the noise of probabilistic PCA
        (Tipping & Bishop, 1999).
    error : float
        Mean squared error of the training rows over the features.
    """

    mean: np.ndarray
    components: np.ndarray
    scale: np.ndarray
    variance_ratio: np.ndarray
    noise_variance: float
    error: float

    def reconstruct(self, X: np.ndarray, n_components: int | None = None) -> np.ndarray:
        """Project rows on the first components, or on all of them."""
        components = self.components[:n_components]
        return (X - self.mean) @ components.T @ components + self.mean

    @property
    def unit_scale(self) -> np.ndarray:
        """What a code of unit variance stands for, in the units of the data.

        The scale itself, or the least one in use where a component explains nothing.
        """
        used = self.scale > _SMALLEST_RELATIVE_SCALE * self.scale.max(initial=0.0)
        least = self.scale[used].min() if used.any() else 1.0
        return np.where(used, self.scale, least)

    @property
    def log_posterior_variance(self) -> np.ndarray:
        """Logarithm of what a row leaves open of its code of unit variance.

        It is that of probabilistic PCA, and 0, the prior's, along spare components.
        """
        used = self.scale == self.unit_scale
        share = self.noise_variance / self.unit_scale**2
        return np.where(used, np.log(np.clip(share, _SMALLEST_POSTERIOR, 1)), 0.0)


def principal_axes(
    X: RowSource,
    n_components: int,
    exact: bool = True,
    rows: np.ndarray | None = None,
) -> PrincipalAxes:
    """Fit PCA in double precision.

    Parameters
    ----------
    X : RowSource of shape (n_samples, n_features)
    n_components : int
        May exceed what `X` has; the spare components are zero.
    exact : bool
        Whether components that vary 1e-6 times less than the first are of interest.
        Otherwise it is several times quicker, and takes no memory, where there are more
        rows than features. It is also done so where there are very many.
    rows : ndarray of int or None
        Indices of the rows to use, `None` for all.
    """
    n_samples, n_features = len(X) if rows is None else len(rows), X.shape[1]
    very_many = n_samples * n_features > _MANY_VALUES and n_samples > 10 * n_features
    if very_many or (n_samples > n_features and not exact):
        mean, directions, variances = _by_covariance(X, rows)
    else:
        mean, directions, variances = _by_decomposition(
            X[:] if rows is None else X[rows]
        )
    n_found = min(n_components, len(variances))
    spare = n_components - n_found
    total = max(variances.sum(), np.finfo(np.float64).tiny)
    kept, left_out = variances[:n_found], variances[n_found:]

    def padded(values: np.ndarray) -> np.ndarray:
        return np.pad(values, (0, spare))

    return PrincipalAxes(
        mean,
        np.pad(directions[:n_found], ((0, spare), (0, 0))),
        padded(np.sqrt(kept)),
        padded(kept / total),
        float(left_out.mean()) if len(left_out) else 0.0,
        float(left_out.sum() / n_features * (n_samples - 1) / n_samples),
    )


def _by_covariance(
    X: RowSource, rows: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean, the directions, and the variances along them."""
    found = moments((block, block) for block in row_blocks(X, rows))
    variances, directions = np.linalg.eigh(found.scatter / (found.n_rows - 1))
    variances = np.clip(variances[::-1], 0.0, None)
    return found.means[0], _with_signs(directions.T[::-1]), variances


def _by_decomposition(
    X: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = X.mean(axis=0, dtype=np.float64)
    _, scales, directions = np.linalg.svd(X - mean, full_matrices=False)
    return mean, _with_signs(directions), scales**2 / max(len(X) - 1, 1)


def _with_signs(directions: np.ndarray) -> np.ndarray:
    """Make the largest entry of each direction positive, as scikit-learn does."""
    places = np.arange(len(directions))
    largest = directions[places, np.abs(directions).argmax(axis=1)]
    return directions * np.sign(largest)[:, np.newaxis]


def pca_network(axes: PrincipalAxes, whiten: bool) -> tuple[Network, Weights]:
    """Return PCA itself as a network of one linear layer a half."""
    n_components, n_features = axes.components.shape
    network = dense_network((n_features, n_components), _LINEAR, shortcut=False)
    scale = np.ones(n_components)
    if whiten:
        varies = axes.scale > _ROUNDING * axes.scale.max(initial=0.0)
        scale = np.where(varies, axes.scale, 1.0)
    return network, _linear_weights(axes, axes.components, scale)


def variational_pca_network(axes: PrincipalAxes) -> tuple[Network, Weights]:
    """Return PCA with the posteriors of probabilistic PCA.

    Means and variances of the codes add up to variance 1 over the rows, the prior's.
    """
    network, _ = pca_network(axes, whiten=True)
    encoder = replace(network.encoder, log_variance=True)
    variance = np.exp(axes.log_posterior_variance)
    total = np.where(axes.scale == axes.unit_scale, 1 + variance, 1.0)
    scale = axes.unit_scale * np.sqrt(total)
    weights = _linear_weights(axes, axes.components, scale)
    head = [np.zeros_like(weights.encoder[0]), np.log(variance / total)]
    weights = Weights(weights.encoder + head, weights.decoder)
    return Network(encoder, network.decoder), weights


_LINEAR = Activations("linear", "linear", "linear")


def _linear_weights(
    axes: PrincipalAxes, components: np.ndarray, scale: np.ndarray
) -> Weights:
    """Return the weights of linear layers to codes in multiples of `scale` and back."""
    encode = components.T / scale
    return Weights(
        [encode, -axes.mean @ encode],
        [components * scale[:, np.newaxis], axes.mean],
    )


def random_weights(network: Network, seed: int) -> Weights:
    """Draw kernels after Glorot & Bengio (2010), Keras's default; biases are zero."""
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) == 1:
            return np.zeros(shape)
        *places, n_inputs, n_outputs = shape
        limit = np.sqrt(6 / (prod(places) * (n_inputs + n_outputs)))
        return rng.uniform(-limit, limit, shape)

    return network.split([draw(shape) for shape in network.array_shapes])


def linear_start(network: Network, linear: Weights, seed: int) -> Weights:
    """Return weights with which the network equals one of single linear layers.

    The last layer of the nonlinear path starts at zero, so that nothing the network
    learns has to be unlearned first.
    """
    weights = random_weights(network, seed)
    return Weights(
        _with_linear_path(network.encoder, weights.encoder, linear.encoder),
        _with_linear_path(network.decoder, weights.decoder, linear.decoder),
    )


def _with_linear_path(stack: Stack, arrays: Arrays, linear: Arrays) -> Arrays:
    if not stack.shortcut:
        # Without a shortcut, only a single layer is a linear path.
        return linear if len(stack.layers) == 1 else arrays
    kernel, bias, *head = linear
    *hidden, last_kernel, last_bias = stack.split(arrays).layers
    last = [np.zeros_like(last_kernel), bias]
    shortcut = [kernel]
    if not isinstance(stack.layers[-1], Dense):
        last, shortcut = [np.zeros_like(last_kernel), last_bias], [kernel, bias]
    if stack.log_variance:
        head = [np.zeros(stack.head.array_shapes[0]), head[1]]
    return [*hidden, *last, *shortcut, *head]


def pca_start(network: Network, axes: PrincipalAxes, seed: int) -> Weights:
    """Return weights with which the network is PCA, with codes of unit variance.

    Spare components start at zero. A log-variance starts as in probabilistic PCA.
    """
    used = axes.scale == axes.unit_scale
    components = axes.components * used[:, np.newaxis]
    linear = _linear_weights(axes, components, axes.unit_scale)
    if network.encoder.log_variance:
        head = [np.zeros_like(linear.encoder[0]), axes.log_posterior_variance]
        linear = Weights(linear.encoder + head, linear.decoder)
    return linear_start(network, linear, seed)


def mirrored_pca_start(network: Network, axes: PrincipalAxes, seed: int) -> Weights:
    """Return weights for sparse codes, with which none of them starts idle.

    The first components are PCA's and the next ones their mirror images, so that with
    codes cut off below zero the pairs still add up to PCA. What is left over starts
    along random directions, which the decoder ignores at first.
    """
    used = axes.scale == axes.unit_scale
    rank, n_components = int(used.sum()), len(used)
    axis = np.eye(n_components, rank)
    mirrored = np.eye(n_components, rank, -rank)
    rng = np.random.default_rng(seed)
    random = rng.standard_normal((n_components, rank)) / np.sqrt(max(rank, 1))
    random[: 2 * rank] = 0
    encode = (axes.components[:rank] / axes.scale[:rank, np.newaxis]).T
    decode = axes.components[:rank] * axes.scale[:rank, np.newaxis]
    encode = encode @ (axis - mirrored + random).T
    decode = (axis - mirrored) @ decode
    linear = Weights([encode, -axes.mean @ encode], [decode, axes.mean])
    return linear_start(network, linear, seed)
