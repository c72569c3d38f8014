"""Codes that are trained beside labels."""

import logging
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    PredefinedSplit,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import DenseAE, SupervisedAE, TruncationSearchCV, compare_with_pca
from skae._fit.rows import TrainingRows
from skae._fit.splits import folds, hold_out
from skae._fit.targets import Targets
from skae._fit.task import FitTask
from tests.fit.plans import make_plan

QUICK = {"max_iter": 3, "hidden_layer_sizes": (8,), "random_state": 0}
NETWORK = {"early_stopping": False, **QUICK}


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def hidden():
    """Rows whose classes differ in a direction of little variance, and the classes."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(1500, 3))
    X = latent @ np.diag([3.0, 0.6, 0.5]) @ rng.normal(size=(3, 12))
    return X + 0.1 * rng.normal(size=X.shape), (latent[:, 2] > 0).astype(int)


def accuracy_of_codes(model, X, y, X_test, y_test):
    classifier = LogisticRegression(max_iter=1000).fit(model.transform(X), y)
    return classifier.score(model.transform(X_test), y_test)


# --- What it is for ---


def test_codes_separate_the_classes_and_reconstruct(digits, digit_labels):
    rows = train_test_split(digits, digit_labels, test_size=0.3, random_state=0)
    X, X_test, y, y_test = rows
    short = {"max_iter": 30, "random_state": 0}
    supervised = SupervisedAE(2, **short).fit(X, y)
    unsupervised = DenseAE(2, **short).fit(X)
    assert supervised.used_network_
    accuracies = [
        accuracy_of_codes(model, X, y, X_test, y_test)
        for model in (supervised, unsupervised)
    ]
    assert accuracies[0] > accuracies[1] + 0.15
    errors = [1 - model.score(X_test) for model in (supervised, unsupervised)]
    assert errors[0] < 1.25 * errors[1]
    # The head's score on held-out rows is about that on other fresh rows.
    assert supervised.target_score_ == pytest.approx(accuracies[0], abs=0.1)
    assert supervised.pca_target_score_ < supervised.target_score_ - 0.2


def test_codes_predict_numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 10))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    X_test, y_test, X, y = X[:300], y[:300], X[300:], y[300:]
    model = SupervisedAE(2, target_weight=3.0, max_iter=60, random_state=0).fit(X, y)
    assert "classes_" not in vars(model)
    regression = LinearRegression().fit(model.transform(X), y)
    assert regression.score(model.transform(X_test), y_test) > 0.6
    assert model.target_score_ > 0.5 > 0.2 > model.pca_target_score_


def test_several_columns_of_numbers_are_predicted(digits):
    y = np.column_stack([digits @ np.linspace(0, 1, 64), digits[:, 20] ** 2])
    model = SupervisedAE(4, **NETWORK).fit(digits, y)
    assert model._target_head.kernel.shape == (4, 2)
    assert 0 < model.target_score_ < 1


def test_unlabelled_rows_help_and_do_not_count(hidden):
    X, y = hidden
    few = np.where(np.arange(len(y)) % 10 == 0, y, -1)
    model = SupervisedAE(2, unlabelled=-1, max_iter=30, random_state=0).fit(X, few)
    np.testing.assert_array_equal(model.classes_, [0, 1])
    assert np.isfinite([model.target_score_, model.pca_target_score_]).all()
    same = SupervisedAE(2, unlabelled=np.nan, max_iter=30, random_state=0)
    same.fit(X, np.where(few == -1, np.nan, few))
    np.testing.assert_array_equal(same.transform(X), model.transform(X))


def test_minus_one_is_a_class_like_any_other_by_default(wine):
    X, y = wine
    model = SupervisedAE(2, **NETWORK).fit(X, np.where(y == 0, -1, 1))
    np.testing.assert_array_equal(model.classes_, [-1, 1])


@pytest.mark.parametrize(
    ("classes", "unlabelled"),
    [
        (["a", "b", "c"], "c"),
        (np.array(["a", "b", np.nan], dtype=object), np.nan),
        ([True, False, None], np.nan),
        (pd.array([0, 1, pd.NA], dtype="Int64"), np.nan),
        ([0.0, 1.0, -1.0], -1),
    ],
)
def test_labels_of_any_type_give_the_same_codes(wine, classes, unlabelled):
    X, y = wine
    expected = SupervisedAE(2, unlabelled=2, **NETWORK).fit(X, y).transform(X)
    labels = pd.Series(classes).iloc[y].reset_index(drop=True)
    model = SupervisedAE(2, unlabelled=unlabelled, **NETWORK).fit(X, labels)
    if classes[0] is True:  # True is sorted last
        return
    np.testing.assert_array_equal(model.transform(X), expected)


def test_class_weight_turns_to_the_rare_class(hidden):
    X, _ = hidden
    rng = np.random.default_rng(1)
    y = (X[:, 0] + 3 * rng.normal(size=len(X)) > 8).astype(int)  # one in ten or so

    def recall(class_weight):
        model = SupervisedAE(1, class_weight=class_weight, **NETWORK).fit(X, y)
        head = model._target_head(model.transform(X))
        return (head.argmax(axis=1) == 1)[y == 1].mean()

    assert recall("balanced") > recall(None) + 0.2
    assert recall({0: 1.0, 1: 10.0}) > recall(None) + 0.2


def test_target_type_tells_whole_numbers_from_classes():
    X, y = load_diabetes(return_X_y=True)
    with pytest.warns(UserWarning, match="for classes.*target_type='continuous'"):
        assert len(SupervisedAE(2, **NETWORK).fit(X, y).classes_) == len(np.unique(y))
    model = SupervisedAE(2, target_type="continuous", **NETWORK).fit(X, y)
    assert "classes_" not in vars(model)
    assert model.pca_target_score_ > 0.2


# --- Acceptance ---


def test_labels_that_nothing_predicts_leave_pca(caplog):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1200, 8)), rng.integers(3, size=1200)
    with caplog.at_level(logging.INFO, logger="skae"):
        model = SupervisedAE(2, max_iter=10, random_state=0).fit(X, y)
    assert "not reliably better than PCA with a linear head" in caplog.text
    assert not model.used_network_
    assert model.target_score_ == model.pca_target_score_
    assert model.reconstruction_error_ == model.pca_reconstruction_error_


def test_network_is_accepted_for_the_labels_alone(hidden):
    """It need not reconstruct better than PCA."""
    X, y = hidden
    model = SupervisedAE(2, target_weight=1.0, max_iter=20, random_state=0).fit(X, y)
    assert model.used_network_
    assert model.target_score_ > model.pca_target_score_ + 0.1
    assert model.reconstruction_error_ > model.pca_reconstruction_error_


def test_few_rows_are_pca(wine, caplog):
    X, y = wine
    with caplog.at_level(logging.INFO, logger="skae"):
        model = SupervisedAE(2, random_state=0, verbose=1).fit(X[::4], y[::4])
    assert not model.used_network_
    assert "fewer than 50 different rows" in caplog.text
    assert "score of the targets" in caplog.text
    assert 0.8 < model.target_score_ <= 1


def test_pca_target_score_is_that_of_a_linear_head_on_held_out_rows(hidden):
    X, y = hidden
    is_held_out = np.arange(len(X)) % 5 == 0
    model = SupervisedAE(2, holdout=PredefinedSplit(is_held_out - 1), **QUICK).fit(X, y)
    from sklearn.decomposition import PCA

    head = make_pipeline(PCA(2), StandardScaler(), LogisticRegression())
    head.fit(X[~is_held_out], y[~is_held_out])
    expected = head.score(X[is_held_out], y[is_held_out])
    assert model.pca_target_score_ == pytest.approx(expected, abs=0.005)


def task_of(X, y, **changes):
    labels = np.eye(y.max() + 1, dtype=np.float32)[np.maximum(y, 0)]
    labels[y < 0] = 0
    targets = Targets("classes", labels, labels.shape[1])
    rows = TrainingRows(X, "SupervisedAE", targets=targets)
    return FitTask(make_plan(**changes), rows)


def test_each_class_has_its_share_of_held_out_rows():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, -1], [900, 60, 540])
    X = rng.normal(size=(len(y), 6))
    task = task_of(X, y, validation_fraction=0.1)
    for split in [hold_out(task), *folds(task)]:
        share = len(split.held_out) / len(X)
        for label in (0, 1, -1):
            n_held_out = (y[split.held_out] == label).sum()
            assert n_held_out == pytest.approx(share * (y == label).sum(), abs=1.01)
    held_out = np.concatenate([split.held_out for split in folds(task)])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(len(X)))


def test_held_out_rows_without_labels_are_told_of(hidden):
    X, y = hidden
    is_held_out = np.arange(len(X)) % 5 == 0
    splitter = PredefinedSplit(is_held_out - 1)
    model = SupervisedAE(2, unlabelled=-1, holdout=splitter, **QUICK)
    with pytest.warns(UserWarning, match="No row that SupervisedAE held out has a la"):
        model.fit(X, np.where(is_held_out, -1, y))
    assert np.isnan(model.target_score_)


def test_groups_stay_together(wine):
    X, y = wine
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), SupervisedAE(2, **QUICK))
        model.fit(X, y, groups=np.arange(len(X)) // 3)
    assert model[-1].n_iter_ >= 1


def test_validation_rows_have_labels_of_their_own(hidden):
    X, y = hidden
    X_val, y_val, X, y = X[:300], y[:300], X[300:], y[300:]
    model = SupervisedAE(2, max_iter=20, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    predicted = model._target_head(model.transform(X_val)).argmax(axis=1)
    assert model.target_score_ == pytest.approx((predicted == y_val).mean(), abs=0.005)


def test_validation_labels_are_routed_on_request_only(hidden):
    X, y = hidden
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(SupervisedAE(2, **QUICK))
        with pytest.raises(UnsetMetadataPassedError):
            pipeline.fit(X[:900], y[:900], X_val=X[900:], y_val=y[900:])
        pipeline[-1].set_fit_request(X_val=True, y_val=True)
        pipeline.fit(X[:900], y[:900], X_val=X[900:], y_val=y[900:])


# --- The contract ---


def test_fit_transform_equals_fit_and_transform(wine):
    X, y = wine
    for settings in (NETWORK, {"random_state": 0, "max_iter": 2}):
        model = SupervisedAE(2, **settings)
        codes = model.fit_transform(X, y)
        np.testing.assert_array_equal(codes, model.transform(X))
        np.testing.assert_array_equal(codes, clone(model).fit(X, y).transform(X))


def test_linear_codes_are_centred_uncorrelated_and_signed(digits, digit_labels):
    model = SupervisedAE(4, **NETWORK).fit(digits, digit_labels)
    codes = model.transform(digits)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-6)
    covariance = np.cov(codes, rowvar=False)
    variances = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(variances), atol=1e-5)
    assert (np.diff(variances) < 0).all()
    whitened = SupervisedAE(4, whiten=True, **NETWORK).fit(digits, digit_labels)
    np.testing.assert_allclose(whitened.transform(digits).std(axis=0), 1, rtol=1e-3)


def test_head_is_of_the_codes_that_transform_returns(digits, digit_labels):
    """It is what training goes on from, so it must fit the codes' final units."""
    for settings in ({}, {"whiten": True}, {"code_activation": "tanh"}):
        model = SupervisedAE(4, **NETWORK, **settings).fit(digits, digit_labels)
        predicted = model._target_head(model.transform(digits)).argmax(axis=1)
        accuracy = (predicted == digit_labels).mean()
        assert accuracy == pytest.approx(model.target_score_, abs=0.002)


def test_fits_and_predictions_are_reproducible(wine):
    X, y = wine
    first, second = (SupervisedAE(2, **NETWORK).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.transform(X), second.transform(X))


def test_sparse_rows_give_the_same_codes(wine):
    X, y = wine
    X = np.where(X > 0.5, X, 0)
    codes = SupervisedAE(2, **NETWORK).fit(X, y).transform(X)
    sparse = SupervisedAE(2, **NETWORK).fit(csr_array(X), y).transform(csr_array(X))
    np.testing.assert_allclose(sparse, codes, atol=1e-6)


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_other_losses_train(wine, loss):
    X, y = wine
    model = SupervisedAE(2, loss=loss, **NETWORK).fit(X, y)
    assert model.used_network_
    assert np.isfinite(model.history_["loss"]).all()


def test_cross_entropy_trains(wine):
    X, y = wine
    X = (X - X.min(axis=0)) / np.ptp(X, axis=0)
    settings = {"loss": "binary_crossentropy", "output_activation": "sigmoid"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* keeps its network", UserWarning)
        model = SupervisedAE(2, **settings, **QUICK).fit(X, y)
    assert model.used_network_
    assert 0 <= model.reconstruct(X).min() <= model.reconstruct(X).max() <= 1


def test_exports_have_no_head(wine):
    X, y = wine
    model = SupervisedAE(2, **NETWORK).fit(X, y)
    np.testing.assert_allclose(
        np.asarray(model.to_keras("encoder")(X)), model.transform(X), atol=1e-5
    )
    assert model.to_onnx("encoder") is not None
    assert [array.shape for array in model._decoder_arrays] == [
        (2, 8), (8,), (8, 13), (13,), (2, 13),
    ]  # fmt: skip


def test_comparison_with_pca_passes_the_labels_on(wine):
    X, y = wine
    compared = compare_with_pca(
        X, y, n_components=[2], autoencoder=SupervisedAE(**NETWORK),
        estimator=LogisticRegression(),
    )  # fmt: skip
    assert compared.autoencoder_scores.shape == (1, 3)
    assert compared.used_network.all()


def test_codes_are_not_ordered_and_the_search_says_so(wine):
    X, y = wine
    search = TruncationSearchCV(SupervisedAE(), [1, 2])
    with pytest.raises(TypeError, match="DenseAE or a DenoisingAE"):
        search.fit(X, y)


def test_scores_in_a_pipeline_are_of_fresh_rows():
    """Codes of training rows know their labels: a score on them is too good."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 30))
    labels = rng.integers(2, size=200)
    model = SupervisedAE(
        2, target_weight=10.0, early_stopping=False, max_iter=40, random_state=0
    )
    classifier = LogisticRegression()
    right = cross_val_score(make_pipeline(model, classifier), noise, labels, cv=3)
    codes = model.fit_transform(noise, labels)
    wrong = cross_val_score(classifier, codes, labels, cv=3)
    assert right.mean() < 0.65
    assert wrong.mean() > 0.9


# --- Going on ---


def test_blocks_train_on_all_classes(digits, digit_labels):
    model = SupervisedAE(4, **NETWORK)
    accuracies = []
    for _ in range(3):
        for block in np.array_split(np.arange(len(digits)), 6):
            y = digit_labels[block]
            model.partial_fit(digits[block], y, classes=np.arange(10))
        predicted = model._target_head(model.transform(digits)).argmax(axis=1)
        accuracies.append((predicted == digit_labels).mean())
    assert model.n_iter_ == 18
    np.testing.assert_array_equal(model.classes_, np.arange(10))
    assert accuracies[0] < accuracies[1] < accuracies[2]


def test_block_of_one_class_or_without_labels_is_allowed_later(wine):
    X, y = wine
    model = SupervisedAE(2, unlabelled=-1, **NETWORK).partial_fit(X, y)
    model.partial_fit(X[:10], y[:10])
    model.partial_fit(X[:10], np.full(10, -1))
    assert model.n_iter_ == 3
    assert np.isfinite(model.transform(X)).all()


def test_first_block_may_lack_classes_that_are_named(wine):
    X, y = wine
    model = SupervisedAE(2, **{**NETWORK, "learning_rate_init": 0.02})
    model.partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    for _ in range(20):
        model.partial_fit(X, y)
    predicted = model._target_head(model.transform(X)).argmax(axis=1)
    assert (predicted == y).mean() > 0.8


def test_blocks_go_on_from_a_fit_that_is_pca(wine):
    X, y = wine
    model = SupervisedAE(2, random_state=0).fit(X[::4], y[::4])
    assert not model.used_network_
    score = model.pca_target_score_
    model.partial_fit(X, y)
    assert model.used_network_
    assert model.target_score_ > score - 0.1


def test_numbers_of_later_blocks_keep_the_units_of_the_first():
    X, y = load_diabetes(return_X_y=True)
    y = y + 0.5
    model = SupervisedAE(2, **NETWORK).partial_fit(X, y)
    mean, scale = model._label_units
    model.partial_fit(X[:50], y[:50] * 10)
    assert model._label_units[0] == mean
    assert model._label_units[1] == scale


@pytest.mark.parametrize("through_pickle", [False, True])
def test_warm_start_goes_on_with_the_head(digits, digit_labels, through_pickle):
    model = SupervisedAE(4, **NETWORK).fit(digits, digit_labels)
    before = model.target_score_
    if through_pickle:
        model = pickle.loads(pickle.dumps(model))
    model.set_params(warm_start=True, max_iter=4).fit(digits, digit_labels)
    assert model.target_score_ > before


def test_warm_start_with_other_classes_is_refused(wine):
    X, y = wine
    model = SupervisedAE(2, warm_start=True, **NETWORK).fit(X, y)
    codes = model.transform(X)
    with pytest.raises(ValueError, match=r"class 5, which is none of \[0, 1, 2\]"):
        model.fit(X, np.where(y == 2, 5, y))
    np.testing.assert_array_equal(model.transform(X), codes)


# --- Bad input ---


CANCER = load_breast_cancer()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (np.zeros(569), "one class only"),
        (np.arange(569), "no class has two rows"),
        (np.where(CANCER.target, 1.0, np.nan), "missing labels .*unlabelled=np.nan"),
        (["a", None] * 284 + ["b"], "missing labels"),
        (CANCER.target[:-1], r"y of shape \(568,\) for 569 rows"),
        (CANCER.target[np.newaxis], r"y of shape \(1, 569\)"),
        (np.eye(569, 3, dtype=int), "'multilabel-indicator'"),
        (np.arange(1138).reshape(569, 2), "'multiclass-multioutput'.*'continuous'"),
        (np.full(569, 0.5), "single number only"),
        (np.where(CANCER.target, np.inf, 0.5), "infinite numbers"),
        (csr_array(CANCER.target[:, np.newaxis]), "must be dense"),
    ],
)
def test_bad_labels_are_refused_before_training(y, message, monkeypatch):
    def train(*arguments, **others):
        raise AssertionError("trained")

    monkeypatch.setattr("skae._base.fit_network", train)
    model = SupervisedAE()
    with pytest.raises(ValueError, match=message):
        model.fit(CANCER.data, y)
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        ({"target_weight": 0}, CANCER.target, "'target_weight' parameter"),
        ({"target_weight": -1.0}, CANCER.target, "'target_weight' parameter"),
        ({"class_weight": "equal"}, CANCER.target, "'class_weight' parameter"),
        ({"target_type": "classes"}, CANCER.target, "'target_type' parameter"),
        ({"class_weight": {0: 2}}, CANCER.data[:, 0], "are numbers, not classes"),
        ({"unlabelled": 0}, np.zeros(569), "without any label"),
        ({"unlabelled": 0}, CANCER.target, "one class only"),
        ({"target_type": "continuous"}, ["a", "b"] * 284 + ["a"], "are no numbers"),
        ({"n_components": 0.5}, CANCER.target, "'n_components' parameter"),
        (
            {"whiten": True, "code_activation": "tanh"},
            CANCER.target,
            "whiten=True needs code_activation='linear'",
        ),
        (
            {"unlabelled": np.nan},
            np.where(np.eye(569, 2), np.nan, CANCER.data[:, :2]),
            "only some numbers",
        ),
    ],
)
def test_bad_parameters_are_refused(settings, y, message):
    with pytest.raises(ValueError, match=message):
        SupervisedAE(**settings).fit(CANCER.data, y)


def test_bad_validation_labels_are_refused():
    X, y = CANCER.data, CANCER.target
    model = SupervisedAE()
    with pytest.raises(ValueError, match="X_val without y_val"):
        model.fit(X[:400], y[:400], X_val=X[400:])
    with pytest.raises(ValueError, match="y_val without X_val"):
        model.fit(X[:400], y[:400], y_val=y[400:])
    with pytest.raises(ValueError, match="y_val with the class 7"):
        model.fit(X[:400], y[:400], X_val=X[400:], y_val=np.full(169, 7))


def test_bad_blocks_are_refused(wine):
    X, y = wine
    with pytest.raises(ValueError, match="cannot balance classes in partial_fit"):
        SupervisedAE(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    model = SupervisedAE(2, **NETWORK).partial_fit(X[:100], y[:100])
    with pytest.raises(ValueError, match=r"class 2, which is none of \[0, 1\]"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="requires y"):
        model.partial_fit(X)
