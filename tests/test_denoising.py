from itertools import chain

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import DenoisingAE, DenseAE
from skae._corruption import NOISES, Corruption, corrupt

# Without the outliers that standardised digits have.
DIGITS = load_digits().data
QUICK = {"hidden_layer_sizes": (64,), "max_iter": 30, "random_state": 0}


def corrupted(X, kind, level, **replacements):
    low, high = X.min(axis=0), X.max(axis=0)
    corruption = Corruption(kind, level, **{"low": low, "high": high, **replacements})
    return corrupt(corruption, X, X, np.random.default_rng(0))


# --- The noises ---


def test_gaussian_noise_has_its_level(digits):
    noise = corrupted(digits, "gaussian", 0.5) - digits
    assert noise.std() == pytest.approx(0.5, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper", "swap"])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_other_noises_replace_a_share_of_the_values(kind, level):
    X = np.random.default_rng(0).normal(size=(2000, 20))
    replacements = {}
    if kind == "masking":
        replacements = {"low": np.full(20, 9.0), "high": np.full(20, 9.0)}
    noisy = corrupted(X, kind, level, **replacements)
    assert (noisy != X).mean() == pytest.approx(level, abs=0.01)
    changed = noisy[noisy != X]
    if kind == "masking":
        assert (changed == 9).all()
    if kind == "salt_and_pepper" and level:
        low = (noisy == X.min(axis=0)).mean()
        assert low == pytest.approx(level / 2, abs=0.01)
        assert low == pytest.approx((noisy == X.max(axis=0)).mean(), abs=0.02)


def test_swap_takes_the_values_of_the_same_feature():
    X = np.arange(12.0).reshape(4, 3)
    noisy = corrupted(np.tile(X, (100, 1)), "swap", 0.5)
    for feature, values in zip(X.T, noisy.T, strict=True):
        assert set(values) == set(feature)


def training_of(noise, level, rows, batch_size, seed=0):
    """Return a compiled program and the parts of its epochs, at a rate of nearly 0."""
    from skae._epochs import prepare_epochs
    from skae._initialization import pca_start, principal_axes
    from skae._network import Activations, dense_network
    from skae._plan import Data, Program, Settings, Split
    from skae._training import CompiledProgram

    linear = Activations("linear", "linear", "linear")
    network = dense_network((rows.shape[1], 1), linear, shortcut=False)
    program = Program(network, "squared_error", batch_size, False, noise)
    low, high = rows.min(axis=0), rows.max(axis=0)
    if noise == "masking":
        low = high = np.zeros(rows.shape[1])
    settings = Settings(
        *[1e-30, 2, True, 0.0, 0.0, 0.0, None, (seed,), False],
        corruption=Corruption(noise, level, low, high),
    )
    places = np.arange(len(rows), dtype=np.int32)
    split = Split(places, places[:0])
    compiled = CompiledProgram(program)
    compiled.reset(pca_start(network, principal_axes(rows, 1), seed=0))
    epochs = prepare_epochs(program, settings, Data(rows, None), split)
    return compiled, chain.from_iterable(epochs)


def as_trained(noise, level, rows, seed=0):
    """Return what the compiled function makes of the rows."""
    import tensorflow as tf

    from skae._epochs import Scalars
    from skae._training import _Normals

    compiled, parts = training_of(noise, level, rows, len(rows), seed)
    part = next(parts)
    scalars = Scalars(*tf.unstack(part.scalars))
    normals = _Normals(part.normals, part.starts[0])
    return compiled._inputs(tf.constant(rows), part, scalars, normals, 0).numpy()


@pytest.mark.parametrize("noise", ["gaussian", "masking"])
def test_noise_is_drawn_anew_in_every_batch(noise):
    """Batches of the same rows would have the same loss if it were not."""
    rows = np.tile(np.arange(1.0, 65.0, dtype=np.float32), (128, 1))
    rows[:, 0] = np.tile([1, -1], 64)
    rows[:, 1] = np.tile([1, -1], 64)
    compiled, parts = training_of(noise, 0.3, rows, batch_size=64)
    losses = []
    for part in parts:
        first = part._replace(
            rows=part.rows[:1],
            longer=part.longer[:1],
            shares=part.shares[:1],
            step_sizes=part.step_sizes[:1],
        )
        losses += [compiled.run_epoch([now]).terms for now in (part, first)]
    assert len(np.unique(losses)) == 4


@pytest.mark.parametrize("kind", NOISES)
def test_training_draws_the_same_kind_of_noise(kind):
    X = np.random.default_rng(0).normal(size=(20_000, 5)).astype(np.float32)
    noisy = as_trained(kind, 0.3, X)
    expected = corrupted(X, kind, 0.3)
    if kind == "masking":
        expected = corrupted(X, kind, 0.3, low=np.zeros(5), high=np.zeros(5))
    for statistic in (np.mean, np.std):
        np.testing.assert_allclose(
            statistic(noisy, axis=0), statistic(expected, axis=0), atol=0.1
        )
    assert (noisy != X).mean() == pytest.approx((expected != X).mean(), abs=0.02)
    assert (as_trained(kind, 0.3, X, seed=1) != noisy).any()
    np.testing.assert_array_equal(as_trained(kind, 0.3, X), noisy)
    if kind == "swap":
        for feature, values in zip(X.T, noisy.T, strict=True):
            assert np.isin(values, feature).all()


# --- What it is for ---


@pytest.mark.parametrize("kind", NOISES)
def test_denoises_better_than_pca_and_than_copying(kind):
    X, X_test = train_test_split(DIGITS, random_state=0)
    level = 0.5 if kind == "gaussian" else 0.3
    model = DenoisingAE(32, noise=kind, noise_level=level, **QUICK).fit(X)
    assert model.used_network_
    scale = np.sqrt(X.var(axis=0).mean())
    if kind == "gaussian":
        noise = np.random.default_rng(0).normal(size=X_test.shape)
        noisy = X_test + level * scale * noise
    else:
        zeros = {"low": np.zeros(64), "high": np.zeros(64)}
        noisy = corrupted(X_test, kind, level, **(zeros if kind == "masking" else {}))

    def error(output):
        return np.mean((output - X_test) ** 2)

    pca = PCA(32).fit(X)
    assert error(model.reconstruct(noisy)) < 0.8 * error(
        pca.inverse_transform(pca.transform(noisy))
    )
    plain = DenseAE(32, **QUICK).fit(X)
    assert error(model.reconstruct(noisy)) < error(plain.reconstruct(noisy))


def test_reported_errors_are_of_denoising():
    X, X_test = train_test_split(DIGITS, random_state=0)
    model = DenoisingAE(8, noise_level=0.5, **QUICK).fit(X)
    noise = np.random.default_rng(0).normal(size=X_test.shape)
    noisy = X_test + 0.5 * np.sqrt(X.var(axis=0).mean()) * noise
    assert model.reconstruction_error_ == pytest.approx(
        np.mean((model.reconstruct(noisy) - X_test) ** 2), rel=0.15
    )
    pca = PCA(8).fit(X)
    assert model.pca_reconstruction_error_ == pytest.approx(
        np.mean((pca.inverse_transform(pca.transform(noisy)) - X_test) ** 2), rel=0.1
    )


@pytest.mark.parametrize("output_activation", ["linear", "softplus"])
def test_noise_is_in_units_of_the_data(output_activation):
    """The error of PCA, which the network does not change, tells of the noise."""
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
    # What 8 of 64 components keep of the noise.
    assert noisy[0] - clean == pytest.approx(0.5**2 * 8 / 64, rel=0.2)
    assert noisy[1] == pytest.approx(noisy[0], rel=1e-3)


@pytest.mark.parametrize("noise", NOISES)
def test_fit_is_reproducible(digits, noise):
    first, again, other = (
        DenoisingAE(2, noise=noise, **{**QUICK, "random_state": seed, "max_iter": 2})
        .fit(digits)
        .transform(digits)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_share_above_one_is_refused(digits):
    with pytest.raises(ValueError, match=r"'swap' needs a noise_level of at most 1"):
        DenoisingAE(noise="swap", noise_level=1.5).fit(digits)
    DenoisingAE(noise_level=1.5, max_iter=1, **{"hidden_layer_sizes": ()}).fit(digits)
