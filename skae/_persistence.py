"""The version in saved states, and the warning where it is another one."""

from __future__ import annotations

import warnings
from typing import Any

from skae._version import __version__

# Part of the saved format, as are the modules that define the estimators.
_KEY = "_skae_version"


def stamp(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state with the version that saves it."""
    return {**state, _KEY: __version__}


def unstamp(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an estimator of that name without its version.

    It warns if another version saved the state. An older format would be translated
    here.
    """
    saved_by = state.get(_KEY, "of an unknown version")
    if saved_by != __version__:
        warnings.warn(
            f"This {name} was saved by skae {saved_by} and is loaded by skae "
            f"{__version__}. Compare its results with those before, or install the "
            "version that saved it. Which states of other versions load is said in the "
            "documentation under 'Saved states of other versions'.",
            UserWarning,
            stacklevel=3,
        )
    return {key: value for key, value in state.items() if key != _KEY}
