"""What `fit` is told about rows that belong together, and what it holds out."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from sklearn import config_context
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer
from skae._fit.rows import TrainingRows
from skae._fit.splits import folds
from skae._fit.task import FitTask
from skae._holdout import holdout_request
from tests.fit.plans import make_plan

QUICK = {"max_iter": 3, "hidden_layer_sizes": (8,), "random_state": 0}
ESTIMATORS = [
    DenseAE(2, **QUICK),
    DenseAE(4, ordered=True, **QUICK),
    DenseAE(0.5, **QUICK),
    DenoisingAE(2, **QUICK),
    SparseAE(6, **QUICK),
    VAETransformer(2, **QUICK),
    ConvAE(2, filters=2, **QUICK),
]


@pytest.fixture(scope="module")
def subjects():
    """Rows close to the centre of their subject, and the subjects."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(120), 10)
    X = rng.normal(size=(120, 12))[groups] + 0.1 * rng.normal(size=(1200, 12))
    return X, groups


@pytest.fixture(scope="module")
def cancer():
    return StandardScaler().fit_transform(load_breast_cancer().data)


class Recorded(DenseAE):
    """Records what `fit` is called with."""

    calls = []  # noqa: RUF012

    def fit(self, X, y=None, *, groups=None, X_val=None):
        Recorded.calls.append((X, groups, X_val))
        return super().fit(X, y, groups=groups, X_val=X_val)


@pytest.fixture
def calls():
    Recorded.calls.clear()
    return Recorded.calls


# --- What is held out ---


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_every_estimator_takes_groups_of_any_names(estimator, subjects):
    X, groups = subjects
    by_number = estimator.fit(X, groups=groups).history_
    by_name = estimator.fit(X, groups=[f"subject {i:03d}" for i in groups]).history_
    assert by_number == by_name
    assert by_number != estimator.fit(X, groups=groups % 60).history_


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_every_estimator_is_measured_on_the_validation_rows(estimator, cancer):
    X, X_val = cancer[:300], cancer[300:]
    estimator.fit(X, X_val=X_val)
    if isinstance(estimator, DenoisingAE):
        return  # its inputs are corrupted
    network_error = np.mean((X_val - estimator.reconstruct(X_val)) ** 2)
    k = estimator.n_components_
    pca = PCA(k, svd_solver="full").fit(X)
    pca_error = np.mean((X_val - pca.inverse_transform(pca.transform(X_val))) ** 2)
    assert estimator.reconstruction_error_ == pytest.approx(network_error, rel=1e-4)
    assert estimator.pca_reconstruction_error_ == pytest.approx(pca_error, rel=1e-4)


def test_network_that_has_learnt_the_subjects_gives_way_to_pca(subjects):
    X, groups = subjects
    parameters = {"max_iter": 30, "random_state": 0}
    names = np.array([f"subject {i}" for i in groups])
    assert not DenseAE(3, **parameters).fit(X, groups=names).used_network_
    with pytest.warns(UserWarning, match="nearly copies .* Pass fit the groups"):
        assert DenseAE(3, **parameters).fit(X).used_network_


def test_overlapping_windows_are_judged_by_blocks():
    noise = np.random.default_rng(2).normal(size=1300)
    values = lfilter([1.0], [1.0, -1.6, 0.7], noise)
    windows = np.lib.stride_tricks.sliding_window_view(values, 32).copy()
    parameters = {"max_iter": 60, "random_state": 0}
    fitted = DenseAE(3, holdout="blocks", **parameters).fit(windows)
    assert not fitted.used_network_
    with pytest.warns(UserWarning, match="overlapping windows .* holdout='blocks'"):
        assert DenseAE(3, **parameters).fit(windows).used_network_


@pytest.mark.parametrize("holdout", ["blocks", TimeSeriesSplit(3)])
def test_validation_rows_take_the_place_of_any_holdout(holdout, cancer):
    X, X_val = cancer[:300], cancer[300:310]
    by_default, other = (
        DenseAE(2, holdout=choice, **QUICK).fit(X, X_val=X_val)
        for choice in ("random", holdout)
    )
    np.testing.assert_array_equal(other.transform(X), by_default.transform(X))


@pytest.mark.parametrize(
    ("splitter", "n_samples"), [(LeaveOneGroupOut(), 1100), (GroupKFold(6), 1100)]
)
def test_split_of_a_single_group_tells_nothing_and_gives_a_warning(
    splitter, n_samples, cancer
):
    X = np.vstack([cancer, cancer + 0.5])[:n_samples]
    estimator = DenseAE(2, holdout=splitter, **QUICK)
    with pytest.warns(UserWarning, match="count as fewer than two observations"):
        estimator.fit(X, groups=np.arange(n_samples) % 6)
    assert not estimator.used_network_


@pytest.mark.parametrize("n_samples", [600, 3000])
@pytest.mark.parametrize(
    ("holdout", "with_groups"), [("random", True), ("blocks", False), (KFold(3), False)]
)
def test_rows_of_few_values_that_all_repeat_give_pca(n_samples, holdout, with_groups):
    X = (np.random.default_rng(0).random((n_samples, 6)) < 0.5).astype(float)
    groups = np.arange(n_samples) // 30 if with_groups else None
    estimator = DenseAE(2, holdout=holdout, **QUICK)
    with pytest.warns(UserWarning, match="fewer than two .* equal rows that are tr"):
        estimator.fit(X, groups=groups)
    assert not estimator.used_network_
    sparse = SparseAE(8, holdout=holdout, **QUICK).fit(X, groups=groups)
    assert sparse.history_["val_loss"]


def test_blocks_that_get_groups_say_that_they_do_not_use_them(cancer):
    estimator = DenseAE(2, holdout="blocks", **QUICK)
    with pytest.warns(UserWarning, match="does not use groups.* set holdout='random'"):
        estimator.fit(cancer[:60], groups=np.arange(60) // 6)


@pytest.mark.parametrize("factor", [20, 0.01])
def test_validation_rows_in_other_units_give_a_warning(factor, cancer):
    estimator = DenseAE(2, **QUICK)
    with pytest.warns(UserWarning, match="X_val whose squared distance .* same units"):
        estimator.fit(cancer[:300], X_val=factor * cancer[300:])


def test_nothing_is_asked_of_groups_if_nothing_is_held_out(cancer):
    estimator = DenseAE(2, early_stopping=False, **QUICK)
    estimator.fit(cancer[:60], groups=np.zeros(60))
    estimator.set_params(holdout=GroupKFold(3)).fit(cancer[:60])


def test_validation_rows_judge_networks_of_few_rows(cancer):
    X, X_val = cancer[:40], cancer[40:]
    estimator = DenseAE(2, **QUICK).fit(X, X_val=X_val)
    assert estimator.history_["val_loss"]
    pca = PCA(2, svd_solver="full").fit(X)
    pca_error = np.mean((X_val - pca.inverse_transform(pca.transform(X_val))) ** 2)
    assert estimator.pca_reconstruction_error_ == pytest.approx(pca_error, rel=1e-4)


def test_rows_that_are_held_out_often_count_once():
    """Repeated splits show more trainings, but no more rows."""
    X = np.random.default_rng(0).normal(size=(60, 6))
    splitter = RepeatedKFold(n_splits=3, n_repeats=5, random_state=0)
    request = holdout_request("DenseAE", splitter, X, None, None, None)
    task = FitTask(make_plan(), TrainingRows(X, "DenseAE", request))
    clusters = np.concatenate([split.clusters for split in folds(task)])
    assert len(clusters) == 5 * 60
    assert len(np.unique(clusters)) == 60


def test_gap_of_a_splitter_says_for_how_long_rows_are_alike():
    X = np.random.default_rng(0).normal(size=(600, 6))
    for gap, expected in ((0, 6), (40, 40)):
        splitter = TimeSeriesSplit(gap=gap)
        assert holdout_request("DenseAE", splitter, X, None, None, None).gap == expected


def test_validation_rows_without_early_stopping_only_measure(cancer):
    X, X_val = cancer[:300], cancer[300:]
    with pytest.warns(UserWarning, match="with as many components is"):
        fitted = DenseAE(2, early_stopping=False, **QUICK).fit(X, X_val=-2 * X_val)
    assert fitted.n_iter_ == QUICK["max_iter"]
    plain = DenseAE(2, early_stopping=False, **QUICK).fit(X)
    np.testing.assert_array_equal(fitted.transform(X), plain.transform(X))
    assert len(fitted.history_["val_loss"]) == QUICK["max_iter"]


def test_large_validation_rows_are_read_where_they_are(monkeypatch, cancer):
    """Rows that are many are brought into the units of training block by block."""
    X, X_val = cancer[:400], cancer[400:]
    at_once = DenseAE(2, **QUICK).fit(X, X_val=X_val)
    monkeypatch.setattr("skae._fit.task._FEW_VALUES", 1000)
    by_blocks = DenseAE(2, **QUICK).fit(X, X_val=X_val)
    np.testing.assert_array_equal(at_once.transform(X), by_blocks.transform(X))
    assert at_once.history_ == by_blocks.history_


@pytest.mark.parametrize(
    "splitter",
    [
        TimeSeriesSplit(n_splits=3, gap=4),
        GroupKFold(n_splits=3),
        KFold(n_splits=3),
        StratifiedKFold(n_splits=3),
        PredefinedSplit(np.repeat([-1, 0], [400, 169])),
    ],
    ids=repr,
)
@pytest.mark.parametrize("n_samples", [569, 1138])
def test_splitters_of_scikit_learn_choose_the_rows(splitter, n_samples, cancer):
    X = np.vstack([cancer, cancer + 0.5])[:n_samples]
    if isinstance(splitter, PredefinedSplit):
        X = X[:569]
    y, groups = np.arange(len(X)) % 2, None
    if isinstance(splitter, GroupKFold):
        groups = np.arange(len(X)) // 10
    parameters = {**QUICK, "pca_shortcut": False}  # one split, and always a network
    estimator = DenseAE(2, holdout=splitter, **parameters)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* keeps its network")
        estimator.fit(X, y, groups=groups)
    _, held_out = list(splitter.split(X, y, groups))[-1]
    error = np.mean((X[held_out] - estimator.reconstruct(X[held_out])) ** 2)
    assert estimator.reconstruction_error_ == pytest.approx(error, rel=1e-4)


def test_fits_to_go_on_from_hold_out_what_they_are_told(cancer):
    X, X_val = cancer[:300], cancer[300:]
    parameters = {**QUICK, "max_iter": 30, "warm_start": True}
    estimator = DenseAE(2, **parameters).fit(X, X_val=X_val)
    assert estimator.used_network_
    estimator.fit(X, X_val=X_val)
    error = np.mean((X_val - estimator.reconstruct(X_val)) ** 2)
    assert estimator.reconstruction_error_ == pytest.approx(error, rel=1e-4)


# --- In pipelines and searches ---


def test_groups_of_a_search_reach_the_fits_unasked(calls, cancer):
    groups = np.arange(len(cancer)) // 10
    y = np.arange(len(cancer)) % 2
    pipeline = make_pipeline(
        StandardScaler(), Recorded(2, **QUICK), LogisticRegression()
    )
    search = GridSearchCV(
        pipeline, {"recorded__n_components": [1, 2]}, cv=GroupKFold(3)
    )
    with config_context(enable_metadata_routing=True):
        search.fit(cancer, y, groups=groups)
    assert len(calls) == 7
    for X, of_fit, _ in calls:
        assert len(of_fit) == len(X)
        assert {*of_fit} <= {*groups}


def test_groups_of_a_search_do_not_reach_fits_without_routing(calls, cancer):
    groups = np.arange(len(cancer)) // 10
    search = GridSearchCV(Recorded(2, **QUICK), {"n_components": [1]}, cv=GroupKFold(3))
    search.fit(cancer, groups=groups)
    assert [of_fit for _, of_fit, _ in calls] == [None] * 4


def test_groups_in_parallel_searches_and_cross_validation(cancer):
    groups = np.arange(len(cancer)) // 10
    pipeline = make_pipeline(StandardScaler(), DenseAE(2, **QUICK))
    grid = {"denseae__n_components": [1, 2]}
    with config_context(enable_metadata_routing=True):
        one, two = (
            GridSearchCV(pipeline, grid, cv=GroupKFold(2), n_jobs=n_jobs)
            .fit(cancer, groups=groups)
            .cv_results_["mean_test_score"]
            for n_jobs in (None, 2)
        )
        scores = cross_validate(
            pipeline, cancer, cv=GroupKFold(2), params={"groups": groups}
        )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(scores["test_score"].mean(), one[1])


def test_validation_rows_pass_through_the_steps_of_a_pipeline(calls, cancer):
    X, X_val = cancer[:300] * 5 + 3, cancer[300:] * 5 + 3
    with config_context(enable_metadata_routing=True):
        estimator = Recorded(2, **QUICK).set_fit_request(X_val=True)
        scaler = StandardScaler()
        pipeline = make_pipeline(scaler, estimator, transform_input=["X_val"])
        pipeline.fit(X, X_val=X_val)
        np.testing.assert_allclose(calls[0][2], pipeline[0].transform(X_val))
        with pytest.raises(ValueError, match=r"\[X_val\].*not explicitly set"):
            make_pipeline(scaler, Recorded(2, **QUICK)).fit(X, X_val=X_val)


def test_validation_rows_in_a_search(calls, cancer):
    X, X_val = cancer[:300], cancer[300:]
    with config_context(enable_metadata_routing=True):
        estimator = Recorded(2, **QUICK).set_fit_request(X_val=True)
        GridSearchCV(estimator, {"n_components": [1]}, cv=2).fit(X, X_val=X_val)
    assert [len(of_fit) for _, _, of_fit in calls] == [269] * 3


def test_validation_rows_that_a_search_cuts_give_a_warning(calls, cancer):
    X, X_val = cancer[:284], cancer[284:568]
    with config_context(enable_metadata_routing=True):
        estimator = Recorded(2, **QUICK).set_fit_request(X_val=True)
        search = GridSearchCV(estimator, {"n_components": [1]}, cv=2)
        with pytest.warns(UserWarning, match="X_val with as many rows as X"):
            search.fit(X, X_val=X_val)


# --- Bad input ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": np.arange(9)}, "groups of shape .9,. for X of 60 rows"),
        (
            {"groups": np.zeros(60)},
            "groups with the single value '0.0'.*set_fit_request",
        ),
        ({"groups": np.full((60, 2), 1)}, "groups of shape .60, 2. for X of 60"),
        ({"groups": 3}, "groups of shape .. for X of 60 rows"),
        ({"groups": np.r_[np.nan, np.ones(59)]}, "groups with missing values"),
        ({"groups": [None, *"ab" * 29, "c"]}, "groups with missing values"),
        ({"groups": pd.Series([pd.NA, *"ab" * 29, "c"])}, "groups with missing values"),
        ({"groups": np.array([1, "a"] * 30, object)}, "types that cannot be compared"),
        ({"X_val": np.ones((5, 3))}, "cannot use X_val: X has 3 features"),
        ({"X_val": np.full((5, 30), np.nan)}, "cannot use X_val: .*NaN"),
        ({"X_val": np.ones((1, 30))}, "X_val of one row"),
        ({"X_val": np.ones(30)}, "cannot use X_val: Expected 2D array"),
        ({"X_val": np.ones((5, 30)) * 1e200}, "X_val with values from .* far beyond"),
        ({"X_val": np.ones((5, 30)), "groups": np.arange(60)}, "both groups and X_val"),
    ],
)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_invalid_groups_and_validation_rows_are_refused(
    estimator, arguments, message, cancer
):
    assert_refused(estimator, cancer[:60], message, **arguments)


class Splitter:
    """Yields the given splits."""

    def __init__(self, *splits):
        self.splits = splits

    def split(self, X, y=None, groups=None):
        yield from self.splits

    def get_n_splits(self, X=None, y=None, groups=None):
        return len(self.splits)


ROWS = np.arange(60)


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (Splitter(), "gives no split"),
        (Splitter((ROWS, [])), "gives a split without rows to hold out"),
        (Splitter((ROWS[:30], ROWS[30:]), ([], ROWS)), "without rows to train on"),
        (Splitter((ROWS[:30], ROWS + 1)), "hold out that are not indices of the 60"),
        (Splitter((ROWS[:30], -ROWS - 1)), "hold out that are not indices of the 60"),
        (Splitter((ROWS < 30, ROWS > 30)), "not indices .*, which are integers from 0"),
        (Splitter((ROWS[:30],)), "cannot split the rows: not enough values"),
        (Splitter((ROWS, ROWS[:5])), "whose held-out rows are trained on, too"),
        (GroupKFold(3), "GroupKFold.* of DenseAE cannot split the rows: The 'groups'"),
        (KFold(99), "cannot split the rows: .*n_splits=99"),
        ("validation", "'holdout' parameter of .* must be"),
        (3, "'holdout' parameter of .* must be"),
    ],
)
@pytest.mark.parametrize("estimator", ESTIMATORS[:2], ids=repr)
def test_invalid_splits_are_refused(estimator, splitter, message, cancer):
    assert_refused(estimator, cancer[:60], message, holdout=splitter)


def assert_refused(estimator, X, message, holdout="random", **arguments):
    """Assert that an error is raised, and that it leaves the previous fit alone."""
    estimator.set_params(holdout="random").fit(X)
    estimator.set_params(holdout=holdout)
    state = vars(estimator).copy()
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, **arguments)
    assert vars(estimator) == state
