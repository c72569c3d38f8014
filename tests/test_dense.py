"""`DenseAE` as a replacement of PCA."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import DenseAE
from tests.processes import run


@pytest.fixture(scope="module")
def fitted(digits):
    return DenseAE(4, random_state=0, max_iter=30).fit(digits)


def exact_pca(n_components, **parameters):
    return PCA(n_components, svd_solver="full", **parameters)


# --- Never worse than PCA ---


def test_replaces_pca_in_a_pipeline():
    X, X_test, y, y_test = train_test_split(
        *load_digits(return_X_y=True), test_size=0.3, random_state=0
    )

    def pipeline(reducer):
        return make_pipeline(
            StandardScaler(), reducer, LogisticRegression(max_iter=1000)
        ).fit(X, y)

    autoencoder = pipeline(DenseAE(5, random_state=0, max_iter=50))
    pca = pipeline(PCA(5))
    score = autoencoder.score(X_test, y_test)
    assert score > pca.score(X_test, y_test) + 0.03

    def error(model):
        scaled = model[0].transform(X_test)
        return np.mean(
            (model[1].inverse_transform(model[1].transform(scaled)) - scaled) ** 2
        )

    assert error(autoencoder) < 0.6 * error(pca)


@pytest.mark.filterwarnings("ignore:.* got n_components=:UserWarning")
@pytest.mark.parametrize(
    ("n_samples", "n_features", "n_components", "whiten"),
    [
        (2, 5, 2, False),
        *[
            (*sizes, whiten)
            for sizes in [
                (2, 5, 1),
                (30, 1, 1),
                (26, 3051, 16),
                (200, 6, 6),
                (45, 6, 3),
            ]
            for whiten in (False, True)
        ],
    ],
)
def test_result_is_pca_if_a_network_gains_nothing(
    n_samples, n_features, n_components, whiten
):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features)) * np.geomspace(1, 9, n_features) + 50
    model = DenseAE(
        n_components, whiten=whiten, hidden_layer_sizes=(8,), random_state=0
    ).fit(X)
    pca = exact_pca(n_components, whiten=whiten).fit(X)
    assert not model.used_network_
    assert model.n_iter_ >= 1
    assert model.reconstruction_error_ == model.pca_reconstruction_error_
    X_test = rng.normal(size=(10, n_features)) + 50
    np.testing.assert_allclose(
        model.transform(X_test), pca.transform(X_test), atol=1e-5
    )
    np.testing.assert_allclose(
        model.reconstruct(X_test),
        pca.inverse_transform(pca.transform(X_test)),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        model.explained_variance_ratio_, pca.explained_variance_ratio_, atol=1e-12
    )


@pytest.mark.filterwarnings("ignore:.* got n_components=:UserWarning")
def test_whitening_keeps_spare_components_at_zero():
    """scikit-learn's PCA divides them by rounding errors."""
    X = np.random.default_rng(0).normal(size=(2, 5)) + 50  # of rank 1
    model = DenseAE(2, whiten=True, random_state=0).fit(X)
    assert not model.used_network_
    np.testing.assert_allclose(model.transform(X)[:, 1], 0, atol=1e-9)
    np.testing.assert_allclose(model.reconstruct(X), X)


@pytest.mark.filterwarnings("ignore:.* got n_components=:UserWarning")
def test_spare_components_and_constant_features_are_allowed():
    X = load_wine().data[:40].copy()
    X[:, 3] = 7.0
    model = DenseAE(20, random_state=0).fit(X)
    assert model.transform(X).shape == (40, 20)
    np.testing.assert_allclose(model.transform(X)[:, 13:], 0, atol=1e-8)
    np.testing.assert_allclose(model.reconstruct(X), X, atol=1e-6)
    constant = DenseAE(2, random_state=0).fit(np.ones((60, 3)))
    np.testing.assert_allclose(constant.reconstruct(np.ones((1, 3))), 1)
    assert constant.score(np.ones((3, 3))) == 1.0
    assert constant.score(np.zeros((3, 3)) + 1 + 1e-3) < 1


def test_network_starts_as_pca(digits):
    """With a tiny learning rate, the codes stay those of PCA, with their signs."""
    model = DenseAE(
        5, learning_rate_init=1e-12, early_stopping=False, max_iter=1, random_state=0
    ).fit(digits)
    assert model.used_network_
    pca = exact_pca(5).fit(digits)
    np.testing.assert_allclose(
        model.transform(digits), pca.transform(digits), atol=2e-4
    )
    np.testing.assert_allclose(
        model.inverse_transform(pca.transform(digits)),
        pca.inverse_transform(pca.transform(digits)),
        atol=2e-4,
    )


def test_reported_errors_agree_with_those_of_new_rows(digits):
    X, X_test = train_test_split(digits, random_state=0)
    model = DenseAE(4, random_state=0, max_iter=50).fit(X)
    pca = exact_pca(4).fit(X)
    held_out = np.mean((X_test - model.reconstruct(X_test)) ** 2)
    held_out_pca = np.mean((X_test - pca.inverse_transform(pca.transform(X_test))) ** 2)
    assert held_out < 0.7 * held_out_pca
    assert model.used_network_
    reported = model.reconstruction_error_ / model.pca_reconstruction_error_
    assert reported == pytest.approx(held_out / held_out_pca, rel=0.2)
    assert not hasattr(model, "explained_variance_ratio_")


def test_cross_validated_network_is_trained_on_all_rows():
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    model = DenseAE(2, random_state=0, max_iter=60).fit(X)
    assert model.used_network_
    assert len(model.history_["val_loss"]) == len(model.history_["loss"])
    assert model.reconstruction_error_ < 0.95 * model.pca_reconstruction_error_
    pca_of_all = np.mean(
        (X - exact_pca(2).fit(X).inverse_transform(exact_pca(2).fit_transform(X))) ** 2
    )
    # The error on held-out rows is larger than on the rows of the fit.
    assert model.pca_reconstruction_error_ > pca_of_all


def test_few_rows_are_not_overfitted():
    X, X_test = train_test_split(
        StandardScaler().fit_transform(load_breast_cancer().data), random_state=0
    )
    model = DenseAE(6, random_state=0).fit(X)
    overfitted = DenseAE(6, random_state=0, early_stopping=False).fit(X)
    assert model.n_iter_ < overfitted.n_iter_ == 100
    assert model.score(X) < overfitted.score(X)
    assert model.score(X_test) > overfitted.score(X_test)


def test_an_epoch_of_few_rows_has_several_steps():
    """With one or two, the network would stay near PCA, where it starts."""
    X = StandardScaler().fit_transform(load_wine().data)
    model = DenseAE(random_state=0, max_iter=50).fit(X)
    assert model.reconstruction_error_ < 0.91 * model.pca_reconstruction_error_


def test_copies_of_noise_do_not_pass_for_structure():
    """A random hold-out would find a copy of each held-out row among the others."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(100, 20)), 9, axis=0)
    model = DenseAE(5, hidden_layer_sizes=(32,), max_iter=30, random_state=0).fit(X)
    assert not model.used_network_


def test_copies_of_rows_do_not_hide_what_the_network_gains(digits):
    X, X_test = train_test_split(digits, random_state=0)
    bootstrap = X[np.random.default_rng(0).integers(len(X), size=2000)]
    model = DenseAE(4, max_iter=30, random_state=0).fit(bootstrap)
    assert model.used_network_
    pca = exact_pca(4).fit(bootstrap)
    fresh, of_pca = (
        np.mean((X_test - each.inverse_transform(each.transform(X_test))) ** 2)
        for each in (model, pca)
    )
    reported = model.reconstruction_error_ / model.pca_reconstruction_error_
    assert fresh < 0.8 * of_pca
    assert reported == pytest.approx(fresh / of_pca, rel=0.15)


# --- Codes and units ---


def test_codes_are_centred_uncorrelated_and_sorted(digits, fitted):
    codes = fitted.transform(digits)
    covariance = np.cov(codes, rowvar=False)
    variances = np.diag(covariance)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(covariance - np.diag(variances), 0, atol=1e-3)
    assert (np.diff(variances) < 0).all()


def test_signs_follow_the_strongest_feature(digits, fitted):
    loadings = digits.T @ fitted.transform(digits)
    strongest = loadings[np.abs(loadings).argmax(axis=0), range(4)]
    assert (strongest > 0).all()


def test_whitening_changes_the_codes_but_not_the_reconstruction(digits, fitted):
    whitened = DenseAE(4, whiten=True, random_state=0, max_iter=30).fit(digits)
    codes, unscaled = whitened.transform(digits), fitted.transform(digits)
    np.testing.assert_allclose(np.cov(codes, rowvar=False), np.eye(4), atol=1e-4)
    np.testing.assert_allclose(
        codes, unscaled / unscaled.std(axis=0, ddof=1), atol=1e-6
    )
    np.testing.assert_allclose(
        whitened.reconstruct(digits), fitted.reconstruct(digits), atol=1e-5
    )


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_units_of_the_data_do_not_matter(digits, fitted, factor):
    other = DenseAE(4, random_state=0, max_iter=30).fit(digits * factor + 5 * factor)
    codes = fitted.transform(digits)
    np.testing.assert_allclose(
        other.transform(digits * factor + 5 * factor) / factor,
        codes,
        atol=1e-2 * codes.std(),
    )
    assert other.reconstruction_error_ == pytest.approx(
        fitted.reconstruction_error_ * factor**2, rel=1e-3
    )


# --- Parameters ---


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
def test_plain_network_has_the_given_layers():
    X = load_digits().data / 16
    model = DenseAE(
        3,
        hidden_layer_sizes=(32, 16),
        activation="relu",
        code_activation="relu",
        output_activation="sigmoid",
        loss="binary_crossentropy",
        pca_shortcut=False,
        max_iter=5,
        random_state=0,
    ).fit(X)
    layers = [
        (layer.units, layer.activation.__name__)
        for layer in model.to_keras().layers
        if hasattr(layer, "units")
    ]
    assert layers == [
        (32, "relu"),
        (16, "relu"),
        (3, "relu"),
        (16, "relu"),
        (32, "relu"),
        (64, "sigmoid"),
    ]
    assert (
        model.to_keras().count_params()
        == 65 * 32 + 33 * 16 + 17 * 3 + 4 * 16 + 17 * 32 + 33 * 64
    )
    assert model.transform(np.zeros((1, 64))).min() >= 0
    reconstruction = model.reconstruct(X)
    assert 0 <= reconstruction.min() <= reconstruction.max() <= 1


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_training_minimises_the_loss(digits, loss):
    model = DenseAE(2, loss=loss, max_iter=20, random_state=0).fit(digits)
    assert model.used_network_
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    error = np.abs(digits - model.reconstruct(digits)).mean()
    pca = exact_pca(2).fit(digits)
    assert error < np.abs(digits - pca.inverse_transform(pca.transform(digits))).mean()


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
def test_alpha_shrinks_the_kernels(digits):
    def norm(alpha):
        model = DenseAE(
            2,
            hidden_layer_sizes=(8,),
            alpha=alpha,
            pca_shortcut=False,
            max_iter=20,
            random_state=0,
        ).fit(digits)
        return np.linalg.norm(model.to_keras("encoder").get_weights()[0])

    assert norm(1.0) < 0.5 * norm(0.0)


def test_widths_do_not_depend_on_the_number_of_rows(digits):
    """So networks of all folds and of the final fit have the same shapes."""
    shapes = [
        [
            w.shape
            for w in DenseAE(2, max_iter=1, early_stopping=False)
            .fit(X)
            .to_keras()
            .get_weights()
        ]
        for X in (digits[:300], digits)
    ]
    assert shapes[0] == shapes[1]


# --- Searches and reproducibility ---


def test_parallel_search_equals_the_serial_one(digits):
    y = load_digits().target
    pipeline = make_pipeline(
        StandardScaler(),
        DenseAE(hidden_layer_sizes=(16,), max_iter=5, random_state=0),
        LogisticRegression(max_iter=200),
    )
    grid = {"denseae__n_components": [2, 8]}
    serial, parallel = (
        GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(digits, y)
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(
        serial.cv_results_["mean_test_score"], parallel.cv_results_["mean_test_score"]
    )
    np.testing.assert_array_equal(
        serial.best_estimator_[:-1].transform(digits),
        parallel.best_estimator_[:-1].transform(digits),
    )


def test_codes_depend_on_the_random_state(digits):
    def codes(random_state):
        model = DenseAE(
            2, hidden_layer_sizes=(8,), max_iter=2, random_state=random_state
        )
        return model.fit(digits).transform(digits)

    np.testing.assert_array_equal(codes(0), codes(0))
    rng = np.random.RandomState(0)
    first, second = codes(rng), codes(rng)
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(codes(0), first)
    assert not np.allclose(codes(None), codes(None))


def test_global_random_generators_are_neither_used_nor_changed():
    def draws(fit):
        """Seed each global generator, fit if asked to, and draw from each."""
        return run(
            "import random\n"
            "import keras, numpy as np, tensorflow as tf\n"
            "from sklearn.datasets import load_wine\n"
            "from skae import DenseAE\n"
            "X = load_wine().data\n"
            "def fits():\n"
            "    return [\n"
            "        DenseAE(2, hidden_layer_sizes=(8,), max_iter=2,\n"
            "                early_stopping=False, random_state=random_state).fit(X)\n"
            "        for random_state in (0, None)\n"
            "    ]\n"
            "keras.utils.set_random_seed(0)\n"
            f"models = fits() if {fit} else []\n"
            "print(random.random(), np.random.rand(), float(tf.random.normal(())),\n"
            "      float(keras.random.normal(())))\n"
            "keras.utils.set_random_seed(1)\n"
            "for model in models[:1]:\n"
            "    codes = fits()[0].transform(X)\n"
            "    assert np.array_equal(model.transform(X), codes)\n"
        ).stdout

    assert draws(fit=True) == draws(fit=False)


def widths(model):
    return model._network.encoder.hidden_dense_widths


def test_auto_widths_follow_the_number_of_codes(digits):
    model = DenseAE(early_stopping=False, max_iter=1, random_state=0)
    few = clone(model).set_params(n_components=4).fit(digits[:100])
    many = clone(model).set_params(n_components=5).fit(digits[:100])
    assert widths(few) == (128, 64, 64)
    assert widths(many) == (256, 128)


def test_a_fit_that_goes_on_keeps_the_auto_widths(digits):
    ordered = DenseAE(5, ordered=True, early_stopping=False, max_iter=1, random_state=0)
    first = ordered.fit(digits[:100]).truncate(2)
    assert widths(first.partial_fit(digits[:100])) == (256, 128)
    assert widths(first.fit(digits[:100])) == (256, 128)
