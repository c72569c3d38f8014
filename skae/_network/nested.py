"""Nested codes: one network that reconstructs from any number of its first codes.

Training decodes each row from its first codes only, with the others cut off (nested
dropout: Rippel, Gelbart & Adams, 2014, "Learning ordered representations with nested
dropout"). A decoder that has to guess the cut wastes capacity on it, so the decoder is
told: its first layer and its linear path have a kernel and a bias for each *level*. The
levels are the powers of two up to the number of codes; a cut between two levels uses a
mixture of their kernels.

For Keras, this is an ordinary stack with wide inputs: for each level a copy of the
codes up to it, then the mixture weights of the levels (`DecoderInputs`). For a single
cut, the wide decoder folds into an ordinary one of that many codes (`decoder_at`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skae._network.description import Arrays, Dense, Network, Stack, Weights

# The constants below are judged by `python -m benchmarks full --only dimension`.

# Copies of each row in a batch, each cut at another place.
_N_COPIES = 2

# Cuts between levels need fewer rows than the levels around them, and count less.
_SHARE_BETWEEN = 0.25
_WEIGHT_BETWEEN = 0.1


def levels(n_components: int) -> tuple[int, ...]:
    """Return the powers of two below `n_components`, and itself."""
    powers = 2 ** np.arange(int(n_components).bit_length())
    return (*[int(power) for power in powers if power < n_components], n_components)


def nested_network(network: Network) -> Network:
    """Return the dense network with a decoder that takes `DecoderInputs`."""
    ends = levels(network.encoder.n_outputs)
    first, *others = network.decoder.layers
    assert isinstance(first, Dense)
    wide = replace(first, n_inputs=sum(ends) + len(ends))
    return Network(network.encoder, replace(network.decoder, layers=(wide, *others)))


def nested_weights(network: Network, weights: Weights) -> Weights:
    """Return weights for `nested_network` that give every level the same kernel."""
    ends = levels(network.encoder.n_outputs)

    def widened(kernel: np.ndarray) -> np.ndarray:
        biases = np.zeros((len(ends), kernel.shape[1]))
        return np.concatenate([*[kernel[:end] for end in ends], biases])

    parts = network.decoder.split(weights.decoder)
    layers = [widened(parts.layers[0]), *parts.layers[1:]]
    shortcut = [widened(kernel) for kernel in parts.shortcut]
    return Weights(weights.encoder, layers + shortcut)


class DecoderInputs(NamedTuple):
    """Inputs of the wide decoder for codes that are cut off, one row per cut.

    Attributes
    ----------
    masks : ndarray of shape (n_rows, n_copied_codes)
        Factors of the copied codes, in the order of `copied_codes`.
    mixture : ndarray of shape (n_rows, n_levels)
        Weights of the levels; they add up to 1.
    """

    masks: np.ndarray
    mixture: np.ndarray


def decoder_inputs(n_components: int, cuts: np.ndarray) -> DecoderInputs:
    """Describe the decoder's inputs when the first `cuts` codes are kept.

    A cut between two levels mixes both kernels for the codes up to the lower level. The
    remaining codes are read by the kernel of the upper level alone.
    """
    ends = np.array(levels(n_components))
    upper = np.searchsorted(ends, cuts)
    lower = np.where(upper > 0, ends[upper - 1], 0)
    share = (cuts - lower) / (ends[upper] - lower)
    mixture = np.zeros((len(cuts), len(ends)))
    rows = np.arange(len(cuts))
    mixture[rows, upper - 1] = 1 - share
    mixture[rows, upper] = share
    level_of = np.repeat(np.arange(len(ends)), ends)
    codes = copied_codes(n_components)
    masks = np.where(
        codes < lower[:, np.newaxis],
        mixture[:, level_of],
        (level_of == upper[:, np.newaxis]) & (codes < cuts[:, np.newaxis]),
    )
    return DecoderInputs(masks, mixture)


def copied_codes(n_components: int) -> np.ndarray:
    """Return the indices of the codes that the wide decoder reads, level by level."""
    return np.concatenate([np.arange(end) for end in levels(n_components)])


@dataclass(frozen=True, eq=False)
class CutSchedule:
    """The cuts at which the rows of a batch are decoded.

    The rows are several copies of the batch, one after another; every array describes
    all of them.

    Attributes
    ----------
    n_copies : int
    inputs : DecoderInputs
    own : ndarray of shape (n_rows, n_components)
        1 for the codes beyond the level below the row's cut, which the row trains
        fully; 0 for earlier codes.
    groups : ndarray of shape (n_groups, n_rows)
        1 for the rows of a group, whose cuts are at one level or between two levels.
    """

    n_copies: int
    inputs: DecoderInputs
    own: np.ndarray
    groups: np.ndarray


def cut_schedule(n_components: int, batch_size: int) -> CutSchedule:
    """Spread the cuts so that every prefix of the batch covers most of them.

    Two equal cuts of one row teach little more than one, so the copies' cuts are
    shifted against each other, whatever the size of the batch.
    """
    groups = cut_groups(n_components)
    shares = np.array([_SHARE_BETWEEN if len(cuts) > 1 else 1.0 for cuts in groups])
    shift = int(shares.sum()) // _N_COPIES
    order = _interleaved(shares / shares.sum(), batch_size + (_N_COPIES - 1) * shift)
    group = np.concatenate(
        [order[copy * shift :][:batch_size] for copy in range(_N_COPIES)]
    )
    cuts = np.empty(len(group), dtype=int)
    for i, members in enumerate(groups):
        rows = np.flatnonzero(group == i)
        cuts[rows] = np.resize(members, len(rows))
    ends = np.array([0, *levels(n_components)])
    below = ends[np.searchsorted(ends, cuts) - 1]
    return CutSchedule(
        _N_COPIES,
        decoder_inputs(n_components, cuts),
        (np.arange(n_components) >= below[:, np.newaxis]).astype(float),
        (np.arange(len(groups))[:, np.newaxis] == group).astype(np.float32),
    )


def cut_groups(n_components: int) -> list[range]:
    """Return the cuts of each group: each level, then the cuts between two levels."""
    ends = levels(n_components)
    between = [range(low + 1, high) for low, high in pairwise(ends)]
    return [*[range(end, end + 1) for end in ends], *[cuts for cuts in between if cuts]]


def group_weights(n_components: int) -> np.ndarray:
    """Return the weight of each group's error, of shape (n_groups,); they sum to 1."""
    ends = (0, *levels(n_components))
    is_level = np.array([cuts.start in ends for cuts in cut_groups(n_components)])
    weights = np.where(is_level, 1.0, _WEIGHT_BETWEEN)
    normalised: np.ndarray = weights / weights.sum()
    return normalised


def _interleaved(shares: np.ndarray, n_rows: int) -> np.ndarray:
    """Return a group for each row; in every prefix each group has about its share."""
    due = np.zeros(len(shares))
    order = np.empty(n_rows, dtype=int)
    for row in range(n_rows):
        due += shares
        order[row] = due.argmax()
        due[order[row]] -= 1
    return order


def cut_encoder(stack: Stack, arrays: Arrays, cut: int) -> tuple[Stack, Arrays]:
    """Return the encoder to the first codes only."""
    last = stack.layers[-1]
    assert isinstance(last, Dense)
    parts = stack.split(arrays)
    *hidden, kernel, bias = parts.layers
    shortcut = [kernel[:, :cut] for kernel in parts.shortcut]
    layers = (*stack.layers[:-1], replace(last, n_outputs=cut))
    arrays = [*hidden, kernel[:, :cut], bias[:cut], *shortcut]
    return replace(stack, layers=layers), arrays


def cut_decoder(stack: Stack, arrays: Arrays, cut: int) -> tuple[Stack, Arrays]:
    """Return the ordinary decoder for the first codes, with the others zero."""
    first = stack.layers[0]
    assert isinstance(first, Dense)
    parts = stack.split(arrays)
    kernels = [kernel[:cut] for kernel in (parts.layers[0], *parts.shortcut)]
    layers = (replace(first, n_inputs=cut), *stack.layers[1:])
    arrays = [kernels[0], *parts.layers[1:], *kernels[1:]]
    return replace(stack, layers=layers), arrays


def decoder_at(
    stack: Stack, arrays: Arrays, n_components: int, cut: int
) -> tuple[Stack, Arrays]:
    """Fold the wide decoder of a `nested_network` into that of its first codes."""
    (masks,), (mixture,) = decoder_inputs(n_components, np.array([cut]))
    of_code = np.arange(cut)[:, np.newaxis] == copied_codes(n_components)

    def folded(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by_level, biases = np.split(kernel, [len(masks)])
        return (of_code * masks) @ by_level, mixture @ biases

    first = stack.layers[0]
    assert isinstance(first, Dense)
    parts = stack.split(arrays)
    layers = list(parts.layers)
    layers[0], bias = folded(layers[0])
    layers[1] = layers[1] + bias
    shortcut = []
    for kernel in parts.shortcut:
        narrow, bias = folded(kernel)
        shortcut.append(narrow)
        layers[-1] = layers[-1] + bias
    return (
        replace(stack, layers=(replace(first, n_inputs=cut), *stack.layers[1:])),
        layers + shortcut,
    )
