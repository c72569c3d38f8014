"""The fitted autoencoder as a model of other libraries."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.utils.validation import check_is_fitted

from skae._onnx_backend import PARTS as ONNX_PARTS
from skae._onnx_backend import to_model as to_onnx_model
from skae._skl2onnx import codes_converter, codes_parser, codes_shape_calculator
from skae._tensorflow import import_with_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import onnx

    from skae._network import Network, Weights


class ExportMixin:
    """The methods that build models for Keras and ONNX."""

    _keras_parts: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "reconstruction")

    @abstractmethod
    def _network_and_weights(self) -> tuple[Network, Weights]:
        """Return the fitted network, in the units of the data."""

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
        network, _ = self._network_and_weights()
        return codes_parser(type(self), network.encoder)

    def onnx_shape_calculator(self) -> Callable[..., Any]:
        """Tell skl2onnx the shape of the codes.

        Returns
        -------
        shape_calculator : callable
            What skl2onnx looks for.
        """
        check_is_fitted(self)
        network, _ = self._network_and_weights()
        return codes_shape_calculator(network.encoder)

    def onnx_converter(self) -> Callable[..., Any]:
        """Tell skl2onnx how to convert `transform`.

        Returns
        -------
        converter : callable
            What skl2onnx looks for.
        """
        check_is_fitted(self)
        network, weights = self._network_and_weights()
        return codes_converter(network.encoder, weights.encoder)


def _check_part(part: str, parts: tuple[str, ...]) -> None:
    if part not in parts:
        raise ValueError(f"part must be one of {parts}, got {part!r}.")
