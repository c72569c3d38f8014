"""An outlier detector as a model of ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skae._exports import ExportMixin
from skae._network.onnx_interpreter import Graph, model_of
from skae._network.outlier_graph import Detector, Step, add_detector, affine_step
from skae._network.skl2onnx_converter import (
    detector_converter,
    detector_parser,
    detector_shape_calculator,
)
from skae._utils.optional import import_optional

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx


class OutlierExportMixin:
    """Mixin that builds ONNX models of the score and the label."""

    estimator_: Any
    code_limits_: np.ndarray | None
    offset_: float
    error: str
    units: str
    n_features_in_: int

    def to_onnx(self) -> onnx.ModelProto:
        """Build an ONNX model of the label and the score.

        The model takes any number of rows in single precision, as "X". It returns
        "label", 1 or -1 as from `predict`, and "scores", as from `decision_function`;
        both have shape (n_samples, 1), as those of skl2onnx's own detectors. The model
        uses opset 17. To convert a whole pipeline, use `skl2onnx.to_onnx`.

        Returns
        -------
        model : onnx.ModelProto
            Model, which `onnx.save` writes to a file.

        Raises
        ------
        NotImplementedError
            If the estimator is neither an autoencoder of this package nor PCA or
            StandardScaler, nor a pipeline of these.
        """
        detector = self._detector()
        proto = import_optional("onnx", "onnx", "to_onnx").TensorProto
        graph = Graph()
        label, score = add_detector(graph, detector, "X")
        graph.rename({label: "label", score: "scores"})
        return model_of(
            graph,
            "skae_outliers",
            ("X", proto.FLOAT, detector.n_features),
            [("label", proto.INT64, 1), ("scores", proto.FLOAT, 1)],
        )

    def onnx_parser(self) -> Callable[..., Any]:
        """Return the function that declares label and score to skl2onnx.

        Returns
        -------
        parser : callable
            The parser that skl2onnx calls.
        """
        self._detector()  # refused before anything is converted
        return detector_parser(type(self))

    def onnx_shape_calculator(self) -> Callable[..., Any]:
        """Return the function that tells skl2onnx the shapes of label and score.

        Returns
        -------
        shape_calculator : callable
            The shape calculator that skl2onnx calls.
        """
        check_is_fitted(self)
        return detector_shape_calculator(self.n_features_in_)

    def onnx_converter(self) -> Callable[..., Any]:
        """Return the function that converts label and score for skl2onnx.

        Returns
        -------
        converter : callable
            The converter that skl2onnx calls.
        """
        return detector_converter(self._detector())

    def _detector(self) -> Detector:
        check_is_fitted(self)
        encoders, decoders = _steps(self.estimator_)
        scale = np.ones(self.n_features_in_)
        if self.units == "held_out":
            scale = vars(self)["feature_scale_"]
        absolute = self.error == "absolute"
        limits = self.code_limits_
        return Detector(encoders, decoders, limits, scale, absolute, self.offset_)


def _steps(estimator: Any) -> tuple[list[Step], list[Step]]:
    """Return the steps from rows to codes, and those back to rows.

    Subclasses may compute something else, so types are compared.
    """
    # Serving needs none of these, and they take a quarter of a second.
    from sklearn.decomposition import PCA
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    kind = type(estimator)
    if isinstance(estimator, ExportMixin):
        network, weights = estimator._network_and_weights()
        encoder = Step(network.encoder, weights.encoder)
        return [encoder], [Step(network.decoder, weights.decoder)]
    if kind is FrozenEstimator:
        return _steps(estimator.estimator)
    if kind is Pipeline:
        halves = [_steps(step) for _, step in estimator.steps if not _is_nothing(step)]
        encoders = [step for half, _ in halves for step in half]
        return encoders, [step for _, half in halves[::-1] for step in half]
    if kind is PCA:
        return _steps_of_pca(estimator)
    if kind is StandardScaler:
        return _steps_of_scaler(estimator)
    raise NotImplementedError(
        f"The export to ONNX does not know the inverse_transform of {estimator!r}. It "
        "supports the autoencoders of skae, PCA, StandardScaler, and pipelines of "
        "these. Put other steps before the detector, in a pipeline that skl2onnx "
        "converts."
    )


def _is_nothing(step: Any) -> bool:
    return step is None or step == "passthrough"


def _steps_of_pca(pca: Any) -> tuple[list[Step], list[Step]]:
    scale = np.sqrt(pca.explained_variance_) if pca.whiten else 1.0
    kernel = pca.components_.T / scale
    return (
        [affine_step(kernel, -pca.mean_ @ kernel)],
        [affine_step((pca.components_.T * scale).T, pca.mean_)],
    )


def _steps_of_scaler(scaler: Any) -> tuple[list[Step], list[Step]]:
    n_features = scaler.n_features_in_
    scale = np.ones(n_features) if scaler.scale_ is None else scaler.scale_
    mean = np.zeros(n_features)
    if scaler.with_mean:
        mean = scaler.mean_
    return (
        [affine_step(np.diag(1 / scale), -mean / scale)],
        [affine_step(np.diag(scale), mean)],
    )
