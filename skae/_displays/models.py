"""Finds the fitted model to draw, and the steps before it, in pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from skae._base import BaseAutoencoder


@dataclass(frozen=True)
class FittedModel:
    """A fitted transformer, and the fitted steps before it.

    Attributes
    ----------
    model : transformer
    before : Pipeline or None
        The steps before it; `None` if there are none.
    """

    model: Any
    before: Any = None

    @property
    def name(self) -> str:
        """The name of the class, which says so if PCA is the result."""
        name = type(self.model).__name__
        return name if getattr(self.model, "used_network_", True) else f"{name} (PCA)"

    def inputs(self, X: Any) -> Any:
        """Return the rows that the model gets for the rows of `X`."""
        return X if self.before is None else self.before.transform(X)

    def codes(self, X: Any) -> np.ndarray:
        """Return the codes of the rows of `X`, of shape (n_samples, n_components)."""
        return np.asarray(self.model.transform(self.inputs(X)))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of codes, in the units of the first step if it can invert."""
        return self.in_first_units(self.model.inverse_transform(codes))

    def in_first_units(self, rows: Any) -> np.ndarray:
        """Return rows as the model makes them, in the units of the first step if any.

        They stay as they are if a step before the model has no `inverse_transform`, or
        if the first step takes something else than numbers.
        """
        if self._inverts_to_numbers(rows):
            rows = self.before.inverse_transform(rows)
        return np.asarray(rows)

    def reconstruction(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and their reconstruction, in the same units.

        They are the units of `X`, or of the model's inputs if a step before it has no
        `inverse_transform`, or if `X` is not a table of numbers.
        """
        inputs = self.inputs(X)
        rows = self.model.inverse_transform(self.model.transform(inputs))
        if self._inverts_to_numbers(rows):
            return dense(X), np.asarray(self.before.inverse_transform(rows))
        return dense(inputs), np.asarray(rows)

    def _inverts_to_numbers(self, rows: np.ndarray) -> bool:
        if self.before is None or not _has_inverse(self.before):
            return False
        try:
            np.asarray(self.before.inverse_transform(rows[:1]), dtype=np.float64)
        except (TypeError, ValueError):  # such as the categories of a table
            return False
        return True

    def feature_names(self, n_features: int) -> np.ndarray | None:
        """Return the names of the features of rows of so many, if they have names."""
        candidates = [getattr(self.model, "feature_names_in_", None)]
        if self.before is not None:
            candidates = [getattr(self.before, "feature_names_in_", None)]
            candidates.append(self._names_out())
        for names in candidates:
            if names is not None and len(names) == n_features:
                return np.asarray(names)
        return None

    def input_names(self) -> np.ndarray | None:
        """Return the names of the features that the model gets, if they have names."""
        names = getattr(self.model, "feature_names_in_", None)
        if (
            names is None
            and getattr(self.before, "feature_names_in_", None) is not None
        ):
            names = self._names_out()  # others are x0, x1, ...
        return None if names is None else np.asarray(names)

    def _names_out(self) -> Any:
        """Return the names that the steps before give to features, if all give some."""
        try:
            return self.before.get_feature_names_out()
        except AttributeError:  # pipelines have the method, whatever their steps have
            return None


def fitted_model(estimator: Any, owner: str) -> FittedModel:
    """Return the model to draw: the last autoencoder, or else the last transformer.

    Parameters
    ----------
    estimator : transformer, Pipeline or search
        Of a fitted search, it is the best estimator.
    owner : str
        The display, for messages.

    Raises
    ------
    TypeError
        If there is no transformer.
    NotFittedError
        If it has not been fitted.
    """
    if isinstance(estimator, type):
        raise TypeError(f"{owner} expects a fitted estimator, got a class. Fit one.")
    if hasattr(estimator, "fit"):
        check_is_fitted(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = [estimator]
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps]
    ours = [i for i, step in enumerate(steps) if isinstance(step, BaseAutoencoder)]
    others = [i for i, step in enumerate(steps) if hasattr(step, "transform")]
    if not others:
        raise TypeError(
            f"{owner} expects a fitted transformer, or a pipeline or search with one, "
            f"got {type(estimator).__name__}, which has no `transform`."
        )
    index = (ours or others)[-1]
    check_is_fitted(steps[index])
    return FittedModel(steps[index], estimator[:index] if index else None)


def _has_inverse(step: Any) -> bool:
    """Tell whether a step inverts what it does.

    A `FunctionTransformer` without an inverse function returns what it gets.
    """
    if isinstance(step, Pipeline):
        return all(_has_inverse(inner) for _, inner in step.steps)
    if isinstance(step, FunctionTransformer):
        return step.func is None or step.inverse_func is not None
    return step in (None, "passthrough") or hasattr(step, "inverse_transform")


def last_step(estimator: Any) -> FittedModel:
    """Return the last step of a fitted pipeline, or the estimator itself."""
    check_is_fitted(estimator)
    if not isinstance(estimator, Pipeline):
        return FittedModel(estimator)
    before = estimator[:-1] if len(estimator.steps) > 1 else None
    return FittedModel(estimator.steps[-1][1], before)


def first_rows(X: Any, n_rows: int, owner: str) -> Any:
    """Return at most so many of the rows of an array, frame or sparse matrix."""
    if (
        X is None
        or isinstance(X, str)
        or not (hasattr(X, "shape") or hasattr(X, "__len__"))
    ):
        raise ValueError(f"{owner} expects X, rows to draw, got {X!r}.")
    if n_rows < 1:
        raise ValueError(f"{owner} expects n_rows of at least 1, got {n_rows!r}.")
    shown = min(n_rows, X.shape[0] if hasattr(X, "shape") else len(X))
    return _safe_indexing(X, np.arange(shown))


def dense(X: Any) -> np.ndarray:
    """Return rows as an array of numbers."""
    return X.toarray() if issparse(X) else np.asarray(X, dtype=np.float64)
