"""A search for the number of codes, at one ordered fit a fold."""

import logging
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import DenoisingAE, DenseAE, SparseAE, TruncationSearchCV
from tests.processes import run

# Without early stopping, networks are kept; small ones are quick.
QUICK = {
    "hidden_layer_sizes": (8,),
    "max_iter": 6,
    "early_stopping": False,
    "random_state": 0,
}
K = "codes__n_components"


@pytest.fixture(scope="module")
def X():
    return load_digits().data[:240]


@pytest.fixture(scope="module")
def y():
    return load_digits().target[:240]


class Recorded(DenseAE):
    """Records the fits: the rows, the settings, and what else was passed."""

    fits = []  # noqa: RUF012

    def fit(self, X, y=None, *, groups=None, X_val=None):
        settings = {name: getattr(self, name) for name in ("n_components", "ordered")}
        self.fits.append({"X": X, **settings, "groups": groups, "X_val": X_val})
        return super().fit(X, y, groups=groups, X_val=X_val)


class RecordedScaler(StandardScaler):
    """Counts its fits."""

    fits = []  # noqa: RUF012

    def fit(self, X, y=None, sample_weight=None):
        self.fits.append(sample_weight)
        return super().fit(X, y, sample_weight)


class Picky(ClassifierMixin, BaseEstimator):
    """Refuses codes of one size."""

    def __init__(self, refused=2):
        self.refused = refused

    def fit(self, X, y):
        if X.shape[1] == self.refused or self.refused == "all":
            raise ValueError("not these codes")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture
def fits():
    Recorded.fits.clear()
    RecordedScaler.fits.clear()
    return Recorded.fits


def pipeline(*before, autoencoder=None, after=None):
    return Pipeline(
        [
            *((f"before{i}", step) for i, step in enumerate(before)),
            ("codes", autoencoder or DenseAE(**QUICK)),
            ("model", KNeighborsClassifier() if after is None else after),
        ]
    )


def search(n_components=(1, 2, 4), estimator=None, cv=2, **settings):
    estimator = pipeline(StandardScaler()) if estimator is None else estimator
    return TruncationSearchCV(estimator, n_components, cv=cv, **settings)


# --- What is fitted, and what it scores ---


def test_scores_are_those_of_truncated_ordered_fits(X, y):
    result = search([4, 1, 2], return_train_score=True).fit(X, y).cv_results_
    for i, (train, test) in enumerate(StratifiedKFold(2).split(X, y)):
        scaler = StandardScaler().fit(X[train])
        Z, Z_test = scaler.transform(X[train]), scaler.transform(X[test])
        ordered = DenseAE(4, ordered=True, **QUICK).fit(Z)
        for j, k in enumerate([4, 1, 2]):
            first = ordered.truncate(k)
            model = KNeighborsClassifier().fit(first.transform(Z), y[train])
            score = model.score(first.transform(Z_test), y[test])
            train_score = model.score(first.transform(Z), y[train])
            assert result[f"split{i}_test_score"][j] == pytest.approx(score)
            assert result[f"split{i}_train_score"][j] == pytest.approx(train_score)
    assert len({*result["mean_test_score"]}) == 3  # so their order matters


def test_each_fold_fits_the_autoencoder_and_earlier_steps_once(X, y, fits):
    estimator = pipeline(RecordedScaler(), autoencoder=Recorded(**QUICK))
    search([2, 1, 4, 3], estimator, cv=3).fit(X, y)
    assert [len(fit["X"]) for fit in fits] == [160, 160, 160, 240]
    assert {(fit["n_components"], fit["ordered"]) for fit in fits} == {(4, True)}
    assert len(RecordedScaler.fits) == 4


def test_best_estimator_is_the_truncated_ordered_fit(X, y):
    fitted = search().fit(X, y)
    best = fitted.best_estimator_
    assert fitted.best_params_ == {K: 4}
    fitted.set_params(n_components=[4, 2], refit=lambda results: 1).fit(X, y)
    best = fitted.best_estimator_
    assert fitted.best_params_ == {K: 2}
    Z = StandardScaler().fit_transform(X)
    first = DenseAE(4, ordered=True, **QUICK).fit(Z).truncate(2)
    np.testing.assert_allclose(best[:-1].transform(X), first.transform(Z))
    np.testing.assert_allclose(best["codes"].reconstruct(Z), first.reconstruct(Z))
    model = KNeighborsClassifier().fit(first.transform(Z), y)
    np.testing.assert_array_equal(fitted.predict(X), model.predict(first.transform(Z)))


@pytest.mark.parametrize("asked", [{}, {"ordered": True, "warm_start": True}])
@pytest.mark.parametrize("refine", [False, True])
def test_best_estimator_has_the_parameters_that_were_asked_for(X, y, asked, refine):
    """So a clone of it is the estimator that a grid search would return."""
    random_state = np.random.RandomState(0)
    autoencoder = DenseAE(**{**QUICK, "random_state": random_state}, **asked)
    estimator = pipeline(autoencoder=autoencoder)
    best = search([3], estimator, refine=refine).fit(X, y).best_estimator_
    expected = clone(estimator).set_params(codes__n_components=3, codes__ordered=False)
    random_state = best["codes"].random_state
    assert isinstance(random_state, np.random.RandomState)
    same = {"codes__random_state": 0}
    assert repr(best.set_params(**same)) == repr(expected.set_params(**same))
    assert clone(best).fit(X, y)["codes"].n_components_ == 3


@pytest.mark.parametrize("random_state", [0, None])
def test_refining_trains_the_best_codes_alone(X, y, random_state):
    autoencoder = DenseAE(**{**QUICK, "max_iter": 20, "random_state": random_state})
    estimator = pipeline(autoencoder=autoencoder)
    plain = search([2, 8], estimator, refit=lambda results: 0).fit(X, y)
    refined = clone(plain).set_params(refine=True).fit(X, y)
    if random_state == 0:
        for key in ("split0_test_score", "split1_test_score"):
            np.testing.assert_array_equal(
                plain.cv_results_[key], refined.cv_results_[key]
            )
    before, after = (s.best_estimator_["codes"] for s in (plain, refined))
    assert (before.n_iter_, after.n_iter_) == (20, 5)
    if random_state == 0:
        assert after.score(X) > before.score(X)
    codes = after.transform(X)
    model = KNeighborsClassifier().fit(codes, y)
    np.testing.assert_array_equal(refined.predict(X), model.predict(codes))


def test_pca_is_truncated_and_not_refined(X, y):
    """Fewer than 50 rows make the autoencoder PCA."""
    X, y = X[:40], y[:40] % 2
    autoencoder = DenseAE(random_state=0)
    estimator = pipeline(autoencoder=autoencoder, after=GaussianNB())
    fitted = search([1, 3], estimator, refine=True).fit(X, y)
    expected = [
        cross_val_score(make_pipeline(PCA(k), GaussianNB()), X, y, cv=2).mean()
        for k in (1, 3)
    ]
    np.testing.assert_allclose(fitted.cv_results_["mean_test_score"], expected)
    assert not fitted.best_estimator_["codes"].used_network_


def test_exact_pca_is_warned_of(X, y):
    X = np.random.default_rng(0).normal(size=(60, 3))
    estimator = pipeline(autoencoder=DenseAE(max_iter=2, random_state=0))
    with pytest.warns(UserWarning, match="n_components has 3, with which PCA"):
        search([1, 3], estimator).fit(X, y[:60] % 2)


def test_user_estimator_is_left_unfitted(X, y):
    estimator = pipeline()
    before = repr(estimator)
    search(estimator=estimator).fit(X, y)
    assert repr(estimator) == before
    assert not hasattr(estimator["codes"], "n_components_")


# --- What is recorded ---


def test_results_have_the_keys_and_kinds_of_a_grid_search(X, y):
    settings = {"cv": 2, "return_train_score": True}
    ours = search([3, 1], **settings).fit(X, y)
    grid = GridSearchCV(ours.estimator, {K: [3, 1]}, **settings).fit(X, y)
    assert list(ours.cv_results_) == list(grid.cv_results_)
    for key, values in grid.cv_results_.items():
        assert type(ours.cv_results_[key]) is type(values), key
    assert ours.cv_results_["params"] == grid.cv_results_["params"]
    fitted = {name for name in vars(grid) if name.endswith("_")}
    assert {name for name in vars(ours) if name.endswith("_")} == fitted
    assert ours.best_score_ == ours.cv_results_["mean_test_score"].max()
    assert (ours.cv_results_["mean_fit_time"] > 0).all()
    assert ours.n_splits_ == 2
    assert ours.refit_time_ > 0


@pytest.mark.parametrize(
    "numbers",
    [[2, 1, 2], (3, 1), np.array([1, 3]), range(1, 4), [np.int32(2)], 3],
)
def test_numbers_keep_their_order(X, y, numbers):
    result = search(numbers).fit(X, y).cv_results_
    expected = [int(k) for k in np.atleast_1d(numbers)]
    assert result["params"] == [{K: k} for k in expected]
    np.testing.assert_array_equal(result[f"param_{K}"], expected)
    assert all(type(params[K]) is int for params in result["params"])


def test_results_are_the_same_again_and_in_two_processes(X, y):
    one, again, two = (search(n_jobs=n_jobs).fit(X, y) for n_jobs in (None, None, 2))
    for other in (again, two):
        for key, values in one.cv_results_.items():
            if "time" not in key:
                np.testing.assert_array_equal(other.cv_results_[key], values)
        np.testing.assert_array_equal(other.predict(X), one.predict(X))


def test_several_scores(X, y):
    scoring = ["accuracy", "f1_macro"]
    fitted = search(scoring=scoring, refit="f1_macro").fit(X, y)
    assert fitted.multimetric_
    assert set(fitted.scorer_) == set(scoring)
    assert fitted.best_score_ == fitted.cv_results_["mean_test_f1_macro"].max()
    assert fitted.score(X, y) > 0.5
    by_callable = search(
        scoring=lambda model, X, y: {"one": model.score(X, y), "two": 0.0}, refit="one"
    ).fit(X, y)
    np.testing.assert_array_equal(
        by_callable.cv_results_["mean_test_one"],
        fitted.cv_results_["mean_test_accuracy"],
    )
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        search(scoring=scoring).fit(X, y)


def test_without_refit_there_is_no_estimator(X, y):
    fitted = search(refit=False).fit(X, y)
    assert fitted.best_params_ == {K: 4}
    assert not hasattr(fitted, "best_estimator_")
    with pytest.raises(AttributeError):
        fitted.predict(X)
    with pytest.raises(AttributeError):
        _ = fitted.n_features_in_


def test_methods_are_those_of_the_best_estimator(X, y):
    fitted = search().fit(X, y)
    np.testing.assert_array_equal(fitted.classes_, np.unique(y))
    assert fitted.predict_proba(X).shape == (240, 10)
    assert fitted.n_features_in_ == 64
    for name in ("transform", "decision_function", "inverse_transform"):
        assert not hasattr(fitted, name)
    assert pickle.loads(pickle.dumps(fitted)).score(X, y) == fitted.score(X, y)


def test_scores_are_logged_if_verbose(X, y, caplog):
    with caplog.at_level(logging.INFO, "skae"):
        search([1, 2], verbose=1).fit(X, y)
    lines = [m for m in caplog.messages if m.startswith("TruncationSearchCV")]
    assert len(lines) == 4
    assert f"{K}=1 scores" in lines[0]


# --- Kinds of estimators ---


def reconstruction(model, X, y=None):
    return -np.mean((X - model.reconstruct(X)) ** 2) - model.n_components_


@pytest.mark.parametrize("cls", [DenseAE, DenoisingAE])
def test_autoencoder_alone_needs_no_targets(X, cls):
    estimator = cls(**QUICK)
    fitted = search([2, 1], estimator, scoring=reconstruction).fit(X)
    ordered = cls(2, ordered=True, **QUICK).fit(X[120:])
    expected = [reconstruction(ordered.truncate(k), X[:120]) for k in (2, 1)]
    result = fitted.cv_results_
    np.testing.assert_allclose(result["split0_test_score"], expected, rtol=1e-6)
    assert list(result["param_n_components"]) == [2, 1]
    assert isinstance(fitted.best_estimator_, cls)
    k = fitted.best_params_["n_components"]
    assert fitted.transform(X).shape == (240, k)
    assert fitted.inverse_transform(fitted.transform(X)).shape == X.shape


def test_step_may_be_named_among_several(X, y, fits):
    estimator = Pipeline(
        [
            ("first", DenseAE(16, **QUICK)),
            ("second", Recorded(**QUICK)),
            ("model", KNeighborsClassifier()),
        ]
    )
    fitted = search([2, 3], estimator, step="second").fit(X, y)
    assert list(fitted.best_params_) == ["second__n_components"]
    assert [fit["X"].shape[1] for fit in fits] == [16, 16, 16]
    assert fitted.best_estimator_["first"].n_components_ == 16


def test_pipelines_keep_their_class_and_skipped_steps(X, y):
    class Own(Pipeline):
        pass

    steps = [
        ("skipped", "passthrough"),
        ("codes", DenseAE(**QUICK)),
        ("also", None),
        ("scale", StandardScaler()),
        ("model", LinearRegression()),
    ]
    fitted = search([1, 2], Own(steps)).fit(X, y)
    assert type(fitted.best_estimator_) is Own
    assert [name for name, _ in fitted.best_estimator_.steps] == [
        name for name, _ in steps
    ]
    assert fitted.predict(X).shape == (240,)


def test_frames_pass_through_the_steps(X, y):
    estimator = pipeline(StandardScaler()).set_output(transform="pandas")
    frame = pd.DataFrame(X).add_prefix("pixel")
    fitted = search([1, 2], estimator).fit(frame, y)
    plain = search([1, 2]).fit(X, y)
    np.testing.assert_array_equal(fitted.predict(frame), plain.predict(X))
    assert list(fitted.feature_names_in_) == list(frame.columns)
    model = fitted.best_estimator_
    assert list(model["model"].feature_names_in_) == [
        *model["codes"].get_feature_names_out()
    ]


def test_memory_keeps_the_ordered_fits(X, y, fits, tmp_path):
    estimator = pipeline(autoencoder=Recorded(**QUICK))
    estimator.set_params(memory=str(tmp_path))
    first = search(estimator=estimator).fit(X, y)
    assert len(fits) == 3
    second = search(estimator=estimator.set_params(model=GaussianNB())).fit(X, y)
    assert len(fits) == 3
    assert second.best_estimator_.memory == str(tmp_path)
    np.testing.assert_array_equal(
        first.best_estimator_[:-1].transform(X),
        second.best_estimator_[:-1].transform(X),
    )


# --- What else is passed to fit ---


def test_parameters_reach_their_steps_by_name(X, y, fits):
    estimator = pipeline(
        RecordedScaler(),
        autoencoder=Recorded(**{**QUICK, "early_stopping": True}),
        after=GaussianNB(),
    )
    weights, groups = np.linspace(0, 1, 240), np.repeat(np.arange(24), 10)
    search([1, 2], estimator, cv=GroupKFold(2)).fit(
        X,
        y,
        groups=groups,
        before0__sample_weight=weights,
        codes__groups=groups,
        model__sample_weight=weights,
    )
    assert [len(w) for w in RecordedScaler.fits] == [120, 120, 240]
    assert not {*fits[0]["groups"]} & {*fits[1]["groups"]}
    np.testing.assert_array_equal(fits[2]["groups"], groups)


def test_parameters_are_routed(X, y, fits):
    with config_context(enable_metadata_routing=True):
        autoencoder = Recorded(**{**QUICK, "early_stopping": True})
        autoencoder.set_fit_request(X_val=True)
        estimator = pipeline(
            RecordedScaler().set_fit_request(sample_weight=True),
            autoencoder=autoencoder.set_fit_request(groups=False),
            after=GaussianNB().set_fit_request(sample_weight=True),
        ).set_params(transform_input=["X_val"])
        scoring = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        weights, groups = np.linspace(0.1, 1, 240), np.repeat(np.arange(24), 10)
        X_val = (X[:60] + X[60:120]) / 2
        fitted = search([1, 2], estimator, cv=GroupKFold(2), scoring=scoring)
        fitted.fit(X, y, groups=groups, sample_weight=weights, X_val=X_val)
        assert [len(w) for w in RecordedScaler.fits] == [120, 120, 240]
        best = fitted.best_estimator_
        np.testing.assert_array_equal(
            fits[2]["X_val"], best["before0"].transform(X_val)
        )
        weighted = GaussianNB().fit(best[:-1].transform(X), y, weights)
        np.testing.assert_allclose(best["model"].theta_, weighted.theta_)
        train, test = next(GroupKFold(2).split(X, y, groups))
        scaler = StandardScaler().fit(X[train], sample_weight=weights[train])
        Z = scaler.transform(X)
        first = clone(autoencoder).set_params(n_components=2, ordered=True)
        first.fit(Z[train], X_val=scaler.transform(X_val))
        codes = first.truncate(1).transform(Z)
        model = GaussianNB().fit(codes[train], y[train], weights[train])
        score = model.score(codes[test], y[test], weights[test])
        assert fitted.cv_results_["split0_test_score"][0] == pytest.approx(score)


def test_groups_are_routed_to_the_splits_and_the_fits(X, y, fits):
    with config_context(enable_metadata_routing=True):
        estimator = pipeline(autoencoder=Recorded(**{**QUICK, "early_stopping": True}))
        groups = np.repeat(np.arange(24), 10)
        search([1, 2], estimator, cv=GroupKFold(2)).fit(X, y, groups=groups)
        assert not {*fits[0]["groups"]} & {*fits[1]["groups"]}


def test_later_steps_get_their_input_transformed(X, y):
    class Checked(GaussianNB):
        def fit(self, X, y, held_out=None):
            assert held_out.shape[1] == X.shape[1]
            return super().fit(X, y)

    with config_context(enable_metadata_routing=True):
        estimator = pipeline(
            StandardScaler(), after=Checked().set_fit_request(held_out=True)
        ).set_params(transform_input=["held_out"])
        search([1, 2], estimator).fit(X, y, held_out=X[:30])


# --- Errors ---


def test_failing_later_step_costs_its_number_only(X, y):
    fitted = search([1, 2, 3], pipeline(after=Picky()))
    with (
        pytest.warns(FitFailedWarning, match=r"2 fits failed out of a total of 6"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        fitted.fit(X, y)
    scores = fitted.cv_results_["mean_test_score"]
    assert np.isnan(scores).tolist() == [False, True, False]
    fitted.set_params(scoring=["accuracy"], refit=False, error_score=-1)
    with pytest.warns(FitFailedWarning):
        fitted.fit(X, y)
    assert fitted.cv_results_["mean_test_accuracy"][1] == -1
    with pytest.raises(ValueError, match="not these codes"):
        fitted.set_params(error_score="raise").fit(X, y)


def test_failing_ordered_fit_costs_its_fold_only(X, y):
    rows = X.copy()
    rows[:5] = np.nan  # in the first test fold, so in the second training fold
    cv = [
        (np.arange(120, 240), np.arange(5, 120)),
        (np.arange(120), np.arange(120, 240)),
    ]
    fitted = search([1, 2], pipeline(), cv=cv, refit=False)
    with (
        pytest.warns(FitFailedWarning, match=r"2 fits failed out of a total of 4"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        fitted.fit(rows, y)
    assert np.isfinite(fitted.cv_results_["split0_test_score"]).all()
    assert np.isnan(fitted.cv_results_["split1_test_score"]).all()
    with pytest.raises(ValueError, match=r"(?s)All the 2 fits failed.*NaN"):
        search([1, 2], pipeline(), cv=cv[1:]).fit(rows, y)


class Sampler(TransformerMixin, BaseEstimator):
    def fit_resample(self, X, y):
        return X, y


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": []}, "n_components of TruncationSearchCV is empty"),
        ({"n_components": [0.9]}, r"sequence of integers of at least 1. Got \[0.9\]"),
        ({"n_components": "auto"}, "sequence of integers of at least 1. Got 'auto'"),
        ({"n_components": [2, 0]}, r"integers of at least 1. Got \[2, 0\]"),
        ({"step": "model"}, "step='model', which cannot be ordered"),
        ({"step": "other"}, r"step='other', but the steps .* \['codes', 'model'\]"),
        ({"n_components": [1, 65]}, r"n_components has 65, .* n_samples=120 and"),
        ({"estimator": make_pipeline(SparseAE(), GaussianNB())}, "no step that can be"),
        (
            {"estimator": make_pipeline(make_pipeline(DenseAE()), GaussianNB())},
            "Pipelines within the pipeline are not looked into",
        ),
        (
            {
                "estimator": make_pipeline(
                    FeatureUnion([("a", DenseAE())]), GaussianNB()
                )
            },
            "no step that can be ordered",
        ),
        (
            {"estimator": make_pipeline(DenseAE(), DenoisingAE(), GaussianNB())},
            r"several steps .*\['denseae', 'denoisingae'\]. Name the one",
        ),
        ({"estimator": DenseAE()}, "without a step after the autoencoder"),
        (
            {"estimator": Pipeline([("codes", DenseAE()), ("rest", "passthrough")])},
            "without a step after the autoencoder",
        ),
        (
            {"estimator": DenseAE(), "step": "codes", "scoring": reconstruction},
            "step='codes', but DenseAE is no Pipeline",
        ),
        (
            {"estimator": pipeline(autoencoder=DenseAE(code_activation="relu"))},
            "ordered=True, which TruncationSearchCV sets, needs code_activation",
        ),
        ({"estimator": pipeline(Sampler())}, "resamples rows before"),
        (
            {"estimator": pipeline().set_params(transform_input=["X_val"])},
            "enable_metadata_routing=True",
        ),
        ({"cv": []}, r"at least one split, got \[\]"),
        ({"refine": "yes"}, "'refine' parameter"),
    ],
)
def test_mistakes_are_reported_before_any_fit(X, y, fits, settings, message):
    settings = {"estimator": pipeline(autoencoder=Recorded(**QUICK)), **settings}
    with pytest.raises(ValueError, match=message):
        search(**settings).fit(X, y)
    assert not fits


def test_other_estimators_are_refused(X, y):
    with pytest.raises(TypeError, match=r"must be a Pipeline .*got GaussianNB\(\)"):
        search(estimator=GaussianNB()).fit(X, y)


def test_later_steps_must_have_a_score(X, y):
    with pytest.raises(TypeError, match="'score' method"):
        search(estimator=pipeline(after=StandardScaler())).fit(X, y)


@pytest.mark.parametrize("name", ["sample_weight", "other__sample_weight"])
def test_unknown_fit_parameter_is_refused_before_any_fit(X, y, fits, name):
    estimator = pipeline(autoencoder=Recorded(**QUICK))
    with pytest.raises(ValueError, match=f"fit parameter '{name}'"):
        search(estimator=estimator).fit(X, y, **{name: np.ones(240)})
    assert not fits


def test_number_beyond_what_earlier_steps_leave_is_refused(X, y, fits):
    """Before the autoencoder is trained, and whatever `error_score` is."""
    estimator = pipeline(PCA(3), autoencoder=Recorded(**QUICK))
    with pytest.raises(ValueError, match=r"n_components has 4, .* n_features=3,"):
        search([2, 4], estimator, cv=KFold(2)).fit(X, y)
    assert not fits


# --- scikit-learn's checks, and imports ---

CHECKED = search(
    [1, 2],
    pipeline(StandardScaler(), after=LogisticRegression()),
    error_score="raise",
)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@parametrize_with_checks([CHECKED])
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_serving_does_not_import_the_searches():
    run(
        "import sys\n"
        "import skae\n"
        "assert 'sklearn.model_selection' not in sys.modules\n"
        "from skae import *\n"
        "assert TruncationSearchCV is skae.TruncationSearchCV\n"
        "repr(TruncationSearchCV(DenseAE(), [2]))\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "try:\n"
        "    skae.Other\n"
        "except AttributeError as error:\n"
        "    assert 'Other' in str(error)\n"
    )
