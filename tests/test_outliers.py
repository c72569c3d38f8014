"""The outlier detector: threshold, score, explanation, and what it refuses."""

import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from onnxruntime import InferenceSession
from skl2onnx import to_onnx
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    PolynomialFeatures,
    StandardScaler,
)

from skae import (
    ConvAE,
    DenseAE,
    ReconstructionOutlierDetector,
    SparseAE,
    skops_trusted_types,
)

NETWORK = {"early_stopping": False, "hidden_layer_sizes": (8,), "max_iter": 3}
Detector = ReconstructionOutlierDetector


def rows_near_a_plane(n_rows, seed=0, n_features=20):
    """Draw rows of which PCA with many components learns the noise by heart."""
    rng = np.random.default_rng(seed)
    plane = np.random.default_rng(0).normal(size=(2, n_features))
    noise = rng.normal(size=(n_rows, n_features))
    return 3 * rng.normal(size=(n_rows, 2)) @ plane + noise


X = rows_near_a_plane(80)
FRESH = rows_near_a_plane(4000, seed=1)


def share_flagged(detector, rows):
    return float((detector.predict(rows) == -1).mean())


# --- The threshold ---


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_given_share_of_fresh_rows_is_flagged(rate):
    shares = [
        share_flagged(
            Detector(PCA(10), false_alarm_rate=rate, random_state=seed).fit(
                rows_near_a_plane(200, seed=10 + seed)
            ),
            FRESH,
        )
        for seed in range(10)
    ]
    assert np.mean(shares) == pytest.approx(rate, abs=0.03)
    # A threshold set on the rows of the fit flags far too many.
    learnt = Detector(PCA(10), contamination=rate).fit(X)
    assert share_flagged(learnt, FRESH) > 1.5 * rate


def test_held_out_rows_are_those_that_the_fit_has_not_seen():
    """With a fold for each row, the scores are those of leaving one out."""
    detector = Detector(PCA(5), cv=len(X), false_alarm_rate=0.1, code_limits=None).fit(
        X
    )
    errors = []
    for i in range(len(X)):
        pca = PCA(5).fit(np.delete(X, i, axis=0))
        errors.append(X[i] - pca.inverse_transform(pca.transform(X[[i]]))[0])
    scores = -np.square(errors).sum(axis=1)
    expected = np.quantile(scores, 0.1, method="weibull")
    assert detector.offset_ == pytest.approx(expected)
    np.testing.assert_allclose(
        detector.feature_scale_, np.sqrt(np.mean(np.square(errors), axis=0))
    )


def test_number_for_contamination_flags_that_share_of_the_training_rows():
    detector = Detector(PCA(3), contamination=0.25).fit(X)
    assert share_flagged(detector, X) == 0.25
    assert not hasattr(detector, "feature_scale_")


def test_frozen_estimator_is_kept_and_all_rows_set_the_threshold():
    pca = PCA(10).fit(X)
    components = pca.components_.copy()
    fresh = rows_near_a_plane(500, seed=2)
    detector = Detector(FrozenEstimator(pca), false_alarm_rate=0.1).fit(fresh)
    assert detector.estimator_.estimator is pca
    np.testing.assert_array_equal(pca.components_, components)
    assert share_flagged(detector, fresh) == pytest.approx(0.1, abs=0.005)
    assert share_flagged(detector, FRESH) == pytest.approx(0.1, abs=0.04)


def test_estimator_that_is_given_is_not_fitted():
    pca = PCA(3)
    detector = Detector(pca).fit(X)
    assert not hasattr(pca, "components_")
    np.testing.assert_allclose(
        detector.estimator_.components_, PCA(3).fit(X).components_
    )


def test_default_is_an_autoencoder_with_half_as_many_codes_as_features():
    detector = Detector(random_state=0).fit(X[:30])
    assert isinstance(detector.estimator_, DenseAE)
    assert detector.estimator_.n_components_ == 10
    again = Detector(random_state=0).fit(X[:30])
    assert again.offset_ == detector.offset_


@pytest.mark.parametrize("cv", [3, GroupKFold(3)])
def test_rows_of_a_group_stay_in_one_fold(cv):
    """Copies of a row in other folds would let the fit know the held-out ones."""
    copies = np.repeat(X[:30], 10, axis=0)
    groups = np.repeat(np.arange(30), 10)
    apart = Detector(PCA(15), random_state=0, cv=cv).fit(copies, groups=groups)
    mixed = Detector(PCA(15), random_state=0).fit(copies)
    assert apart.offset_ < 1.5 * mixed.offset_


def test_groups_reach_an_estimator_that_takes_them():
    groups = np.repeat(np.arange(4), 20)
    estimator = DenseAE(2, hidden_layer_sizes=(8,), max_iter=1, random_state=0)
    grouped = clone(estimator).fit(X, groups=groups)
    detector = Detector(estimator, cv=2, random_state=0).fit(X, groups=groups)
    np.testing.assert_array_equal(
        detector.estimator_.transform(X), grouped.transform(X)
    )
    with pytest.raises(ValueError, match="single value"):
        Detector(estimator).fit(X, groups=np.zeros(len(X)))


def test_splitters_may_hold_out_a_part_of_the_rows():
    detector = Detector(PCA(3), cv=TimeSeriesSplit(3)).fit(X)
    assert share_flagged(detector, FRESH) < 0.3


def test_folds_may_be_fitted_in_processes():
    one, two = (
        Detector(PCA(3), n_jobs=n_jobs, random_state=0).fit(X).offset_
        for n_jobs in (1, 2)
    )
    assert one == pytest.approx(two)


# --- Scores and explanations ---


@pytest.mark.parametrize("units", ["data", "held_out"])
def test_scores_are_the_sums_of_the_errors_of_features(units):
    squared = Detector(PCA(3), units=units).fit(X)
    errors = squared.feature_errors(FRESH, units=units)
    np.testing.assert_allclose(squared.score_samples(FRESH), -(errors**2).sum(axis=1))
    absolute = Detector(PCA(3), units=units, error="absolute", random_state=0).fit(X)
    errors = absolute.feature_errors(FRESH, units=units)
    np.testing.assert_allclose(
        absolute.score_samples(FRESH), -np.abs(errors).sum(axis=1)
    )


def test_errors_of_features_tell_the_changed_one():
    detector = Detector(PCA(2), code_limits=None, random_state=0).fit(
        rows_near_a_plane(500)
    )
    changed = FRESH[:50].copy()
    changed[:, 7] += 20
    assert (detector.predict(changed) == -1).all()
    for units in ("data", "held_out"):
        errors = detector.feature_errors(changed, units=units)
        assert (errors.argmax(axis=1) == 7).all()
    usual = detector.feature_errors(FRESH, units="held_out")
    np.testing.assert_allclose(np.sqrt(np.mean(usual**2, axis=0)), 1, atol=0.15)


def test_rows_beyond_the_training_are_not_extrapolated():
    """They lie in the plane of PCA, where it reconstructs any row."""
    far = 5 * FRESH[:200]
    pca = PCA(2).fit(X)
    far = pca.inverse_transform(pca.transform(far))
    none, some, few = (
        Detector(PCA(2), code_limits=share, random_state=0).fit(X)
        for share in (None, 0.1, 0.0)
    )
    assert share_flagged(none, far) == 0
    assert share_flagged(some, far) > share_flagged(few, far) > 0.7
    codes = pca.transform(X)
    np.testing.assert_allclose(few.code_limits_, [codes.min(axis=0), codes.max(axis=0)])
    outside = (codes < some.code_limits_[0]) | (codes > some.code_limits_[1])
    assert 0 < outside.any(axis=1).mean() <= 0.1
    assert share_flagged(some, FRESH) == pytest.approx(0.05, abs=0.04)


def test_held_out_units_keep_a_noisy_feature_from_deciding():
    noisy, odd = X.copy(), FRESH[:200].copy()
    for rows, seed in ((noisy, 0), (odd, 1)):
        rows[:, 0] += np.random.default_rng(seed).normal(0, 8, len(rows))
    odd[:, 5] += 7
    by_data, held_out = (
        Detector(PCA(2), units=units, random_state=0).fit(noisy)
        for units in ("data", "held_out")
    )
    assert share_flagged(held_out, odd) > 0.9
    assert share_flagged(by_data, odd) < 0.5


def test_sparse_rows_and_frames_score_as_arrays():
    from scipy.sparse import csr_array

    rows = np.where(np.abs(X) > 2, X, 0)
    dense = Detector(TruncatedSVD(3, random_state=0), random_state=0).fit(rows)
    sparse = clone(dense).fit(csr_array(rows))
    np.testing.assert_allclose(
        sparse.score_samples(csr_array(rows)), dense.score_samples(rows)
    )
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    model = Detector(PCA(3).set_output(transform="pandas"), random_state=0).fit(frame)
    assert model.estimator_.feature_names_in_.tolist() == frame.columns.tolist()
    expected = Detector(PCA(3), random_state=0).fit(X).score_samples(X)
    np.testing.assert_allclose(model.score_samples(frame), expected)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"x3": "y3"}))


# --- What is refused, and what is warned of ---


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"estimator": PolynomialFeatures()}, TypeError, r"Polynomial.* no inverse_tr"),
        (
            {"estimator": make_pipeline(PolynomialFeatures(), PCA(2))},
            TypeError,
            "no inverse_transform",
        ),
        ({"estimator": PCA}, TypeError, "estimator instance"),
        ({"estimator": 3}, ValueError, "'estimator' parameter"),
        ({"contamination": 0.0}, ValueError, "'contamination' parameter"),
        ({"contamination": 0.51}, ValueError, "'contamination' parameter"),
        ({"false_alarm_rate": 0.0}, ValueError, "'false_alarm_rate' parameter"),
        ({"false_alarm_rate": 1.0}, ValueError, "'false_alarm_rate' parameter"),
        ({"error": "huber"}, ValueError, "'error' parameter"),
        ({"code_limits": 1.0}, ValueError, "'code_limits' parameter"),
        ({"cv": 1}, ValueError, "'cv' parameter"),
    ],
)
def test_invalid_parameters_are_refused_and_the_fit_is_kept(parameters, error, message):
    detector = Detector(PCA(3)).fit(X)
    before = detector.offset_
    detector.set_params(**parameters)
    with pytest.raises(error, match=message):
        detector.fit(FRESH)
    assert detector.offset_ == before


def test_estimator_that_returns_other_rows_is_refused():
    class Halved(PCA):
        def inverse_transform(self, X):
            return super().inverse_transform(X)[:, ::2]

    with pytest.raises(ValueError, match=r"shape \(16, 10\), but .* shape \(16, 20\)"):
        Detector(Halved(3)).fit(X)


def test_columns_of_text_are_named():
    frame = pd.DataFrame({"a": [1.0, 2.0], "kind": ["x", "y"], "n": ["1", "2"]})
    with pytest.raises(ValueError, match=r"columns 'kind'\. .*MixedTableEncoder"):
        Detector(PCA(1)).fit(frame)
    with pytest.raises(ValueError, match=r"DenseAE .* columns 1\. .*MixedTableEncoder"):
        DenseAE().fit(np.array([[1, "x"], [2, "y"]], dtype=object))


def test_sample_weight_is_refused():
    with pytest.raises(TypeError, match="sample_weight"):
        Detector(PCA(3)).fit(X, sample_weight=np.ones(len(X)))


def test_held_out_units_need_held_out_rows():
    detector = Detector(PCA(3), contamination=0.1).fit(X)
    with pytest.raises(ValueError, match="no held-out errors"):
        detector.feature_errors(X, units="held_out")
    with pytest.raises(ValueError, match="'data' or 'held_out', got 'std'"):
        detector.feature_errors(X, units="std")
    assert Detector(PCA(3), contamination=0.1, units="held_out").fit(
        X
    ).feature_scale_.shape == (20,)


def test_too_few_rows_for_the_rate_are_warned_of():
    with pytest.warns(UserWarning, match="at least 99 rows"):
        Detector(PCA(3), false_alarm_rate=0.01).fit(X)


def test_exact_reconstruction_is_warned_of():
    with pytest.warns(UserWarning, match="lower the number of components"):
        Detector(PCA(20)).fit(X)


def test_one_feature_is_refused_by_default():
    with pytest.raises(ValueError, match="n_features = 1"):
        Detector().fit(X[:, :1])


# --- Saved and exported ---


@pytest.mark.parametrize(
    "estimator",
    [PCA(3), DenseAE(2, **NETWORK), FrozenEstimator(PCA(3).fit(X))],
    ids=["PCA", "DenseAE", "frozen"],
)
def test_saved_detectors_score_the_same(estimator):
    detector = Detector(estimator, random_state=0).fit(X)
    loaded = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(loaded.predict(FRESH), detector.predict(FRESH))
    data = skops.io.dumps(detector)
    assert {*skops.io.get_untrusted_types(data=data)} <= {*skops_trusted_types()}
    loaded = skops.io.loads(data, trusted=skops_trusted_types())
    np.testing.assert_array_equal(
        loaded.score_samples(FRESH), detector.score_samples(FRESH)
    )


def assert_model_agrees(model, detector, rows):
    session = InferenceSession(model.SerializeToString())
    (first,) = session.get_inputs()
    label, scores = session.run(["label", "scores"], {first.name: rows})
    expected = detector.decision_function(rows)
    np.testing.assert_allclose(scores.ravel(), expected, rtol=1e-3, atol=0.02)
    clear = np.abs(expected) > 0.1
    assert label.dtype == np.int64
    np.testing.assert_array_equal(label.ravel()[clear], detector.predict(rows)[clear])
    assert {*label.ravel()} == {-1, 1}


@pytest.mark.parametrize(
    "estimator",
    [
        PCA(3),
        PCA(3, whiten=True),
        make_pipeline(StandardScaler(), "passthrough", PCA(3)),
        make_pipeline(StandardScaler(with_mean=False, with_std=False), PCA(3)),
        FrozenEstimator(PCA(3).fit(X)),
        DenseAE(2, **NETWORK),
        make_pipeline(StandardScaler(), DenseAE(2, **NETWORK)),
        ConvAE(2, image_shape=(20,), filters=(2,), early_stopping=False, max_iter=1),
        SparseAE(4, sparsity="topk", target_sparsity=2, **NETWORK),
    ],
    ids=str,
)
@pytest.mark.parametrize("settings", [{}, {"error": "absolute", "units": "held_out"}])
def test_onnx_returns_labels_and_scores(estimator, settings):
    rows = FRESH[:300].astype(np.float32)
    detector = Detector(estimator, random_state=0, **settings).fit(X)
    assert_model_agrees(detector.to_onnx(), detector, rows)
    pipeline = make_pipeline(StandardScaler(), clone(detector)).fit(X)
    assert_model_agrees(to_onnx(pipeline, rows[:1], target_opset=17), pipeline, rows)


def test_onnx_of_other_estimators_is_refused():
    detector = Detector(make_pipeline(MinMaxScaler(), PCA(3))).fit(X)
    with pytest.raises(NotImplementedError, match=r"inverse_transform of MinMaxScaler"):
        detector.to_onnx()
    with pytest.raises(NotImplementedError, match="MinMaxScaler"):
        to_onnx(detector, X[:1].astype(np.float32))


def test_onnx_refuses_rows_of_another_width():
    detector = Detector(PCA(3)).fit(X)
    with pytest.raises(ValueError, match=r"fitted to 20 features, .* receives 4"):
        to_onnx(detector, X[:1, :4].astype(np.float32), target_opset=17)
