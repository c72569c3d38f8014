import logging
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer
from skae._fit.finalize import network_result
from skae._fit.report import outcome, warn_of_result
from skae._fit.rows import TrainingRows
from skae._fit.run import Regime, Run, compare_run, train_network
from skae._fit.task import FitTask
from skae._train.config import Ending, Split
from tests.fit.plans import make_plan, random_rows

QUICK = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}
WORSE = "keeps its network, as its parameters demand, although its mean squared error"


@pytest.fixture(scope="module")
def wine():
    return StandardScaler().fit_transform(load_wine().data)


# --- Networks that are worse than PCA ---


@pytest.mark.parametrize(
    "estimator",
    [
        DenseAE(2, pca_shortcut=False, **QUICK),
        DenseAE(2, code_activation="sigmoid", **QUICK),
        DenseAE(0.4, pca_shortcut=False, **QUICK),
        DenoisingAE(2, pca_shortcut=False, **QUICK),
        VAETransformer(2, beta=30, **QUICK),
        ConvAE(2, filters=1, pca_shortcut=False, **QUICK),
    ],
    ids=repr,
)
def test_network_that_is_kept_although_it_is_worse_gives_a_warning(estimator, wine):
    with pytest.warns(UserWarning, match=WORSE):
        estimator.fit(wine)
    assert estimator.reconstruction_error_ > estimator.pca_reconstruction_error_
    assert estimator.used_network_


@pytest.mark.parametrize(
    "estimator",
    [
        DenseAE(2, **QUICK),
        DenseAE(2, early_stopping=False, pca_shortcut=False, **QUICK),
        SparseAE(4, pca_shortcut=False, **QUICK),
        SparseAE(4, sparsity="topk", target_sparsity=1, **QUICK),
    ],
    ids=repr,
)
def test_other_networks_give_none(estimator, wine):
    estimator.fit(wine)


@pytest.mark.parametrize(("early_stopping", "warns"), [(True, False), (False, True)])
def test_network_accepted_for_another_loss_may_have_the_larger_error(
    early_stopping, warns
):
    plan = make_plan(loss="absolute_error", early_stopping=early_stopping)
    task = FitTask(plan, TrainingRows(random_rows(), "DenseAE"))
    trained = train_network(task, task.all_rows, Regime())
    split = Split(task.all_rows.train[:40], task.all_rows.train[40:])
    run = Run(split, trained, compare_run(task, split, trained))
    kept = replace(network_result(task, trained, run.comparison), scale=1.0)
    worse = replace(kept, reconstruction_error=2.0, pca_reconstruction_error=1.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_result(task, worse, run)
    assert any("keeps its network" in str(w.message) for w in caught) == warns


# --- Codes that add nothing ---


@pytest.mark.parametrize("n_samples", [8, 178])
@pytest.mark.parametrize("cls", [DenseAE, VAETransformer])
def test_more_codes_than_directions_give_a_warning(cls, n_samples, wine):
    X = np.hstack([wine, wine])[:n_samples]
    rank = min(n_samples - 1, 13)
    with pytest.warns(UserWarning, match=f"n_components=20, but .* have rank {rank}:"):
        cls(20, **QUICK).fit(X)
    cls(rank, **QUICK).fit(X)


def test_small_directions_count_as_directions():
    X = load_breast_cancer().data  # standard deviations from 1e-3 to 600
    DenseAE(30, **QUICK).fit(X)


@pytest.mark.parametrize(
    "estimator",
    [
        SparseAE(20, **QUICK),
        DenoisingAE(20, **QUICK),
        DenseAE(0.99, **QUICK),
        DenseAE("auto", **QUICK),
    ],
    ids=repr,
)
def test_other_codes_may_be_more(estimator, wine):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=WORSE)
        estimator.fit(np.hstack([wine, wine]))


def test_constant_rows_give_no_warning():
    assert not DenseAE(2, **QUICK).fit(np.ones((60, 5))).used_network_


# --- Outputs that cannot reach the rows ---


@pytest.mark.parametrize("cls", [DenseAE, DenoisingAE, SparseAE, VAETransformer])
@pytest.mark.parametrize(
    ("activation", "factor", "message"),
    [
        ("sigmoid", 16, "between 0 and 1, but 178 of the 178 rows .* to 16"),
        ("relu", None, "between 0 and inf, but 178 of the 178 rows"),
        ("tanh", 255, "between -1 and 1, but 178 of the 178 rows"),
        ("elu", None, "between -1 and inf"),
    ],
)
def test_output_out_of_reach_of_most_rows_is_refused(
    cls, activation, factor, message, wine
):
    X = wine if factor is None else factor * MinMaxScaler().fit_transform(wine)
    estimator = cls(2, output_activation=activation, **QUICK)
    for fit in (estimator.fit, estimator.partial_fit):
        with pytest.raises(ValueError, match=message + ".*MinMaxScaler"):
            fit(X)


def test_output_out_of_reach_of_validation_rows_is_refused(wine):
    X = MinMaxScaler().fit_transform(wine)
    estimator = DenseAE(2, output_activation="sigmoid", **QUICK)
    with pytest.raises(ValueError, match="X_val goes from 0 to 50"):
        estimator.fit(X, X_val=50 * X[:60])


def test_output_out_of_reach_of_some_rows_gives_a_warning(wine):
    X = MinMaxScaler().fit(wine[:100]).transform(wine)
    n_missed = int(((X < -1e-6) | (X > 1 + 1e-6)).any(axis=1).sum())
    estimator = DenseAE(8, output_activation="sigmoid", early_stopping=False, **QUICK)
    assert 0 < n_missed < 89
    with pytest.warns(UserWarning, match=f"but {n_missed} of the 178 rows"):
        estimator.fit(X)


@pytest.mark.parametrize("activation", ["linear", "leaky_relu", "silu", "gelu"])
def test_output_that_reaches_all_rows_is_fine(activation, wine):
    X = (
        wine
        if activation in ("linear", "leaky_relu")
        else MinMaxScaler().fit_transform(wine)
    )
    estimator = DenseAE(2, output_activation=activation, early_stopping=False, **QUICK)
    estimator.fit(X)


# --- The closing line ---


@pytest.mark.parametrize(
    ("parameters", "n_rows", "expected"),
    [
        ({"max_iter": 40}, 178, "a network .* held-out rows; .* best for the folds"),
        ({"max_iter": 1}, 178, r"PCA .* held-out rows; epochs: 1 \(all of them\)"),
        ({}, 40, r"PCA .* training rows; epochs: 0 \(no training\)"),
        (
            {"early_stopping": False},
            178,
            r"a network .* training rows; epochs: 2 \(all of them\)",
        ),
        (
            {
                "code_activation": "tanh",
                "max_iter": 20,
                "tol": 0.9,
                "n_iter_no_change": 1,
            },
            178,
            r"a network .* epochs: 16 \(the loss on the held-out rows had ceased",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*keeps its network")
def test_closing_line_says_what_came_out(parameters, n_rows, expected, wine, caplog):
    estimator = DenseAE(3, verbose=1).set_params(**{**QUICK, **parameters})
    with caplog.at_level(logging.INFO, logger="skae"):
        estimator.fit(wine[:n_rows])
    line = caplog.messages[-1]
    assert line.startswith("DenseAE(n_components=3, ")
    assert f"{estimator.reconstruction_error_:.4g}" in line
    assert f"{estimator.pca_reconstruction_error_:.4g}" in line
    assert re.search(expected, line), line


def test_without_verbose_there_is_no_closing_line(wine, caplog):
    with caplog.at_level(logging.INFO, logger="skae"):
        DenseAE(3, **QUICK).fit(wine)
    assert not any(line.startswith("DenseAE(") for line in caplog.messages)


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (Ending.INTERRUPTED, "interrupted"),
        (Ending.DIVERGED, "the loss was no longer finite"),
        (Ending.ALL_EPOCHS, "as many as were best for the folds"),
    ],
)
def test_closing_line_tells_how_the_last_training_of_folds_ended(ending, expected):
    task = FitTask(make_plan(), TrainingRows(random_rows(), "DenseAE"))
    trained = train_network(task, task.all_rows, Regime(one_epoch=True))
    comparison = compare_run(task, task.all_rows, trained)
    result = network_result(task, trained, comparison)
    line = outcome(replace(result, ending=ending, epochs_of_folds=True), 1.25)
    assert line.endswith(f"epochs: 1 ({expected}); 1.2 s")
