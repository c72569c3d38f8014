"""The base class of the estimators: the public methods, once."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import replace
from enum import Enum, auto
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skae._advice import INSTEAD, advice
from skae._callbacks import CallbackMixin, CallbackTasks, has_callbacks, label_of
from skae._constraints import (
    CONSTRAINTS,
    check_linear_code,
    check_range,
    check_reach,
    resolved_batch_size,
)
from skae._exports import ExportMixin
from skae._fit.fit import fit_network, update_network
from skae._fit.plan import FitPlan
from skae._fit.report import outcome, outcome_of_block
from skae._fit.result import FitResult
from skae._fit.rows import INDEPENDENT, HoldoutRequest, TrainingRows
from skae._holdout import holdout_request
from skae._html import FittedFactsMixin
from skae._loadings import LoadingsMixin
from skae._network.description import Network, Weights
from skae._network.numpy_interpreter import forward
from skae._persistence import from_saved, to_saved
from skae._scoring import ScoreMixin
from skae._targets import GivenTargets
from skae._train.corruption import NO_CORRUPTION, Corruption
from skae._transaction import changed_on_success, snapshot
from skae._utils.blocks import SparseRows
from skae._utils.compat import _fit_context
from skae._utils.display import status_shown
from skae._utils.frames import refuse_text
from skae._utils.parameters import check_integers, draw_seeds
from skae._utils.progress import Progress

if TYPE_CHECKING:
    from skae._fit.code_kinds import CodeKind
    from skae._fit.result import NestedDecoder
    from skae._fit.targets import Targets
    from skae._network.description import Arrays
    from skae._scoring import Rows
    from skae._utils.blocks import DataRows

_FLOATS = (np.float64, np.float32)

# Sparse rows with at most this many values, zeros included, are made dense at once.
_FEW_VALUES = 2**22

# Fitted attributes that not every fit sets.
_VARIANCE_RATIOS = ("held_out_variance_ratio_", "explained_variance_ratio_")
_CURVES = ("reconstruction_curve_", "pca_reconstruction_curve_")


class Start(Enum):
    """Where training begins: from PCA, with a first block, or at the previous fit."""

    FRESH = auto()
    FIRST_BLOCK = auto()
    RESUMED = auto()


class BaseAutoencoder(
    ExportMixin,
    LoadingsMixin,
    ScoreMixin,
    CallbackMixin,
    FittedFactsMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base class of all autoencoders: validation, fitted state, public methods.

    An estimator adds its parameters with their constraints and checks, describes its
    network, and names its kind of code. Numerical work does not belong here: functions
    of arrays and plain data do it, in the subpackages.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    # The groups of a search by groups also belong to each fit in it. Other estimators
    # of scikit-learn ask the user first, as they do for X_val.
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"groups": True}

    n_components: Any
    hidden_layer_sizes: Any
    activation: str
    code_activation: str
    output_activation: str
    pca_shortcut: bool
    loss: str
    alpha: float
    learning_rate_init: float
    batch_size: int | str
    max_iter: int
    early_stopping: bool
    validation_fraction: float
    holdout: Any
    n_iter_no_change: int
    tol: float
    warm_start: bool
    random_state: Any
    verbose: int

    # The fitted state beside the public attributes: plain data and arrays.
    _network: Network
    _encoder_arrays: Arrays
    _decoder_arrays: Arrays
    _held_out: bool
    _scale: float
    _code_scale: np.ndarray
    _nested: NestedDecoder | None

    # What batch_size="auto" stands for, and the smallest number of batches that few
    # rows are divided into. Judged by `python -m benchmarks full --only quality`.
    _auto_batch_size: ClassVar[int] = 128
    _auto_min_steps: ClassVar[int] = 4

    def _set_parameters(self, parameters: dict[str, Any]) -> None:
        """Store each parameter as it is, given the `locals()` of `__init__`."""
        for name, value in parameters.items():
            if name != "self":
                setattr(self, name, value)

    # --- What an estimator defines or overrides ---

    @abstractmethod
    def _describe_network(
        self, n_features: int, hidden_layer_sizes: tuple[int, ...], n_components: Any
    ) -> Network:
        """Describe the network to train on rows of `n_features`."""

    @abstractmethod
    def _auto_hidden_layer_sizes(self, n_components: Any) -> tuple[int, ...]:
        """Return the widths that "auto" stands for."""

    @abstractmethod
    def _code_kind(self, start: Start) -> CodeKind:
        """Return the kind of code that the network learns."""

    def _corruption(self) -> tuple[Corruption, float]:
        """Return the corruption of the inputs in training, and its level."""
        return NO_CORRUPTION, 0.0

    def _n_codes(self, rows: TrainingRows, start: Start) -> Any:
        """Return the number of codes to train."""
        return self.n_components

    def _variance_target(self, start: Start) -> float | str | None:
        """Return what decides how many of the codes are kept; `None` keeps all."""
        return None

    def _starts_at_pca(self) -> bool:
        """Tell whether training starts at PCA."""
        return bool(self.pca_shortcut)

    def _set_estimator_attributes(self, X: DataRows, seed: int) -> None:
        """Set the fitted attributes that only some autoencoders have.

        They are computed from the rows `X` of the fit, after all others are set.
        """

    def _targets(
        self, given: GivenTargets, X: DataRows, X_val: DataRows | None, resumed: bool
    ) -> Targets | None:
        """Return what the network is trained to predict, beside the rows, if anything.

        `resumed` tells whether training goes on from the previous fit.
        """
        return None

    # --- The public methods ---

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any = None, *, groups: Any = None, X_val: Any = None
    ) -> Self:
        """Fit the autoencoder to the rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, at least two. Sparse input is made dense block by block,
            never all at once if it is large.
        y : array-like of shape (n_samples,), default=None
            Ignored, but for a splitter given as `holdout` that uses it.
        groups : array-like of shape (n_samples,), default=None
            The group of each row, such as the subject that it was measured on. With
            ``holdout="random"``, or with a splitter that uses groups, rows of a group
            stay together: they are all trained on or all held out. At least two
            groups. ``holdout="blocks"`` takes no notice of them.
        X_val : {array-like, sparse matrix} of shape (n_held_out, n_features), \
                default=None
            The rows to hold out, in the place of a part of `X`; at least two, in the
            units of `X`. All rows of `X` are then trained on. With
            ``early_stopping=False`` the errors are measured on them, but nothing is
            decided by them.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the parameters or the arguments are invalid, or if the loss is not finite
            from the start of training. A previous fit is then preserved.
        """
        return self._fit(X, GivenTargets(y), groups, X_val)

    def _fit(self, X: Any, given: GivenTargets, groups: Any, X_val: Any) -> Self:
        start = perf_counter()
        with self._status(X) as status:
            with changed_on_success(self) as new:
                read = new._rows_to_fit(X, reset=True, min_rows=2)
                fitted_before = self.warm_start and self.__sklearn_is_fitted__()
                resumed = fitted_before and self.used_network_
                holdout = new._holdout(read, given.y, groups, X_val)
                targets = new._targets(given, read, holdout.X_val, resumed)
                rows = TrainingRows(read, type(self).__name__, holdout, targets)
                plan = new._plan(rows, Start.RESUMED if resumed else Start.FRESH)
                previous = self._result_to_resume(plan) if resumed else None

                def set_fitted(model: Self, result: FitResult) -> None:
                    model._set_result(result)
                    model._set_estimator_attributes(read, plan.seeds.validation)

                tasks = CallbackTasks.of(self, new, set_fitted, (X, given.y))
                plan = replace(plan, progress=Progress.told_to(status, tasks))
                result = fit_network(plan, rows, previous)
                set_fitted(new, result)
            if status is not None:
                status.closing = outcome(result, perf_counter() - start)
        if result.interrupted:
            raise KeyboardInterrupt
        return self

    def _status(self, X: Any, has_phases: bool = True) -> Any:
        """Return a context in which `verbose` shows what the fit is doing."""
        return status_shown(
            label_of(self, X) if self.verbose else "",
            int(self.verbose),
            alone=not has_callbacks(self),
            has_phases=has_phases,
        )

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one epoch on a block of rows.

        No rows are held out, so `early_stopping` and `holdout` are ignored, and there
        are neither groups nor validation rows to pass. The first block
        determines the mean, the scale and the PCA start, so it should be
        representative. If `n_components` is a float or "auto", the first block also
        determines the number of components, as the number that PCA needs. Later blocks
        continue from the current state, whether fitted by `fit` or by `partial_fit`, at
        the constant learning rate `learning_rate_init`. With ``batch_size="auto"``, a
        small block is a single batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Block of rows; the first block must have at least two. Sparse input is made
            dense block by block.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._partial_fit(X, GivenTargets(y))

    def _partial_fit(self, X: Any, given: GivenTargets) -> Self:
        first, start = not self.__sklearn_is_fitted__(), perf_counter()
        with self._status(X, has_phases=False) as status:
            with changed_on_success(self) as new:
                read = new._rows_to_fit(X, reset=first, min_rows=2 if first else 1)
                targets = new._targets(given, read, None, not first)
                rows = TrainingRows(read, type(self).__name__, targets=targets)
                plan = new._plan(rows, Start.FIRST_BLOCK if first else Start.RESUMED)
                plan = replace(plan, progress=Progress.told_to(status))
                previous = None if first else self._result_to_resume(plan)
                result = update_network(plan, rows, previous)
                new._set_result(result)
                new._set_estimator_attributes(read, plan.seeds.validation)
            if status is not None:
                status.closing = outcome_of_block(result, perf_counter() - start)
        if result.interrupted:
            raise KeyboardInterrupt
        return self

    def transform(self, X: Any) -> Any:
        """Return the codes of the rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode. Sparse input is made dense block by block.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            Codes, in the dtype of the training data.
        """
        check_is_fitted(self)
        return self._encode(self._validate_rows(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Return the rows that the decoder reconstructs from codes.

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
        """Return the reconstruction of the rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            Reconstructed rows, equal to ``inverse_transform(transform(X))``.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        return fitted._decode(fitted._encode(fitted._validate_rows(X)))

    # --- The contract with scikit-learn, and the saved format ---

    if not TYPE_CHECKING:  # or type checkers would take any attribute to exist

        def __getattr__(self, name: str) -> Any:
            if name in INSTEAD and self.__sklearn_is_fitted__():
                raise advice(self, name)
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}",
                name=name,
                obj=self,
            )

    def __getstate__(self) -> dict[str, Any]:
        return to_saved(type(self), super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(from_saved(type(self), state))

    def __sklearn_is_fitted__(self) -> bool:
        return "n_components_" in self.__dict__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    # --- From parameters and rows to a plan ---

    def _rows_to_fit(self, X: Any, reset: bool, min_rows: int) -> DataRows:
        rows = self._validate_rows(X, reset=reset, min_rows=min_rows)
        if not isinstance(rows, np.ndarray):
            if rows.shape[0] * rows.shape[1] > _FEW_VALUES:
                return SparseRows(csr_array(rows))
            rows = rows.toarray()
        # From the columns of a data frame, NumPy would copy all rows for each batch.
        return np.ascontiguousarray(rows)

    def _holdout(self, X: DataRows, y: Any, groups: Any, X_val: Any) -> HoldoutRequest:
        """Return how the rows belong together, and check what the user says of it."""
        by_default = groups is None and self.holdout == "random"
        if X_val is None and (by_default or not self.early_stopping):
            return INDEPENDENT
        name = type(self).__name__
        if X_val is not None:
            try:
                X_val = self._rows_to_fit(X_val, reset=False, min_rows=1)
            except ValueError as error:
                raise ValueError(f"{name} cannot use X_val: {error}") from error
            with np.errstate(over="ignore"):
                X_val = X_val.astype(X.dtype, copy=False)
        return holdout_request(name, self.holdout, X, y, groups, X_val)

    def _validate_rows(self, X: Any, reset: bool = False, min_rows: int = 1) -> Rows:
        if not reset and self._needs_no_conversion(X):
            return X
        with refuse_text(X, type(self).__name__):
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
        """Tell whether `validate_data` would return `X` unchanged.

        For one row, that check takes twice as long as all the rest of `transform`.
        """
        if (
            type(X) is not np.ndarray
            or X.dtype not in _FLOATS
            or X.ndim != 2
            or X.shape[0] == 0
            or X.shape[1] != self.n_features_in_
            or "feature_names_in_" in vars(self)
        ):
            return False
        with np.errstate(all="ignore"):
            return bool(np.isfinite(X.sum()))

    def _plan(self, rows: TrainingRows, start: Start) -> FitPlan:
        """Check what depends on the data, and collect everything that a fit needs."""
        name, output_activation = type(self).__name__, self.output_activation
        if output_activation != "linear" or self.loss == "binary_crossentropy":
            check = check_range if self.loss == "binary_crossentropy" else check_reach
            check(name, output_activation, rows.X, "X")
            if rows.holdout.X_val is not None:
                check(name, output_activation, rows.holdout.X_val, "X_val")
        corruption, noise_level = self._corruption()
        pca_shortcut = self._starts_at_pca()
        code_kind = self._code_kind(start)
        n_components = self._n_codes(rows, start)
        return FitPlan(
            estimator=name,
            code_kind=code_kind,
            variance_target=self._variance_target(start),
            network=self._describe_network(
                rows.X.shape[1],
                self._resolved_hidden_layer_sizes(n_components, start),
                n_components,
            ),
            loss=self.loss,
            batch_size=resolved_batch_size(
                self.batch_size, self._auto_batch_size, len(rows.X)
            ),
            min_steps=self._auto_min_steps if self.batch_size == "auto" else 1,
            pca_shortcut=pca_shortcut,
            early_stopping=bool(self.early_stopping),
            validation_fraction=float(self.validation_fraction),
            n_iter_no_change=int(self.n_iter_no_change),
            tol=float(self.tol),
            learning_rate=float(self.learning_rate_init),
            max_iter=int(self.max_iter),
            alpha=float(self.alpha),
            seeds=draw_seeds(self.random_state),
            corruption=corruption,
            noise_level=noise_level,
        )

    def _resolved_hidden_layer_sizes(
        self, n_components: Any, start: Start
    ) -> tuple[int, ...]:
        """Return the widths of the fully connected layers before the code."""
        if not isinstance(self.hidden_layer_sizes, str):
            return check_integers(
                self.hidden_layer_sizes,
                "hidden_layer_sizes",
                type(self).__name__,
                "'auto', ",
            )
        if start is Start.RESUMED and self.used_network_:
            return self._network.encoder.hidden_dense_widths
        return self._auto_hidden_layer_sizes(n_components)

    def _check_linear_code(self, parameter: str) -> None:
        """Raise ValueError if codes are not linear, as the `parameter` needs them."""
        check_linear_code(type(self).__name__, parameter, self.code_activation)

    # --- From a result to the fitted state, and back ---

    def _result_to_resume(self, plan: FitPlan) -> FitResult:
        """Return the previous fit, if its network can be trained further."""
        previous = self._result()
        if not plan.network.continues(previous.network):
            raise ValueError(
                f"This {type(self).__name__} was fitted with another network, "
                f"{previous.network}, and cannot go on with {plan.network}. Restore "
                "the parameters that it was fitted with, or fit a clone."
            )
        return previous

    def _set_result(self, result: FitResult) -> None:
        """Store the result of a fit, and nothing of the previous fit."""
        self.n_components_ = result.network.encoder.n_outputs
        self.mean_ = result.mean
        self.history_ = result.history
        self.n_iter_ = len(result.history["loss"])
        self.used_network_ = result.used_network
        self.reconstruction_error_ = result.reconstruction_error
        self.pca_reconstruction_error_ = result.pca_reconstruction_error
        self._held_out = result.held_out
        # PCA's shares are those of the training rows; those of ordered codes are gains
        # on held-out rows.
        shares = _VARIANCE_RATIOS[not result.used_network]
        values = (result.variance_ratio, result.curve, result.pca_curve)
        for name in _VARIANCE_RATIOS + _CURVES:
            self.__dict__.pop(name, None)
        for name, value in zip((shares, *_CURVES), values, strict=True):
            if value is not None:
                setattr(self, name, value)
        self._network = result.network
        self._encoder_arrays, self._decoder_arrays = result.weights
        self._scale = result.scale
        self._code_scale = result.code_scale
        self._nested = result.nested

    def _result(self) -> FitResult:
        """Return the result that the fitted state holds."""
        shares = _VARIANCE_RATIOS[not self.used_network_]
        ratio, curve, pca_curve = (vars(self).get(name) for name in (shares, *_CURVES))
        return FitResult(
            network=self._network,
            weights=Weights(self._encoder_arrays, self._decoder_arrays),
            mean=self.mean_,
            scale=self._scale,
            code_scale=self._code_scale,
            history=self.history_,
            reconstruction_error=self.reconstruction_error_,
            pca_reconstruction_error=self.pca_reconstruction_error_,
            held_out=self._held_out,
            used_network=self.used_network_,
            variance_ratio=ratio,
            curve=curve,
            pca_curve=pca_curve,
            nested=self._nested,
        )

    def _network_and_weights(self) -> tuple[Network, Weights]:
        return self._network, Weights(self._encoder_arrays, self._decoder_arrays)

    def _encode(self, X: Rows) -> np.ndarray:
        arrays = self._encoder_arrays
        X = X.astype(arrays[0].dtype, copy=False)
        return forward(self._network.encoder, arrays, X)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        arrays = self._decoder_arrays
        codes = codes.astype(arrays[0].dtype, copy=False)
        return forward(self._network.decoder, arrays, codes)
