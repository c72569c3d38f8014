import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from skae import VAETransformer

QUICK = {"hidden_layer_sizes": (64,), "max_iter": 30, "random_state": 0}


@pytest.fixture(scope="module")
def fitted(digits):
    return VAETransformer(4, **QUICK).fit(digits)


def test_reconstructs_better_than_pca_with_all_codes_active(digits):
    X, X_test = train_test_split(digits, random_state=0)
    for n_components in (2, 8):
        model = VAETransformer(n_components, **QUICK).fit(X)
        pca = PCA(n_components).fit(X)
        error = np.mean((model.reconstruct(X_test) - X_test) ** 2)
        pca_error = np.mean(
            (pca.inverse_transform(pca.transform(X_test)) - X_test) ** 2
        )
        assert error < 0.9 * pca_error
        assert model.active_units_.all()
        assert (model.kl_divergence_ > 0.1).all()


def test_codes_separate_the_digits():
    X, y = load_digits(return_X_y=True)
    codes = VAETransformer(2, max_iter=50, random_state=0).fit_transform(X)
    neighbours = KNeighborsClassifier()
    score = cross_val_score(neighbours, codes, y).mean()
    pca_score = cross_val_score(neighbours, PCA(2).fit_transform(X), y).mean()
    assert score > pca_score + 0.15


def test_transform_is_the_mean_of_the_posterior(digits, fitted):
    mean, std = fitted.posterior(digits)
    np.testing.assert_array_equal(mean, fitted.transform(digits))
    assert std.shape == mean.shape
    assert (std > 0).all()
    outputs = fitted.to_keras("posterior")(digits)
    np.testing.assert_allclose(outputs[0], mean, atol=1e-4)
    np.testing.assert_allclose(np.exp(outputs[1] / 2), std, rtol=1e-3)


def test_codes_follow_the_prior(digits, fitted):
    mean, std = fitted.posterior(digits)
    np.testing.assert_allclose(mean.mean(axis=0), 0, atol=1e-5)
    total = mean.var(axis=0) + (std**2).mean(axis=0)
    np.testing.assert_allclose(total, 1, atol=1e-4)


def test_reported_divergence_is_that_of_the_posteriors(digits, fitted):
    mean, std = fitted.posterior(digits)
    divergence = 0.5 * (mean**2 + std**2 - 1 - 2 * np.log(std))
    np.testing.assert_allclose(
        fitted.kl_divergence_, divergence.mean(axis=0), rtol=1e-5
    )


def test_samples_look_like_the_data(digits, fitted):
    samples = fitted.sample(1000, random_state=0)
    assert samples.shape == (1000, 64)
    np.testing.assert_array_equal(samples, fitted.sample(1000, random_state=0))
    assert not np.allclose(samples, fitted.sample(1000, random_state=1))
    np.testing.assert_allclose(
        samples.mean(axis=0), digits.mean(axis=0), atol=0.15 * digits.std()
    )
    reconstructed = fitted.reconstruct(digits)
    assert samples.var(axis=0).sum() == pytest.approx(
        reconstructed.var(axis=0).sum(), rel=0.25
    )


def test_bound_is_just_below_the_exact_likelihood():
    """Data from a linear factor have the likelihood of probabilistic PCA."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 1)) @ rng.normal(size=(1, 6)) * 3
    X += rng.normal(size=X.shape)
    exact = PCA(1).fit(X).score(X)
    model = VAETransformer(1, **QUICK).fit(X)
    bound = model.elbo(X, random_state=0).mean()
    assert exact - 0.5 < bound < exact + 0.05
    assert model.noise_variance_ == pytest.approx(1, rel=0.15)
    network = VAETransformer(1, early_stopping=False, **QUICK).fit(X)
    assert network.used_network_
    assert exact - 0.5 < network.elbo(X, random_state=0).mean() < exact + 0.05


def test_units_of_the_data_do_not_matter(digits, fitted):
    other = VAETransformer(4, **QUICK).fit(digits * 1000)
    np.testing.assert_allclose(other.kl_divergence_, fitted.kl_divergence_, rtol=1e-2)
    shift = 64 * np.log(1000)
    assert other.elbo(digits * 1000, random_state=0).mean() == pytest.approx(
        fitted.elbo(digits, random_state=0).mean() - shift, abs=0.1
    )


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
def test_larger_beta_brings_codes_closer_to_the_prior(digits, fitted):
    strict = VAETransformer(4, beta=20, **QUICK).fit(digits)
    assert strict.used_network_
    assert strict.kl_divergence_.sum() < 0.7 * fitted.kl_divergence_.sum()


def test_bound_does_not_depend_on_parameters_set_after_the_fit(digits):
    model = VAETransformer(2, **{**QUICK, "max_iter": 2}).fit(digits)
    expected = model.elbo(digits, random_state=0)
    model.set_params(loss="binary_crossentropy", output_activation="sigmoid")
    np.testing.assert_array_equal(model.elbo(digits, random_state=0), expected)


def test_inactive_codes_are_recognised():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 2)) @ rng.normal(size=(2, 6)) * 3
    X += rng.normal(size=X.shape)
    model = VAETransformer(
        4, early_stopping=False, pca_shortcut=False, beta=2, **QUICK
    ).fit(X)
    assert model.active_units_.sum() == 2


@pytest.mark.parametrize("n_samples", [40, 200])
def test_pca_has_the_posterior_of_probabilistic_pca(n_samples):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 10)) * np.linspace(1, 3, 10)
    model = VAETransformer(3, **QUICK).fit(X)
    assert not model.used_network_
    pca = PCA(3, svd_solver="full", whiten=True).fit(X)
    np.testing.assert_allclose(
        model.reconstruct(X), pca.inverse_transform(pca.transform(X)), atol=1e-6
    )
    mean, std = model.posterior(X)
    share = pca.noise_variance_ / pca.explained_variance_
    np.testing.assert_allclose(mean, pca.transform(X) / np.sqrt(1 + share), atol=1e-6)
    expected = np.sqrt(share / (1 + share))
    np.testing.assert_allclose(std, np.tile(expected, (n_samples, 1)), rtol=1e-6)
    assert np.isfinite(model.elbo(X)).all()
    model.set_params(early_stopping=False).partial_fit(X)
    assert model.used_network_


def test_binary_rows_have_a_bound_better_than_independence():
    X = (load_digits().data > 8).astype(float)
    model = VAETransformer(
        2, loss="binary_crossentropy", output_activation="sigmoid", **QUICK
    ).fit(X)
    assert not hasattr(model, "noise_variance_")
    rate = X.mean(axis=0).clip(1e-7, 1 - 1e-7)
    independent = (X * np.log(rate) + (1 - X) * np.log(1 - rate)).sum(axis=1).mean()
    assert independent + 2 < model.elbo(X, random_state=0).mean() < 0
    assert 0 <= model.sample(10).min() <= model.sample(10).max() <= 1


def test_posterior_of_outliers_is_finite(digits, fitted):
    far = np.vstack([digits[:50], -digits[:50]]) * 1e6
    mean, std = fitted.posterior(far)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std > 0).all()
    assert np.isfinite(fitted.elbo(far)).all()


def test_training_does_not_stop_during_the_warm_up(digits):
    model = VAETransformer(
        2,
        kl_warmup=25,
        n_iter_no_change=2,
        **{**QUICK, "learning_rate_init": 0.03, "max_iter": 60},
    ).fit(digits)
    assert 25 < model.n_iter_ < 60


def test_warm_up_must_be_shorter_than_training(digits):
    with pytest.raises(ValueError, match=r"kl_warmup=30.* less than max_iter=30"):
        VAETransformer(kl_warmup=30, max_iter=30).fit(digits)
    VAETransformer(max_iter=1).fit(digits)


def test_network_may_be_accepted_by_cross_validation():
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    model = VAETransformer(2, random_state=0, max_iter=60).fit(X)
    assert model.used_network_
    assert model.reconstruction_error_ < model.pca_reconstruction_error_


def test_number_of_samples_is_checked(fitted):
    with pytest.raises(ValueError, match="n_samples"):
        fitted.sample(0)


def test_statistics_are_those_of_all_rows(digits):
    """They are summed block by block."""
    X = np.tile(digits, (2, 1)).astype(np.float32)
    model = VAETransformer(3, max_iter=1, early_stopping=False, random_state=0).fit(X)
    mean, _ = model.posterior(X)
    assert model.kl_divergence_.dtype == np.float32
    np.testing.assert_array_equal(model.active_units_, mean.var(axis=0) > 0.01)
    error = np.mean((X - model.reconstruct(X)) ** 2)
    assert error < model.noise_variance_ < 2 * error
