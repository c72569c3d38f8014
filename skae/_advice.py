"""What to read in place of attributes that PCA has."""

from __future__ import annotations

from typing import Any

INSTEAD = {
    "components_": (
        "its codes are not along directions. To see what a code stands for, read "
        "loadings(X), or decode codes that differ in it, with inverse_transform."
    ),
    "explained_variance_ratio_": (
        "the codes of its network do not add up to what they explain. Read "
        "reconstruction_error_ and pca_reconstruction_error_, call score(X), or fit "
        "DenseAE(ordered=True), whose held_out_variance_ratio_ has the share that each "
        "code adds."
    ),
}


def advice(estimator: Any, name: str) -> AttributeError:
    """Return the error of an attribute of `INSTEAD` that a fitted estimator lacks."""
    message = f"This {type(estimator).__name__} has no {name!r}: {INSTEAD[name]}"
    return AttributeError(message, name=name, obj=estimator)
