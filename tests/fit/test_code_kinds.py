from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skae._fit.code_kinds import (
    CodeKind,
    KLCode,
    L1Code,
    NestedCode,
    PrincipalCode,
    SparseCode,
    VariationalCode,
)
from skae._fit.code_units import TrainedCodes
from skae._fit.pca import decompose
from skae._fit.result import FitResult, NestedDecoder
from skae._network.affine import Affine, Units
from skae._network.architectures import Activations
from skae._network.description import Network
from skae._network.losses import LOSSES, clip_log_variance
from skae._network.nested import decoder_at
from skae._network.numpy_interpreter import forward, forward_log_variance
from tests.fit.plans import make_network, make_plan, random_rows
from tests.networks import draw_weights

L1 = L1Code(weight=3.0)
KL = KLCode(weight=3.0, target_rate=0.1)
VARIATIONAL = VariationalCode(beta=0.5, warmup=4)
KINDS = [CodeKind(), PrincipalCode(), NestedCode(), SparseCode(), L1, KL, VARIATIONAL]
N_COMPONENTS = 4
NETWORK = make_network(6, N_COMPONENTS)


def nested_weights():
    """Return weights of nested codes whose decoder differs by level."""
    return draw_weights(NestedCode().network_to_train(NETWORK))


def make_result(code_scale, nested=None):
    weights = draw_weights(NETWORK)
    return FitResult(
        *[NETWORK, weights, np.zeros(6), 1.0, code_scale, {}, 0.0, 0.0, True],
        nested=nested,
    )


@pytest.mark.parametrize(
    ("code_kind", "expected"),
    [
        (CodeKind(), False),
        (PrincipalCode(), True),
        (NestedCode(whiten=True), True),
        (SparseCode(), False),
        (L1, False),
        (KL, False),
        (VariationalCode(beta=1.0, warmup=0), True),
        (VariationalCode(beta=1.5, warmup=0), False),
    ],
)
def test_pca_may_be_the_result_if_its_codes_are_of_the_kind(code_kind, expected):
    assert code_kind.may_be_pca == expected
    assert make_plan(code_kind=code_kind).may_return_pca == expected


@pytest.mark.parametrize("code_kind", KINDS)
def test_linear_kinds_need_an_encoder_with_a_linear_output(code_kind):
    network = make_network(activations=Activations("gelu", "relu", "linear"))
    if code_kind.needs_linear_encoder:
        with pytest.raises(
            ValueError, match=f"{type(code_kind).__name__}, needs a linear"
        ):
            make_plan(code_kind=code_kind, network=network)
    else:
        assert make_plan(code_kind=code_kind, network=network).code_kind is code_kind
    assert code_kind.needs_linear_encoder == isinstance(
        code_kind, (PrincipalCode, VariationalCode)
    )


# --- Cuts ---


@pytest.mark.parametrize("code_kind", KINDS)
def test_only_nested_codes_are_cut(code_kind):
    expected = [1, 2, 3, 4] if isinstance(code_kind, NestedCode) else [4]
    assert [*code_kind.cuts(4)] == expected


def test_code_is_reconstructed_as_a_whole():
    X, weights = random_rows(), draw_weights(NETWORK)
    (output,) = CodeKind().reconstructions(NETWORK, weights, X)
    codes = forward(NETWORK.encoder, weights.encoder, X)
    expected = forward(NETWORK.decoder, weights.decoder, codes)
    np.testing.assert_array_equal(output, expected)


def test_nested_codes_are_reconstructed_from_the_first_ones_at_each_cut():
    X, weights = random_rows(), nested_weights()
    network = NestedCode().network_to_train(NETWORK)
    codes = forward(network.encoder, weights.encoder, X)
    outputs = NestedCode().reconstructions(network, weights, X)
    assert len(outputs) == N_COMPONENTS
    for cut, output in enumerate(outputs, start=1):
        decoder = decoder_at(network.decoder, weights.decoder, N_COMPONENTS, cut)
        np.testing.assert_array_equal(output, forward(*decoder, codes[:, :cut]))


def test_only_nested_codes_keep_errors_by_number_of_codes():
    errors = np.array([0.3, 0.2])
    assert [kind.curve(errors) is errors for kind in KINDS] == [
        isinstance(kind, NestedCode) for kind in KINDS
    ]


def test_first_nested_codes_are_trained_further_as_principal_codes():
    assert NestedCode(whiten=True).when_truncated() == PrincipalCode(whiten=True)


# --- Training ---


@pytest.mark.parametrize(
    ("code_kind", "name"),
    [
        (CodeKind(), "Reconstruction"),
        (PrincipalCode(), "Reconstruction"),
        (SparseCode(), "Reconstruction"),
        (L1, "L1Penalty"),
        (KL, "KLPenalty"),
        (VARIATIONAL, "EvidenceBound"),
        (NestedCode(), "NestedReconstruction"),
    ],
)
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_objective_of_each_kind(code_kind, name, loss):
    objective = code_kind.objective(make_plan(code_kind=code_kind, loss=loss))
    assert type(objective).__name__ == name
    assert objective.loss == loss


@pytest.mark.parametrize("code_kind", [L1, KL, VARIATIONAL])
def test_term_is_weighted_against_the_error_summed_over_features(code_kind):
    few, many = (
        code_kind.training(make_plan(network=make_network(n_features)), n_rows=100)
        for n_features in (6, 12)
    )
    assert few.term_weight == pytest.approx(2 * many.term_weight)
    weight = code_kind.beta if code_kind is VARIATIONAL else code_kind.weight
    assert few.term_weight * 6 == pytest.approx(weight)


def test_target_rate_is_passed_on():
    assert KL.training(make_plan(), n_rows=100).target_rate == KL.target_rate


def test_nested_codes_of_few_rows_take_smaller_steps():
    plan = make_plan(code_kind=NestedCode(), batch_size=16, min_steps=4)
    rates = [
        plan.code_kind.training(plan, n_rows).rate_factor
        for n_rows in (10, 64, 128, 1000)
    ]
    assert rates[0] == 1
    assert 1 < rates[1] < rates[2] == rates[3]


@pytest.mark.parametrize("code_kind", [PrincipalCode(), L1])
def test_smoothing_noise_shrinks_with_its_multiple_and_is_capped(code_kind):
    noises = [
        code_kind.smoothing_noise(multiple, 0.25) for multiple in (0.05, 0.1, 2, 9)
    ]
    assert noises[1] == pytest.approx(2 * noises[0])
    assert noises[1] < noises[2] == noises[3]


def test_smoothing_noise_is_relative_to_the_error_of_pca():
    small, large = (PrincipalCode().smoothing_noise(0.1, mse) for mse in (0.01, 0.04))
    assert large == pytest.approx(2 * small)


@pytest.mark.parametrize("code_kind", [SparseCode(), L1, KL])
def test_smoothing_noise_of_sparse_codes_ignores_the_error_of_pca(code_kind):
    assert (
        code_kind.smoothing_noise(0.1, 0.0) == code_kind.smoothing_noise(0.1, 1.0) > 0
    )


# --- Final units ---


def trained_codes(X, network):
    encoder = draw_weights(network).encoder
    codes = forward(network.encoder, encoder, X)
    return codes, TrainedCodes(network.encoder, encoder, X)


@pytest.mark.parametrize("code_kind", [CodeKind(), SparseCode(), L1, KL])
def test_codes_of_other_kinds_stay_as_trained(code_kind):
    _, trained = trained_codes(random_rows(), NETWORK)
    units = code_kind.final_units(trained, np.ones(N_COMPONENTS))
    assert units.map is units.scale is None


@pytest.mark.parametrize("whiten", [False, True])
def test_principal_codes_are_uncorrelated_with_the_reported_scale(whiten):
    codes, trained = trained_codes(random_rows(), NETWORK)
    units = PrincipalCode(whiten).final_units(trained, np.arange(1.0, 5))
    expected = np.diag(units.scale**2)
    np.testing.assert_allclose(
        np.cov(units.map(codes), rowvar=False), expected, atol=1e-9
    )
    assert whiten == np.allclose(units.scale, 1)


@pytest.mark.parametrize("whiten", [False, True])
def test_nested_codes_are_scaled_one_by_one_with_the_reported_scale(whiten):
    codes, trained = trained_codes(random_rows(), NETWORK)
    units = NestedCode(whiten).final_units(trained, np.arange(1.0, 5))
    np.testing.assert_array_equal(units.map.matrix, np.diag(np.diag(units.map.matrix)))
    np.testing.assert_allclose(units.map(codes).std(axis=0, ddof=1), units.scale)
    assert whiten == np.allclose(units.scale, 1)


def test_variational_codes_follow_the_prior():
    encoder = replace(NETWORK.encoder, log_variance=True)
    network = Network(encoder, NETWORK.decoder)
    X = random_rows() / 10
    codes, trained = trained_codes(X, network)
    weights = draw_weights(network).encoder
    log_variance = clip_log_variance(np, forward_log_variance(encoder, weights, X))
    units = VARIATIONAL.final_units(trained, np.ones(N_COMPONENTS))
    mean, scale = units.map(codes), np.diag(units.map.matrix)
    total = mean.var(axis=0) + (scale**2 * np.exp(log_variance)).mean(axis=0)
    np.testing.assert_allclose(mean.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(total, 1)


@pytest.mark.parametrize("code_kind", [PrincipalCode(), NestedCode()])
def test_blocks_keep_the_units_of_the_first_block(code_kind):
    first = code_kind.block_units(np.array([2.0, 3.0]), None)
    np.testing.assert_array_equal(first.map.matrix, np.diag([2.0, 3.0]))
    np.testing.assert_array_equal(first.scale, [2, 3])
    previous = make_result(np.array([5.0, 6.0]))
    later = code_kind.block_units(np.array([2.0, 3.0]), previous)
    np.testing.assert_array_equal(later.map.matrix, np.diag([5.0, 6.0]))
    np.testing.assert_array_equal(later.scale, [5, 6])


@pytest.mark.parametrize("kind", [PrincipalCode, NestedCode])
def test_whitened_codes_of_the_first_block_keep_unit_variance(kind):
    units = kind(whiten=True).block_units(np.array([2.0, 3.0]), None)
    np.testing.assert_array_equal(units.map.matrix, np.eye(2))
    np.testing.assert_array_equal(units.scale, 1)


def test_nested_codes_resume_with_the_decoder_of_all_cuts():
    """The decoder in the units of the data goes back to those of training."""
    weights, inputs = nested_weights(), Affine(3.0, np.arange(6.0))
    codes = Affine(np.diag(np.arange(1.0, 5)), np.ones(4))
    _, nested = NestedCode().fold(NETWORK, weights, Units(inputs, codes))
    previous = make_result(np.ones(4), nested)
    decoder = NestedCode().resumed_decoder(NETWORK, previous, inputs)
    for array, expected in zip(decoder, weights.decoder, strict=True):
        np.testing.assert_allclose(array, expected, atol=1e-12)
    resumed = NestedCode().resumed_map(previous)
    np.testing.assert_array_equal(resumed.matrix, codes.matrix)
    np.testing.assert_array_equal(resumed.shift, codes.shift)


@pytest.mark.parametrize("code_kind", [PrincipalCode(), NestedCode()])
def test_resumed_codes_without_a_nested_decoder_have_none(code_kind):
    previous = make_result(np.ones(4), None)
    assert code_kind.resumed_decoder(NETWORK, previous, None) is None


def test_folded_nested_network_is_that_of_all_codes():
    X, weights = random_rows(), nested_weights()
    inputs = Affine(3.0, np.arange(6.0))
    codes = Affine(np.diag([1.0, -2.0, 3.0, 4.0]), np.ones(4))
    folded, nested = NestedCode().fold(NETWORK, weights, Units(inputs, codes))
    network = NestedCode().network_to_train(NETWORK)
    *_, expected = NestedCode().reconstructions(network, weights, X)
    mapped = forward(NETWORK.encoder, folded.encoder, inputs(X))
    np.testing.assert_allclose(
        mapped, codes(forward(NETWORK.encoder, weights.encoder, X))
    )
    np.testing.assert_allclose(
        forward(NETWORK.decoder, folded.decoder, mapped), inputs(expected)
    )
    assert isinstance(nested, NestedDecoder)


# --- PCA as the result ---


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("kind", [PrincipalCode, NestedCode])
def test_pca_has_codes_of_the_kind(digits, kind, whiten):
    network, weights, scale = kind(whiten).pca(decompose(digits).axes(5))
    codes = forward(network.encoder, weights.encoder, digits)
    pca = PCA(5, svd_solver="full", whiten=whiten)
    np.testing.assert_allclose(codes, pca.fit_transform(digits), atol=1e-8)
    np.testing.assert_allclose(codes.std(axis=0, ddof=1), scale)
