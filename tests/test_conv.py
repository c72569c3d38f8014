import pickle

import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import ConvAE, DenoisingAE
from skae._train.corruption import CORRUPTIONS
from tests.processes import run

QUICK = {"filters": (4, 2), "hidden_layer_sizes": (16,), "random_state": 0}
# Noise of half the standard deviation of the data.
NOISE = {"noise": "gaussian", "noise_level": 0.5}


def random_rows(n_features, n_samples=60):
    return np.random.default_rng(0).normal(size=(n_samples, n_features))


def test_reconstructs_images_better_than_pca():
    X, X_test = train_test_split(load_digits().data, random_state=0)
    model = ConvAE(8, max_iter=30, random_state=0).fit(X)
    assert model.used_network_
    pca = PCA(8).fit(X)
    error = np.mean((model.reconstruct(X_test) - X_test) ** 2)
    assert error < 0.8 * np.mean(
        (pca.inverse_transform(pca.transform(X_test)) - X_test) ** 2
    )


@pytest.mark.filterwarnings("ignore:.* got n_components=:UserWarning")
@pytest.mark.parametrize(
    ("n_features", "image_shape", "resolved"),
    [
        (64, "auto", (8, 8)),
        (16, "auto", (4, 4)),
        (9, "auto", (9,)),
        (30, "auto", (30,)),
        (1, "auto", (1,)),
        (30, (5, 6), (5, 6)),
        (30, (5, 2, 3), (5, 2, 3)),
        (30, (30,), (30,)),
        (30, (10, 1, 3), (10, 1, 3)),
        (35, [7, 5], (7, 5)),
        (6, (1, 6), (1, 6)),
    ],
)
@pytest.mark.parametrize("n_components", [2, None])
def test_rows_of_any_image_shape_stay_flat(
    n_features, image_shape, resolved, n_components
):
    X = random_rows(n_features)
    model = ConvAE(
        n_components,
        image_shape=image_shape,
        max_iter=1,
        early_stopping=False,
        **QUICK,
    ).fit(X)
    assert model.image_shape_ == resolved
    assert model.used_network_
    codes = model.transform(X)
    assert codes.shape == (60, model.n_components_)
    assert model.inverse_transform(codes).shape == X.shape
    np.testing.assert_allclose(
        np.asarray(model.to_keras()(X)), model.reconstruct(X), atol=1e-4
    )


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
def test_last_feature_map_is_the_code_if_n_components_is_none():
    model = ConvAE(None, image_shape=(9, 6), max_iter=1, **QUICK).fit(random_rows(54))
    # 9 x 6 is pooled to 5 x 3 and then to 3 x 2, with two filters.
    assert model.n_components_ == 3 * 2 * 2
    assert model.used_network_


@pytest.mark.parametrize("image_shape", [(7,), (2, 2, 2, 7), (5, 6)])
def test_image_shape_must_match_the_features(image_shape):
    with pytest.raises(ValueError, match="does not fit X with 28 features: expected"):
        ConvAE(image_shape=image_shape).fit(random_rows(28))


def test_images_must_be_flat():
    X = np.zeros((5, 6, 7))
    with pytest.raises(
        ValueError, match=r"reshape\(len\(X\), -1\) and image_shape=\(6, 7"
    ):
        ConvAE().fit(X)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ((), r"'filters' .* at least one number\. Got \(\)"),
        ((0,), r"'filters' .* at least 1\. Got \(0,\)"),
        ((2.5,), r"'filters' .* integers .* Got \(2\.5,\)"),
    ],
)
def test_invalid_filters_are_refused(filters, message):
    with pytest.raises(ValueError, match=message):
        ConvAE(filters=filters).fit(random_rows(28))


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
def test_filters_of_one_convolution_may_be_an_int():
    model = ConvAE(None, filters=3, max_iter=1).fit(random_rows(28))
    assert model.n_components_ == 14 * 3


def test_network_starts_as_pca(digits):
    model = ConvAE(
        5, learning_rate_init=1e-12, early_stopping=False, max_iter=1, random_state=0
    ).fit(digits)
    pca = PCA(5, svd_solver="full").fit(digits)
    np.testing.assert_allclose(
        model.transform(digits), pca.transform(digits), atol=2e-4
    )
    np.testing.assert_allclose(
        model.reconstruct(digits),
        pca.inverse_transform(pca.transform(digits)),
        atol=2e-4,
    )


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_scale_of_the_data_does_not_matter(digits, factor):
    first, other = (
        ConvAE(4, max_iter=5, **QUICK).fit(digits * scale) for scale in (1, factor)
    )
    assert other.reconstruction_error_ == pytest.approx(
        first.reconstruction_error_ * factor**2, rel=0.02
    )


def test_whitened_codes_are_uncorrelated_with_unit_variance(digits):
    model = ConvAE(4, max_iter=10, whiten=True, **QUICK).fit(digits)
    assert model.used_network_
    codes = model.transform(digits)
    np.testing.assert_allclose(np.cov(codes, rowvar=False), np.eye(4), atol=1e-4)


def test_feature_maps_cannot_be_whitened():
    with pytest.raises(ValueError, match="whiten=True needs an int n_components"):
        ConvAE(None, whiten=True).fit(random_rows(28))


def test_partial_fit_continues_from_pca(digits):
    model = ConvAE(3, **QUICK).fit(digits[:40] + 5)
    assert not model.used_network_
    pca = model.score(digits + 5)
    model.set_params(learning_rate_init=1e-12).partial_fit(digits + 5)
    assert model.used_network_
    assert model.score(digits + 5) == pytest.approx(pca, abs=1e-4)
    model.set_params(learning_rate_init=1e-3).partial_fit(digits + 5)
    assert model.score(digits + 5) > pca


@pytest.mark.parametrize("pca_shortcut", [True, False])
@pytest.mark.parametrize("n_components", [3, None])
def test_partial_fit_improves_the_fit(digits, n_components, pca_shortcut):
    model = ConvAE(
        n_components,
        max_iter=2,
        early_stopping=False,
        pca_shortcut=pca_shortcut,
        **QUICK,
    ).fit(digits)
    before = model.score(digits)
    for _ in range(3):
        model.partial_fit(digits)
    assert model.score(digits) > before


def test_loaded_estimator_does_not_import_tensorflow(tmp_path):
    path = tmp_path / "model.pkl"
    run(
        "import pickle, numpy as np\n"
        "from skae import ConvAE\n"
        "X = np.random.default_rng(0).normal(size=(60, 25))\n"
        "model = ConvAE(2, filters=(2,), early_stopping=False, max_iter=1).fit(X)\n"
        f"open({str(path)!r}, 'wb').write(pickle.dumps((model, X, "
        "model.reconstruct(X))))\n"
    )
    run(
        "import pickle, sys, numpy as np\n"
        f"model, X, expected = pickle.load(open({str(path)!r}, 'rb'))\n"
        "np.testing.assert_array_equal(model.reconstruct(X), expected)\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )


# --- Noise ---


def add_noise(X):
    noise = np.random.default_rng(0).normal(size=X.shape)
    return X + 0.5 * np.sqrt(X.var(axis=0).mean()) * noise


def mean_squared_error(X, X_reconstructed):
    return np.mean((X - X_reconstructed) ** 2)


def error_of_best_pca(X, X_test):
    """Return the least error of denoising by PCA, over all numbers of components."""
    noisy = add_noise(X_test)
    return min(
        mean_squared_error(X_test, pca.inverse_transform(pca.transform(noisy)))
        for pca in (PCA(k).fit(X) for k in range(1, 65))
    )


@pytest.mark.parametrize(
    ("n_components", "settings"),
    [(32, {}), (None, {"filters": (32,), "learning_rate_init": 0.01})],
)
def test_images_are_denoised_better_than_by_pca_or_without_noise(
    n_components, settings
):
    X, X_test = train_test_split(load_digits().data, random_state=0)
    model = ConvAE(n_components, max_iter=30, random_state=0, **settings)
    plain = model.fit(X).reconstruct(add_noise(X_test))
    model.set_params(**NOISE).fit(X)
    assert model.used_network_
    error = mean_squared_error(X_test, model.reconstruct(add_noise(X_test)))
    assert error < 0.9 * error_of_best_pca(X, X_test)
    assert error < 0.9 * mean_squared_error(X_test, plain)
    assert model.reconstruction_error_ == pytest.approx(error, rel=0.15)


@pytest.mark.parametrize("noise", CORRUPTIONS)
def test_held_out_images_are_corrupted_as_by_the_dense_denoiser(noise):
    """The errors of PCA, which do not depend on the network, show it."""
    X = load_digits().data
    conv, dense = (
        cls(8, noise=noise, noise_level=0.3, max_iter=1, **settings).fit(X)
        for cls, settings in [
            (ConvAE, QUICK),
            (DenoisingAE, {"hidden_layer_sizes": (), "random_state": 0}),
        ]
    )
    clean = ConvAE(8, max_iter=1, **QUICK).fit(X)
    assert conv.pca_reconstruction_error_ == pytest.approx(
        dense.pca_reconstruction_error_, rel=1e-4
    )
    assert conv.pca_reconstruction_error_ > 1.02 * clean.pca_reconstruction_error_


@pytest.mark.parametrize("noise", CORRUPTIONS)
def test_denoising_gives_way_to_pca_if_rows_are_few(noise):
    X = load_digits().data[:40]
    conv, dense = (
        cls(3, noise=noise, random_state=0).fit(X) for cls in (ConvAE, DenoisingAE)
    )
    assert not conv.used_network_
    assert conv.reconstruction_error_ == conv.pca_reconstruction_error_
    assert conv.reconstruction_error_ == pytest.approx(
        dense.reconstruction_error_, rel=1e-4
    )
    np.testing.assert_allclose(conv.transform(X), dense.transform(X), atol=1e-3)


def fitted_denoiser(n_components, digits, **settings):
    settings = {"early_stopping": False, "max_iter": 2, **NOISE, **QUICK, **settings}
    return ConvAE(n_components, **settings).fit(digits)


@pytest.mark.parametrize("n_components", [3, None])
def test_denoisers_are_the_same_in_numpy_keras_and_onnx(digits, n_components):
    model = fitted_denoiser(n_components, digits)
    expected = model.reconstruct(digits)
    accuracy = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(model.to_keras()(digits), expected, **accuracy)
    session = onnxruntime.InferenceSession(
        model.to_onnx("reconstruction").SerializeToString()
    )
    (output,) = session.run(None, {"X": digits.astype(np.float32)})
    np.testing.assert_allclose(output, expected, **accuracy)


@pytest.mark.parametrize("n_components", [3, None])
def test_pickled_denoiser_is_trained_further(digits, n_components):
    model = fitted_denoiser(n_components, digits)
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(loaded.reconstruct(digits), model.reconstruct(digits))
    error = loaded.reconstruction_error_
    loaded.set_params(warm_start=True, max_iter=5).fit(digits)
    assert loaded.reconstruction_error_ < error
    for _ in range(3):
        model.partial_fit(digits)
    assert model.reconstruction_error_ < error


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
@pytest.mark.parametrize(
    ("n_components", "noise", "filters"),
    [
        (2, None, [16, 8]),
        (2, "gaussian", [16, 8]),
        (None, None, [16, 8]),
        (None, "gaussian", [16, 32]),
    ],
)
def test_feature_map_has_more_filters_by_default_if_it_removes_noise(
    n_components, noise, filters
):
    X = random_rows(30)
    model = ConvAE(n_components, noise=noise, early_stopping=False, max_iter=1).fit(X)
    layers = model.to_keras("encoder").layers
    assert [layer.filters for layer in layers if hasattr(layer, "filters")] == filters


def test_without_noise_its_level_does_not_matter(digits):
    codes, same = (
        fitted_denoiser(3, digits, noise=None, noise_level=level).transform(digits)
        for level in (0.1, 5.0)
    )
    np.testing.assert_array_equal(codes, same)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"noise": "poisson"}, "'noise' parameter of ConvAE must be .* None"),
        ({"noise": "gaussian", "noise_level": -1}, "'noise_level' parameter of ConvAE"),
        (
            {"noise": "swap", "noise_level": 1.5},
            "ConvAE with noise='swap' needs a noise_level of at most 1",
        ),
    ],
)
def test_invalid_noise_is_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        ConvAE(**parameters).fit(random_rows(28))
