"""How estimators look in notebooks: link to the documentation, and fitted facts."""

from __future__ import annotations

from typing import Any

from skae._utils.compat import _VisualBlock
from skae._version import __version__

# The pages of releases and of the branch that they come from.
_BUILD = "latest" if "dev" in __version__ else "stable"


class DocumentationLinkMixin:
    """Mixin that links scikit-learn's diagram of an estimator to its page."""

    _doc_link_module = "skae"
    _doc_link_template = (
        f"https://skae.readthedocs.io/en/{_BUILD}/generated/"
        "{estimator_module}.{estimator_name}.html"
    )


class FittedFactsMixin(DocumentationLinkMixin):
    """Mixin that puts what a fit came to under the name in scikit-learn's diagram."""

    n_components_: int
    n_iter_: int
    used_network_: bool
    reconstruction_error_: float
    pca_reconstruction_error_: float
    _held_out: bool

    def _sk_visual_block_(self) -> Any:
        name = type(self).__name__
        return _VisualBlock(
            "single",
            self,
            names=name,
            name_details=str(self),
            name_caption=self._fitted_facts(),
        )

    def _fitted_facts(self) -> str | None:
        """Return what a fit came to, in one line; `None` before a fit."""
        if "n_components_" not in vars(self):
            return None
        codes = f"{self.n_components_} code{'s' * (self.n_components_ != 1)}"
        rows = "held-out" if self._held_out else "training"
        error = f"{rows} error {self.reconstruction_error_:.4g}"
        if not self.used_network_:
            return f"PCA: {codes}, {error}"
        epochs = f"{self.n_iter_} epoch{'s' * (self.n_iter_ != 1)}"
        pca = f"PCA's {self.pca_reconstruction_error_:.4g}"
        return f"network: {codes}, {epochs}, {error} ({pca})"
