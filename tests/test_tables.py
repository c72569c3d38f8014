"""The encoder of tables: its units, its inverse, and what it refuses."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from polars.testing import assert_frame_equal
from skl2onnx import to_onnx
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from skae import DenseAE, MixedTableEncoder, skops_trusted_types

TABLE = pd.DataFrame(
    {
        "age": [23, 58, 31, 64, 40, 29],
        "height": np.array([1.8, 1.6, 1.7, 1.5, 1.9, 1.6], dtype=np.float32),
        "city": ["Rome", "Oslo", "Rome", "Bonn", "Oslo", "Rome"],
        "member": [True, False, True, True, False, True],
        "size": pd.Categorical(
            ["s", "l", "m", "s", "l", "m"], ["s", "m", "l", "xl"], ordered=True
        ),
        "visits": pd.array([1, 5, 2, 7, 3, 1], dtype="Int64"),
    }
)
POLARS = pl.DataFrame(
    {
        "age": pl.Series([23, 58, 31, 64], dtype=pl.Int16),
        "height": [1.8, 1.6, 1.7, 1.5],
        "city": ["Rome", "Oslo", "Rome", "Bonn"],
        "member": [True, False, True, True],
        "size": pl.Series(["s", "l", "m", "s"], dtype=pl.Enum(["s", "m", "l", "xl"])),
        "kind": pl.Series(["a", "b", "a", "a"], dtype=pl.Categorical),
    }
)
MISSING = pd.DataFrame(
    {"n": [1.0, np.nan, 4.0, 7.0], "c": ["x", None, "y", "x"]}, dtype=object
).astype({"n": float})


# --- The encoding ---


def test_numbers_are_standardised_and_categories_weighted_by_their_shares():
    Z = MixedTableEncoder().fit_transform(TABLE)
    names = MixedTableEncoder().fit(TABLE).get_feature_names_out().tolist()
    assert names == [
        *("age", "height", "city_Bonn", "city_Oslo", "city_Rome"),
        *("member_False", "member_True", "size_s", "size_m", "size_l", "visits"),
    ]
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-12)
    variances = dict(zip(names, Z.var(axis=0), strict=True))
    for name in ("age", "height", "visits"):
        assert variances[name] == pytest.approx(1)
    assert variances["city_Rome"] == pytest.approx(1 - 3 / 6)
    assert variances["city_Bonn"] == pytest.approx(1 - 1 / 6)


def test_pca_of_the_encoding_is_factor_analysis_of_mixed_data():
    """Each component's variance is the sum of its squared relations to the columns.

    That is the squared correlation with a column of numbers, and the share of variance
    between the categories of another one (Pages, 2014).
    """
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"n": rng.normal(size=200), "m": rng.normal(size=200)}).assign(
        c=lambda t: np.where(t.n + rng.normal(size=200) > 0, "u", "v")
    )
    table["d"] = rng.choice(["x", "y", "z"], 200)
    codes = PCA(3).fit_transform(MixedTableEncoder().fit_transform(table))
    for code in codes.T:
        related = sum(np.corrcoef(code, table[name])[0, 1] ** 2 for name in "nm")
        for name in "cd":
            means = pd.Series(code).groupby(table[name]).transform("mean")
            related += means.var(ddof=0) / code.var()
        assert code.var() == pytest.approx(related)


def test_array_of_numbers_is_standardised():
    X = np.random.default_rng(0).normal(3, 2, size=(50, 3))
    encoder = MixedTableEncoder()
    Z = encoder.fit_transform(X)
    np.testing.assert_allclose(Z, (X - X.mean(axis=0)) / X.std(axis=0))
    np.testing.assert_allclose(encoder.inverse_transform(Z), X)
    assert encoder.categories_ == [None] * 3


@pytest.mark.parametrize("chosen", [["a"], [0], [True, False], np.array(["a"])])
def test_columns_may_be_chosen(chosen):
    table = pd.DataFrame({"a": [1, 2, 1], "b": [3, 4, 5]})
    encoder = MixedTableEncoder(categorical_features=chosen).fit(table)
    assert encoder.categories_ == [[1, 2], None]
    decoded = encoder.inverse_transform(encoder.transform(table))
    pd.testing.assert_frame_equal(decoded, table)


# --- The way back ---


def test_frame_of_pandas_comes_back_with_its_dtypes():
    encoder = MixedTableEncoder()
    decoded = encoder.inverse_transform(encoder.fit_transform(TABLE))
    pd.testing.assert_frame_equal(decoded, TABLE)


def test_frame_of_polars_comes_back_with_its_dtypes():
    encoder = MixedTableEncoder()
    decoded = encoder.inverse_transform(encoder.fit_transform(POLARS))
    assert_frame_equal(decoded, POLARS)


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, "x"], [2, "y"], [3, "x"]], dtype=object),
        np.array([["u", "x"], ["v", "y"], ["u", "x"]]),
        np.array([[1, 4], [2, 5], [4, 9]]),
    ],
    ids=["object", "text", "int"],
)
def test_arrays_come_back(X):
    encoder = MixedTableEncoder()
    decoded = encoder.inverse_transform(encoder.fit_transform(X))
    assert decoded.dtype == X.dtype
    np.testing.assert_array_equal(decoded, X)


def test_names_that_are_no_text_come_back():
    table = pd.DataFrame([[1, "x"], [2, "y"]], columns=[3, 7])
    encoder = MixedTableEncoder()
    decoded = encoder.inverse_transform(encoder.fit_transform(table))
    pd.testing.assert_frame_equal(decoded, table)


def test_inverse_takes_the_largest_share_and_valid_numbers():
    table = pd.DataFrame(
        {"n": np.array([0, 100, 200], dtype=np.uint8), "c": ["x", "y", "y"]}
    )
    encoder = MixedTableEncoder().fit(table)
    # A rare category is drawn apart by its weight; the shares decide nevertheless.
    shares = np.array([[0.45, 0.55], [0.55, 0.45]])
    blocks = (shares - [1 / 3, 2 / 3]) / np.sqrt([1 / 3, 2 / 3])
    rows = np.column_stack([[50.0, -50.0], blocks])
    decoded = encoder.inverse_transform(rows)
    assert decoded["c"].tolist() == ["y", "x"]
    assert decoded["n"].tolist() == [255, 0]


def test_codes_of_an_autoencoder_come_back_as_a_frame():
    rng = np.random.default_rng(0)
    age = rng.integers(20, 70, 300)
    table = pd.DataFrame(
        {"age": age, "old": np.where(age > 45, "yes", "no"), "pay": 40.0 * age}
    )
    model = make_pipeline(MixedTableEncoder(), DenseAE(1, max_iter=10, random_state=0))
    decoded = model.inverse_transform(model.fit_transform(table))
    assert decoded.dtypes.equals(table.dtypes)
    assert (decoded["old"] == table["old"]).mean() > 0.9
    assert np.abs(decoded["age"] - table["age"]).mean() < 5


def test_set_output_names_the_columns_and_keeps_the_index():
    table = TABLE.set_axis([10, 11, 12, 13, 14, 15])
    encoder = MixedTableEncoder().set_output(transform="pandas")
    encoded = encoder.fit_transform(table)
    assert encoded.columns.tolist() == encoder.get_feature_names_out().tolist()
    assert encoded.index.tolist() == table.index.tolist()
    pd.testing.assert_frame_equal(encoder.inverse_transform(encoded), TABLE)
    polars = encoder.set_output(transform="polars").transform(table)
    assert isinstance(polars, pl.DataFrame)


# --- Missing values and unknown categories ---


def test_ignored_missing_values_are_the_mean():
    encoder = MixedTableEncoder(handle_missing="ignore").fit(MISSING)
    Z = encoder.transform(MISSING)
    np.testing.assert_array_equal(Z[1], 0)
    np.testing.assert_allclose(Z[[0, 2, 3]].mean(axis=0), 0, atol=1e-12)
    decoded = encoder.inverse_transform(Z)
    assert decoded["n"].tolist() == pytest.approx([1, 4, 4, 7])
    assert decoded["c"].tolist() == ["x", "x", "y", "x"]


@pytest.mark.parametrize("library", ["pandas", "polars", "numpy"])
def test_missing_category_comes_back_as_missing(library):
    table = {
        "pandas": MISSING,
        "polars": pl.from_pandas(MISSING),
        "numpy": MISSING.to_numpy(),
    }
    encoder = MixedTableEncoder(handle_missing="category").fit(table[library])
    assert encoder.categories_ == [None, ["x", "y", None]]
    assert encoder.get_feature_names_out()[-1].endswith("missing")
    decoded = encoder.inverse_transform(encoder.transform(table[library]))
    values = pd.DataFrame(np.asarray(decoded))[1]
    assert values.isna().tolist() == [False, True, False, False]
    assert values[[0, 2, 3]].tolist() == ["x", "y", "x"]


def test_unknown_categories_are_refused_or_ignored():
    unseen = TABLE.assign(city="Paris")
    with pytest.raises(
        ValueError, match=r"'city' .* not seen: 'Paris'.*handle_unknown"
    ):
        MixedTableEncoder().fit(TABLE).transform(unseen)
    encoder = MixedTableEncoder(handle_unknown="ignore").fit(TABLE)
    Z = encoder.transform(unseen)
    np.testing.assert_array_equal(Z[:, 2:5], 0)
    np.testing.assert_array_equal(Z[:, 5:], encoder.transform(TABLE)[:, 5:])
    assert set(encoder.inverse_transform(Z)["city"]) == {"Rome"}


def test_missing_values_that_fit_has_not_seen_are_unknown():
    encoder = MixedTableEncoder(handle_missing="category").fit(TABLE)
    changed = TABLE.assign(city=[None, *TABLE["city"][1:]])
    with pytest.raises(ValueError, match="not seen: None"):
        encoder.transform(changed)
    encoder = MixedTableEncoder(handle_missing="ignore").fit(TABLE)
    np.testing.assert_array_equal(encoder.transform(changed)[0, 2:5], 0)


# --- What is refused ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": "old"}, r"'age' of X has values that are not numbers"),
        ({"age": np.inf}, r"'age' of X has infinite values \(inf\)"),
        ({"height": np.nan}, r"'height' of X has 6 missing values .*handle_missing"),
        ({"city": None}, r"'city' of X has 6 missing values"),
        ({"city": [[1]] * 6}, r"'city' of X has categories that fit has not seen"),
    ],
)
def test_columns_that_changed_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        MixedTableEncoder().fit(TABLE).transform(TABLE.assign(**change))


def test_frame_with_other_columns_is_refused():
    encoder = MixedTableEncoder().fit(TABLE)
    for other in (TABLE.drop(columns="city"), TABLE[TABLE.columns[::-1]]):
        with pytest.raises(ValueError, match="feature names"):
            encoder.transform(other)
    with pytest.raises(ValueError, match=r"X has 3 columns, but .* expects the 11"):
        encoder.inverse_transform(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("table", "parameters", "message"),
    [
        (pd.DataFrame({"t": pd.to_datetime(["2020-01-01"])}), {}, "'t' .* datetime64"),
        (pl.DataFrame({"t": [[1, 2]]}), {}, "'t' of X has the dtype List"),
        (pd.DataFrame({"c": [[1], [2]]}), {}, "'c' .* no categories"),
        (
            pd.DataFrame({"n": [np.nan, np.nan]}),
            {"handle_missing": "ignore"},
            "'n' of X has only missing",
        ),
        (
            pd.DataFrame({"c": [None, None]}, dtype=object),
            {"handle_missing": "ignore"},
            "'c' of X has only missing",
        ),
        (TABLE, {"categorical_features": ["sex"]}, r"names the columns \['sex'\]"),
        (TABLE, {"categorical_features": [True]}, "mask of 1 values"),
        (TABLE, {"handle_missing": "drop"}, "'handle_missing' parameter"),
        (TABLE[:0], {}, "minimum of 1 row"),
    ],
)
def test_tables_that_cannot_be_encoded_are_refused(table, parameters, message):
    with pytest.raises(ValueError, match=message):
        MixedTableEncoder(**parameters).fit(table)


def test_onnx_is_refused():
    with pytest.raises(NotImplementedError, match=r"Encode the table in Python"):
        to_onnx(MixedTableEncoder().fit(TABLE[["age"]]), np.ones((1, 1), np.float32))


# --- Saved ---


@pytest.mark.parametrize("table", [TABLE, POLARS], ids=["pandas", "polars"])
def test_saved_encoders_do_the_same(table):
    encoder = MixedTableEncoder().fit(table)
    Z = encoder.transform(table)
    data = skops.io.dumps(encoder)
    assert skops.io.get_untrusted_types(data=data) == ["skae._tables.MixedTableEncoder"]
    for loaded in (
        pickle.loads(pickle.dumps(encoder)),
        skops.io.loads(data, trusted=skops_trusted_types()),
    ):
        np.testing.assert_array_equal(loaded.transform(table), Z)
        decoded = loaded.inverse_transform(Z)
        assert decoded.equals(table)


def test_column_of_names_is_warned_of():
    table = pd.DataFrame({"name": [f"row {i}" for i in range(40)], "size": range(40)})
    with pytest.warns(UserWarning, match="'name' of X has 40 categories in 40 rows"):
        MixedTableEncoder().fit(table)
    table["name"] = table["name"].str[:5]
    MixedTableEncoder().fit(table)


def test_failed_fit_preserves_the_previous_one():
    encoder = MixedTableEncoder().fit(TABLE)
    encoded = encoder.transform(TABLE)
    with pytest.raises(ValueError, match="missing values"):
        encoder.fit(MISSING)
    np.testing.assert_array_equal(encoder.transform(TABLE), encoded)
