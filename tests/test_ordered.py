"""Ordered codes, and numbers of codes chosen by a fit."""

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
    """A network of eight ordered codes, trained and evaluated on all rows."""
    return DenseAE(8, ordered=True, early_stopping=False, **QUICK).fit(digits)


@pytest.fixture(scope="module")
def accepted(digits):
    """The same network, accepted on held-out rows."""
    model = DenseAE(8, ordered=True, **QUICK).fit(digits)
    assert model.used_network_
    return model


def pca_error(X, k):
    pca = PCA(k, svd_solver="full").fit(X)
    return np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)


def error(model, X):
    return np.mean((X - model.reconstruct(X)) ** 2)


def test_first_codes_alone_are_better_than_pca(digits, accepted):
    for k in range(1, 9):
        assert error(accepted.truncate(k), digits) < pca_error(digits, k)


def test_first_codes_of_an_unordered_network_are_worse_than_pca(digits):
    """So it is training that orders the codes."""
    model = DenseAE(8, **QUICK).fit(digits)
    codes = model.transform(digits)
    codes[:, 1:] = 0
    assert np.mean((digits - model.inverse_transform(codes)) ** 2) > pca_error(
        digits, 1
    )


def test_ordered_codes_of_few_rows_are_better_than_pca():
    """They need several steps in an epoch, and smaller ones than for many rows."""
    wine = StandardScaler().fit_transform(load_wine().data)
    assert DenseAE(8, ordered=True, max_iter=40, random_state=0).fit(wine).used_network_
    cancer, _ = train_test_split(
        load_breast_cancer().data, train_size=398, random_state=2
    )
    cancer = StandardScaler().fit_transform(cancer)
    assert DenseAE(8, ordered=True, random_state=2).fit(cancer).used_network_


def test_truncated_codes_are_the_first_codes(digits, ordered):
    codes = ordered.transform(digits)
    for k in (1, 3, 8):
        first = ordered.truncate(k)
        assert first.get_feature_names_out().shape == (k,)
        np.testing.assert_allclose(first.transform(digits), codes[:, :k], atol=1e-12)
    np.testing.assert_allclose(
        ordered.truncate(8).reconstruct(digits), ordered.reconstruct(digits), atol=1e-9
    )


def test_curve_has_the_errors_of_the_first_codes(digits, ordered):
    errors = [error(ordered.truncate(k), digits) for k in range(1, 9)]
    np.testing.assert_allclose(ordered.reconstruction_curve_, errors, rtol=1e-4)
    assert ordered.reconstruction_error_ == ordered.reconstruction_curve_[-1]
    expected = [pca_error(digits, k) for k in range(1, 9)]
    np.testing.assert_allclose(ordered.pca_reconstruction_curve_, expected, rtol=1e-4)
    assert ordered.truncate(3).reconstruction_error_ == ordered.reconstruction_curve_[2]


def test_explained_variance_adds_up_to_the_score(digits, ordered):
    # The other name is PCA's alone: its shares are those of the training rows.
    assert not hasattr(ordered, "explained_variance_ratio_")
    ratio = ordered.held_out_variance_ratio_
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


def test_truncated_estimator_can_be_trained_further(digits, ordered):
    state = vars(ordered).copy()
    first = ordered.truncate(2)
    assert first.get_params() == {
        **ordered.get_params(),
        **{"n_components": 2, "ordered": False, "warm_start": True},
    }
    before = first.score(digits)
    refined = first.set_params(max_iter=10).fit(digits)
    assert refined.score(digits) > before
    assert refined.n_iter_ == 10
    assert vars(ordered) == state


def test_keras_models_of_a_truncated_estimator_equal_its_methods(digits, ordered):
    first = ordered.truncate(3)
    codes = first.transform(digits)
    for part, inputs, expected in [
        ("encoder", digits, codes),
        ("decoder", codes, first.inverse_transform(codes)),
    ]:
        outputs = first.to_keras(part).predict(inputs, verbose=0)
        np.testing.assert_allclose(outputs, expected, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_truncated_estimator_keeps_dtype_and_feature_names(digits, dtype):
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
def test_ordered_codes_with_other_parameters(digits, settings):
    X = (digits[:300] - digits.min()) / np.ptp(digits)
    model = DenseAE(3, ordered=True, early_stopping=False, **{**QUICK, **settings}).fit(
        X
    )
    errors = [error(model.truncate(k), X) for k in (1, 2, 3)]
    np.testing.assert_allclose(model.reconstruction_curve_, errors, rtol=1e-3)
    assert max(errors) < np.mean(X**2)


def test_ordered_codes_of_a_denoising_autoencoder(digits):
    model = DenoisingAE(4, ordered=True, noise_level=0.5, **QUICK).fit(digits)
    assert model.used_network_
    scores = [model.truncate(k).score(digits) for k in (1, 2, 4)]
    assert scores == sorted(scores)
    assert isinstance(model.truncate(2), DenoisingAE)


def test_training_of_ordered_codes_continues(digits, ordered):
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


def test_pca_is_truncated_to_its_first_components(digits):
    X = digits[:40]
    model = DenseAE(6, ordered=True).fit(X)
    assert not model.used_network_
    for k in (1, 4):
        np.testing.assert_allclose(
            model.truncate(k).transform(X), PCA(k).fit_transform(X), atol=1e-9
        )
        assert model.reconstruction_curve_[k - 1] == pytest.approx(pca_error(X, k))


@pytest.mark.parametrize("k", [0, 9, -1, 2.0, "2"])
def test_number_of_codes_to_truncate_to_is_checked(ordered, k):
    with pytest.raises(ValueError, match=r"int from 1 to .* n_components_=8, got"):
        ordered.truncate(k)


def test_only_ordered_codes_can_be_truncated(digits, ordered):
    for model in (
        DenseAE(4, early_stopping=False, **QUICK).fit(digits[:100]),
        DenseAE(4).fit(digits[:40]),
        ordered.truncate(3),
    ):
        with pytest.raises(ValueError, match=r"not ordered.* ordered=True"):
            model.truncate(2)


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"ordered": True}, "DenseAE with ordered=True"),
        ({"n_components": 0.9}, "DenseAE with n_components as a share"),
    ],
)
def test_ordered_codes_must_be_linear(digits, settings, subject):
    message = f"{subject} .*code_activation='linear', got .*code_activation='relu'"
    with pytest.raises(ValueError, match=message):
        DenseAE(code_activation="relu", **settings).fit(digits)


@pytest.mark.parametrize("estimator", [SparseAE, VAETransformer])
def test_other_estimators_take_no_share_of_the_variance(digits, estimator):
    with pytest.raises(ValueError, match="'n_components' parameter"):
        estimator(0.9).fit(digits)


# --- A share of the variance ---


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1.5, "elbow", None])
def test_invalid_shares_are_refused(digits, share):
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
    # PCA measures the share on the rows of the fit; of new rows it explains less.
    residual = X_test - pca.inverse_transform(pca.transform(X_test))
    by_pca = 1 - np.square(residual).sum() / np.square(X_test - pca.mean_).sum()
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


def test_auto_finds_the_number_of_factors():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(30, 3)))[0].T
    X = 3 * np.tanh(rng.normal(size=(1500, 3))) @ directions
    X += 0.4 * rng.normal(size=X.shape)
    assert DenseAE("auto", **QUICK).fit(X).n_components_ == 3


def test_auto_considers_the_components_that_explain_95_percent(digits):
    """It ignores the codes that are trained beyond them, up to a power of two."""
    X = digits[:40]
    explained = np.cumsum(PCA(0.95, svd_solver="full").fit(X).explained_variance_ratio_)
    n_codes = np.arange(1, len(explained) + 1)
    elbow = np.argmax(explained / explained[-1] - n_codes / len(explained)) + 1
    assert DenseAE("auto", **QUICK).fit(X).n_components_ == elbow
    assert DenseAE("auto", **QUICK).partial_fit(X).n_components_ == elbow


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
def test_network_is_kept_even_if_no_number_of_codes_suffices(digits):
    X = MinMaxScaler().fit_transform(digits[:200])
    bounded = {"output_activation": "sigmoid", "loss": "binary_crossentropy"}
    short = QUICK | {"max_iter": 4}
    model = DenseAE(0.9, **bounded, **short).fit(X)
    assert model.score(X) < 0.9  # the target is not reached
    assert model.used_network_
    assert 0 <= model.reconstruct(X).min() <= model.reconstruct(X).max() <= 1
    model.partial_fit(X)


def test_constant_rows_need_one_code():
    assert DenseAE(0.5, **QUICK).fit(np.ones((60, 4))).n_components_ == 1


def test_nothing_is_explained_of_constant_rows():
    """Training continues from a rounded mean, so the error is not zero."""
    X = np.tile(np.float32([1.2e9, -1.3e9, 6.4e9]), (4, 1))
    model = DenseAE(2, ordered=True, pca_shortcut=False, max_iter=1, random_state=0)
    model.fit(X).partial_fit(X)
    assert model.reconstruction_error_ > 0
    assert model.held_out_variance_ratio_.tolist() == [0, 0]


@pytest.mark.parametrize("share", [0.7, "auto"])
def test_few_rows_get_as_many_components_as_pca(digits, share):
    X = digits[:40]
    model = DenseAE(share).fit(X)
    assert not model.used_network_
    if share == 0.7:
        assert model.n_components_ == PCA(0.7).fit(X).n_components_
    np.testing.assert_allclose(
        model.transform(X), PCA(model.n_components_).fit_transform(X), atol=1e-9
    )


def test_chosen_number_stays_when_training_continues(digits):
    model = DenseAE(0.5, **QUICK).fit(digits)
    n_components = model.n_components_
    before = model.score(digits)
    model.set_params(warm_start=True, max_iter=5, early_stopping=False).fit(digits)
    assert model.n_components_ == n_components
    assert model.score(digits) > before
    model.partial_fit(digits)
    assert model.n_components_ == n_components


def test_number_is_chosen_again_if_the_previous_fit_is_pca(digits):
    few = DenseAE(0.7, warm_start=True, **QUICK).fit(digits[:40])
    assert not few.used_network_
    fresh = DenseAE(0.7, **QUICK).fit(digits)
    assert few.fit(digits).n_components_ == fresh.n_components_


@pytest.mark.parametrize("n_components", [0.3, 2, "auto"])
def test_training_cannot_continue_with_another_share(digits, n_components):
    model = DenseAE(n_components, warm_start=True, **QUICK | {"max_iter": 4})
    model.set_params(early_stopping=False).fit(digits)
    codes = model.transform(digits)
    model.set_params(n_components=0.5)
    with pytest.raises(ValueError, match=r"not fitted with n_components=0\.5"):
        model.fit(digits)
    with pytest.raises(ValueError, match=r"not fitted with n_components=0\.5"):
        model.partial_fit(digits)
    np.testing.assert_array_equal(model.transform(digits), codes)


def test_chosen_codes_are_not_ordered_even_with_ordered_true(digits):
    """So training can continue with the same kind of network."""
    model = DenseAE(0.3, ordered=True, warm_start=True, **QUICK)
    model.set_params(early_stopping=False).fit(digits)
    for _ in range(2):
        assert not hasattr(model, "held_out_variance_ratio_")
        model.fit(digits)


def test_first_block_chooses_the_number_that_pca_needs(digits):
    blocks = DenseAE(0.6, **QUICK).partial_fit(digits[:500])
    n_components = PCA(0.6, svd_solver="full").fit(digits[:500]).n_components_
    assert blocks.n_components_ == n_components
    blocks.partial_fit(digits[500:])
    assert blocks.n_components_ == n_components
