"""Ordered codes: one network that reconstructs from any number of its first codes.

Training decodes every row from codes that are cut off after the first few (nested
dropout: Rippel, Gelbart & Adams, 2014, "Learning ordered representations with nested
dropout"). A decoder that has to guess the cut wastes its layers on that, so it is told:
its first layer and its linear path have a kernel and a bias for each *level*, which are
the powers of two up to the number of codes, and between two levels mixtures of theirs.

To Keras this is an ordinary stack on wide inputs, which `views` describes: once a level
the codes up to it, and then the shares of the levels. At any one cut it folds into an
ordinary decoder of as many codes (`decoder_at`).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skae._network import Arrays, Dense, Network, Stack, Weights

# The constants below are judged by `python -m benchmarks full --only dimension`.

# Rows that a batch decodes, in multiples of its own: one as cut as any.
_COPIES = 2

# Cuts between levels need fewer rows, and count less, than the levels they lie between.
_ROWS_BETWEEN = 0.25
_WEIGHT_BETWEEN = 0.1


def levels(n_components: int) -> tuple[int, ...]:
    """Return the powers of two below `n_components`, and itself."""
    powers = 2 ** np.arange(int(n_components).bit_length())
    return (*(int(power) for power in powers if power < n_components), n_components)


def ordered_network(network: Network) -> Network:
    """Return a dense network whose decoder takes `views` of its codes."""
    ends = levels(network.encoder.n_outputs)
    first, *others = network.decoder.layers
    assert isinstance(first, Dense)
    wide = replace(first, n_inputs=sum(ends) + len(ends))
    return Network(network.encoder, replace(network.decoder, layers=(wide, *others)))


def ordered_start(network: Network, weights: Weights) -> Weights:
    """Return weights for `ordered_network` with which no level differs from others."""
    ends = levels(network.encoder.n_outputs)

    def widened(kernel: np.ndarray) -> np.ndarray:
        biases = np.zeros((len(ends), kernel.shape[1]))
        return np.concatenate([*(kernel[:end] for end in ends), biases])

    parts = network.decoder.split(weights.decoder)
    layers = [widened(parts.layers[0]), *parts.layers[1:]]
    shortcut = [widened(kernel) for kernel in parts.shortcut]
    return Weights(weights.encoder, layers + shortcut)


class Views(NamedTuple):
    """What the decoder is told of codes that are cut off, a row each.

    Attributes
    ----------
    kept : ndarray of shape (n_rows, n_views)
        What the codes of `codes_of_views` are multiplied by.
    shares : ndarray of shape (n_rows, n_levels)
        Those of the levels.
    """

    kept: np.ndarray
    shares: np.ndarray


def views(n_components: int, cuts: np.ndarray) -> Views:
    """Describe the decoder's inputs for codes of which the first `cuts` are kept.

    Between two levels these share the codes up to the lower one. The others are seen by
    the upper one alone.
    """
    ends = np.array(levels(n_components))
    upper = np.searchsorted(ends, cuts)
    lower = np.where(upper > 0, ends[upper - 1], 0)
    share = (cuts - lower) / (ends[upper] - lower)
    shares = np.zeros((len(cuts), len(ends)))
    rows = np.arange(len(cuts))
    shares[rows, upper - 1] = 1 - share
    shares[rows, upper] = share
    level_of = np.repeat(np.arange(len(ends)), ends)
    codes = codes_of_views(n_components)
    kept = np.where(
        codes < lower[:, np.newaxis],
        shares[:, level_of],
        (level_of == upper[:, np.newaxis]) & (codes < cuts[:, np.newaxis]),
    )
    return Views(kept, shares)


def codes_of_views(n_components: int) -> np.ndarray:
    """Return the places of the codes that the decoder takes, once a level."""
    return np.concatenate([np.arange(end) for end in levels(n_components)])


class Nesting(NamedTuple):
    """At which cuts the rows of a batch are decoded; every array has a row for each.

    The rows are the batch's, several times over.

    Attributes
    ----------
    copies : int
        How many times.
    views : Views
    own : ndarray of shape (n_rows, n_components)
        1 for codes beyond the level below the cut, which is what the row is to teach.
    groups : ndarray of shape (n_groups, n_rows)
        1 for the rows of a group: those cut at one level, or between two.
    weights : ndarray of shape (n_groups,)
        Those of the groups' errors; they add up to 1.
    """

    copies: int
    views: Views
    own: np.ndarray
    groups: np.ndarray
    weights: np.ndarray


def nesting(n_components: int, batch_size: int) -> Nesting:
    """Spread the cuts over the rows of a batch, so that any of them get most.

    A row that is cut twice at one level teaches little more than once. So the copies
    are cut some turns apart, whatever the size of the batch.
    """
    groups = _groups(n_components)
    shares = np.array([_ROWS_BETWEEN if len(cuts) > 1 else 1.0 for cuts in groups])
    apart = int(shares.sum()) // _COPIES
    turns = _in_turn(shares / shares.sum(), batch_size + (_COPIES - 1) * apart)
    group = np.concatenate(
        [turns[copy * apart :][:batch_size] for copy in range(_COPIES)]
    )
    cuts = np.empty(len(group), dtype=int)
    for i, members in enumerate(groups):
        rows = np.flatnonzero(group == i)
        cuts[rows] = np.resize(members, len(rows))
    ends = np.array([0, *levels(n_components)])
    is_level = np.array([cuts_of.start in ends for cuts_of in groups])
    weights = np.where(is_level, 1.0, _WEIGHT_BETWEEN)
    below = ends[np.searchsorted(ends, cuts) - 1]
    return Nesting(
        _COPIES,
        views(n_components, cuts),
        (np.arange(n_components) >= below[:, np.newaxis]).astype(float),
        (np.arange(len(groups))[:, np.newaxis] == group).astype(np.float32),
        weights / weights.sum(),
    )


def _groups(n_components: int) -> list[range]:
    """Return the cuts of each group: the levels, and what is between two of them."""
    ends = levels(n_components)
    between = [range(low + 1, high) for low, high in pairwise(ends)]
    return [*(range(end, end + 1) for end in ends), *(cuts for cuts in between if cuts)]


def _in_turn(shares: np.ndarray, n_rows: int) -> np.ndarray:
    """Return a group for each row, so that any first rows have about its share."""
    due = np.zeros(len(shares))
    turns = np.empty(n_rows, dtype=int)
    for row in range(n_rows):
        due += shares
        turns[row] = due.argmax()
        due[turns[row]] -= 1
    return turns


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
    """Return the decoder of an ordinary stack for its first codes, the others zero."""
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
    """Fold the decoder of an `ordered_network` into that of its first codes."""
    (kept,), (shares,) = views(n_components, np.array([cut]))
    of_code = np.arange(cut)[:, np.newaxis] == codes_of_views(n_components)

    def folded(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by_view, biases = np.split(kernel, [len(kept)])
        return (of_code * kept) @ by_view, shares @ biases

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
