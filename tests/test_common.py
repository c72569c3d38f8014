"""scikit-learn's own checks, on every estimator and on its main settings."""

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import skae

# The checks fit few rows, where the answer is often PCA; other settings keep the
# network or make it a plain one.
SETTINGS = [
    {},
    {"pca_shortcut": False},
    {"early_stopping": False},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (), "early_stopping": False},
]
ESTIMATORS = [
    getattr(skae, name)(**settings) for name in skae.__all__ for settings in SETTINGS
]


@parametrize_with_checks(ESTIMATORS)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("settings", [{}, {"pca_shortcut": False}])
@pytest.mark.parametrize("name", skae.__all__)
def test_network_is_accepted_on_larger_data(digits, name, settings):
    """What the checks above cannot see: that there is a network to check at all."""
    estimator = getattr(skae, name)(4, random_state=0, max_iter=30, **settings)
    estimator.fit(digits)
    assert estimator.used_network_
    assert clone(estimator).get_params() == estimator.get_params()
