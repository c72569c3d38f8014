"""Searches compile each architecture once, however often they fit it."""

import os

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (enables it)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    ParameterGrid,
    RandomizedSearchCV,
)
from sklearn.pipeline import Pipeline

from skae import DenseAE
from skae._train import program as program_module
from skae._train.program import CompiledProgram

SIZES = {"n_components": [5, 6], "hidden_layer_sizes": [(9,), (9, 7)]}


@pytest.fixture
def compiled(monkeypatch):
    """The keys of the programs compiled from now on."""
    keys = []
    original = CompiledProgram.__init__

    def compile_program(self, key):
        keys.append(key)
        original(self, key)

    monkeypatch.setattr(program_module, "_idle_programs", [])
    monkeypatch.setattr(CompiledProgram, "__init__", compile_program)
    return keys


def autoencoder(**parameters):
    return DenseAE(early_stopping=False, max_iter=4, random_state=0, **parameters)


def codes_grid(grid):
    """Return the grid for the autoencoder of the pipeline."""
    return {f"codes__{name}": values for name, values in grid.items()}


def pipeline():
    classifier = LogisticRegression(max_iter=20)
    return Pipeline([("codes", autoencoder()), ("classifier", classifier)])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "search",
    [
        lambda grid: GridSearchCV(pipeline(), grid, cv=3),
        lambda grid: RandomizedSearchCV(
            pipeline(), grid, n_iter=10, cv=3, random_state=0
        ),
        lambda grid: HalvingGridSearchCV(
            pipeline(), grid, cv=3, min_resources=300, random_state=0
        ),
    ],
)
def test_each_architecture_is_compiled_once(compiled, search, monkeypatch):
    # Of few rows, as the first rounds of halving have, batches have less room.
    monkeypatch.setattr("skae._fit.run._ROOM_STEP", 128)
    X, y = load_digits(return_X_y=True)
    grid = codes_grid(
        {
            **SIZES,
            "loss": ["squared_error", "huber"],
            "learning_rate_init": [1e-3, 1e-2],
            "alpha": [0.0, 0.01],
        }
    )
    fitted = search(grid).fit(X, y)
    architectures = {
        tuple(
            parameters[f"codes__{name}"]
            for name in ("n_components", "hidden_layer_sizes", "loss")
        )
        for parameters in fitted.cv_results_["params"]
    }
    assert len(compiled) == len(set(compiled)) == len(architectures) > 4


def test_truncating_compiles_nothing_until_the_next_fit(compiled, digits):
    model = autoencoder(n_components=6, ordered=True).fit(digits)
    for k in range(1, 7):
        model.truncate(k).transform(digits)
    assert len(compiled) == 1
    model.truncate(3).fit(digits)
    assert len(compiled) == 2


def fit_and_count(parameters):
    """Fit in a worker; return its process, and how many programs it has compiled.

    Other tests may have used the worker, but not with this number of features.
    """
    n_features = 11
    X = np.random.default_rng(0).normal(size=(60, n_features))
    autoencoder(**parameters).fit(X)
    keys = [program.key for program in program_module._idle_programs]
    compiled = [key for key in keys if key.network.encoder.n_inputs == n_features]
    return os.getpid(), len(compiled)


def test_each_worker_compiles_each_architecture_once():
    fits = list(ParameterGrid({**SIZES, "alpha": [0.0, 0.1, 0.2]}))
    results = Parallel(n_jobs=2)(delayed(fit_and_count)(fit) for fit in fits)
    workers = dict(results)
    assert len(workers) <= 2
    assert all(n_compiled <= 4 for n_compiled in workers.values())
