"""Loss terms against their values by hand, in NumPy and in Keras."""

import keras
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import rel_entr
from scipy.stats import norm

from skae._network.losses import (
    LOSSES,
    absolute_error,
    binary_crossentropy,
    clip_log_variance,
    huber,
    kl_to_prior,
    kl_to_target_rate,
    l1,
    squared_error,
)

TARGET = np.array([0.0, 1.0, -1.0])
OUTPUT = np.array([0.5, -2.0, 1.5])


def test_squared_error_is_the_square_of_the_difference():
    assert squared_error(np, TARGET, OUTPUT).tolist() == [0.25, 9.0, 6.25]


def test_absolute_error_is_the_size_of_the_difference():
    assert absolute_error(np, TARGET, OUTPUT).tolist() == [0.5, 3.0, 2.5]


@pytest.mark.parametrize(
    ("error", "expected"),
    [(0.0, 0.0), (0.5, 0.125), (-0.5, 0.125), (1.0, 0.5), (3.0, 2.5), (-3.0, 2.5)],
)
def test_huber_is_quadratic_up_to_one_and_linear_beyond(error, expected):
    assert huber(np, np.float64(2.0), np.float64(2.0 + error)) == expected


def test_cross_entropy_is_the_log_probability_of_the_target():
    target = np.array([0.0, 1.0, 0.25])
    output = np.array([0.2, 0.2, 0.6])
    expected = [
        -np.log(0.8),
        -np.log(0.2),
        -0.25 * np.log(0.6) - 0.75 * np.log(0.4),
    ]
    np.testing.assert_allclose(binary_crossentropy(np, target, output), expected)


def test_cross_entropy_of_a_certain_and_wrong_output_is_finite():
    target, output = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    np.testing.assert_allclose(
        binary_crossentropy(np, target, output), -np.log(1e-7), rtol=1e-6
    )


def test_l1_is_the_size_of_the_code():
    assert l1(np, np.array([-2.0, 0.0, 0.5])).tolist() == [2.0, 0.0, 0.5]


def test_divergence_from_the_target_rate_is_that_of_bernoulli_variables():
    rates = np.array([0.05, 0.2, 0.9])
    expected = rel_entr(0.2, rates) + rel_entr(0.8, 1 - rates)
    found = kl_to_target_rate(np, 0.2, rates)
    np.testing.assert_allclose(found, expected)
    assert found[1] == pytest.approx(0)


@pytest.mark.parametrize("mean_code", [-1.0, 0.0, 1.0, 7.0])
def test_divergence_from_the_target_rate_is_finite_for_any_code(mean_code):
    assert 1 < kl_to_target_rate(np, 0.2, np.float64(mean_code)) < 20


@pytest.mark.parametrize(
    ("mean", "log_variance"), [(0.0, 0.0), (1.5, 0.0), (0.0, -2.0), (-0.5, 1.0)]
)
def test_divergence_from_the_prior_is_its_integral(mean, log_variance):
    posterior, prior = norm(mean, np.exp(log_variance / 2)), norm()
    integral, _ = quad(
        lambda x: posterior.pdf(x) * (posterior.logpdf(x) - prior.logpdf(x)), -25, 25
    )
    found = kl_to_prior(np, np.float64(mean), np.float64(log_variance))
    assert found == pytest.approx(integral, abs=1e-7)


def test_clipped_log_variances_have_a_finite_exponential():
    clipped = clip_log_variance(np, np.float32([-1e30, -3.0, 3.0, 1e30]))
    assert clipped[1:3].tolist() == [-3.0, 3.0]
    for variance in np.exp(clipped):
        assert 0 < variance < np.inf


ELEMENTWISE = {
    **{
        name: (loss, np.float32([0.0, 1.0, 0.3]), np.float32([0.1, 3.0, -2.0]))
        for name, loss in LOSSES.items()
    },
    "l1": (l1, np.float32([-2.0, 0.0, 0.5])),
    "kl_to_target_rate": (kl_to_target_rate, 0.2, np.float32([-1.0, 0.1, 0.9])),
    "kl_to_prior": (kl_to_prior, np.float32([1.0, -2.0]), np.float32([0.5, -1.0])),
    "clip_log_variance": (clip_log_variance, np.float32([-30.0, 1.0, 30.0])),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_numpy_and_keras_agree(name):
    function, *arguments = ELEMENTWISE[name]
    np.testing.assert_allclose(
        np.asarray(function(keras.ops, *arguments)),
        function(np, *arguments),
        rtol=1e-5,
        atol=1e-6,
    )
