"""Terms and totals of the objectives, against NumPy."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import rel_entr

from skae._network.architectures import Activations, dense_network
from skae._network.description import Network
from skae._network.keras_interpreter import StackLayers
from skae._network.nested import (
    copied_codes,
    cut_groups,
    cut_schedule,
    decoder_at,
    group_weights,
    nested_network,
)
from skae._network.numpy_interpreter import forward, forward_log_variance
from skae._train.objectives import (
    Batch,
    EvidenceBound,
    KLPenalty,
    L1Penalty,
    NestedReconstruction,
    NetworkLayers,
    Reconstruction,
    SupervisedReconstruction,
)
from skae._train.schedule import Scalars
from tests.networks import draw_weights
from tests.trainings import LINEAR_ENDS, reconstruct

N_ROWS, N_FEATURES, N_COMPONENTS = 8, 4, 3
NETWORK = dense_network((N_FEATURES, 5, N_COMPONENTS), LINEAR_ENDS, shortcut=True)


def layers_of(network, weights):
    layers = NetworkLayers(
        StackLayers(network.encoder, "encoder"), StackLayers(network.decoder, "decoder")
    )
    for half, arrays in zip(layers, weights, strict=True):
        half.set_arrays(arrays)
    return layers


def make_scalars(**values):
    return Scalars(**{**dict.fromkeys(Scalars._fields, 1.0), **values})


def make_batch(targets, inputs, weights, normal=None):
    weights = weights[np.newaxis]
    fields = (targets, inputs, weights, normal)
    return Batch(*(None if f is None else tf.constant(f, tf.float32) for f in fields))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def targets(rng):
    return rng.normal(size=(N_ROWS, N_FEATURES))


@pytest.fixture
def inputs(targets, rng):
    return targets + 0.3 * rng.normal(size=targets.shape)


@pytest.fixture
def row_weights(rng):
    """Weights of which the last stands for padding, and whose sum is not 1."""
    return np.append(rng.uniform(0.05, 0.15, size=N_ROWS - 1), 0)


def terms_of(objective, network, weights, batch, **scalars):
    layers = layers_of(network, weights)
    return objective.terms(layers, batch, make_scalars(**scalars)).numpy()


# --- Reconstruction ---


@pytest.mark.parametrize(
    ("loss", "elementwise"),
    [("squared_error", np.square), ("absolute_error", np.abs)],
)
def test_reconstruction_is_the_weighted_error_of_the_targets(
    loss, elementwise, targets, inputs, row_weights
):
    weights = draw_weights(NETWORK)
    batch = make_batch(targets, inputs, row_weights)
    terms = terms_of(Reconstruction(loss), NETWORK, weights, batch)
    errors = elementwise(targets - reconstruct(NETWORK, weights, inputs))
    expected = [row_weights @ errors.mean(axis=1)]
    np.testing.assert_allclose(terms, expected, rtol=1e-5)


def test_total_of_a_reconstruction_is_its_error():
    assert Reconstruction("huber").total(np, np.array([3.0]), 7.0).tolist() == [3.0]


# --- Penalties on the codes ---

SIGMOID_CODE = dense_network(
    (N_FEATURES, 5, N_COMPONENTS), Activations("gelu", "sigmoid", "linear"), False
)


@pytest.mark.parametrize("objective", [L1Penalty, KLPenalty])
def test_total_of_a_penalty_is_the_error_plus_the_weighted_penalty(objective):
    total = objective("squared_error").total(np, np.array([3.0, 2.0]), 0.5)
    assert total.tolist() == [4.0]


def test_l1_penalty_is_the_weighted_sum_of_the_sizes_of_the_codes(
    targets, inputs, row_weights
):
    weights = draw_weights(NETWORK)
    batch = make_batch(targets, inputs, row_weights)
    terms = terms_of(L1Penalty("squared_error"), NETWORK, weights, batch)
    codes = forward(NETWORK.encoder, weights.encoder, inputs)
    errors = (targets - forward(NETWORK.decoder, weights.decoder, codes)) ** 2
    expected = [
        row_weights @ errors.mean(axis=1),
        row_weights @ np.abs(codes).sum(axis=1),
    ]
    np.testing.assert_allclose(terms, expected, rtol=1e-5)


def test_kl_penalty_compares_the_mean_codes_of_the_batch_with_the_target_rate(
    targets, inputs, row_weights
):
    weights = draw_weights(SIGMOID_CODE)
    batch = make_batch(targets, inputs, row_weights)
    objective = KLPenalty("squared_error")
    terms = terms_of(objective, SIGMOID_CODE, weights, batch, target_rate=0.2)
    codes = forward(SIGMOID_CODE.encoder, weights.encoder, inputs)
    rates = row_weights @ codes / row_weights.sum()
    divergence = rel_entr(0.2, rates) + rel_entr(0.8, 1 - rates)
    # A batch of held-out rows counts by its share of them.
    expected = row_weights.sum() * divergence.sum()
    np.testing.assert_allclose(terms[1], expected, rtol=1e-5)


# --- Evidence lower bound ---


@pytest.fixture
def variational():
    network = Network(replace(NETWORK.encoder, log_variance=True), NETWORK.decoder)
    return network, draw_weights(network)


def test_bound_has_the_error_of_drawn_codes_and_the_divergence_from_the_prior(
    variational, targets, inputs, row_weights, rng
):
    network, weights = variational
    normal = rng.normal(size=(N_ROWS, N_COMPONENTS))
    batch = make_batch(targets, inputs, row_weights, normal)
    terms = terms_of(EvidenceBound("squared_error"), network, weights, batch)
    mean = forward(network.encoder, weights.encoder, inputs)
    std = np.exp(forward_log_variance(network.encoder, weights.encoder, inputs) / 2)
    outputs = forward(network.decoder, weights.decoder, mean + std * normal)
    divergence = 0.5 * (mean**2 + std**2 - 1 - 2 * np.log(std))
    expected = [
        row_weights @ ((targets - outputs) ** 2).mean(axis=1),
        row_weights @ divergence.sum(axis=1),
    ]
    np.testing.assert_allclose(terms, expected, rtol=1e-5)


def test_bound_of_extreme_posteriors_is_finite(variational, targets, row_weights):
    network, weights = variational
    for log_variance in (-1e4, 1e4):
        weights.encoder[-1][:] = log_variance
        normal = np.ones((N_ROWS, N_COMPONENTS))
        batch = make_batch(targets, targets, row_weights, normal)
        terms = terms_of(EvidenceBound("squared_error"), network, weights, batch)
        assert np.isfinite(terms).all()


def test_total_of_a_bound_uses_the_best_variance_of_gaussian_noise():
    terms = np.array([0.25, 2.0])
    total = EvidenceBound("squared_error").total(np, terms, 0.5)
    np.testing.assert_allclose(total, [0.5 * np.log(0.25) + 1.0], atol=1e-5)
    total = EvidenceBound("binary_crossentropy").total(np, terms, 0.5)
    np.testing.assert_allclose(total, [1.25])


# --- Nested reconstruction ---

N_CODES = 5
NESTED = nested_network(
    dense_network((N_FEATURES, 7, 4, N_CODES), LINEAR_ENDS, shortcut=True)
)


def cuts_of(schedule):
    """Return the number of codes that each row keeps at any level."""
    return ((schedule.inputs.masks > 0) * (copied_codes(N_CODES) + 1)).max(axis=1)


def test_nested_terms_are_the_errors_of_the_folded_decoders_by_group(rng):
    """Each half of a batch is decoded twice, at the cuts of the schedule."""
    X, row_weights = rng.normal(size=(64, N_FEATURES)), rng.uniform(size=64)
    weights = draw_weights(NESTED)
    batch = make_batch(X, X, row_weights)
    objective = NestedReconstruction("squared_error", N_CODES)
    terms = terms_of(objective, NESTED, weights, batch)

    schedule = cut_schedule(N_CODES, 32)
    groups = schedule.groups.argmax(axis=0).reshape(2, 32)
    cuts = cuts_of(schedule).reshape(2, 32)
    codes = forward(NESTED.encoder, weights.encoder, X)
    errors, totals = np.zeros((2, len(terms)))
    for row, weight in enumerate(row_weights):
        for group, cut in zip(groups[:, row % 32], cuts[:, row % 32], strict=True):
            decoder = decoder_at(NESTED.decoder, weights.decoder, N_CODES, cut)
            error = np.mean((forward(*decoder, codes[[row], :cut]) - X[row]) ** 2)
            errors[group] += weight * error
            totals[group] += weight
    assert len(terms) == objective.n_terms == len(cut_groups(N_CODES))
    np.testing.assert_allclose(terms, errors / totals * row_weights.sum(), rtol=1e-4)


def test_group_without_rows_gets_the_mean_error_of_the_others(rng):
    X = rng.normal(size=(4, N_FEATURES))
    weights = draw_weights(NESTED)
    batch = make_batch(X, X, np.array([1.0, 0, 0, 0]))
    objective = NestedReconstruction("squared_error", N_CODES)
    terms = terms_of(objective, NESTED, weights, batch)
    has_rows = cut_schedule(N_CODES, 2).groups[:, [0, 2]].any(axis=1)
    assert has_rows.sum() == 2
    np.testing.assert_allclose(terms[~has_rows], terms[has_rows].mean(), rtol=1e-5)


def gradient_of_codes(early_code_gradient, X, row_weights):
    """Return the gradient of the term of all codes, by the bias of each code."""
    layers = layers_of(NESTED, draw_weights(NESTED))
    batch = make_batch(X, X, row_weights)
    objective = NestedReconstruction("squared_error", N_CODES)
    bias = layers.encoder.variables[5].value
    assert bias.shape == (N_CODES,)
    with tf.GradientTape() as tape:
        tape.watch(bias)
        terms = objective.terms(
            layers, batch, make_scalars(early_code_gradient=early_code_gradient)
        )
        term_of_all = terms[cut_groups(N_CODES).index(range(N_CODES, N_CODES + 1))]
    return tape.gradient(term_of_all, bias).numpy()


def test_early_codes_get_a_part_of_the_gradient_of_later_cuts(rng):
    X, row_weights = rng.normal(size=(64, N_FEATURES)), np.full(64, 1 / 64)
    full, part, none = (
        gradient_of_codes(factor, X, row_weights) for factor in (1.0, 0.25, 0.0)
    )
    # The cut at 5 codes lies above the level of 4: only the last code is its own.
    assert (np.abs(full) > 1e-4).all()
    np.testing.assert_allclose(part, [*(0.25 * full[:4]), full[4]], rtol=1e-4)
    np.testing.assert_allclose(none, [0, 0, 0, 0, full[4]], rtol=1e-4)


def test_total_of_nested_terms_is_their_weighted_geometric_mean(rng):
    objective = NestedReconstruction("squared_error", N_CODES)
    terms = rng.uniform(0.5, 2, size=objective.n_terms)
    expected = np.prod(terms ** group_weights(N_CODES))
    total = objective.total(np, terms, 0.0)
    np.testing.assert_allclose(total, [expected], rtol=1e-5)


# --- All objectives ---


@pytest.mark.parametrize(
    "objective",
    [
        Reconstruction("squared_error"),
        L1Penalty("squared_error"),
        KLPenalty("squared_error"),
        EvidenceBound("squared_error"),
        EvidenceBound("binary_crossentropy"),
        NestedReconstruction("squared_error", N_CODES),
    ],
    ids=repr,
)
def test_totals_agree_in_numpy_and_keras(objective, rng):
    terms = rng.uniform(0.1, 2, size=objective.n_terms).astype(np.float32)
    by_keras = objective.total(keras.ops, tf.constant(terms), 0.3)
    assert by_keras.shape == (1,)
    np.testing.assert_allclose(
        by_keras.numpy(), objective.total(np, terms, 0.3), rtol=1e-5
    )


@pytest.mark.parametrize("n_steps", [1, 2])
def test_batches_of_several_steps_are_divided_by_step(n_steps, rng):
    rows = rng.normal(size=(n_steps * 4, N_FEATURES))
    weights = rng.uniform(size=(n_steps, 4))
    batch = Batch(tf.constant(rows), tf.constant(-rows), tf.constant(weights), None)
    batch = batch._replace(labels=tf.constant(rows[:, :2]))
    targets, inputs, by_step, normal, labels = batch.by_step(n_steps)
    assert targets.shape == (n_steps, 4, N_FEATURES)
    np.testing.assert_array_equal(np.vstack(targets), rows)
    np.testing.assert_array_equal(inputs, -targets)
    np.testing.assert_array_equal(labels, targets[..., :2])
    np.testing.assert_array_equal(by_step, weights[:, np.newaxis])
    assert normal is None


# --- Targets beside the rows ---


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_supervised_loss_adds_that_of_the_head(kind, targets, inputs, row_weights, rng):
    n_targets = 3
    network = Network(NETWORK.encoder, replace(NETWORK.decoder, n_targets=n_targets))
    weights = draw_weights(network)
    codes = forward(network.encoder, weights.encoder, inputs)
    kernel, bias = weights.decoder[-2:]
    outputs = codes @ kernel + bias
    if kind == "classes":
        chosen = rng.integers(n_targets, size=N_ROWS)
        labels = 2.0 * np.eye(n_targets)[chosen]
        labels[0] = 0  # has no label
        shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        losses = -(labels * np.log(shares)).sum(axis=1)
    else:
        labels = rng.normal(size=(N_ROWS, n_targets + 1))
        labels[0, -1] = 0  # has no label
        losses = labels[:, -1] * ((outputs - labels[:, :-1]) ** 2).mean(axis=1)
    batch = make_batch(targets, inputs, row_weights)
    batch = batch._replace(labels=tf.constant(labels, tf.float32))
    objective = SupervisedReconstruction("squared_error", kind, labels.shape[1])
    assert objective.n_label_columns == labels.shape[1]
    terms = objective.terms(layers_of(network, weights), batch, make_scalars())
    output = reconstruct(network, weights, inputs)
    error = row_weights @ ((output - targets) ** 2).mean(axis=1)
    expected = [error, row_weights @ losses]
    np.testing.assert_allclose(terms, expected, rtol=1e-5)
    total = objective.total(np, np.asarray(terms), 0.5)
    np.testing.assert_allclose(total, [expected[0] + 0.5 * expected[1]], rtol=1e-5)
