import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import DenoisingAE, DenseAE
from skae._train.corruption import CORRUPTIONS

# Unlike standardised digits, these have no outliers.
DIGITS = load_digits().data
QUICK = {"hidden_layer_sizes": (64,), "max_iter": 30, "random_state": 0}


def corrupt(X, noise, level):
    """Corrupt rows by hand; the level is a share, except for Gaussian noise."""
    rng = np.random.default_rng(0)
    if noise == "gaussian":
        return X + level * np.sqrt(X.var(axis=0).mean()) * rng.normal(size=X.shape)
    replacements = {
        "masking": np.zeros_like(X),
        "salt_and_pepper": np.where(
            rng.uniform(size=X.shape) < 0.5, X.min(axis=0), X.max(axis=0)
        ),
        "swap": rng.permuted(X, axis=0),
    }
    return np.where(rng.uniform(size=X.shape) < level, replacements[noise], X)


@pytest.mark.parametrize("noise", CORRUPTIONS)
def test_denoises_better_than_pca_and_a_plain_autoencoder(noise):
    X, X_test = train_test_split(DIGITS, random_state=0)
    level = 0.5 if noise == "gaussian" else 0.3
    model = DenoisingAE(32, noise=noise, noise_level=level, **QUICK).fit(X)
    assert model.used_network_
    noisy = corrupt(X_test, noise, level)

    def error(output):
        return np.mean((output - X_test) ** 2)

    pca = PCA(32).fit(X)
    assert error(model.reconstruct(noisy)) < 0.8 * error(
        pca.inverse_transform(pca.transform(noisy))
    )
    plain = DenseAE(32, **QUICK).fit(X)
    assert error(model.reconstruct(noisy)) < error(plain.reconstruct(noisy))


def test_reported_errors_are_those_of_denoising():
    X, X_test = train_test_split(DIGITS, random_state=0)
    model = DenoisingAE(8, noise_level=0.5, **QUICK).fit(X)
    noisy = corrupt(X_test, "gaussian", 0.5)
    assert model.reconstruction_error_ == pytest.approx(
        np.mean((model.reconstruct(noisy) - X_test) ** 2), rel=0.15
    )
    pca = PCA(8).fit(X)
    assert model.pca_reconstruction_error_ == pytest.approx(
        np.mean((pca.inverse_transform(pca.transform(noisy)) - X_test) ** 2), rel=0.1
    )


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
@pytest.mark.parametrize("output_activation", ["linear", "softplus"])
def test_noise_is_relative_to_the_scale_of_the_data(output_activation):
    """The error of PCA, which does not depend on the network, shows it."""
    clean, *noisy = (
        DenoisingAE(
            8,
            noise_level=level,
            output_activation=output_activation,
            **{**QUICK, "max_iter": 1},
        )
        .fit(DIGITS * factor)
        .pca_reconstruction_error_
        / (factor**2 * DIGITS.var(axis=0).mean())
        for level, factor in ((0, 1), (0.5, 1), (0.5, 1 / 16))
    )
    # Of the noise, PCA keeps the share of 8 of 64 components.
    assert noisy[0] - clean == pytest.approx(0.5**2 * 8 / 64, rel=0.2)
    assert noisy[1] == pytest.approx(noisy[0], rel=1e-3)


@pytest.mark.parametrize("noise", CORRUPTIONS)
def test_fit_is_reproducible(digits, noise):
    first, again, other = (
        DenoisingAE(2, noise=noise, **{**QUICK, "random_state": seed, "max_iter": 2})
        .fit(digits)
        .transform(digits)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_share_of_corrupted_values_is_at_most_one(digits):
    with pytest.raises(ValueError, match=r"'swap' needs a noise_level of at most 1"):
        DenoisingAE(noise="swap", noise_level=1.5).fit(digits)
    DenoisingAE(noise_level=1.5, max_iter=1, hidden_layer_sizes=()).fit(digits)
