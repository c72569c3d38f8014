"""Columns of arrays and data frames: read as numbers or categories, and built again."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skae._utils.missing import is_missing_value
from skae._utils.optional import import_optional

if TYPE_CHECKING:
    from collections.abc import Sequence

# Kinds of NumPy's dtypes, by which pandas's are told apart, too.
_NUMERIC_KINDS = "iuf"
_CATEGORICAL_KINDS = "OUSb"


class ColumnType(NamedTuple):
    """The type of a column, in builtins, so that it can be saved and made again.

    Attributes
    ----------
    dtype : str
        Name of the dtype in the library of the table.
    is_categorical : bool
    categories : list or None
        All categories of the dtype, where it lists them.
    is_ordered : bool
        Whether the dtype orders them.
    """

    dtype: str
    is_categorical: bool
    categories: list[Any] | None = None
    is_ordered: bool = False


class Table(NamedTuple):
    """The columns of a table.

    Attributes
    ----------
    library : {"pandas", "polars", "numpy"}
    names : list
        Names of the columns, or their indices.
    columns : list of Series or ndarray
    n_rows : int
    """

    library: str
    names: list[Any]
    columns: list[Any]
    n_rows: int


def is_frame(X: Any) -> bool:
    """Tell whether `X` is a data frame of pandas or polars."""
    return _library(X) != "numpy"


def _library(X: Any) -> str:
    for library in ("pandas", "polars"):
        if type(X).__module__.partition(".")[0] == library and hasattr(X, "columns"):
            return library
    return "numpy"


def open_table(X: Any) -> Table:
    """Return the columns of a data frame, or of an array of two dimensions."""
    library = _library(X)
    n_rows, n_columns = X.shape
    if library == "pandas":
        columns = [X.iloc[:, i] for i in range(n_columns)]
    elif library == "polars":
        columns = [X.to_series(i) for i in range(n_columns)]
    else:
        return Table(library, [*range(n_columns)], [*X.T], n_rows)
    return Table(library, [_builtin(name) for name in X.columns], columns, n_rows)


def column_type(table: Table, index: int) -> ColumnType | None:
    """Return the type of a column; `None` if it has neither numbers nor categories."""
    column = table.columns[index]
    if table.library == "polars":
        return _polars_type(column)
    if table.library == "pandas" and hasattr(column.dtype, "categories"):
        categories = [_builtin(value) for value in column.dtype.categories]
        ordered = bool(column.dtype.ordered)
        return ColumnType("category", True, categories, ordered)
    kind = getattr(column.dtype, "kind", "O")
    if kind not in _NUMERIC_KINDS + _CATEGORICAL_KINDS:
        return None
    is_categorical = kind not in _NUMERIC_KINDS
    if table.library == "numpy" and kind == "O":
        is_categorical = not all(_is_number(value) for value in column.tolist())
    return ColumnType(str(column.dtype), is_categorical)


def _polars_type(column: Any) -> ColumnType | None:
    dtype = column.dtype
    name = type(dtype).__name__
    if dtype.is_numeric():
        return ColumnType("Float64" if name == "Decimal" else name, False)
    if name == "Enum":
        return ColumnType(name, True, [str(value) for value in dtype.categories])
    if name in ("String", "Categorical", "Boolean"):
        return ColumnType(name, True)
    return None


def _is_number(value: Any) -> bool:
    return is_missing_value(value) or (
        isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    )


def numbers_of(table: Table, index: int) -> np.ndarray:
    """Return a column in double precision, with NaN for missing values.

    Raises
    ------
    ValueError or TypeError
        If a value is no number.
    """
    column = table.columns[index]
    if table.library == "pandas":
        found: np.ndarray = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return found
    if table.library == "polars":
        found = np.array(column.to_list(), dtype=np.float64)
        return found
    return np.asarray(column, dtype=np.float64)


def values_of(table: Table, index: int) -> list[Any]:
    """Return the values of a column as builtins, with None for missing values."""
    values = table.columns[index]
    values = values.to_list() if hasattr(values, "to_list") else values.tolist()
    return [None if is_missing_value(value) else _builtin(value) for value in values]


def _builtin(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def as_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return numbers as the whole numbers or floats of a dtype, by its name."""
    name = dtype.lower().partition("[")[0]
    name = {"float": "float64", "double": "float64"}.get(name, name)
    if name == "object":
        return values
    target = np.dtype(name)
    if target.kind == "f":
        return values.astype(target)
    info = np.iinfo(target)
    # The largest integers of 64 bits are no floats.
    highest = float(info.max)
    if int(highest) > info.max:
        highest = float(np.nextafter(highest, 0))
    return np.clip(np.round(values), float(info.min), highest).astype(target)


def build_table(
    library: str,
    names: Sequence[Any],
    types: Sequence[ColumnType],
    columns: Sequence[Any],
) -> Any:
    """Return a table of the library, from arrays of numbers and lists of categories."""
    if library == "numpy":
        return _build_array(types, columns)
    module = import_optional(library, "test", "inverse_transform to a data frame")
    if library == "polars":
        build = _polars_series
        typed = zip(names, types, columns, strict=True)
        return module.DataFrame([build(module, *column) for column in typed])
    series = [
        _pandas_series(module, *column) for column in zip(types, columns, strict=True)
    ]
    frame = module.concat(series, axis=1)
    frame.columns = names
    return frame


def _build_array(types: Sequence[ColumnType], columns: Sequence[Any]) -> np.ndarray:
    """Return an array of the common dtype of the columns."""
    if any(kind.is_categorical for kind in types):
        array = np.empty((len(columns[0]), len(columns)), dtype=object)
        for i, values in enumerate(columns):
            array[:, i] = values
        names = {kind.dtype for kind in types}
        return array if len(names) > 1 or None in array else array.astype(names.pop())
    return np.column_stack(columns)


def _pandas_series(pandas: Any, kind: ColumnType, values: Any) -> Any:
    if kind.categories is not None:
        categorical = pandas.Categorical(values, kind.categories, kind.is_ordered)
        return pandas.Series(categorical)
    if kind.is_categorical:
        values = pandas.Series(values, dtype=object)
    return pandas.Series(values).astype(kind.dtype)


def _polars_series(polars: Any, name: Any, kind: ColumnType, values: Any) -> Any:
    if kind.categories is not None:
        return polars.Series(name, values, dtype=polars.Enum(kind.categories))
    return polars.Series(name, values, dtype=getattr(polars, kind.dtype))
