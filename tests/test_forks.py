"""Estimators that are fitted or loaded before a fork, as some servers do."""

import os

import pytest

from tests.processes import run

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="the system has no fork"
)

# The parent uses the threads of BLAS before the fork, and the children use them after
# it: matrices of this size are divided among threads. A timeout means a deadlock.
COMMON = """
import multiprocessing
import pickle
import sys
import warnings

import numpy as np

import skae

# Python warns if there are any threads, even if none holds a lock.
warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)

X = np.random.default_rng(0).normal(size=(400, 300))
Y = np.arange(400) % 3
SETTINGS = {"early_stopping": False, "max_iter": 1, "random_state": 0}
NAMES = ["ConvAE", "DenoisingAE", "DenseAE", "SparseAE"]
NAMES += ["SupervisedAE", "VAETransformer"]


def fit_all():
    return {name: getattr(skae, name)(4, **SETTINGS).fit(X, Y) for name in NAMES}


def results_of(name):
    model = models[name]
    codes = model.transform(X)
    results = [codes, model.inverse_transform(codes), model.score_samples(X[:1])]
    if name == "VAETransformer":
        results += [*model.posterior(X), model.sample(3, random_state=0)]
    return results


def in_children(function, items):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map_async(function, items).get(timeout=60)
"""
COMPARE = """
expected = [results_of(name) for name in NAMES]
for child, parent in zip(in_children(results_of, NAMES), expected, strict=True):
    for result, other in zip(child, parent, strict=True):
        np.testing.assert_allclose(result, other, rtol=1e-10, atol=1e-12)
"""


def test_children_can_use_estimators_fitted_or_loaded_by_the_parent(tmp_path):
    path = str(tmp_path / "models.pkl")
    save = f"with open({path!r}, 'wb') as file:\n    pickle.dump(models, file)\n"
    load = f"with open({path!r}, 'rb') as file:\n    models = pickle.load(file)\n"
    run(f"{COMMON}models = fit_all()\n{COMPARE}{save}")
    run(f"{COMMON}{load}{COMPARE}assert 'tensorflow' not in sys.modules\n")


def test_children_cannot_fit_after_the_parent_has_fitted():
    """TensorFlow would deadlock. It does not if the parent has not fitted."""
    run(
        f"""{COMMON}
def fit(_):
    try:
        return skae.DenseAE(2, hidden_layer_sizes=(4,), **SETTINGS).fit(X).n_iter_
    except RuntimeError as error:
        return str(error)

def to_keras(_):
    try:
        return model.to_keras()
    except RuntimeError as error:
        return str(error)

assert in_children(fit, [0]) == [1]
model = skae.DenseAE(2, hidden_layer_sizes=(4,), **SETTINGS).fit(X)
for message in in_children(fit, [0]) + in_children(to_keras, [0]):
    assert "is a fork" in message and "'spawn'" in message, message
"""
    )
