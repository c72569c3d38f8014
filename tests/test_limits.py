"""The limits of arithmetic and of memory, and fits that end in the middle."""

import logging

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import skae
from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer


@pytest.fixture(scope="module")
def wine():
    return StandardScaler().fit_transform(load_wine().data)


QUICK = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}
OF_EACH_KIND = [
    DenseAE(2, **QUICK),
    DenseAE(3, ordered=True, **QUICK),
    DenoisingAE(2, **QUICK),
    SparseAE(6, sparsity="kl", **QUICK),
    VAETransformer(2, **QUICK),
    ConvAE(2, filters=2, **QUICK),
]


def numbers_of(model, X):
    """Return everything that a fitted estimator computes."""
    codes = model.transform(X)
    found = [codes, model.inverse_transform(codes), model.score_samples(X)]
    found += [model.score(X), model.reconstruction_error_, model.transform(X[:1])]
    if isinstance(model, VAETransformer):
        found += [*model.posterior(X), model.elbo(X, 0), model.noise_variance_]
        found += [model.sample(3, 0), model.kl_divergence_]
    return found


@pytest.mark.parametrize("estimator", OF_EACH_KIND, ids=repr)
@pytest.mark.parametrize(
    ("dtype", "factor"),
    [
        (np.float64, 1e-140),
        (np.float64, 1e140),
        (np.float32, 1e-27),
        (np.float32, 1e26),
    ],
)
def test_rows_of_any_scale_give_finite_numbers(estimator, dtype, factor, wine):
    estimator.set_params(early_stopping=False)
    X = wine * factor
    plain = estimator.fit(wine.astype(dtype)).score(wine.astype(dtype))
    model = estimator.fit(X.astype(dtype))
    assert all(
        np.isfinite(values).all() for values in numbers_of(model, X.astype(dtype))
    )
    assert model.score(X.astype(dtype)) == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("estimator", OF_EACH_KIND, ids=repr)
@pytest.mark.parametrize("n_samples", [40, 178, 1100])
def test_errors_of_numpy_may_be_raised(estimator, n_samples, wine):
    X = np.vstack([wine + i for i in range(7)])[:n_samples]
    estimator.set_params(early_stopping=True)
    with np.errstate(all="raise"):
        numbers_of(estimator.fit(X), X)
        numbers_of(estimator.partial_fit(X[:50]), X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 10**7},
        {"n_components": 10**7, "ordered": True},
        {"hidden_layer_sizes": (10**6, 10**6)},
    ],
)
def test_networks_beyond_the_memory_are_refused(method, parameters, wine, monkeypatch):
    monkeypatch.setattr("skae._fit.plan._MEMORY", 32e9)
    estimator = DenseAE(**parameters)
    with pytest.raises(
        MemoryError, match=r"GB of memory. This machine has 32 GB\. Low"
    ):
        getattr(estimator, method)(wine)
    assert vars(estimator) == vars(DenseAE(**parameters))


def test_constant_rows_are_answered_without_training(monkeypatch):
    monkeypatch.setattr("skae._fit.run.import_with_tensorflow", None)
    model = DenseAE(2, random_state=0).fit(np.full((2000, 5), 7.0))
    assert not model.used_network_
    np.testing.assert_array_equal(model.reconstruct(np.full((1, 5), 7.0)), [[7.0] * 5])


def test_previous_fit_serves_until_the_next_one_ends(wine, monkeypatch):
    """Another thread may transform, even rows of the previous number of features."""
    model = DenseAE(2, **QUICK).fit(wine)
    expected, codes = model.transform(wine), []

    def fit(*arguments):
        codes.append(model.transform(wine))
        raise RuntimeError("stop")

    monkeypatch.setattr("skae._base.fit_network", fit)
    with pytest.raises(RuntimeError, match="stop"):
        model.fit(wine[:, :5])
    np.testing.assert_array_equal(codes[0], expected)
    np.testing.assert_array_equal(model.transform(wine), expected)


@pytest.mark.parametrize("n_rows", [178, 30])
def test_errors_of_a_block_are_measured_on_it(n_rows, wine):
    model = DenseAE(3, **QUICK).partial_fit(wine).partial_fit(wine[-n_rows:])
    block = wine[-n_rows:]
    pca = PCA(3, svd_solver="full").fit(block)
    expected = np.mean((block - pca.inverse_transform(pca.transform(block))) ** 2)
    assert model.pca_reconstruction_error_ == pytest.approx(expected, rel=1e-4)
    error = np.mean((block - model.reconstruct(block)) ** 2)
    assert model.reconstruction_error_ == pytest.approx(error, rel=1e-4)


def test_attributes_set_during_a_fit_stay(wine, monkeypatch):
    model = DenseAE(2, **QUICK)
    fit_network = skae._base.fit_network

    def fit(*arguments):
        model.set_params(alpha=0.5)
        model.note = "mine"
        return fit_network(*arguments)

    monkeypatch.setattr("skae._base.fit_network", fit)
    assert model.fit(wine).alpha == 0.5
    assert model.note == "mine"
    assert model.n_components_ == 2


def test_reconstructions_are_of_one_fit(wine, monkeypatch):
    """Another thread may fit between encoder and decoder."""
    model = DenseAE(2, **QUICK).fit(wine)
    other = DenseAE(5, **QUICK).fit(wine)
    expected, score = model.reconstruct(wine), model.score(wine)
    encode = DenseAE._encode

    def then_fit(self, X):
        codes = encode(self, X)
        vars(model).update(vars(other))
        return codes

    monkeypatch.setattr(DenseAE, "_encode", then_fit)
    np.testing.assert_array_equal(model.reconstruct(wine), expected)
    vars(model).update(vars(DenseAE(2, **QUICK).fit(wine)))
    assert model.score(wine) == score


def test_blocks_far_beyond_the_first_are_refused(wine):
    model = DenseAE(2, **QUICK).partial_fit(wine)
    state = vars(model).copy()
    with pytest.raises(ValueError, match="far beyond the first training rows"):
        model.partial_fit(wine * 1e200)
    assert vars(model) == state
    model.partial_fit(wine * 1e6)


def test_few_rows_of_very_many_features_are_pca(monkeypatch):
    monkeypatch.setattr("skae._fit.plan._MEMORY", 1e6)
    X = np.random.default_rng(0).normal(size=(20, 5000))
    assert not DenseAE(2).fit(X).used_network_


def test_a_handler_that_fails_at_the_closing_line_does_not_lose_the_fit(wine):
    class Failing(logging.Handler):
        def emit(self, record):
            if "mean squared error" in record.getMessage():
                raise KeyboardInterrupt

    handler, model = Failing(), DenseAE(2, verbose=1, **QUICK)
    logger = logging.getLogger("skae")
    logger.addHandler(handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(wine)
    finally:
        logger.removeHandler(handler)
    assert model.transform(wine).shape == (178, 2)
