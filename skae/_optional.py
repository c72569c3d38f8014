"""Imports packages that skae uses but does not depend on."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def import_optional(package: str, extra: str, purpose: str) -> ModuleType:
    """Import a package that one of the `extra` dependencies brings.

    Raises
    ------
    ImportError
        If it is not installed, with the extra to install for the `purpose`.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs the package {package!r}, which could not be imported "
            f"({error}). Install it with `pip install 'skae[{extra}]'`, or with `pip "
            f"install {package.partition('.')[0]}` where skae is to stay without "
            "TensorFlow."
        ) from error
