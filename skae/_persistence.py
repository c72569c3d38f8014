"""The saved format: plain data with the version that saved it."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from skae._fit.result import NestedDecoder
from skae._network.description import from_builtins, to_builtins
from skae._version import __version__

# Keys of the saved format, which outlive the names of attributes. The modules that
# define the estimators are part of the format, too.
_VERSION = "_skae_version"
_NESTED = "_ordering"
_FITTED_N_COMPONENTS = "_wanted"


def to_saved(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the state to save of an estimator's attributes: builtins and arrays."""
    state = dict(attributes)
    if "_network" in state:
        nested = state.pop("_nested")
        state[_NESTED] = None if nested is None else (*nested,)
        state["_network"] = to_builtins(state["_network"])
    if "_fitted_n_components" in state:
        state[_FITTED_N_COMPONENTS] = state.pop("_fitted_n_components")
    return {**state, _VERSION: __version__}


def from_saved(cls: type, state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an estimator of the class from its saved state.

    Parameters that the state lacks, as the version that saved it did not have them, get
    their defaults. It warns if another version saved the state; an older format would
    be translated here.
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
    attributes = {**_defaults(cls), **state}
    attributes.pop(_VERSION, None)
    if "_network" in attributes:
        nested = attributes.pop(_NESTED)
        attributes["_nested"] = None if nested is None else NestedDecoder._make(nested)
        attributes["_network"] = from_builtins(attributes["_network"])
    if _FITTED_N_COMPONENTS in attributes:
        attributes["_fitted_n_components"] = attributes.pop(_FITTED_N_COMPONENTS)
    return attributes


def _defaults(cls: type) -> dict[str, Any]:
    """Return the default of each parameter of the class."""
    parameters = inspect.signature(cls).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.default is not parameter.empty
    }
