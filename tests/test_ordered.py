"""Ordered codes, and numbers of codes that a fit chooses."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import DenoisingAE, DenseAE, SparseAE, VAETransformer

QUICK = {"hidden_layer_sizes": (32,), "max_iter": 40, "random_state": 0}


@pytest.fixture(scope="module")
def ordered(digits):
    """A network of eight ordered codes, trained and measured on all rows."""
    return DenseAE(8, ordered=True, early_stopping=False, **QUICK).fit(digits)


@pytest.fixture(scope="module")
def judged(digits):
    """The same, accepted on held-out rows."""
    model = DenseAE(8, ordered=True, **QUICK).fit(digits)
    assert model.used_network_
    return model


def pca_error(X, k):
    pca = PCA(k, svd_solver="full").fit(X)
    return np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)


def error(model, X):
    return np.mean((X - model.reconstruct(X)) ** 2)


def test_first_codes_alone_are_better_than_pca(digits, judged):
    for k in range(1, 9):
        assert error(judged.truncate(k), digits) < pca_error(digits, k)


def test_first_codes_of_other_networks_are_not(digits):
    """So the order is the doing of the training, not of the digits."""
    model = DenseAE(8, **QUICK).fit(digits)
    codes = model.transform(digits)
    codes[:, 1:] = 0
    assert np.mean((digits - model.inverse_transform(codes)) ** 2) > pca_error(
        digits, 1
    )


def test_few_rows_are_enough_for_ordered_codes():
    """One step an epoch is too few, and steps as large as of many rows too rough."""
    wine = StandardScaler().fit_transform(load_wine().data)
    assert DenseAE(8, ordered=True, max_iter=40, random_state=0).fit(wine).used_network_
    cancer, _ = train_test_split(
        load_breast_cancer().data, train_size=398, random_state=2
    )
    cancer = StandardScaler().fit_transform(cancer)
    assert DenseAE(8, ordered=True, random_state=2).fit(cancer).used_network_


def test_truncated_codes_are_the_first_ones(digits, ordered):
    codes = ordered.transform(digits)
    for k in (1, 3, 8):
        first = ordered.truncate(k)
        assert first.get_feature_names_out().shape == (k,)
        np.testing.assert_allclose(first.transform(digits), codes[:, :k], atol=1e-12)
    np.testing.assert_allclose(
        ordered.truncate(8).reconstruct(digits), ordered.reconstruct(digits), atol=1e-9
    )


def test_curve_is_the_error_of_the_truncated(digits, ordered):
    errors = [error(ordered.truncate(k), digits) for k in range(1, 9)]
    np.testing.assert_allclose(ordered.reconstruction_curve_, errors, rtol=1e-4)
    assert ordered.reconstruction_error_ == ordered.reconstruction_curve_[-1]
    expected = [pca_error(digits, k) for k in range(1, 9)]
    np.testing.assert_allclose(ordered.pca_reconstruction_curve_, expected, rtol=1e-4)
    assert ordered.truncate(3).reconstruction_error_ == ordered.reconstruction_curve_[2]


def test_explained_variance_adds_up_and_never_falls(digits, ordered):
    ratio = ordered.explained_variance_ratio_
    assert ratio.shape == (8,)
    assert (ratio >= 0).all()
    assert ratio.sum() == pytest.approx(ordered.score(digits), abs=1e-4)
    assert ratio[0] == pytest.approx(ordered.truncate(1).score(digits), abs=1e-4)


def test_ordered_codes_are_centred_with_the_signs_of_pca(digits, ordered):
    codes = ordered.transform(digits)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-6)
    covariance = codes.T @ digits
    strongest = np.abs(covariance).argmax(axis=1)
    assert (covariance[np.arange(8), strongest] > 0).all()
    whitened = clone(ordered).set_params(whiten=True).fit(digits)
    np.testing.assert_allclose(whitened.transform(digits).std(axis=0, ddof=1), 1)
    np.testing.assert_allclose(
        whitened.truncate(2).reconstruct(digits),
        ordered.truncate(2).reconstruct(digits),
        atol=1e-6,
    )


def test_truncating_leaves_the_original_and_sets_up_to_go_on(digits, ordered):
    state = ordered.__dict__.copy()
    first = ordered.truncate(2)
    assert first.get_params() == {
        **ordered.get_params(),
        **{"n_components": 2, "ordered": False, "warm_start": True},
    }
    before = first.score(digits)
    refined = first.set_params(max_iter=10).fit(digits)
    assert refined.score(digits) > before
    assert refined.n_iter_ == 10
    assert ordered.__dict__ == state


def test_keras_knows_the_truncated(digits, ordered):
    first = ordered.truncate(3)
    codes = first.transform(digits)
    for part, inputs, expected in [
        ("encoder", digits, codes),
        ("decoder", codes, first.inverse_transform(codes)),
    ]:
        outputs = first.to_keras(part).predict(inputs, verbose=0)
        np.testing.assert_allclose(outputs, expected, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_names_are_kept(digits, dtype):
    X = pd.DataFrame(digits.astype(dtype)).add_prefix("pixel")
    model = DenseAE(4, ordered=True, early_stopping=False, **QUICK).fit(X)
    first = pickle.loads(pickle.dumps(model)).truncate(2)
    assert first.transform(X).dtype == dtype
    assert list(first.feature_names_in_) == list(X.columns)


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_layer_sizes": ()},
        {"pca_shortcut": False},
        {"loss": "absolute_error"},
        {"output_activation": "softplus"},
        {"output_activation": "sigmoid", "loss": "binary_crossentropy"},
        {"batch_size": 7, "max_iter": 2},
    ],
)
def test_ordered_with_other_settings(digits, settings):
    X = (digits[:300] - digits.min()) / np.ptp(digits)
    model = DenseAE(3, ordered=True, early_stopping=False, **{**QUICK, **settings}).fit(
        X
    )
    errors = [error(model.truncate(k), X) for k in (1, 2, 3)]
    np.testing.assert_allclose(model.reconstruction_curve_, errors, rtol=1e-3)
    assert max(errors) < np.mean(X**2)


def test_denoising_with_ordered_codes(digits):
    model = DenoisingAE(4, ordered=True, noise_level=0.5, **QUICK).fit(digits)
    assert model.used_network_
    scores = [model.truncate(k).score(digits) for k in (1, 2, 4)]
    assert scores == sorted(scores)
    assert isinstance(model.truncate(2), DenoisingAE)


def test_training_of_ordered_codes_goes_on(digits, ordered):
    model = pickle.loads(pickle.dumps(ordered))
    resumed = model.set_params(warm_start=True, max_iter=10).fit(digits)
    assert (resumed.reconstruction_curve_ < ordered.reconstruction_curve_).all()
    blocks = clone(ordered)
    for _ in range(3):
        blocks.partial_fit(digits)
    assert blocks.n_iter_ == 3
    np.testing.assert_allclose(
        blocks.reconstruction_curve_,
        [error(blocks.truncate(k), digits) for k in range(1, 9)],
        rtol=1e-4,
    )


def test_where_pca_is_the_answer_it_is_truncated_too(digits):
    X = digits[:40]
    model = DenseAE(6, ordered=True).fit(X)
    assert not model.used_network_
    for k in (1, 4):
        np.testing.assert_allclose(
            model.truncate(k).transform(X), PCA(k).fit_transform(X), atol=1e-9
        )
        assert model.reconstruction_curve_[k - 1] == pytest.approx(pca_error(X, k))


@pytest.mark.parametrize("k", [0, 9, -1, 2.0, "2"])
def test_truncating_to_what_is_not_there_is_refused(ordered, k):
    with pytest.raises(ValueError, match=r"int from 1 to .* n_components_=8, got"):
        ordered.truncate(k)


def test_truncating_what_is_not_ordered_is_refused(digits, ordered):
    for model in (
        DenseAE(4, early_stopping=False, **QUICK).fit(digits[:100]),
        DenseAE(4).fit(digits[:40]),
        ordered.truncate(3),
    ):
        with pytest.raises(ValueError, match=r"not ordered.* ordered=True"):
            model.truncate(2)


@pytest.mark.parametrize("settings", [{"ordered": True}, {"n_components": 0.9}])
def test_codes_that_are_not_linear_have_no_order(digits, settings):
    with pytest.raises(ValueError, match=r"code_activation='linear'.*Got .*'relu'"):
        DenseAE(code_activation="relu", **settings).fit(digits)


@pytest.mark.parametrize("estimator", [SparseAE, VAETransformer])
def test_codes_of_another_kind_take_no_share(digits, estimator):
    with pytest.raises(ValueError, match="'n_components' parameter"):
        estimator(0.9).fit(digits)


# --- A share of the variance ---


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1.5, "elbow", None])
def test_other_numbers_are_refused(digits, share):
    with pytest.raises(ValueError, match=r"'n_components'.*\(0\.0, 1\.0\).*'auto'"):
        DenseAE(share).fit(digits)


@pytest.mark.parametrize("n_samples", [600, 1200])
def test_share_is_reached_with_fewer_codes_than_pca(digits, n_samples):
    X, X_test = train_test_split(digits, train_size=n_samples, random_state=0)
    model = DenseAE(0.7, **QUICK).fit(X)
    assert model.used_network_
    pca = PCA(0.7, svd_solver="full").fit(X)
    assert model.n_components_ < pca.n_components_
    assert model.transform(X_test).shape[1] == model.n_components_
    # PCA counts the share on the rows of the fit. Of others it explains less.
    left = X_test - pca.inverse_transform(pca.transform(X_test))
    by_pca = 1 - np.square(left).sum() / np.square(X_test - pca.mean_).sum()
    assert by_pca < model.score(X_test) < 0.75
    assert len(model.reconstruction_curve_) >= model.n_components_


@pytest.mark.parametrize("seed", [1, 2])
def test_share_of_few_rows_is_reached_with_fewer_codes_than_pca(seed):
    X, X_test = train_test_split(
        load_breast_cancer().data, train_size=398, random_state=seed
    )
    scaler = StandardScaler().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    model = DenseAE(0.9, random_state=0).fit(X)
    assert model.n_components_ < PCA(0.9, svd_solver="full").fit(X).n_components_
    assert abs(model.score(X_test) - 0.9) < 0.02


def test_auto_finds_the_number_that_made_the_data():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(30, 3)))[0].T
    X = 3 * np.tanh(rng.normal(size=(1500, 3))) @ directions
    X += 0.4 * rng.normal(size=X.shape)
    assert DenseAE("auto", **QUICK).fit(X).n_components_ == 3


def test_elbow_is_looked_for_among_what_pca_needs_for_95_percent(digits):
    """As documented; not among those that are trained beyond them."""
    X = digits[:40]
    explained = np.cumsum(PCA(0.95, svd_solver="full").fit(X).explained_variance_ratio_)
    n_codes = np.arange(1, len(explained) + 1)
    elbow = np.argmax(explained / explained[-1] - n_codes / len(explained)) + 1
    assert DenseAE("auto", **QUICK).fit(X).n_components_ == elbow
    assert DenseAE("auto", **QUICK).partial_fit(X).n_components_ == elbow


def test_network_that_is_always_kept_is_kept_where_no_number_suffices(digits):
    X = MinMaxScaler().fit_transform(digits[:200])
    bounded = {"output_activation": "sigmoid", "loss": "binary_crossentropy"}
    short = QUICK | {"max_iter": 4}
    model = DenseAE(0.9, **bounded, **short).fit(X)
    assert model.score(X) < 0.9  # or this tests nothing
    assert model.used_network_
    assert 0 <= model.reconstruct(X).min() <= model.reconstruct(X).max() <= 1
    model.partial_fit(X)


def test_rows_that_are_all_the_same_need_one_code():
    assert DenseAE(0.5, **QUICK).fit(np.ones((60, 4))).n_components_ == 1


def test_rows_that_are_all_the_same_leave_nothing_to_explain():
    """Training goes on from a rounded mean, so there is an error nevertheless."""
    X = np.tile(np.float32([1.2e9, -1.3e9, 6.4e9]), (4, 1))
    model = DenseAE(2, ordered=True, pca_shortcut=False, max_iter=1, random_state=0)
    model.fit(X).partial_fit(X)
    assert model.reconstruction_error_ > 0
    assert model.explained_variance_ratio_.tolist() == [0, 0]


@pytest.mark.parametrize("share", [0.7, "auto"])
def test_few_rows_take_as_many_components_as_pca(digits, share):
    X = digits[:40]
    model = DenseAE(share).fit(X)
    assert not model.used_network_
    if share == 0.7:
        assert model.n_components_ == PCA(0.7).fit(X).n_components_
    np.testing.assert_allclose(
        model.transform(X), PCA(model.n_components_).fit_transform(X), atol=1e-9
    )


def test_number_that_was_chosen_stays_when_training_goes_on(digits):
    model = DenseAE(0.5, **QUICK).fit(digits)
    n_components = model.n_components_
    before = model.score(digits)
    model.set_params(warm_start=True, max_iter=5, early_stopping=False).fit(digits)
    assert model.n_components_ == n_components
    assert model.score(digits) > before
    model.partial_fit(digits)
    assert model.n_components_ == n_components


def test_number_is_chosen_anew_where_there_is_no_network_to_go_on_from(digits):
    few = DenseAE(0.7, warm_start=True, **QUICK).fit(digits[:40])
    assert not few.used_network_
    anew = DenseAE(0.7, **QUICK).fit(digits)
    assert few.fit(digits).n_components_ == anew.n_components_


@pytest.mark.parametrize("before", [0.3, 2, "auto"])
def test_training_does_not_go_on_with_another_share(digits, before):
    model = DenseAE(before, warm_start=True, **QUICK | {"max_iter": 4})
    model.set_params(early_stopping=False).fit(digits)
    codes = model.transform(digits)
    model.set_params(n_components=0.5)
    with pytest.raises(ValueError, match=r"not fitted with n_components=0\.5"):
        model.fit(digits)
    with pytest.raises(ValueError, match=r"not fitted with n_components=0\.5"):
        model.partial_fit(digits)
    np.testing.assert_array_equal(model.transform(digits), codes)


def test_chosen_codes_are_not_ordered_however_they_were_asked_for(digits):
    """So that going on does not make another kind of network of them."""
    model = DenseAE(0.3, ordered=True, warm_start=True, **QUICK)
    model.set_params(early_stopping=False).fit(digits)
    for _ in range(2):
        assert not hasattr(model, "explained_variance_ratio_")
        model.fit(digits)


def test_first_block_chooses_as_pca_does(digits):
    blocks = DenseAE(0.6, **QUICK).partial_fit(digits[:500])
    n_components = PCA(0.6, svd_solver="full").fit(digits[:500]).n_components_
    assert blocks.n_components_ == n_components
    blocks.partial_fit(digits[500:])
    assert blocks.n_components_ == n_components
