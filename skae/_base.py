"""The base class of the estimators: the public methods, once."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, auto
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state, gen_batches
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from skae._compat import Interval, StrOptions, _fit_context
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
from skae._onnx_backend import PARTS as ONNX_PARTS
from skae._onnx_backend import to_model as to_onnx_model
from skae._persistence import stamp, unstamp
from skae._plan import FitPlan, Fitted, Ordering, Seeds
from skae._skl2onnx import codes_converter, codes_parser, codes_shape_calculator
from skae._tensorflow import import_with_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import keras
    import onnx
    from scipy.sparse import csr_array

Rows: TypeAlias = "np.ndarray | csr_array"

_FLOATS = (np.float64, np.float32)
_SCORE_BLOCK_ROWS = 1024
_CURVES = ("reconstruction_curve_", "pca_reconstruction_curve_")


class Start(Enum):
    """Where training begins: anew, with a first block, or where it ended."""

    ANEW = auto()
    FIRST_BLOCK = auto()
    RESUMED = auto()


class BaseAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What all autoencoders share: validation, fitted state, and the public methods.

    An estimator adds its parameters, their constraints and checks, and the description
    of its network. Numerical work does not belong here: it is done by functions of
    arrays and plain data in the other modules.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": [StrOptions({"auto"}), "array-like"],
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

    _keras_parts: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "reconstruction")

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
            rows = _as_dense(self._validate_rows(X, reset=True, min_rows=2))
            resumed = self.warm_start and self.__sklearn_is_fitted__()
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
        by `fit` or by `partial_fit`, at the constant rate `learning_rate_init`.

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
            rows = _as_dense(self._validate_rows(X, reset=first, min_rows=min_rows))
            plan = self._plan(rows, Start.FIRST_BLOCK if first else Start.RESUMED)
            previous = None if first else self._previous()
            if previous is not None:
                self._check_continues(previous.network, plan.network)
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

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the share of the variance that the reconstruction explains.

        It is ``1 - sum(|x - x_reconstructed|^2) / sum(|x - mean|^2)`` over the rows,
        with the mean of the training rows, whatever the training loss. Higher is
        better, but it rises with `n_components`: a search over `n_components` should
        score a downstream model instead.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in both sums.

        Returns
        -------
        score : float
            At most 1. Where the rows do not vary, 1 if they are reconstructed exactly
            and 0 otherwise.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        weights = np.ones(X.shape[0])
        if sample_weight is not None:
            weights = check_array(
                sample_weight,
                ensure_2d=False,
                dtype=np.float64,
                input_name="sample_weight",
            )
            check_consistent_length(X, weights)
        error = weights @ self._squared_errors(X)
        total = weights @ self._squared_distances_to_mean(X)
        if total == 0:
            return 1.0 if error == 0 else 0.0
        return float(1 - error / total)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the squared error of each row's reconstruction.

        The lower, the more unusual the row. The sum goes over the row's features; the
        mean over the rows is not `score`, which is a share of the variance. Nor is it
        the log-likelihood that the method of this name returns in
        :class:`~sklearn.decomposition.PCA`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``-sum((x - x_reconstructed)^2)`` of each row.
        """
        check_is_fitted(self)
        return -self._squared_errors(self._validate_rows(X))

    def to_keras(self, part: str = "reconstruction") -> keras.Model:
        """Build a Keras model of the fitted autoencoder.

        The model takes and returns the same units as the estimator's methods, in single
        precision, and is independent of the estimator.

        Parameters
        ----------
        part : {"encoder", "decoder", "reconstruction"}, default="reconstruction"
            The model does what `transform`, `inverse_transform` or `reconstruct` does.

        Returns
        -------
        model : keras.Model
            A model with its weights, not compiled.
        """
        check_is_fitted(self)
        _check_part(part, self._keras_parts)
        backend = import_with_tensorflow("skae._keras_backend")
        model: keras.Model = backend.to_model(*self._network_and_weights(), part)
        return model

    def to_onnx(self, part: str = "reconstruction") -> onnx.ModelProto:
        """Build an ONNX model of the fitted autoencoder, without TensorFlow.

        It takes and returns any number of rows in the units of the estimator's methods,
        in single precision. Its input is named "X" and its output "codes" (encoder) or
        "reconstruction"; the decoder's input is named "codes". It is of opset 17.

        For a whole pipeline use `skl2onnx.to_onnx`, which knows the estimator too.

        Parameters
        ----------
        part : {"encoder", "decoder", "reconstruction"}, default="reconstruction"
            The model does what `transform`, `inverse_transform` or `reconstruct` does.

        Returns
        -------
        model : onnx.ModelProto
            The model, which `onnx.save` writes to a file.

        Examples
        --------
        >>> from onnx.reference import ReferenceEvaluator
        >>> from sklearn.datasets import load_digits
        >>> from skae import DenseAE
        >>> X = load_digits().data.astype("float32")
        >>> autoencoder = DenseAE(2, max_iter=10, random_state=0).fit(X)
        >>> encoder = ReferenceEvaluator(autoencoder.to_onnx("encoder"))
        >>> (codes,) = encoder.run(None, {"X": X})
        >>> codes.shape
        (1797, 2)
        """
        check_is_fitted(self)
        _check_part(part, ONNX_PARTS)
        return to_onnx_model(*self._network_and_weights(), part)

    def onnx_parser(self) -> Callable[..., Any]:
        """Tell skl2onnx what comes out of `transform`.

        Returns
        -------
        parser : callable
            What skl2onnx looks for.
        """
        check_is_fitted(self)
        return codes_parser(type(self), from_builtins(self._network).encoder)

    def onnx_shape_calculator(self) -> Callable[..., Any]:
        """Tell skl2onnx the shape of the codes.

        Returns
        -------
        shape_calculator : callable
            What skl2onnx looks for.
        """
        check_is_fitted(self)
        return codes_shape_calculator(from_builtins(self._network).encoder)

    def onnx_converter(self) -> Callable[..., Any]:
        """Tell skl2onnx how to convert `transform`.

        Returns
        -------
        converter : callable
            What skl2onnx looks for.
        """
        check_is_fitted(self)
        return codes_converter(
            from_builtins(self._network).encoder, self._encoder_arrays
        )

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
            seeds=_draw_seeds(self.random_state),
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
        if low < 0 or high > 1:
            raise ValueError(
                "loss='binary_crossentropy' needs X in [0, 1], got values from "
                f"{low:g} to {high:g}. Scale X (for instance with MinMaxScaler) or use "
                "loss='squared_error'."
            )

    def _previous_to_resume(self, plan: FitPlan) -> Fitted | None:
        """Return the previous fit if its network can be trained further."""
        if not self.used_network_:
            return None
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

    def _squared_errors(self, X: Rows) -> np.ndarray:
        def error(block: np.ndarray) -> np.ndarray:
            return block - self._decode(self._encode(block))

        return _row_norms(X, error)

    def _squared_distances_to_mean(self, X: Rows) -> np.ndarray:
        return _row_norms(X, lambda block: block - self.mean_)


def _check_part(part: str, parts: tuple[str, ...]) -> None:
    if part not in parts:
        raise ValueError(f"part must be one of {parts}, got {part!r}.")


def _as_dense(X: Rows) -> np.ndarray:
    return X if isinstance(X, np.ndarray) else X.toarray()


def _row_norms(X: Rows, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the squared norms of ``of(rows)``."""

    def norms(rows: np.ndarray) -> np.ndarray:
        block = of(rows)
        return np.einsum("ij,ij->i", block, block, dtype=np.float64)

    return by_blocks(X, norms)


def by_blocks(X: Rows, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return one number a row, computed block by block to bound the memory."""
    values = np.empty(X.shape[0])
    for rows in gen_batches(X.shape[0], _SCORE_BLOCK_ROWS):
        values[rows] = function(_as_dense(X[rows]))
    return values


def as_generator(random_state: Any) -> np.random.RandomState:
    """Turn a `random_state` into a generator, for `None` one of fresh entropy.

    scikit-learn would use NumPy's global generator, which is the user's.
    """
    if random_state is None:
        return np.random.RandomState()
    generator: np.random.RandomState = check_random_state(random_state)
    return generator


def _draw_seeds(random_state: Any) -> Seeds:
    """Draw the seeds of a fit."""
    rng = as_generator(random_state)
    return Seeds(*(int(seed) for seed in rng.randint(2**31 - 1, size=4)))


def check_integers(values: Any, name: str, otherwise: str = "") -> tuple[int, ...]:
    """Check that a parameter is a sequence of integers of at least 1."""
    items = tuple(np.atleast_1d(np.asarray(values, dtype=object)))
    if not all(isinstance(item, Integral) and int(item) >= 1 for item in items):
        raise ValueError(
            f"{name} must be {otherwise}a sequence of integers of at least 1, got "
            f"{values!r}."
        )
    return tuple(int(item) for item in items)
