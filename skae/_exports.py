"""The fitted autoencoder as a model of other libraries."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.utils.validation import check_is_fitted

from skae._network.onnx_interpreter import PARTS as ONNX_PARTS
from skae._network.onnx_interpreter import to_model as to_onnx_model
from skae._network.skl2onnx_converter import (
    codes_converter,
    codes_parser,
    codes_shape_calculator,
)
from skae._utils.tensorflow_import import import_with_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import onnx

    from skae._network.description import Network, Weights


class ExportMixin:
    """Mixin that builds Keras and ONNX models."""

    _keras_parts: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "reconstruction")

    @abstractmethod
    def _network_and_weights(self) -> tuple[Network, Weights]:
        """Return the fitted network, in the units of the data."""

    def to_keras(self, part: str = "reconstruction") -> keras.Model:
        """Build a Keras model of the fitted autoencoder.

        The model uses the same units as the methods of the estimator, computes in
        single precision, and is independent of the estimator.

        Parameters
        ----------
        part : {"encoder", "decoder", "reconstruction"}, default="reconstruction"
            Method that the model computes: `transform`, `inverse_transform` or
            `reconstruct`, respectively. `VAETransformer` also has the part "posterior",
            which returns the mean and the log-variance of the codes.

        Returns
        -------
        model : keras.Model
            Model with the fitted weights, not compiled.
        """
        check_is_fitted(self)
        self._check_part(part, self._keras_parts)
        interpreter = import_with_tensorflow("skae._network.keras_interpreter")
        model: keras.Model = interpreter.to_model(*self._network_and_weights(), part)
        return model

    def to_onnx(self, part: str = "reconstruction") -> onnx.ModelProto:
        """Build an ONNX model of the fitted autoencoder, without TensorFlow.

        The model takes and returns any number of rows, in the same units as the methods
        of the estimator and in single precision. The input is named "X", and the output
        is named "codes" (encoder) or "reconstruction". The input of the decoder is
        named "codes". The model uses opset 17.

        To convert a whole pipeline, use `skl2onnx.to_onnx`; it supports this estimator.

        Parameters
        ----------
        part : {"encoder", "decoder", "reconstruction"}, default="reconstruction"
            Method that the model computes: `transform`, `inverse_transform` or
            `reconstruct`, respectively.

        Returns
        -------
        model : onnx.ModelProto
            Model, which `onnx.save` writes to a file.

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
        self._check_part(part, ONNX_PARTS)
        return to_onnx_model(*self._network_and_weights(), part)

    def onnx_parser(self) -> Callable[..., Any]:
        """Return the function that declares the output of `transform` to skl2onnx.

        Returns
        -------
        parser : callable
            The parser that skl2onnx calls.
        """
        check_is_fitted(self)
        network, _ = self._network_and_weights()
        return codes_parser(type(self), network.encoder)

    def onnx_shape_calculator(self) -> Callable[..., Any]:
        """Return the function that tells skl2onnx the shape of the codes.

        Returns
        -------
        shape_calculator : callable
            The shape calculator that skl2onnx calls.
        """
        check_is_fitted(self)
        network, _ = self._network_and_weights()
        return codes_shape_calculator(network.encoder)

    def onnx_converter(self) -> Callable[..., Any]:
        """Return the function that converts `transform` for skl2onnx.

        Returns
        -------
        converter : callable
            The converter that skl2onnx calls.
        """
        check_is_fitted(self)
        network, weights = self._network_and_weights()
        return codes_converter(network.encoder, weights.encoder)

    def _check_part(self, part: str, parts: tuple[str, ...]) -> None:
        if part not in parts:
            raise ValueError(
                f"The part of a {type(self).__name__} must be one of {parts}, got "
                f"{part!r}."
            )
