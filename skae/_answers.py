"""What a fit answers: the network in the units of the data, or PCA."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skae._blocks import row_blocks
from skae._initialization import (
    PrincipalAxes,
    pca_network,
    principal_axes,
    variational_pca_network,
)
from skae._judging import Judgement, Rows, mean_of_rows, pca_errors
from skae._losses import finite_log_variance
from skae._network import Arrays, Network, Stack, Weights
from skae._numpy_backend import forward, forward_log_variance
from skae._ordering import cut_decoder, cut_encoder, decoder_at, ordered_network
from skae._plan import FitPlan, Fitted, Ordering, Outcome
from skae._runs import (
    Prepared,
    Trained,
    all_rows,
    as_type,
    blocks_to_judge,
    input_units,
)
from skae._units import (
    Affine,
    Units,
    centred_codes,
    change_units,
    code_moments,
    fold_before,
    principal_codes,
    prior_codes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def answer_network(
    plan: FitPlan, data: Prepared, trained: Trained, judgement: Judgement
) -> Fitted:
    """Return the trained network, its linear codes in their final units.

    Those are the principal axes, or for variational codes the prior's; ordered codes
    are only centred.
    """
    if not plan.linear_code:
        return fitted_network(plan, data, trained, judgement)
    # In double precision: single would depend on how BLAS shares the work.
    stack = plan.network.encoder
    encoder = as_type(trained.outcome.weights, np.float64).encoder
    blocks = (Z.astype(np.float64) for Z in row_blocks(data.Z))
    if plan.bound is not None:
        posterior = [
            (forward(stack, encoder, Z), forward_log_variance(stack, encoder, Z))
            for Z in blocks
        ]
        codes, log_variance = map(np.vstack, zip(*posterior, strict=True))
        units = prior_codes(codes, finite_log_variance(np, log_variance))
        return fitted_network(plan, data, trained, judgement, units)
    codes_as_trained = code_moments((forward(stack, encoder, Z), Z) for Z in blocks)
    find_units = centred_codes if plan.ordered else principal_codes
    scale = unit_scale(plan, data, trained.axes)
    units = find_units(codes_as_trained, scale, plan.whiten)
    scale = codes_as_trained.under(units).scale
    return fitted_network(plan, data, trained, judgement, units, scale)


def unit_scale(plan: FitPlan, data: Prepared, axes: PrincipalAxes) -> np.ndarray:
    """Return what a code of unit variance in training stands for afterwards.

    PCA's codes are in the units of the data.
    """
    if plan.whiten:
        return np.ones(plan.n_components)
    unit = data.scale if plan.linear_output else 1.0
    if plan.pca_shortcut:
        return axes.unit_scale * unit
    return np.full(plan.n_components, unit)


def fitted_network(
    plan: FitPlan,
    data: Prepared,
    trained: Trained,
    judgement: Judgement,
    codes: Affine | None = None,
    code_scale: np.ndarray | None = None,
) -> Fitted:
    """Return the trained network in the units of the data, its codes in `codes`."""
    outcome = trained.outcome
    encoder, decoder = change_units(
        plan.trained_network,
        as_type(outcome.weights, np.float64),
        Units(input_units(plan, data.mean, data.scale), None),
    )
    ordering = None
    if plan.ordered:
        assert codes is not None
        arrays = [array.astype(data.X.dtype) for array in decoder]
        ordering = Ordering(arrays, np.diag(codes.matrix), codes.shift)
        stack = plan.trained_network.decoder
        _, decoder = decoder_at(stack, decoder, plan.n_components, plan.n_components)
    weights = change_units(plan.network, Weights(encoder, decoder), Units(None, codes))
    fitted = Fitted(
        network=plan.network,
        weights=as_type(weights, data.X.dtype),
        mean=data.mean.astype(data.X.dtype),
        scale=data.scale,
        code_scale=np.ones(plan.n_components) if code_scale is None else code_scale,
        history={"loss": outcome.loss, "val_loss": outcome.val_loss},
        reconstruction_error=float(judgement.curve[-1]),
        pca_reconstruction_error=float(judgement.pca_curve[-1]),
        interrupted=outcome.interrupted,
        ordering=ordering,
    )
    if not plan.ordered:
        return fitted
    return replace(
        fitted,
        variance_ratio=np.diff(judgement.explained, prepend=0.0),
        curve=judgement.curve,
        pca_curve=judgement.pca_curve,
    )


def answer_pca(
    plan: FitPlan,
    data: Prepared,
    judgement: Judgement | None = None,
    outcomes: Sequence[Outcome] = (),
) -> Fitted:
    """Return PCA of all rows, with the record of the trials that led to it if any."""
    axes = principal_axes(data.X, plan.n_components)
    if judgement is None:
        errors = pca_errors(plan, axes, _own_rows(plan, data))
        curve = mean_of_rows(errors)
    else:
        curve = judgement.pca_curve
    error = float(curve[-1])
    outcomes = outcomes or [Outcome(Weights([], []), [error / data.scale**2])]
    if plan.bound is None:
        network, weights = pca_network(axes, plan.whiten)
    else:
        network, weights = variational_pca_network(axes)
    return Fitted(
        network=network,
        weights=as_type(weights, data.X.dtype),
        mean=data.mean.astype(data.X.dtype),
        scale=data.scale,
        code_scale=np.ones(plan.n_components) if plan.whiten else axes.unit_scale,
        history={
            "loss": mean_curve([outcome.loss for outcome in outcomes]),
            "val_loss": mean_curve([outcome.val_loss for outcome in outcomes]),
        },
        reconstruction_error=error,
        pca_reconstruction_error=error,
        used_network=False,
        variance_ratio=axes.variance_ratio,
        interrupted=outcomes[-1].interrupted,
        curve=curve if plan.ordered else None,
        pca_curve=curve if plan.ordered else None,
    )


def _own_rows(plan: FitPlan, data: Prepared) -> Iterator[Rows]:
    """Yield all rows as PCA's own axes take them, in the units of the data."""
    units = input_units(plan, data.mean, data.scale)
    judged = blocks_to_judge(plan, data, all_rows(data))
    for block, rows in zip(row_blocks(data.X), judged, strict=True):
        inputs = block
        if plan.noise is not None and units is not None:
            inputs = units(rows.inputs)
        yield Rows(block, inputs, 1.0)


def truncated(fitted: Fitted, n_components: int) -> Fitted:
    """Return the fit that keeps the first ordered codes only."""
    assert fitted.curve is not None
    assert fitted.pca_curve is not None
    dtype = fitted.weights.encoder[0].dtype
    encoder = cut_encoder(fitted.network.encoder, fitted.weights.encoder, n_components)
    if fitted.ordering is None:
        decoder = cut_decoder(
            fitted.network.decoder, fitted.weights.decoder, n_components
        )
    else:
        decoder = _first_codes_decoder(fitted, n_components)
    weights = Weights(encoder[1], decoder[1])
    ratio = fitted.variance_ratio
    return replace(
        fitted,
        network=Network(encoder[0], decoder[0]),
        weights=as_type(weights, dtype),
        code_scale=fitted.code_scale[:n_components],
        reconstruction_error=float(fitted.curve[n_components - 1]),
        pca_reconstruction_error=float(fitted.pca_curve[n_components - 1]),
        variance_ratio=None if ratio is None else ratio[:n_components],
        curve=fitted.curve[:n_components],
        pca_curve=fitted.pca_curve[:n_components],
        ordering=None,
    )


def _first_codes_decoder(fitted: Fitted, n_components: int) -> tuple[Stack, Arrays]:
    """Fold the ordered decoder for the first codes in their final units."""
    assert fitted.ordering is not None
    n_all = fitted.network.encoder.n_outputs
    wide = ordered_network(fitted.network).decoder
    arrays = [array.astype(np.float64) for array in fitted.ordering.decoder]
    stack, arrays = decoder_at(wide, arrays, n_all, n_components)
    _, scale, shift = fitted.ordering
    codes = Affine(np.diag(scale[:n_components]), shift[:n_components])
    return stack, fold_before(codes.inverse(), stack, arrays)


def mean_curve(curves: Sequence[list[float]]) -> list[float]:
    """Average over folds, as far as all of them went."""
    return [float(np.mean(values)) for values in zip(*curves, strict=False)]
