"""Rates, step sizes and growing weights, by hand."""

import numpy as np
import pytest

from skae._train.config import TrainingConfig
from skae._train.schedule import adam_step_sizes, epoch_schedule, learning_rates


def make_config(n_epochs=20, **values):
    return TrainingConfig(**{"learning_rate": 0.1, "n_epochs": n_epochs, **values})


def test_rates_warm_up_for_five_epochs_and_fall_along_a_cosine():
    config = make_config()
    rates = np.array([learning_rates(epoch, 1, config)[0] for epoch in range(20)])
    # A step stands for the middle of its time.
    np.testing.assert_allclose(rates[:2], [0.1 * 0.1, 0.1 * 0.3])
    assert rates[12] == pytest.approx(0.1 * 0.5)
    assert rates[19] == pytest.approx(0.1 * (1 + np.cos(np.pi * 14.5 / 15)) / 2)
    assert (np.diff(rates[:5]) > 0).all()
    assert (np.diff(rates[5:]) < 0).all()


def test_warm_up_takes_half_of_a_short_schedule():
    config = make_config(n_epochs=2)
    rates = [learning_rates(epoch, 1, config)[0] for epoch in range(2)]
    np.testing.assert_allclose(rates, [0.1 * 0.5, 0.1 * 0.5])


def test_rates_change_from_step_to_step():
    config = make_config()
    # Four steps an epoch are finer points of the same curve as two.
    fine = np.concatenate([learning_rates(epoch, 4, config) for epoch in range(20)])
    assert fine.argmax() in (5 * 4 - 1, 5 * 4)
    assert (np.diff(fine) != 0).all()
    single = [learning_rates(epoch, 1, config)[0] for epoch in range(20)]
    np.testing.assert_allclose(fine.reshape(20, 4).mean(axis=1), single, atol=1e-3)


def test_rates_that_do_not_decay_are_constant():
    assert learning_rates(3, 2, make_config(decaying=False)).tolist() == [0.1, 0.1]


def test_step_sizes_correct_the_moments_that_start_at_zero():
    sizes = adam_step_sizes(3, np.array([0.1, 0.2]))
    expected = [
        0.1 * np.sqrt(1 - 0.999**7) / (1 - 0.9**7),
        0.2 * np.sqrt(1 - 0.999**8) / (1 - 0.9**8),
    ]
    np.testing.assert_allclose(sizes, expected)


def test_epoch_has_corrected_rates_and_the_values_of_the_configuration():
    config = make_config(smoothing_noise=0.3, alpha=0.4, target_rate=0.2)
    sizes, scalars = epoch_schedule(2, 4, config)
    expected = adam_step_sizes(2, learning_rates(2, 4, config))
    np.testing.assert_array_equal(sizes, expected)
    assert scalars.smoothing_noise == 0.3
    assert scalars.alpha == 0.4
    assert scalars.target_rate == 0.2


def test_kernels_decay_once_an_epoch_by_the_sum_of_its_rates():
    config = make_config(decaying=False, weight_decay=0.5)
    _, scalars = epoch_schedule(0, 4, config)
    assert scalars.decay == pytest.approx(1 - np.exp(-0.5 * 4 * 0.1))


@pytest.mark.parametrize(
    ("warmup", "expected"), [(0, [2, 2, 2, 2, 2]), (4, [0.5, 1, 1.5, 2, 2])]
)
def test_term_weight_grows_during_the_warm_up(warmup, expected):
    config = make_config(term_weight=2.0, warmup=warmup)
    weights = [epoch_schedule(epoch, 1, config)[1].term_weight for epoch in range(5)]
    np.testing.assert_allclose(weights, expected)


def test_gradient_of_early_codes_grows_to_one():
    config = make_config(n_epochs=4, early_code_gradient=0.2)
    factors = [
        epoch_schedule(epoch, 1, config)[1].early_code_gradient for epoch in range(4)
    ]
    np.testing.assert_allclose(factors, [0.2, 0.4, 0.6, 0.8])
