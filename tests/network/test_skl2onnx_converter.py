"""skl2onnx converts pipelines with an autoencoder inside."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier

import skae
from skae import ConvAE, DenseAE, SparseAE, VAETransformer
from tests.estimators import NAMES

NETWORK = {
    "early_stopping": False,
    "hidden_layer_sizes": (8,),
    "max_iter": 2,
    "random_state": 0,
}
X, Y = load_wine(return_X_y=True)
FRAME = pd.DataFrame(X, columns=load_wine().feature_names)
TYPES = {np.float32: FloatTensorType, np.float64: DoubleTensorType}


def convert(model, rows, **options):
    # By default, skl2onnx returns probabilities as a list of dictionaries.
    if hasattr(model, "predict_proba"):
        options["options"] = {"zipmap": False}
    return to_onnx(model, rows, target_opset=17, **options)


def run_onnx(converted, inputs):
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def assert_same_probabilities(pipeline, rows):
    """Compare the models on all rows, and on a single one."""
    converted = convert(pipeline, rows[:1])
    for some in (rows, rows[:1]):
        # For a search inside the pipeline, skl2onnx returns the codes as well.
        *_, labels, probabilities = run_onnx(converted, {"X": some})
        np.testing.assert_allclose(
            probabilities, pipeline.predict_proba(some), atol=1e-5
        )
        np.testing.assert_array_equal(labels, pipeline.predict(some))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "autoencoder",
    [
        *(getattr(skae, name)(3, **NETWORK) for name in NAMES),
        SparseAE(8, sparsity="topk", target_sparsity=2, **NETWORK),
        ConvAE(None, **NETWORK),
        DenseAE(3),
        VAETransformer(3),
    ],
    ids=repr,
)
def test_pipelines_predict_the_same_probabilities(autoencoder, dtype):
    # The last ones hold out rows, and few rows make them PCA.
    n_rows = 40 if autoencoder.early_stopping else None
    rows, y = X[::-1][:n_rows].astype(dtype), Y[::-1][:n_rows].copy()
    y[:5] = 0  # more than one class
    pipeline = make_pipeline(StandardScaler(), autoencoder, LogisticRegression())
    assert_same_probabilities(pipeline.fit(rows, y), rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "classifier",
    [
        RandomForestClassifier(5, random_state=0),
        DecisionTreeClassifier(random_state=0),
        KNeighborsClassifier(),
        make_pipeline(
            MinMaxScaler(), make_union(DenseAE(2, **NETWORK), StandardScaler())
        ),
    ],
    ids=repr,
)
def test_classifiers_and_transformers_may_follow(classifier, dtype):
    if not hasattr(classifier, "predict_proba"):
        classifier = make_pipeline(classifier, LogisticRegression())
    rows = StandardScaler().fit_transform(X).astype(dtype)
    pipeline = make_pipeline(DenseAE(3, **NETWORK), classifier).fit(rows, Y)
    assert_same_probabilities(pipeline, rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "model", [Ridge(), KMeans(3, n_init=1, random_state=0), SVR()], ids=repr
)
def test_regressors_and_clusterers_may_follow(model, dtype):
    rows = StandardScaler().fit_transform(X).astype(dtype)
    pipeline = make_pipeline(DenseAE(3, **NETWORK), model).fit(rows, Y)
    predicted, *_ = run_onnx(convert(pipeline, rows[:1]), {"X": rows})
    np.testing.assert_allclose(predicted.ravel(), pipeline.predict(rows), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pipeline_that_ends_with_the_codes(dtype):
    rows = X.astype(dtype)
    pipeline = make_pipeline(StandardScaler(), DenseAE(3, **NETWORK)).fit(rows)
    converted = convert(pipeline, rows[:1])
    (codes,) = run_onnx(converted, {"X": rows})
    np.testing.assert_allclose(codes, pipeline.transform(rows), atol=1e-5)
    (output,) = converted.graph.output
    assert output.name == "codes"
    assert [d.dim_value for d in output.type.tensor_type.shape.dim] == [0, 3]


@pytest.mark.parametrize("first", [StandardScaler(), None], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_column_of_a_data_frame_may_be_an_input(dtype, first):
    """Either a scaler joins the columns or the autoencoder does."""
    steps = [first] if first is not None else []
    pipeline = make_pipeline(*steps, DenseAE(3, **NETWORK), LogisticRegression())
    frame = FRAME.iloc[:, :4].astype(dtype)
    pipeline.fit(frame, Y)
    types = [(name, TYPES[dtype]([None, 1])) for name in frame]
    _, probabilities = run_onnx(
        convert(pipeline, None, initial_types=types),
        {name: frame[[name]].to_numpy() for name in frame},
    )
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(frame), atol=1e-5)


def test_autoencoders_in_branches_of_a_column_transformer():
    columns = ColumnTransformer(
        [
            ("chemistry", DenseAE(2, **NETWORK), slice(0, 6)),
            ("colour", make_pipeline(StandardScaler(), VAETransformer(2, **NETWORK)),
             slice(5, 13)),
            ("flag", OneHotEncoder(), [13]),
        ],
        remainder="passthrough",
    )  # fmt: skip
    rows = np.column_stack([X, X[:, 0] > 13, X[:, 1]]).astype(np.float32)
    pipeline = make_pipeline(columns, StandardScaler(), LogisticRegression())
    assert_same_probabilities(pipeline.fit(rows, Y), rows)


def test_nested_pipelines_may_have_several_autoencoders():
    inner = make_pipeline(StandardScaler(), ConvAE(4, **NETWORK))
    pipeline = make_pipeline(
        make_pipeline(StandardScaler(), DenseAE(8, **NETWORK)),
        make_union(inner, SparseAE(3, **NETWORK)),
        make_pipeline(VAETransformer(3, **NETWORK), LogisticRegression()),
    )
    rows = X.astype(np.float32)
    assert_same_probabilities(pipeline.fit(rows, Y), rows)


@pytest.mark.parametrize("inside", [True, False])
def test_results_of_searches_are_converted(inside):
    grid = {"n_components": [1, 3]}
    rows = StandardScaler().fit_transform(X).astype(np.float32)
    if inside:
        search = GridSearchCV(DenseAE(**NETWORK), grid, cv=2)
        model = make_pipeline(search, LogisticRegression())
    else:
        pipeline = make_pipeline(DenseAE(**NETWORK), LogisticRegression())
        model = GridSearchCV(pipeline, {"denseae__n_components": [1, 3]}, cv=2)
    assert_same_probabilities(model.fit(rows, Y), rows)


class Renamed(DenseAE):
    """A subclass from a user's program."""


@pytest.mark.parametrize("opset", [11, 17, 18, None])
def test_subclasses_are_converted_to_any_opset(opset):
    rows = X.astype(np.float32)
    model = make_pipeline(StandardScaler(), Renamed(3, **NETWORK)).fit(rows)
    converted = to_onnx(model, rows[:1], target_opset=opset)
    (codes,) = run_onnx(converted, {"X": rows})
    np.testing.assert_allclose(codes, model.transform(rows), atol=1e-5)


def test_unfitted_autoencoders_and_wrong_widths_are_refused():
    rows = X.astype(np.float32)
    with pytest.raises(NotFittedError):
        to_onnx(DenseAE(3), rows[:1])
    model = DenseAE(3, **NETWORK).fit(rows)
    with pytest.raises(ValueError, match=r"fitted to 13 features.* it receives 5"):
        to_onnx(model, rows[:1, :5])
