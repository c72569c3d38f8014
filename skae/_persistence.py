"""The saved format: plain data, with the version that saved it and a digest."""

from __future__ import annotations

import hashlib
import inspect
import warnings
from itertools import pairwise
from math import prod
from numbers import Integral, Real
from typing import Any

import numpy as np

from skae._fit.result import NestedDecoder
from skae._fit.targets import TargetHead
from skae._network.description import (
    ACTIVATIONS,
    Network,
    from_builtins,
    to_builtins,
)
from skae._network.nested import nested_network
from skae._version import __version__

# Keys of the saved format, which outlive the names of attributes. The modules that
# define the estimators are part of the format, too.
_VERSION = "_skae_version"
_DIGEST = "_skae_digest"
_NESTED = "_ordering"
_FITTED_N_COMPONENTS = "_wanted"
_HEAD = "_target_head"
# What each code of PCA explains, or of the ordered codes of a network on held-out rows.
_VARIANCE_RATIO = "explained_variance_ratio_"


def to_saved(cls: type, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the state to save of an estimator's attributes: builtins and arrays."""
    state = dict(attributes)
    if "_fitted_n_components" in state:
        state[_FITTED_N_COMPONENTS] = state.pop("_fitted_n_components")
    if "held_out_variance_ratio_" in state:
        state[_VARIANCE_RATIO] = state.pop("held_out_variance_ratio_")
    if "_network" in state:
        nested = state.pop("_nested")
        state[_NESTED] = None if nested is None else (*nested,)
        if _HEAD in state:
            state[_HEAD] = (*state[_HEAD],)
        state["_network"] = to_builtins(state["_network"])
        state[_DIGEST] = _digest(cls, state)
    return {**state, _VERSION: __version__}


def from_saved(cls: type, state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an estimator of the class from its saved state.

    Parameters that the state lacks, as the version that saved it did not have them, get
    their defaults. It warns if another version saved the state; an older format would
    be translated here.

    Raises
    ------
    ValueError
        If the state was damaged or changed after it was saved.
    """
    saved_by = state.get(_VERSION, "of an unknown version")
    if saved_by != __version__:
        warnings.warn(
            f"This {cls.__name__} was saved by skae {saved_by} and is loaded by skae "
            f"{__version__}. Compare its results with those before, or install the "
            "version that saved it. The documentation lists the states that load under "
            "'Saved states of other versions'.",
            UserWarning,
            stacklevel=3,
        )
    # States of before digests have none; the other checks are made of all.
    if _DIGEST in state and state[_DIGEST] != _digest(cls, state):
        raise _damaged(cls, "its digest does not match its content")
    attributes = {**_defaults(cls), **state}
    attributes.pop(_VERSION, None)
    attributes.pop(_DIGEST, None)
    if "_network" in attributes:
        try:
            nested = attributes.pop(_NESTED)
            nested = None if nested is None else NestedDecoder._make(nested)
            attributes["_network"] = from_builtins(attributes["_network"])
            attributes["_nested"] = nested
            # States of before this fact was kept have that of their history.
            held_out = bool(attributes["history_"]["val_loss"])
            attributes.setdefault("_held_out", held_out)
            if _HEAD in attributes:
                attributes[_HEAD] = TargetHead._make(attributes[_HEAD])
            fault = _fault(attributes)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise _damaged(
                cls, f"its structure is not that of a fit ({error!r})"
            ) from None
        if fault:
            raise _damaged(cls, fault)
    if _VARIANCE_RATIO in attributes and attributes["used_network_"]:
        attributes["held_out_variance_ratio_"] = attributes.pop(_VARIANCE_RATIO)
    if _FITTED_N_COMPONENTS in attributes:
        attributes["_fitted_n_components"] = attributes.pop(_FITTED_N_COMPONENTS)
    return attributes


def _damaged(cls: type, fault: str) -> ValueError:
    return ValueError(
        f"The saved state of this {cls.__name__} was damaged or changed after it was "
        f"saved: {fault}. Load an intact copy, or fit again."
    )


def _defaults(cls: type) -> dict[str, Any]:
    """Return the default of each parameter of the class."""
    parameters = inspect.signature(cls).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.default is not parameter.empty
    }


def _digest(cls: type, state: dict[str, Any]) -> str:
    """Return a digest of the fitted state, which is all but parameters and stamps."""
    digest = hashlib.blake2b(digest_size=16)
    others = {*inspect.signature(cls).parameters, _VERSION, _DIGEST}
    _update(digest, {key: state[key] for key in state if key not in others})
    return digest.hexdigest()


def _update(digest: Any, value: Any) -> None:
    """Feed builtins and arrays to the digest, whatever a format makes of their types.

    Values of other types, which only the user can have set, are left out.
    """
    if isinstance(value, dict):
        for key in sorted(value):
            digest.update(f"{key!r}:".encode())
            _update(digest, value[key])
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple, np.ndarray)):
        digest.update(f"[{len(value)}]".encode())
        for item in value:
            _update(digest, item)
    elif isinstance(value, (str, type(None))):
        digest.update(repr(value and str(value)).encode())
    elif isinstance(value, Integral):
        digest.update(str(int(value)).encode())
    elif isinstance(value, Real):
        digest.update(float(value).hex().encode())


def _fault(attributes: dict[str, Any]) -> str | None:
    """Return what contradicts the network's description, or `None`."""
    network: Network = attributes["_network"]
    n_inputs, n_codes = network.encoder.n_inputs, network.encoder.n_outputs
    found = attributes["n_components_"], attributes["n_features_in_"]
    if found != (n_codes, n_inputs):
        return "its numbers of features and codes are not those of its network"
    return _fault_of_network(network) or _fault_of_arrays(network, attributes)


def _fault_of_network(network: Network) -> str | None:
    layers = network.encoder.layers + network.decoder.layers
    unknown = {layer.activation for layer in layers} - {*ACTIVATIONS}
    if unknown:
        return f"it has the activation {unknown.pop()!r}, which skae does not know"
    for layer, following in pairwise(layers):
        if prod(layer.output_shape) != prod(following.input_shape):
            return "the layers of its network do not fit together"
    return None


def _fault_of_arrays(network: Network, attributes: dict[str, Any]) -> str | None:
    encoder, decoder = attributes["_encoder_arrays"], attributes["_decoder_arrays"]
    mean, code_scale = attributes["mean_"], attributes["_code_scale"]
    scale = np.asarray(attributes["_scale"], dtype=np.float64)
    n_inputs, n_codes = network.encoder.n_inputs, network.encoder.n_outputs
    arrays = [*encoder, *decoder, mean, code_scale, scale]
    shapes = [*network.array_shapes, (n_inputs,), (n_codes,), ()]
    nested: NestedDecoder | None = attributes["_nested"]
    if nested is not None:
        arrays += [*nested.arrays, nested.scale, nested.shift]
        shapes += [*nested_network(network).decoder.array_shapes, *[(n_codes,)] * 2]
    head: TargetHead | None = attributes.get(_HEAD)
    if head is not None:
        arrays += head.arrays
        shapes += [(n_codes, len(head.bias)), head.bias.shape]
    if [array.shape for array in arrays] != shapes:
        return "its arrays have shapes that do not fit its network"
    if not all(array.dtype in (np.float32, np.float64) for array in arrays):
        return "its arrays are not all floats"
    if len({array.dtype for array in [*encoder, *decoder, mean]}) > 1:
        return "its arrays differ in precision"
    if not all(np.isfinite(array).all() for array in arrays):
        return "its arrays have values that are not finite"
    return None
