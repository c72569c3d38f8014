"""The base class of the estimators: the public methods, once."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, auto
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skae._compat import Interval, StrOptions, _fit_context
from skae._exports import ExportMixin
from skae._fitting import fit_network, update_network
from skae._logging import show_progress
from skae._losses import LOSSES
from skae._network import (
    ACTIVATIONS,
    Network,
    Weights,
    from_builtins,
    to_builtins,
)
from skae._numpy_backend import forward
from skae._parameters import check_integers, draw_seeds
from skae._persistence import stamp, unstamp
from skae._plan import FitPlan, Fitted, Ordering
from skae._scoring import ScoreMixin, as_dense

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._scoring import Rows

_FLOATS = (np.float64, np.float32)
_CURVES = ("reconstruction_curve_", "pca_reconstruction_curve_")


class Start(Enum):
    """Where training begins: anew, with a first block, or where it ended."""

    ANEW = auto()
    FIRST_BLOCK = auto()
    RESUMED = auto()


class BaseAutoencoder(
    ExportMixin,
    ScoreMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """What all autoencoders share: validation, fitted state, and the public methods.

    An estimator adds its parameters, their constraints and checks, and the description
    of its network. Numerical work does not belong here: it is done by functions of
    arrays and plain data in the other modules.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "output_activation": [StrOptions(set(ACTIVATIONS))],
        "pca_shortcut": ["boolean"],
        "loss": [StrOptions(set(LOSSES))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, 1, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components: Any,
        *,
        hidden_layer_sizes: Any,
        activation: str,
        output_activation: str,
        pca_shortcut: bool,
        loss: str,
        alpha: float,
        learning_rate_init: float,
        batch_size: int | str,
        max_iter: int,
        early_stopping: bool,
        validation_fraction: float,
        n_iter_no_change: int,
        tol: float,
        warm_start: bool,
        random_state: Any,
        verbose: int,
    ) -> None:
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.output_activation = output_activation
        self.pca_shortcut = pca_shortcut
        self.loss = loss
        self.alpha = alpha
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # What batch_size="auto" stands for, and how many batches of few rows it makes. That
    # is judged by `python -m benchmarks full --only quality`.
    _auto_batch_size: ClassVar[int] = 128
    _auto_fewest_steps: ClassVar[int] = 4

    @abstractmethod
    def _describe_network(self, n_features: int, n_components: Any) -> Network:
        """Describe the network to train on rows of `n_features`."""

    def _n_codes(self, X: np.ndarray, start: Start) -> Any:
        """Return the number of codes to train on the rows `X`."""
        return self.n_components

    def _plan_additions(self, start: Start) -> dict[str, Any]:
        """Return the fields of the plan that are not the same for all autoencoders."""
        return {}

    def _set_additions(self, X: np.ndarray, seed: int) -> None:
        """Set the fitted attributes that not all autoencoders have.

        They are computed from the rows `X` of the fit, once all others are set.
        """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the autoencoder to the rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, at least two. Sparse input is made dense.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the parameters or `X` are not valid, or if the loss is not finite from
            the start. A previous fit is then left as it was.
        """
        with self._unchanged_on_failure():
            rows = as_dense(self._validate_rows(X, reset=True, min_rows=2))
            fitted_before = self.warm_start and self.__sklearn_is_fitted__()
            resumed = fitted_before and self.used_network_
            plan = self._plan(rows, Start.RESUMED if resumed else Start.ANEW)
            previous = self._previous_to_resume(plan) if resumed else None
            fitted = fit_network(plan, rows, previous)
            self._set_fitted(fitted)
            self._set_additions(rows, plan.seeds.validation)
        if fitted.interrupted:
            raise KeyboardInterrupt
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one pass over a block of rows.

        Nothing is held out and `early_stopping` is ignored. The first block sets the
        mean, the scale and the PCA that training starts from, so it should be
        representative; where `n_components` is no int, the first block also sets it, to
        what PCA needs. Later blocks go on from the estimator as it is, whether fitted
        by `fit` or by `partial_fit`, at the constant rate `learning_rate_init`. With
        ``batch_size="auto"`` a block of few rows is one batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The block; the first one has at least two rows.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        first = not self.__sklearn_is_fitted__()
        with self._unchanged_on_failure():
            min_rows = 2 if first else 1
            rows = as_dense(self._validate_rows(X, reset=first, min_rows=min_rows))
            plan = self._plan(rows, Start.FIRST_BLOCK if first else Start.RESUMED)
            previous = None if first else self._previous_to_resume(plan)
            fitted = update_network(plan, rows, previous)
            self._set_fitted(fitted)
            self._set_additions(rows, plan.seeds.validation)
        if fitted.interrupted:
            raise KeyboardInterrupt
        return self

    def transform(self, X: Any) -> Any:
        """Encode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode. Sparse input is made dense block by block.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            Codes, of the dtype that the estimator was fitted in.
        """
        check_is_fitted(self)
        return self._encode(self._validate_rows(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` returns them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Rows in the units of the training data.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=_FLOATS, input_name="X")
        if codes.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but {type(self).__name__} expects "
                f"codes of n_components={self.n_components_} columns, as `transform` "
                "returns them."
            )
        return self._decode(codes)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Encode and decode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            ``inverse_transform(transform(X))``.
        """
        check_is_fitted(self)
        return self._decode(self._encode(self._validate_rows(X)))

    def __getstate__(self) -> dict[str, Any]:
        return stamp(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(unstamp(type(self).__name__, state))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_components_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _validate_rows(self, X: Any, reset: bool = False, min_rows: int = 1) -> Rows:
        if not reset and self._needs_no_conversion(X):
            return X
        rows: Rows = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            dtype=_FLOATS,
            ensure_min_samples=min_rows,
        )
        return rows

    def _needs_no_conversion(self, X: Any) -> bool:
        """Tell whether `validate_data` would return `X` as it is.

        For one row it takes twice as long as all the rest of `transform`.
        """
        if (
            type(X) is not np.ndarray
            or X.dtype not in _FLOATS
            or X.ndim != 2
            or X.shape[0] == 0
            or X.shape[1] != self.n_features_in_
            or hasattr(self, "feature_names_in_")
        ):
            return False
        with np.errstate(all="ignore"):
            return bool(np.isfinite(X.sum()))

    def _plan(self, X: np.ndarray, start: Start) -> FitPlan:
        """Check what depends on the data, and gather all that a fit needs."""
        if self.verbose:
            show_progress()
        self._check_range(X)
        automatic = isinstance(self.batch_size, str)
        plan = FitPlan(
            network=self._describe_network(X.shape[1], self._n_codes(X, start)),
            loss=self.loss,
            batch_size=self._auto_batch_size if automatic else int(self.batch_size),
            fewest_steps=self._auto_fewest_steps if automatic else 1,
            pca_shortcut=bool(self.pca_shortcut),
            early_stopping=bool(self.early_stopping),
            validation_fraction=float(self.validation_fraction),
            n_iter_no_change=int(self.n_iter_no_change),
            tol=float(self.tol),
            learning_rate=float(self.learning_rate_init),
            max_iter=int(self.max_iter),
            alpha=float(self.alpha),
            verbose=bool(self.verbose),
            seeds=draw_seeds(self.random_state),
        )
        plan = replace(plan, **self._plan_additions(start))
        if plan.whiten and not plan.free_code:
            raise ValueError(
                "whiten=True needs n_components and code_activation='linear', got "
                f"n_components={self.n_components!r} and code_activation="
                f"{self.code_activation!r}. Set one of them, or whiten=False."
            )
        if plan.ordered and not plan.free_code:
            raise ValueError(
                "Ordered codes, and n_components as a share of the variance or 'auto', "
                "need code_activation='linear', as a code that is cut off is zero. Got "
                f"n_components={self.n_components!r} and code_activation="
                f"{self.code_activation!r}."
            )
        return plan

    def _hidden_layer_sizes(self, auto: tuple[int, ...]) -> tuple[int, ...]:
        """Return the widths of the fully connected layers before the code."""
        if isinstance(self.hidden_layer_sizes, str):
            return auto
        return check_integers(
            self.hidden_layer_sizes, "hidden_layer_sizes", "'auto' or "
        )

    def _check_range(self, X: np.ndarray) -> None:
        if self.loss != "binary_crossentropy":
            return
        if self.output_activation != "sigmoid":
            raise ValueError(
                "loss='binary_crossentropy' needs output_activation='sigmoid', got "
                f"output_activation={self.output_activation!r}. Set it, or use "
                "loss='squared_error'."
            )
        low, high = X.min(), X.max()
        # What was scaled to it may be out by rounding.
        rounding = 4 * np.finfo(X.dtype).eps
        if low < -rounding or high > 1 + rounding:
            raise ValueError(
                "loss='binary_crossentropy' needs X in [0, 1], got values from "
                f"{low:g} to {high:g}. Scale X (for instance with MinMaxScaler) or use "
                "loss='squared_error'."
            )

    def _previous_to_resume(self, plan: FitPlan) -> Fitted:
        """Return the previous fit, whose network can be trained further."""
        previous = self._previous()
        self._check_continues(previous.network, plan.network)
        return previous

    def _check_continues(self, previous: Network, planned: Network) -> None:
        if not planned.continues(previous):
            raise ValueError(
                f"This {type(self).__name__} was fitted with another network, "
                f"{previous}, and cannot go on with {planned}. Restore the parameters "
                "that it was fitted with, or fit a clone."
            )

    def _set_fitted(self, fitted: Fitted) -> None:
        """Store a fit: arrays and builtins only, and nothing of the previous one."""
        self.n_components_ = fitted.network.encoder.n_outputs
        self.mean_ = fitted.mean
        self.history_ = fitted.history
        self.n_iter_ = len(fitted.history["loss"])
        self.used_network_ = fitted.used_network
        self.reconstruction_error_ = fitted.reconstruction_error
        self.pca_reconstruction_error_ = fitted.pca_reconstruction_error
        for name in ("explained_variance_ratio_", *_CURVES):
            self.__dict__.pop(name, None)
        if fitted.variance_ratio is not None:
            self.explained_variance_ratio_ = fitted.variance_ratio
        if fitted.curve is not None:
            self.reconstruction_curve_ = fitted.curve
            self.pca_reconstruction_curve_ = fitted.pca_curve
        self._network = to_builtins(fitted.network)
        self._encoder_arrays = fitted.weights.encoder
        self._decoder_arrays = fitted.weights.decoder
        self._scale = fitted.scale
        self._code_scale = fitted.code_scale
        # A plain tuple, so that the fitted state pickles as builtins and arrays.
        self._ordering: Any = None if fitted.ordering is None else (*fitted.ordering,)

    def _network_and_weights(self) -> tuple[Network, Weights]:
        weights = Weights(self._encoder_arrays, self._decoder_arrays)
        return from_builtins(self._network), weights

    def _previous(self) -> Fitted:
        network, weights = self._network_and_weights()
        return Fitted(
            network=network,
            weights=weights,
            mean=self.mean_,
            scale=self._scale,
            code_scale=self._code_scale,
            history=self.history_,
            reconstruction_error=self.reconstruction_error_,
            pca_reconstruction_error=self.pca_reconstruction_error_,
            used_network=self.used_network_,
            variance_ratio=getattr(self, "explained_variance_ratio_", None),
            curve=getattr(self, "reconstruction_curve_", None),
            pca_curve=getattr(self, "pca_reconstruction_curve_", None),
            ordering=None if self._ordering is None else Ordering._make(self._ordering),
        )

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        """Leave everything as it was where fitting fails."""
        state = self.__dict__.copy()
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(state)
            raise

    def _encode(self, X: Rows) -> np.ndarray:
        arrays = self._encoder_arrays
        X = X.astype(arrays[0].dtype, copy=False)
        return forward(from_builtins(self._network).encoder, arrays, X)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        arrays = self._decoder_arrays
        codes = codes.astype(arrays[0].dtype, copy=False)
        return forward(from_builtins(self._network).decoder, arrays, codes)
