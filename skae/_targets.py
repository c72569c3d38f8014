"""Checks the labels that `fit` is given, and turns them into columns to train on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import issparse

from skae._fit.targets import Targets
from skae._utils.missing import is_missing_value

if TYPE_CHECKING:
    from skae._utils.blocks import DataRows

_KINDS = {
    "binary": "classes",
    "multiclass": "classes",
    "continuous": "numbers",
    "continuous-multioutput": "numbers",
}

# Whole numbers of which each value has fewer rows than this are hardly classes.
_FEW_ROWS_OF_CLASS = 3


class GivenTargets(NamedTuple):
    """Labels as the user gave them: of `X`, of `X_val`, and all classes there are."""

    y: Any
    y_val: Any = None
    classes: Any = None


class LabelSettings(NamedTuple):
    """What an estimator's parameters say of labels, with its name for messages."""

    estimator: str
    target_type: str
    unlabelled: Any
    class_weight: Any


class ReadLabels(NamedTuple):
    """Labels of rows, of which some have none.

    Attributes
    ----------
    values : ndarray of shape (n_labelled,) or (n_labelled, n_targets)
        Labels of the rows that have one.
    is_labelled : ndarray of bool, of shape (n_rows,)
    """

    values: np.ndarray
    is_labelled: np.ndarray


@dataclass(frozen=True, eq=False)
class ClassEncoding:
    """Classes as columns, one for each class, with the weight of the class in it.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The classes in sorted order.
    weights : ndarray of shape (n_classes,)
    """

    classes: np.ndarray
    weights: np.ndarray
    kind = "classes"

    @property
    def n_targets(self) -> int:
        return len(self.classes)

    def encode(self, estimator: str, read: ReadLabels, name: str) -> np.ndarray:
        """Return the columns of the rows; those without a label are zero."""
        try:
            unknown = np.setdiff1d(read.values, self.classes)
        except TypeError:  # of types that cannot be compared
            unknown = read.values
        if len(unknown):
            first, *_ = unknown.tolist()
            raise ValueError(
                f"{estimator} got {name} with the class {first!r}, which is none "
                f"of {self.classes.tolist()}. Tell partial_fit of all classes in its "
                "first call, and fit of all in y."
            )
        codes = np.searchsorted(self.classes, read.values)
        labels = np.zeros((len(read.is_labelled), self.n_targets), np.float32)
        labels[np.flatnonzero(read.is_labelled), codes] = self.weights[codes]
        return labels


@dataclass(frozen=True, eq=False)
class NumberEncoding:
    """Numbers as standardised columns, with the weights of the rows in another one.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_targets,)
        Mean and standard deviation of each column of numbers.
    """

    mean: np.ndarray
    scale: np.ndarray
    kind = "numbers"

    @property
    def n_targets(self) -> int:
        return len(self.mean)

    def encode(self, estimator: str, read: ReadLabels, name: str) -> np.ndarray:
        """Return the columns of the rows; those without a label are zero."""
        numbers = read.values.reshape(len(read.values), -1)
        if numbers.shape[1] != self.n_targets:
            raise ValueError(
                f"{estimator} got {name} of {numbers.shape[1]} columns, but expects "
                f"{self.n_targets} of them."
            )
        labels = np.zeros((len(read.is_labelled), self.n_targets + 1), np.float32)
        labels[read.is_labelled, :-1] = (numbers - self.mean) / self.scale
        labels[read.is_labelled, -1] = 1
        return labels


Encoding: TypeAlias = ClassEncoding | NumberEncoding


def encode_targets(
    settings: LabelSettings,
    given: GivenTargets,
    X: DataRows,
    X_val: DataRows | None,
    known: Encoding | None,
) -> tuple[Targets, Encoding]:
    """Return the targets of a fit, and how they are encoded.

    Parameters
    ----------
    settings : LabelSettings
    given : GivenTargets
    X, X_val : ndarray or SparseRows
        Valid rows; `X_val` may be `None`.
    known : ClassEncoding, NumberEncoding or None
        The encoding of the fit that training goes on from.

    Raises
    ------
    ValueError
        If the labels are not what can be trained on.
    """
    name = settings.estimator
    read = _read(settings, given.y, len(X), "y")
    encoding = known or _new_encoding(settings, read, given.classes)
    labels = [encoding.encode(name, read, "y")]
    if (X_val is None) != (given.y_val is None):
        given_one = "y_val without X_val" if X_val is None else "X_val without y_val"
        raise ValueError(
            f"{name} got {given_one}. Pass both: the labels of held-out rows help to "
            "decide between the network and PCA."
        )
    if X_val is not None:
        read = _read(settings, given.y_val, len(X_val), "y_val")
        labels.append(encoding.encode(name, read, "y_val"))
    targets = Targets(encoding.kind, labels[0], encoding.n_targets)
    # The mean over all rows is that over rows with a label, by their weights.
    mean = max(float(targets.weights.mean(dtype=np.float64)), np.finfo(np.float32).tiny)
    columns = slice(None) if encoding.kind == "classes" else slice(-1, None)
    for each in labels:
        each[:, columns] /= mean
    return Targets(encoding.kind, np.concatenate(labels), encoding.n_targets), encoding


# --- Reading ---


def _read(settings: LabelSettings, y: Any, n_rows: int, name: str) -> ReadLabels:
    """Return the labels as an array, without the rows that have none."""
    estimator = settings.estimator
    if y is None:
        raise ValueError(
            f"{estimator} requires y to be passed, but the target {name} is None. "
            "Without labels, use DenseAE."
        )
    values = _as_array(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or len(values) != n_rows:
        raise ValueError(
            f"{estimator} got {name} of shape {values.shape} for {n_rows} rows: it "
            "must have one label, or one row of numbers, for each of them."
        )
    is_missing = _is_missing(values)
    has_none = _is_marked(values, settings.unlabelled, is_missing)
    _check_missing(settings, is_missing & ~has_none, name)
    if values.ndim == 2:
        if (has_none.any(axis=1) != has_none.all(axis=1)).any():
            raise ValueError(
                f"{estimator} got {name} with rows of which only some numbers are "
                f"unlabelled={settings.unlabelled!r}. Set all numbers of such a row to "
                "it."
            )
        has_none = np.asarray(has_none.all(axis=1))
    return ReadLabels(_plain(values[~has_none]), ~has_none)


def _as_array(y: Any) -> np.ndarray:
    if issparse(y):
        raise ValueError("y must be dense, got a sparse matrix. Use y.toarray().")
    values = np.asarray(y)
    if values.dtype.kind in "US" and not hasattr(y, "dtype"):
        # NumPy turns mixed types, such as text and NaN, into text.
        return np.array(y, dtype=object)
    return values


def _is_marked(
    values: np.ndarray, unlabelled: Any, is_missing: np.ndarray
) -> np.ndarray:
    """Tell which values are the one that marks rows without a label."""
    marked = np.zeros(values.shape, bool)
    if unlabelled is not None:
        if unlabelled != unlabelled:  # NaN
            return is_missing
        others = values[~is_missing].tolist()
        marked[~is_missing] = [value == unlabelled for value in others]
    return marked


def _is_missing(values: np.ndarray) -> np.ndarray:
    """Tell which values are NaN, NaT, None or pandas.NA."""
    if values.dtype.kind in "fc":
        missing: np.ndarray = np.isnan(values)
        return missing
    if values.dtype.kind != "O":
        return np.zeros(values.shape, bool)
    found = np.array([is_missing_value(value) for value in values.ravel()], bool)
    return found.reshape(values.shape)


def _check_missing(settings: LabelSettings, is_missing: np.ndarray, name: str) -> None:
    if is_missing.any():
        raise ValueError(
            f"{settings.estimator} got {name} with {int(is_missing.sum())} missing "
            "labels (NaN). If they mark rows without a label, set unlabelled=np.nan; "
            "otherwise drop these rows."
        )


def _plain(values: np.ndarray) -> np.ndarray:
    """Return an array of objects as one of text or numbers, if it can be."""
    if values.dtype.kind != "O" or not values.size:
        return values
    return np.array(values.tolist())


# --- Encodings ---


def _new_encoding(settings: LabelSettings, read: ReadLabels, classes: Any) -> Encoding:
    if not len(read.values):
        raise ValueError(
            f"{settings.estimator} got y without any label: every row is marked by "
            f"unlabelled={settings.unlabelled!r}. Without labels, use DenseAE."
        )
    if read.values.dtype.kind == "f" and not np.isfinite(read.values).all():
        raise ValueError(
            f"{settings.estimator} got y with infinite numbers. Drop these rows."
        )
    if _kind(settings, read.values, classes) == "classes":
        return _class_encoding(settings, read.values, classes)
    if settings.class_weight is not None:
        raise ValueError(
            f"{settings.estimator} got class_weight={settings.class_weight!r}, but the "
            "labels in y are numbers, not classes. Use class_weight=None."
        )
    return _number_encoding(settings.estimator, read.values)


def _kind(settings: LabelSettings, values: np.ndarray, classes: Any) -> str:
    """Return whether the labels are classes or numbers."""
    if classes is not None or settings.target_type == "multiclass":
        found = "multiclass" if values.ndim == 1 else "multiclass-multioutput"
    elif settings.target_type == "continuous":
        found = "continuous"
    else:
        found = _type_of_target(values)
    if found not in _KINDS:
        raise ValueError(
            f"{settings.estimator} got y of type {found!r}, as scikit-learn's "
            "type_of_target calls it, but takes one column of classes, or one or more "
            "columns of numbers. If they are numbers, set target_type='continuous'."
        )
    return _KINDS[found]


def _type_of_target(values: np.ndarray) -> str:
    from sklearn.utils.multiclass import type_of_target

    with warnings.catch_warnings():
        # It warns of many classes, as we do.
        warnings.simplefilter("ignore", UserWarning)
        return str(type_of_target(values, input_name="y"))


def _warn_of_many_classes(estimator: str, values: np.ndarray, n_classes: int) -> None:
    if values.dtype.kind in "fiu" and len(values) < _FEW_ROWS_OF_CLASS * n_classes:
        warnings.warn(
            f"{estimator} takes the {n_classes} different values of {len(values)} "
            "labels for classes, as scikit-learn does with whole numbers. If they are "
            "numbers to predict, set target_type='continuous'.",
            UserWarning,
            stacklevel=2,
        )


def _class_encoding(
    settings: LabelSettings, values: np.ndarray, given_classes: Any
) -> ClassEncoding:
    from sklearn.utils.class_weight import compute_class_weight

    name, class_weight = settings.estimator, settings.class_weight
    classes = np.unique(values if given_classes is None else given_classes)
    if len(classes) < 2:
        raise ValueError(
            f"{name} got y with one class only, {classes.tolist()}. It needs at least "
            "two; without labels, use DenseAE."
        )
    if given_classes is None and len(values) <= len(classes):
        raise ValueError(
            f"{name} got {len(values)} labelled rows of {len(classes)} classes, which "
            "are too few: no class has two rows. Label more rows, or, if y has numbers "
            "to predict, set target_type='continuous'."
        )
    if given_classes is not None and isinstance(class_weight, str):
        raise ValueError(
            f"{name} cannot balance classes in partial_fit, which does not know how "
            "many rows they will have. Pass class_weight as a dict."
        )
    if given_classes is None and settings.target_type == "auto":
        _warn_of_many_classes(name, values, len(classes))
    weights = compute_class_weight(class_weight, classes=classes, y=values)
    return ClassEncoding(classes, np.asarray(weights, np.float64))


def _number_encoding(estimator: str, values: np.ndarray) -> NumberEncoding:
    try:
        numbers = values.astype(np.float64).reshape(len(values), -1)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{estimator} with target_type='continuous' got y that are no numbers: "
            f"{error}."
        ) from None
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0)
    varies = scale > np.finfo(np.float64).eps * np.abs(mean)
    if not varies.any():
        raise ValueError(
            f"{estimator} got y with a single number only, {numbers[0, 0]:g}: there is "
            "nothing to predict. Without labels, use DenseAE."
        )
    return NumberEncoding(mean, np.where(varies, scale, 1.0))
