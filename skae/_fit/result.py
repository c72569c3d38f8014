"""The result of a fit, and its truncation to the first codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skae._network.affine import Affine, fold_before, scaling
from skae._network.description import Arrays, Network, Stack, Weights
from skae._network.nested import cut_decoder, cut_encoder, decoder_at, nested_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skae._fit.targets import TargetHead
    from skae._train.config import Ending


class NestedDecoder(NamedTuple):
    """A decoder that reconstructs from any number of the first codes.

    Attributes
    ----------
    arrays : list of ndarray
        Arrays of the decoder of `nested_network`, from codes as trained to rows in the
        units of the data.
    scale, shift : ndarray of shape (n_components,)
        The codes of the fit are ``trained * scale + shift``.
    """

    arrays: Arrays
    scale: np.ndarray
    shift: np.ndarray

    def astype(self, dtype: np.typing.DTypeLike) -> NestedDecoder:
        """Return the decoder with arrays in another precision."""
        return self._replace(arrays=[array.astype(dtype) for array in self.arrays])


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit returns: arrays and plain data, with the weights in the data's units.

    Attributes
    ----------
    network : Network
    weights : Weights
    mean : ndarray of shape (n_features,)
        Mean of the training rows.
    scale : float
        Root mean variance of the training rows' features; 1 for constant data.
    code_scale : ndarray of shape (n_components,)
        What a code of unit variance in training became.
    history : dict of str to list of float
    reconstruction_error, pca_reconstruction_error : float
        Mean squared errors over the same rows and all features.
    held_out : bool
        Whether these rows were held out of the training.
    used_network : bool
    variance_ratio : ndarray of shape (n_components,) or None
        Share of the variance along each component, if the result is PCA; with nested
        codes, the explained share that each code adds.
    interrupted : bool
        Whether the user ended training; the fit is the best until then.
    curve, pca_curve : ndarray of shape (n_components,) or None
        Mean squared errors from the first codes only, for nested codes.
    nested : NestedDecoder or None
        For the nested codes of a network.
    ending : Ending or None
        Why training ended; `None` if there was none.
    epochs_of_folds : bool
        Whether the number of epochs is the one that was best for folds.
    head : TargetHead or None
        The linear head on the codes, from which training beside targets goes on.
    target_score, pca_target_score : float or None
        Accuracy or R2 of that head, and of the best linear head on PCA's codes, on the
        rows of `reconstruction_error`.
    """

    network: Network
    weights: Weights
    mean: np.ndarray
    scale: float
    code_scale: np.ndarray
    history: dict[str, list[float]]
    reconstruction_error: float
    pca_reconstruction_error: float
    held_out: bool
    used_network: bool = True
    variance_ratio: np.ndarray | None = None
    interrupted: bool = False
    curve: np.ndarray | None = None
    pca_curve: np.ndarray | None = None
    nested: NestedDecoder | None = None
    ending: Ending | None = None
    epochs_of_folds: bool = False
    head: TargetHead | None = None
    target_score: float | None = None
    pca_target_score: float | None = None

    @property
    def code_map(self) -> Affine:
        """The map from codes as they were trained to those of the fit.

        Without nested codes it is their scale alone, as training goes on from the
        rotated codes.
        """
        if self.nested is None:
            return scaling(self.code_scale)
        return Affine(np.diag(self.nested.scale), self.nested.shift)

    def continued_by(self, later: FitResult) -> FitResult:
        """Return a later fit with this one's history before its own."""
        history = {
            name: self.history.get(name, []) + values
            for name, values in later.history.items()
        }
        return replace(later, history=history)

    def truncated(self, n_components: int) -> FitResult:
        """Return the fit that keeps the first nested codes only."""
        assert self.curve is not None
        assert self.pca_curve is not None
        dtype = self.weights.encoder[0].dtype
        encoder = cut_encoder(self.network.encoder, self.weights.encoder, n_components)
        if self.nested is None:
            stack, arrays = self.network.decoder, self.weights.decoder
            decoder = cut_decoder(stack, arrays, n_components)
        else:
            decoder = _decoder_of_first(self.network, self.nested, n_components)
        ratio = self.variance_ratio
        return replace(
            self,
            network=Network(encoder[0], decoder[0]),
            weights=Weights(encoder[1], decoder[1]).astype(dtype),
            code_scale=self.code_scale[:n_components],
            reconstruction_error=float(self.curve[n_components - 1]),
            pca_reconstruction_error=float(self.pca_curve[n_components - 1]),
            variance_ratio=None if ratio is None else ratio[:n_components],
            curve=self.curve[:n_components],
            pca_curve=self.pca_curve[:n_components],
            nested=None,
        )

    def truncated_with_curves(self, n_components: int) -> FitResult:
        """Return the fit of the first codes, with the errors for all numbers of codes.

        Those are what `n_components` was chosen from.
        """
        return self.truncated(n_components).with_curves_of(self)

    def with_curves_of(self, other: FitResult) -> FitResult:
        """Return the fit with another one's errors by number of codes."""
        return replace(self, curve=other.curve, pca_curve=other.pca_curve)


def _decoder_of_first(
    network: Network, nested: NestedDecoder, n_components: int
) -> tuple[Stack, Arrays]:
    """Fold the nested decoder into that of the first codes, in their final units."""
    wide = nested_network(network).decoder
    arrays = [array.astype(np.float64) for array in nested.arrays]
    stack, arrays = decoder_at(wide, arrays, network.encoder.n_outputs, n_components)
    codes = Affine(np.diag(nested.scale[:n_components]), nested.shift[:n_components])
    return stack, fold_before(codes.inverse(), stack, stack.split(arrays)).joined()


def mean_curve(curves: Sequence[list[float]]) -> list[float]:
    """Average the losses of folds epoch by epoch, up to the shortest one."""
    return [float(np.mean(values)) for values in zip(*curves, strict=False)]
