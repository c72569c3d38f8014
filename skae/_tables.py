"""Encodes tables of numbers and categories, and decodes them again."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, NamedTuple, NoReturn, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skae._html import DocumentationLinkMixin
from skae._transaction import changed_on_success
from skae._utils.compat import StrOptions, _check_feature_names_in, _fit_context
from skae._utils.tables import (
    ColumnType,
    Table,
    as_dtype,
    build_table,
    column_type,
    is_frame,
    numbers_of,
    open_table,
    values_of,
)

_MOST_VALUES = 5

# Of fewer rows, categories may well be rare.
_FEWEST_ROWS_TO_WARN = 20

_NO_ONNX = (
    "MixedTableEncoder has no conversion to ONNX, whose tensors hold a single type. "
    "Encode the table in Python, and convert the steps after it: model[1:]."
)


class Block(NamedTuple):
    """How a column is encoded, in builtins and arrays.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_outputs,)
        The encoded values are ``(value - mean) / scale``, where the values of a
        categorical column are 1 for its category and 0 for the others.
    categories : list or None
        Categories in the order of the outputs, None among them for missing values;
        `None` for a column of numbers.
    """

    mean: np.ndarray
    scale: np.ndarray
    categories: list[Any] | None


class MixedTableEncoder(DocumentationLinkMixin, TransformerMixin, BaseEstimator):
    """Encode a table of numbers and categories, such that PCA and autoencoders fit it.

    The encoding is that of factor analysis of mixed data [1]_. Columns of numbers are
    standardised. Each category gets a column of zeros and ones, centred, and divided by
    the root of the category's share of the rows. Squared errors, and with them PCA and
    the autoencoders, then treat numbers and categories alike: PCA of a table of numbers
    alone is PCA of its correlations, and PCA of categories alone is multiple
    correspondence analysis.

    `inverse_transform` returns a table like the one of the fit: a data frame of pandas
    or polars, with its dtypes, or an array. In a pipeline with PCA or an autoencoder it
    turns codes into rows of a table.

    Parameters
    ----------
    categorical_features : "auto", array-like of str, int or bool, default="auto"
        Categorical columns, by their names, by their indices, or as a mask. "auto"
        takes those of text, booleans and categorical dtypes. In an array of dtype
        `object`, "auto" takes the columns with any value that is not a number.

    handle_missing : {"error", "ignore", "category"}, default="error"
        What to do with missing values. "error" refuses them. "ignore" encodes them as
        the mean of the training rows, which is 0; `inverse_transform` then returns what
        the other columns let expect. "category" makes them a category of their own in
        categorical columns, which `inverse_transform` gives back as missing, and
        encodes them as 0 in columns of numbers.

    handle_unknown : {"error", "ignore"}, default="error"
        What `transform` does with categories that `fit` has not seen. "error" refuses
        them, and "ignore" encodes them as the mean of the training rows, which is 0.

    Attributes
    ----------
    categories_ : list of (list or None)
        Categories of each categorical column, in the order of their outputs; None among
        them stands for missing values. `None` for columns of numbers.

    n_features_in_ : int
        Number of columns seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of columns seen during :term:`fit`. Defined only when `X` has names that
        are all strings.

    See Also
    --------
    DenseAE : Autoencoder to put behind the encoder.
    sklearn.preprocessing.OneHotEncoder : Categories as zeros and ones.
    sklearn.compose.ColumnTransformer : Any transformers of columns, without an inverse.

    Notes
    -----
    `inverse_transform` decides for the category whose estimated zero or one is the
    largest. Columns of whole numbers are rounded and kept within the limits of their
    dtype.

    A category with share p has variance 1 - p here, so a column with many categories
    weighs more than one with few: the variances of its outputs add up to the number of
    its categories minus 1. Join rare categories first.

    The package prince has the same weights in its class `FAMD`, which is a PCA and has
    no `inverse_transform`; skrub's `TableVectorizer` encodes more kinds of columns,
    such as dates, and has none either.

    References
    ----------
    .. [1] Pagès, J. (2014). Multiple factor analysis by example using R. Chapman &
       Hall/CRC.

    Examples
    --------
    A table to codes, and codes to a table:

    >>> import pandas as pd
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from skae import MixedTableEncoder
    >>> table = pd.DataFrame(
    ...     {"age": [23, 58, 31, 64], "city": ["Rome", "Oslo", "Rome", "Oslo"]}
    ... )
    >>> encoder = MixedTableEncoder().fit(table)
    >>> encoder.get_feature_names_out().tolist()
    ['age', 'city_Oslo', 'city_Rome']
    >>> model = make_pipeline(encoder, PCA(1)).fit(table)
    >>> model.inverse_transform(model.transform(table))
       age  city
    0   25  Rome
    1   60  Oslo
    2   29  Rome
    3   63  Oslo
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "categorical_features": [StrOptions({"auto"}), "array-like"],
        "handle_missing": [StrOptions({"error", "ignore", "category"})],
        "handle_unknown": [StrOptions({"error", "ignore"})],
    }

    # Blocks of the columns, and the table to build: builtins and arrays.
    _blocks: list[tuple[Any, ...]]
    _library: str
    _names: list[Any]
    _types: list[tuple[Any, ...]]

    def __init__(
        self,
        *,
        categorical_features: Any = "auto",
        handle_missing: str = "error",
        handle_unknown: str = "error",
    ) -> None:
        self.categorical_features = categorical_features
        self.handle_missing = handle_missing
        self.handle_unknown = handle_unknown

    # --- The public methods ---

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn means, scales and categories.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Table to encode.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : object
            The fitted encoder.

        Raises
        ------
        ValueError
            If a column has neither numbers nor categories, or values that the
            parameters do not allow. A previous fit is then preserved.
        """
        with changed_on_success(self) as new:
            new._fit(X)
        return self

    def transform(self, X: Any) -> Any:
        """Encode a table.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Table with the columns of the fit.

        Returns
        -------
        X_encoded : ndarray of shape (n_samples, n_outputs)
            Encoded rows in double precision: a column for each column of numbers, and
            for each category.
        """
        check_is_fitted(self)
        table = self._open(X)
        encoded = [
            self._encoded(table, i, Block._make(block))
            for i, block in enumerate(self._blocks)
        ]
        return np.concatenate(encoded, axis=1)

    def inverse_transform(self, X: Any) -> Any:
        """Decode encoded rows, such as the reconstructions of an autoencoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_outputs)
            Encoded rows.

        Returns
        -------
        X_original : data frame or ndarray of shape (n_samples, n_features)
            Table as it was in the fit: of the same library, with the same names and
            dtypes. The rows of a data frame of pandas are numbered.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=np.float64, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} columns, but MixedTableEncoder expects the "
                f"{self._n_features_out} that `transform` returns."
            )
        types = [ColumnType._make(kind) for kind in self._types]
        columns, start = [], 0
        for kind, values in zip(types, self._blocks, strict=True):
            block = Block._make(values)
            stop = start + len(block.mean)
            columns.append(_decoded(X[:, start:stop], block, kind))
            start = stop
        return build_table(self._library, self._names, types, columns)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the encoded columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns, as in the fit; `None` takes those, or else "x0", "x1"
            and so on.

        Returns
        -------
        names : ndarray of str of shape (n_outputs,)
            Names of columns of numbers, and names of categorical columns with each of
            their categories, "missing" for missing values.
        """
        check_is_fitted(self)
        names: list[str] = []
        inputs = _check_feature_names_in(self, input_features)
        for name, categories in zip(inputs, self.categories_, strict=True):
            if categories is None:
                names.append(name)
            else:
                names += [
                    f"{name}_{'missing' if value is None else value}"
                    for value in categories
                ]
        return np.asarray(names, dtype=object)

    def onnx_parser(self) -> NoReturn:
        """Refuse the conversion to ONNX.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(_NO_ONNX)

    # --- The contract with scikit-learn ---

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Not `categorical`, too: with it a check of scikit-learn 1.6 fails by itself.
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.handle_missing != "error"
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _n_features_out(self) -> int:
        return sum(len(mean) for mean, *_ in self._blocks)

    # --- From a table to blocks ---

    def _fit(self, X: Any) -> None:
        table = self._open(X, reset=True)
        types = self._column_types(table)
        blocks = [
            self._categorical_block(table, i)
            if kind.is_categorical
            else self._numeric_block(table, i)
            for i, kind in enumerate(types)
        ]
        self.categories_ = [block.categories for block in blocks]
        self._blocks = [tuple(block) for block in blocks]
        self._library, self._names = table.library, table.names
        self._types = [tuple(kind) for kind in types]

    def _open(self, X: Any, reset: bool = False) -> Table:
        if not is_frame(X):
            # NumPy would turn the numbers of mixed lists into text.
            X = X if hasattr(X, "dtype") else np.asarray(X, dtype=object)
            X = check_array(
                X, dtype=None, ensure_all_finite=False, estimator=self, input_name="X"
            )
        validate_data(self, X, reset=reset, skip_check_array=True)
        if min(X.shape) == 0:
            raise ValueError(
                f"MixedTableEncoder got a table of shape {X.shape}: a minimum of 1 row "
                "and 1 column is required."
            )
        return open_table(X)

    def _column_types(self, table: Table) -> list[ColumnType]:
        found = [column_type(table, i) for i in range(len(table.columns))]
        if None in found:
            i = found.index(None)
            raise ValueError(
                f"{_column(table, i)} has the dtype {table.columns[i].dtype}, which is "
                "neither of numbers nor of categories. Convert it to one of them, or "
                "drop it."
            )
        types = [kind for kind in found if kind is not None]
        if isinstance(self.categorical_features, str):
            return types
        chosen = _indices(table, self.categorical_features)
        return [
            kind._replace(is_categorical=i in chosen) for i, kind in enumerate(types)
        ]

    def _numeric_block(self, table: Table, index: int) -> Block:
        values = self._numbers(table, index)
        present = values[~np.isnan(values)]
        if not len(present):
            raise ValueError(
                f"{_column(table, index)} has only missing values (NaN). Drop it."
            )
        mean, scale = present.mean(), present.std()
        # As in StandardScaler, rounding is not taken for variance.
        if scale <= 10 * np.finfo(np.float64).eps * abs(mean):
            scale = 1.0
        return Block(np.array([mean]), np.array([scale]), None)

    def _numbers(self, table: Table, index: int) -> np.ndarray:
        try:
            values = numbers_of(table, index)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{_column(table, index)} has values that are not numbers ({error}). "
                "Name it in categorical_features, or convert it as in the fit."
            ) from error
        if np.isinf(values).any():
            raise ValueError(f"{_column(table, index)} has infinite values (inf).")
        if self.handle_missing == "error":
            self._refuse_missing(table, index, np.isnan(values))
        return values

    def _categorical_block(self, table: Table, index: int) -> Block:
        values = values_of(table, index)
        missing = np.array([value is None for value in values])
        if self.handle_missing == "error":
            self._refuse_missing(table, index, missing)
        found = _distinct(table, index, values)
        if self.handle_missing == "category" and missing.any():
            found.append(None)
        if not found:
            raise ValueError(
                f"{_column(table, index)} has only missing values. Drop it."
            )
        counts = np.bincount(_codes(values, found) + 1, minlength=len(found) + 1)[1:]
        n_rows, n_single = counts.sum(), (counts == 1).sum()
        if n_rows >= _FEWEST_ROWS_TO_WARN and n_single > n_rows / 2:
            warnings.warn(
                f"{_column(table, index)} has {len(found)} categories in {n_rows} "
                "rows, most of them in a single row. They say nothing of new rows, and "
                "each takes a column of its own. Drop the column, or group its values.",
                UserWarning,
                stacklevel=5,
            )
        shares = counts / n_rows
        return Block(shares, np.sqrt(shares), found)

    def _refuse_missing(self, table: Table, index: int, missing: np.ndarray) -> None:
        if missing.any():
            raise ValueError(
                f"{_column(table, index)} has {missing.sum()} missing values (NaN or "
                "None). Fill them in, or pass handle_missing='ignore' or 'category'."
            )

    # --- From blocks to codes and back ---

    def _encoded(self, table: Table, index: int, block: Block) -> np.ndarray:
        if block.categories is None:
            values = self._numbers(table, index)
            encoded = (values - block.mean) / block.scale
            return np.nan_to_num(encoded, nan=0.0)[:, None]
        codes = self._known_codes(table, index, block.categories)
        encoded = np.zeros((table.n_rows, len(block.categories)))
        known = np.flatnonzero(codes >= 0)
        encoded[known] = -block.mean / block.scale
        encoded[known, codes[known]] += 1 / block.scale[codes[known]]
        return encoded

    def _known_codes(self, table: Table, index: int, known: list[Any]) -> np.ndarray:
        """Return the category of each row as an index, -1 for none."""
        values = values_of(table, index)
        if self.handle_missing == "error":
            missing = np.array([value is None for value in values])
            self._refuse_missing(table, index, missing)
        codes = _codes(values, known)
        if self.handle_unknown == "error":
            may_miss = self.handle_missing == "ignore"
            unknown = {
                repr(values[i]): None
                for i in np.flatnonzero(codes < 0)
                if not (may_miss and values[i] is None)
            }
            if unknown:
                shown = ", ".join([*unknown][:_MOST_VALUES])
                raise ValueError(
                    f"{_column(table, index)} has categories that fit has not seen: "
                    f"{shown}. Pass handle_unknown='ignore' to encode them as the mean "
                    "of the training rows."
                )
        return codes


def _column(table: Table, index: int) -> str:
    return f"Column {table.names[index]!r} of X"


def _indices(table: Table, chosen: Any) -> set[int]:
    """Return the indices of the columns that names, indices or a mask choose."""
    items = np.asarray(chosen).tolist()
    n_columns = len(table.columns)
    if items and all(isinstance(item, bool) for item in items):
        if len(items) != n_columns:
            raise ValueError(
                f"categorical_features is a mask of {len(items)} values, but X has "
                f"{n_columns} columns."
            )
        return {i for i, item in enumerate(items) if item}
    unknown = [
        item
        for item in items
        if item not in table.names
        and not (isinstance(item, int) and 0 <= item < n_columns)
    ]
    if unknown:
        raise ValueError(
            f"categorical_features names the columns {unknown}, which X does not have."
        )
    return {table.names.index(item) if item in table.names else item for item in items}


def _distinct(table: Table, index: int, values: list[Any]) -> list[Any]:
    """Return the categories that occur, in the order of the dtype or else sorted."""
    try:
        found = {*values} - {None}
    except TypeError as error:
        raise ValueError(
            f"{_column(table, index)} has values that are no categories ({error}). "
            "Convert it to text or numbers."
        ) from error
    kind = column_type(table, index)
    if kind is not None and kind.categories is not None:
        return [value for value in kind.categories if value in found]
    try:
        return sorted(found)
    except TypeError:  # of several types
        return sorted(found, key=lambda value: (type(value).__name__, str(value)))


def _codes(values: list[Any], categories: list[Any]) -> np.ndarray:
    """Return the index of each value among the categories, -1 where it is none."""
    index = {value: i for i, value in enumerate(categories)}
    try:
        found = [index.get(value, -1) for value in values]
    except TypeError:  # not hashable, so it is none
        found = [index.get(value, -1) if value.__hash__ else -1 for value in values]
    return np.array(found, dtype=np.intp)


def _decoded(X: np.ndarray, block: Block, kind: ColumnType) -> Any:
    values = X * block.scale + block.mean
    if block.categories is None:
        return as_dtype(values[:, 0], kind.dtype)
    return [block.categories[i] for i in values.argmax(axis=1)]
