"""The methods and the fitted state that all estimators share."""

import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csc_array, csr_array, csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import skae
from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer
from skae._fit.rows import TrainingRows
from skae._utils.blocks import SparseRows
from tests.processes import run

QUICK = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}


@pytest.fixture(scope="module")
def wine():
    return StandardScaler().fit_transform(load_wine().data)


@pytest.fixture(scope="module")
def model(wine):
    """A small network; without early stopping, it is kept."""
    model = DenseAE(3, **QUICK, early_stopping=False).fit(wine)
    assert model.used_network_
    return model


# --- Input and output containers ---


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_rows_are_trained_on_row_by_row_in_memory(wine, method, monkeypatch):
    """From the columns of a data frame, NumPy would copy all rows for each batch."""
    orders = []

    class Rows(TrainingRows):
        def __init__(self, X, *arguments, **named):
            orders.append(X.flags.c_contiguous)
            super().__init__(X, *arguments, **named)

    monkeypatch.setattr("skae._base.TrainingRows", Rows)
    by_column = pd.DataFrame({str(i): column for i, column in enumerate(wine.T)})
    models = [
        getattr(DenseAE(2, **QUICK, early_stopping=False), method)(X)
        for X in (wine, by_column)
    ]
    assert orders == [True, True]
    codes = [model._encode(wine) for model in models]
    np.testing.assert_array_equal(*codes)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_give_data_frames(wine, model, library):
    names = load_wine().feature_names
    make_frame = {
        "pandas": lambda: pd.DataFrame(wine, columns=names),
        "polars": lambda: pl.DataFrame(wine, schema=names),
    }
    frame = make_frame[library]()
    estimator = DenseAE(3, **QUICK, early_stopping=False).set_output(transform=library)
    codes = estimator.fit_transform(frame)
    assert isinstance(codes, type(frame))
    assert list(codes.columns) == ["denseae0", "denseae1", "denseae2"]
    assert list(estimator.get_feature_names_out()) == list(codes.columns)
    assert list(estimator.feature_names_in_) == names
    # The columns of a frame have another memory layout, which changes rounding.
    np.testing.assert_allclose(codes.to_numpy(), model.transform(wine), atol=1e-9)
    np.testing.assert_allclose(
        estimator.inverse_transform(codes), model.reconstruct(wine), atol=1e-9
    )


def test_feature_names_must_match_those_of_the_fit(wine):
    frame = pd.DataFrame(wine, columns=load_wine().feature_names)
    estimator = DenseAE(2, **QUICK).fit(frame[:40])
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.transform(frame.rename(columns={"alcohol": "beer"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        estimator.transform(wine)


@pytest.mark.parametrize("container", [csr_array, csr_matrix, csc_array])
def test_sparse_rows_give_the_same_results_as_dense_rows(wine, container):
    X = np.where(wine > 0, wine, 0)
    dense = DenseAE(3, **QUICK, early_stopping=False).fit(X)
    sparse = DenseAE(3, **QUICK, early_stopping=False).fit(container(X))
    np.testing.assert_array_equal(sparse.transform(container(X)), dense.transform(X))
    np.testing.assert_array_equal(
        sparse.score_samples(container(X)), dense.score_samples(X)
    )
    assert sparse.score(container(X)) == dense.score(X)


def sparse_rows(n_samples=300, n_features=60):
    """Return rows of which one value in ten is not zero."""
    rng = np.random.default_rng(0)
    X = rng.gamma(2, size=(n_samples, n_features))
    return np.where(rng.random(X.shape) < 0.1, X, 0)


ESTIMATORS = [
    DenseAE(3, **QUICK),
    DenseAE(3, ordered=True, **QUICK),
    DenseAE(0.3, **QUICK),
    DenseAE(3, output_activation="relu", **QUICK),
    ConvAE(3, filters=2, image_shape=(60,), **QUICK),
    DenoisingAE(3, **QUICK),
    DenoisingAE(3, noise="swap", **QUICK),
    SparseAE(8, **QUICK),
    VAETransformer(3, **QUICK),
]


@pytest.mark.parametrize("with_validation_rows", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_sparse_rows_that_stay_sparse_give_the_results_of_dense_rows(
    estimator, with_validation_rows, monkeypatch
):
    X = sparse_rows()
    X_val = X[200:] if with_validation_rows else None
    X = X[:200] if with_validation_rows else X
    # Dense rows take the same way, which is that of many values.
    monkeypatch.setattr("skae._fit.rows._MANY_MULTIPLICATIONS", 0)
    monkeypatch.setattr("skae._fit.task._FEW_VALUES", 0)
    dense = clone(estimator).fit(X, X_val=X_val)
    monkeypatch.setattr("skae._base._FEW_VALUES", 0)
    X_val = None if X_val is None else csr_array(X_val)
    sparse = clone(estimator).fit(csr_array(X), X_val=X_val)
    assert sparse.used_network_ == dense.used_network_
    np.testing.assert_allclose(sparse.transform(X), dense.transform(X), atol=1e-4)
    assert sparse.reconstruction_error_ == pytest.approx(dense.reconstruction_error_)


def test_blocks_of_sparse_rows_continue_a_fit(monkeypatch):
    X = sparse_rows()
    monkeypatch.setattr("skae._base._FEW_VALUES", 0)
    model = DenseAE(3, warm_start=True, early_stopping=False, **QUICK)
    model.fit(csr_array(X)).fit(csr_array(X)).partial_fit(csr_array(X[:50]))
    assert np.isfinite(model.reconstruct(X)).all()


@pytest.mark.parametrize("cls", [DenseAE, DenoisingAE])
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("shape", [(600, 900), (5000, 150)])
def test_a_fit_of_sparse_rows_never_makes_all_of_them_dense(
    shape, early_stopping, cls, monkeypatch
):
    read = []

    class Recorded(SparseRows):
        def __getitem__(self, rows):
            found = super().__getitem__(rows)
            read.append(len(found))
            return found

        def take(self, indices, axis=0, out=None, mode="raise"):
            read.append(len(indices))
            return super().take(indices, axis, out, mode)

    monkeypatch.setattr("skae._base.SparseRows", Recorded)
    monkeypatch.setattr("skae._base._FEW_VALUES", 0)
    monkeypatch.setattr("skae._fit.task._FEW_VALUES", 0)
    monkeypatch.setattr("skae._fit.large_pca._BLOCK_SIZE", 2**16)
    X = csr_array(sparse_rows(*shape))
    cls(3, early_stopping=early_stopping, **QUICK).fit(X)
    assert 0 < max(read) < shape[0] / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_outputs_have_the_dtype_of_the_training_rows(wine, dtype, early_stopping):
    X = wine[:45].astype(dtype)
    model = DenseAE(3, **QUICK, early_stopping=early_stopping).fit(X)
    for rows in (X, X.astype(np.float32), X.astype(np.float64), X.tolist()):
        assert model.transform(rows).dtype == dtype
        assert model.reconstruct(rows).dtype == dtype
    assert model.mean_.dtype == dtype


def test_columns_of_a_frame_are_encoded_in_a_pipeline(wine):
    frame = pd.DataFrame(wine, columns=load_wine().feature_names)
    columns = ColumnTransformer(
        [("codes", DenseAE(2, **QUICK), list(frame.columns[:6]))],
        remainder="passthrough",
    )
    pipeline = make_pipeline(columns, LogisticRegression())
    assert (
        pipeline.fit(frame, load_wine().target).score(frame, load_wine().target) > 0.9
    )


def test_pipeline_with_a_cache_gives_the_same_result(wine, tmp_path):
    pipeline = make_pipeline(
        DenseAE(2, **QUICK, early_stopping=False),
        LogisticRegression(),
        memory=str(tmp_path),
    )
    first = pipeline.fit(wine, load_wine().target).predict_proba(wine)
    again = pipeline.fit(wine, load_wine().target).predict_proba(wine)
    np.testing.assert_array_equal(first, again)


# --- Scores ---


def test_score_is_the_explained_share_of_the_variance(wine, model):
    X = wine[:50] + 1
    error = ((X - model.reconstruct(X)) ** 2).sum(axis=1)
    total = ((X - wine.mean(axis=0)) ** 2).sum(axis=1)
    np.testing.assert_allclose(model.score_samples(X), -error)
    assert model.score(X) == pytest.approx(1 - error.sum() / total.sum())
    weights = np.arange(50.0)
    assert model.score(X, sample_weight=weights) == pytest.approx(
        1 - weights @ error / (weights @ total)
    )
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, sample_weight=[1.0])


def test_sample_weights_are_routed_to_score(wine):
    with config_context(enable_metadata_routing=True):
        estimator = DenseAE(2, **QUICK).set_score_request(sample_weight=True)
        weights = np.arange(len(wine), dtype=float)
        weighted = cross_validate(
            estimator, wine, params={"sample_weight": weights}, cv=2
        )
        plain = cross_validate(DenseAE(2, **QUICK), wine, cv=2)
    assert (weighted["test_score"] != plain["test_score"]).all()


def test_unusual_row_has_a_low_score(digits):
    model = DenseAE(8, random_state=0, max_iter=20).fit(digits)
    unusual = np.random.default_rng(0).normal(size=(1, 64)) * 3
    assert model.score_samples(unusual) < np.quantile(model.score_samples(digits), 0.02)


# --- Attributes of PCA ---


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("components_", "inverse_transform"),
        ("explained_variance_ratio_", "reconstruction_error_.*ordered=True"),
    ],
)
def test_attributes_that_only_pca_has_are_refused_with_advice(model, name, advice):
    assert not hasattr(model, name)
    with pytest.raises(AttributeError, match=f"This DenseAE has no '{name}'.*{advice}"):
        getattr(model, name)
    with pytest.raises(AttributeError, match=f"no attribute '{name}'$"):
        getattr(DenseAE(), name)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        model.nothing  # noqa: B018


@pytest.mark.parametrize("n_components", [2, 0.7, "auto"])
def test_pca_as_the_result_is_logged(n_components, caplog):
    caplog.set_level("INFO", logger="skae")
    X = np.random.default_rng(0).normal(size=(60, 4))
    assert not DenseAE(n_components, **QUICK).fit(X).used_network_
    assert "DenseAE: on held-out rows the network is not reliably" in caplog.text


def test_far_larger_batches_than_rows_change_nothing(wine):
    large, larger = (
        DenseAE(2, **QUICK, early_stopping=False, batch_size=size).fit(wine)
        for size in (1024, 10**9)
    )
    np.testing.assert_array_equal(larger.transform(wine), large.transform(wine))


# --- Continuing from a fit ---


def test_partial_fit_improves_with_each_block(digits):
    def make():
        return DenseAE(4, hidden_layer_sizes=(32,), random_state=0, batch_size=32)

    model = make().partial_fit(digits[:600])
    score_after_one = model.score(digits)
    for _ in range(5):
        for start in (0, 600, 1200):
            model.partial_fit(digits[start : start + 600])
    assert model.score(digits) > score_after_one + 0.05
    assert model.used_network_
    assert model.n_iter_ == len(model.history_["loss"]) == 16
    np.testing.assert_array_equal(model.mean_, make().partial_fit(digits[:600]).mean_)


@pytest.mark.parametrize("whiten", [False, True])
def test_partial_fit_continues_from_fit(digits, whiten):
    model = DenseAE(
        4, hidden_layer_sizes=(32,), max_iter=20, random_state=0, whiten=whiten
    ).fit(digits)
    codes, score = model.transform(digits), model.score(digits)
    model.set_params(learning_rate_init=1e-7).partial_fit(digits[:1])
    np.testing.assert_allclose(model.transform(digits), codes, atol=1e-3)
    assert model.score(digits) == pytest.approx(score, abs=1e-3)


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
@pytest.mark.parametrize("output_activation", ["linear", "sigmoid"])
@pytest.mark.parametrize("pca_shortcut", [True, False])
def test_outputs_stay_in_the_range_of_their_activation(
    wine, output_activation, pca_shortcut
):
    """A change of units cannot be folded into a nonlinear layer."""
    model = DenseAE(
        3,
        **QUICK,
        code_activation="sigmoid",
        output_activation=output_activation,
        pca_shortcut=pca_shortcut,
        warm_start=True,
    )
    X = (wine - wine.min()) / np.ptp(wine)
    error = np.mean((X - model.partial_fit(X).reconstruct(X)) ** 2)
    assert model.reconstruction_error_ == pytest.approx(error, rel=1e-3)
    for fit in (model.partial_fit, model.partial_fit, model.fit, model.fit):
        codes = fit(X).transform(X)
        assert 0 < codes.min() < codes.max() < 1
        assert model.used_network_
        np.testing.assert_allclose(
            np.asarray(model.to_keras()(X)), model.reconstruct(X), atol=1e-5
        )
        if output_activation == "sigmoid":
            assert 0 < model.reconstruct(X).min() < model.reconstruct(X).max() < 1


def test_partial_fit_continues_from_pca(wine):
    model = DenseAE(4, **QUICK).fit(wine[:40])
    assert not model.used_network_
    codes = model.transform(wine)
    model.set_params(learning_rate_init=1e-7).partial_fit(wine)
    assert model.used_network_
    assert not hasattr(model, "explained_variance_ratio_")
    np.testing.assert_allclose(model.transform(wine), codes, atol=1e-4)


def test_warm_start_continues_from_the_previous_network(digits):
    model = DenseAE(
        4, hidden_layer_sizes=(32,), max_iter=30, random_state=0, warm_start=True
    ).fit(digits)
    score = model.score(digits)
    reconstruction = model.reconstruct(digits)
    model.set_params(max_iter=1, learning_rate_init=1e-9, early_stopping=False)
    model.fit(digits + 1)
    np.testing.assert_allclose(model.mean_, 1, atol=1e-12)
    np.testing.assert_allclose(model.reconstruct(digits), reconstruction, atol=1e-3)
    model.set_params(max_iter=30, learning_rate_init=1e-3).fit(digits)
    assert model.score(digits) > score


@pytest.mark.parametrize(
    "change",
    [{"n_components": 5}, {"hidden_layer_sizes": (9,)}, {"activation": "relu"}],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_cannot_continue_with_another_network(wine, change, method):
    model = DenseAE(3, **QUICK, early_stopping=False, warm_start=True).fit(wine)
    codes = model.transform(wine)
    model.set_params(**change)
    with pytest.raises(ValueError, match=r"was fitted with another network.* clone"):
        getattr(model, method)(wine)
    np.testing.assert_array_equal(model.transform(wine), codes)


@pytest.mark.parametrize(
    "change",
    [{"n_components": 4}, {"pca_shortcut": False}, {"code_activation": "relu"}],
)
def test_pca_can_only_become_a_network_of_the_same_codes_with_a_linear_path(
    wine, change
):
    model = DenseAE(3, **QUICK).fit(wine[:40])
    assert not model.used_network_
    codes = model.transform(wine)
    model.set_params(**change)
    with pytest.raises(ValueError, match=r"was fitted with another network.* clone"):
        model.partial_fit(wine)
    np.testing.assert_array_equal(model.transform(wine), codes)


# --- State ---


def test_pickle_is_hardly_larger_than_the_arrays(digits):
    model = DenseAE(8, max_iter=20, random_state=0).fit(digits)
    arrays = sum(a.nbytes for a in [*model._encoder_arrays, *model._decoder_arrays])
    assert len(pickle.dumps(model)) < 2 * arrays
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    assert len(buffer.getvalue()) < 2 * arrays


def test_fitted_pipeline_works_without_tensorflow(wine, model, tmp_path):
    path = tmp_path / "model.pkl"
    np.save(tmp_path / "X.npy", wine)
    pipeline = make_pipeline(StandardScaler(), model, LogisticRegression())
    pipeline.fit(wine, load_wine().target)
    path.write_bytes(pickle.dumps(pipeline[:-1]))
    code = (
        "import sys, pickle\n"
        "for name in ('tensorflow', 'keras'):\n"
        "    sys.modules[name] = None\n"
        "import numpy as np\n"
        f"folder = {str(tmp_path)!r}\n"
        "pipeline = pickle.load(open(folder + '/model.pkl', 'rb'))\n"
        "assert 'DenseAE' in pipeline._repr_html_()\n"
        "X = np.load(folder + '/X.npy')\n"
        "np.save(folder + '/codes.npy', pipeline.transform(X))\n"
        "pipeline[-1].inverse_transform(pipeline.transform(X))\n"
        "pipeline[-1].score(X), pipeline[-1].score_samples(X)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
    np.testing.assert_array_equal(
        np.load(tmp_path / "codes.npy"), pipeline[:-1].transform(wine)
    )


@pytest.mark.parametrize("early_stopping", [True, False])
def test_keras_models_equal_the_methods(early_stopping):
    X = load_wine().data[:45]
    model = DenseAE(3, **QUICK, early_stopping=early_stopping).fit(X)
    codes = model.transform(X)
    for part, rows, expected in [
        ("encoder", X, codes),
        ("decoder", codes, model.inverse_transform(codes)),
        ("reconstruction", X, model.reconstruct(X)),
    ]:
        keras_model = model.to_keras(part)
        assert keras_model.name == part
        output = np.asarray(keras_model(rows.astype(np.float32)))
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-2)


def test_unknown_part_of_a_keras_model_is_refused(model):
    with pytest.raises(
        ValueError, match=r"'encoder', 'decoder', 'reconstruction'.*'code'"
    ):
        model.to_keras("code")


def test_public_names_are_the_declared_ones():
    """Modules that the package imports are not among them, such as scikit-learn."""
    names = run("import skae; print(*dir(skae))").stdout.split()
    assert {name for name in names if not name.startswith("_")} == {*skae.__all__}


# --- Invalid input ---


@pytest.mark.parametrize(
    "method",
    [
        "transform",
        "inverse_transform",
        "reconstruct",
        "score",
        "score_samples",
        "to_keras",
        "get_feature_names_out",
    ],
)
def test_methods_need_a_fitted_estimator(method, wine):
    arguments = () if method in ("to_keras", "get_feature_names_out") else (wine,)
    with pytest.raises(NotFittedError):
        getattr(DenseAE(), method)(*arguments)


INVALID_PARAMETERS = [
    ({"n_components": 0}, "n_components.*range.*Got 0"),
    ({"n_components": -1}, "n_components.*range.*Got -1"),
    ({"n_components": 1.5}, "n_components.*int.*Got 1.5"),
    ({"n_components": None}, "n_components.*int.*Got None"),
    ({"loss": "mse"}, "loss.*'squared_error'.*Got 'mse'"),
    ({"activation": "swish"}, "activation.*'silu'.*Got 'swish'"),
    ({"code_activation": "x"}, "code_activation.*'relu'.*Got 'x'"),
    ({"output_activation": None}, "output_activation.*'sigmoid'.*Got None"),
    ({"hidden_layer_sizes": (8, 0)}, r"hidden_layer_sizes.*at least 1.*\(8, 0\)"),
    ({"hidden_layer_sizes": (8, 2.5)}, r"hidden_layer_sizes.*integers.*\(8, 2.5\)"),
    ({"hidden_layer_sizes": 0}, "hidden_layer_sizes.*int.*Got 0"),
    ({"hidden_layer_sizes": "big"}, "hidden_layer_sizes.*'auto'.*Got 'big'"),
    ({"batch_size": 0}, "batch_size.*Got 0"),
    ({"learning_rate_init": 0.0}, "learning_rate_init.*Got 0.0"),
    ({"validation_fraction": 1.0}, "validation_fraction.*Got 1.0"),
    ({"max_iter": 0}, "max_iter.*Got 0"),
    ({"whiten": True, "code_activation": "relu"}, "whiten=True needs.*'relu'"),
    ({"loss": "binary_crossentropy"}, "needs output_activation='sigmoid'.*'linear'"),
    (
        {"loss": "binary_crossentropy", "output_activation": "sigmoid"},
        r"needs X in \[0, 1\], got values from .* MinMaxScaler",
    ),
]


@pytest.mark.parametrize(("parameters", "message"), INVALID_PARAMETERS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_invalid_parameters_are_named_before_training(
    wine, parameters, message, method
):
    estimator = DenseAE().set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        getattr(estimator, method)(wine)
    assert not hasattr(estimator, "n_features_in_")


@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
def test_range_of_cross_entropy_may_be_exceeded_by_rounding_only(wine):
    X = MinMaxScaler().fit_transform(wine)
    assert X.max() > 1  # by rounding
    model = DenseAE(
        hidden_layer_sizes=(8,),
        loss="binary_crossentropy",
        output_activation="sigmoid",
        max_iter=1,
    )
    assert np.isfinite(model.fit(X).history_["loss"]).all()
    with pytest.raises(ValueError, match=r"needs X in \[0, 1\]"):
        model.fit(X + 1e-12)


INVALID_ROWS = [
    ([[np.nan, 1.0], [1.0, 2.0]], "contains NaN"),
    ([[np.inf, 1.0], [1.0, 2.0]], "contains infinity"),
    ([1.0, 2.0], "Expected 2D array"),
    (np.ones((3, 2), dtype=complex), "Complex data not supported"),
    ([["a", "b"], ["c", "d"]], "could not convert string to float"),
    (np.empty((0, 2)), "0 sample"),
    (np.empty((2, 0)), "0 feature"),
    ([[1.0, 2.0]], "minimum of 2 is required"),
    ([[1e200, 1.0], [1.0, 2.0]], r"1e\+200, which vary too much.*MaxAbsScaler"),
    ([[1e-300, 0.0], [0.0, 2e-300]], r"2e-300, which vary too little.*MaxAbsScaler"),
    (np.array([[0, 3], [1, 0]], np.float32) * 1e-40, "too little for float32"),
    (np.array([[0, 3], [1, 0]], np.float32) * 1e36, "too much for float32"),
]


@pytest.mark.parametrize(("rows", "message"), INVALID_ROWS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_invalid_rows_are_refused(rows, message, method):
    estimator = DenseAE(2, **QUICK)
    with pytest.raises(ValueError, match=message):
        getattr(estimator, method)(rows)
    assert vars(estimator) == vars(DenseAE(2, **QUICK))


@pytest.mark.parametrize(("rows", "message"), INVALID_ROWS)
def test_failed_fit_preserves_the_previous_one(wine, rows, message):
    estimator = DenseAE(2, **QUICK).fit(wine[:40])
    state = vars(estimator).copy()
    with pytest.raises(ValueError, match=message):
        estimator.fit(rows)
    assert vars(estimator) == state


class MyAE(DenseAE):
    """A subclass of a user."""


NOT_FINITE = {"learning_rate_init": 1e30, "early_stopping": False, **QUICK}


@pytest.mark.parametrize("cls", [MyAE, DenoisingAE, ConvAE])
@pytest.mark.parametrize(
    ("parameters", "factor", "message"),
    [
        ({"loss": "binary_crossentropy"}, 1, "NAME with loss='binary_crossentropy'"),
        (
            {"loss": "binary_crossentropy", "output_activation": "sigmoid"},
            9,
            "NAME with loss='binary_crossentropy' needs X in",
        ),
        ({}, 1e200, "NAME got X with values .* vary too much"),
        (NOT_FINITE, 1, "The training of NAME diverged"),
        ({"hidden_layer_sizes": (0,)}, 1, "'hidden_layer_sizes' parameter of NAME"),
        ({"whiten": True, "code_activation": "relu"}, 1, "NAME with whiten=True needs"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_errors_name_the_class_of_the_estimator(
    cls, parameters, factor, message, wine, method
):
    estimator = cls(2).set_params(**parameters)
    with pytest.raises(ValueError, match=message.replace("NAME", cls.__name__)):
        getattr(estimator, method)(wine * factor)


@pytest.mark.parametrize("cls", [MyAE, DenoisingAE, ConvAE])
def test_errors_of_a_fitted_estimator_name_its_class(cls, wine):
    estimator = cls(2, **QUICK, early_stopping=False, warm_start=True).fit(wine)
    name = cls.__name__
    with pytest.raises(ValueError, match=f"The part of a {name} must be"):
        estimator.to_keras("code")
    with pytest.raises(ValueError, match=f"but {name} expects codes"):
        estimator.inverse_transform(wine)
    with pytest.raises(ValueError, match=f"This {name} was fitted with another"):
        estimator.set_params(activation="tanh").fit(wine)


def test_width_of_one_hidden_layer_may_be_an_int(wine):
    number, sequence = (
        DenseAE(2, hidden_layer_sizes=sizes, max_iter=1, random_state=0).fit(wine)
        for sizes in (8, (8,))
    )
    np.testing.assert_array_equal(number.transform(wine), sequence.transform(wine))


def test_numbers_of_features_and_codes_must_match(wine, model):
    with pytest.raises(ValueError, match="5 features, but DenseAE is expecting 13"):
        model.transform(wine[:, :5])
    with pytest.raises(
        ValueError, match=r"5 columns, but DenseAE expects.*n_components=3"
    ):
        model.inverse_transform(wine[:, :5])


def test_features_of_different_units_are_reconstructed_in_those_units():
    X = load_breast_cancer().data
    model = DenseAE(3, random_state=0, max_iter=30).fit(X)
    assert model.score(X) > 0.99
