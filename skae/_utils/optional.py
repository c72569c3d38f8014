"""Imports packages that skae can use but does not depend on."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def import_optional(package: str, extra: str, purpose: str) -> ModuleType:
    """Import a package that one of the optional dependencies brings.

    Parameters
    ----------
    package : str
    extra : str
        Name of the optional dependencies that include it.
    purpose : str
        What needs the package: the subject of the error message.

    Raises
    ------
    ImportError
        If it is not installed, with advice on how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs the package {package!r}, which could not be imported "
            f"({error}). Install it with `pip install 'skae[{extra}]'`, or with `pip "
            f"install {package.partition('.')[0]}` to keep the environment free of "
            "TensorFlow."
        ) from error
