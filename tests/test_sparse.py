import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import SparseAE

QUICK = {"max_iter": 30, "random_state": 0}


@pytest.fixture(scope="module")
def halves(digits):
    """Training rows and test rows."""
    return train_test_split(digits, random_state=0)


def error(model, X):
    return np.mean((X - model.inverse_transform(model.transform(X))) ** 2)


@pytest.mark.parametrize(("target", "n_active"), [(8, 8), (0.0625, 8), (0.001, 1)])
def test_topk_keeps_the_given_number_of_codes_active(halves, target, n_active):
    X, X_test = halves
    model = SparseAE(128, sparsity="topk", target_sparsity=target, **QUICK).fit(X)
    codes = model.transform(X_test)
    assert ((codes != 0).sum(axis=1) == n_active).all()
    assert model.active_share_.sum() == pytest.approx(n_active)
    keras_codes = np.asarray(model.to_keras("encoder")(X_test))
    np.testing.assert_allclose(keras_codes, codes, atol=1e-4)


def test_topk_is_better_than_pca_with_as_many_components(halves):
    X, X_test = halves
    model = SparseAE(128, sparsity="topk", target_sparsity=8, **QUICK).fit(X)
    assert error(model, X_test) < 0.8 * error(PCA(8).fit(X), X_test)


@pytest.mark.parametrize("sparsity", ["l1", "kl"])
def test_penalty_leaves_few_codes_active(halves, sparsity):
    X, X_test = halves
    model = SparseAE(128, sparsity=sparsity, **QUICK).fit(X)
    codes = model.transform(X_test)
    assert codes.min() >= 0
    n_active = (codes > (0.1 if sparsity == "kl" else 0)).sum(axis=1).mean()
    assert 1 < n_active < 64
    assert model.active_share_.sum() == pytest.approx(n_active, rel=0.15)
    np.testing.assert_allclose(
        model.mean_activation_, codes.mean(axis=0), atol=0.1 * codes.max()
    )
    assert error(model, X_test) < error(PCA(int(n_active)).fit(X), X_test)


def test_held_out_error_is_far_lower_than_of_pca():
    """Without smoothing noise on the inputs it would not be."""
    X, X_test = train_test_split(load_digits().data, random_state=0)
    model = SparseAE(128, max_iter=60, random_state=0).fit(X)
    n_active = int(model.active_share_.sum())
    assert error(model, X_test) < 0.7 * error(PCA(n_active).fit(X), X_test)


@pytest.mark.parametrize("sparsity", ["l1", "kl"])
def test_larger_weight_gives_sparser_codes_and_larger_errors(halves, sparsity):
    X, _ = halves
    weak, strong = (
        SparseAE(32, sparsity=sparsity, sparsity_weight=weight, **QUICK).fit(X)
        for weight in (0.1, 10.0)
    )
    assert strong.active_share_.sum() < weak.active_share_.sum()
    assert strong.reconstruction_error_ > weak.reconstruction_error_


def test_kl_brings_the_mean_activation_to_its_target(halves):
    X, _ = halves
    for target in (0.05, 0.3):
        model = SparseAE(
            32,
            sparsity="kl",
            sparsity_weight=100,
            target_sparsity=target,
            n_iter_no_change=30,
            **QUICK,
        ).fit(X)
        assert model.mean_activation_.mean() == pytest.approx(target, rel=0.25)


def test_every_code_starts_active(halves):
    """Even with more codes than features."""
    X, _ = halves
    model = SparseAE(200, max_iter=1, early_stopping=False, random_state=0).fit(X)
    assert (model.active_share_ > 0).all()


@pytest.mark.parametrize("sparsity", ["l1", "kl", "topk"])
def test_default_number_of_codes_stays_active(halves, sparsity):
    X, X_test = halves
    model = SparseAE(sparsity=sparsity, **QUICK).fit(X)
    assert (model.active_share_ > 0).all()
    assert model.score(X_test) > 0.05


def test_penalty_is_part_of_the_loss(halves):
    X, _ = halves
    model = SparseAE(32, early_stopping=False, **QUICK).fit(X)
    codes = model.transform(X)
    scale = X.var(axis=0).mean()
    # Codes are returned as trained; at the start their variance is about 1.
    penalty = 0.5 * np.abs(codes).sum(axis=1).mean() / X.shape[1]
    expected = model.reconstruction_error_ / scale + penalty
    assert model.history_["loss"][-1] == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sparsity": "kl", "code_activation": "relu"}, "code_activation='sigmoid'"),
        ({"sparsity": "topk", "target_sparsity": 4}, "must be less than n_components"),
    ],
)
def test_contradictory_parameters_are_refused(digits, parameters, message):
    with pytest.raises(ValueError, match=message):
        SparseAE(4, **parameters).fit(digits)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_are_those_of_all_codes(digits, dtype):
    """They are summed block by block."""
    X = np.tile(digits, (2, 1)).astype(dtype)
    model = SparseAE(8, max_iter=1, early_stopping=False, random_state=0).fit(X)
    codes = model.transform(X)
    assert model.mean_activation_.dtype == dtype
    np.testing.assert_allclose(model.mean_activation_, codes.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.active_share_, (codes != 0).mean(axis=0))
