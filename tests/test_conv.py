import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import ConvAE
from tests.processes import run

QUICK = {"filters": (4, 2), "hidden_layer_sizes": (16,), "random_state": 0}


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
