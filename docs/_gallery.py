"""The order of the examples: the one that replaces PCA first, then task by task."""

from __future__ import annotations

ORDER = (
    "plot_replace_pca.py",
    "plot_tour.py",
    "plot_latent_dimension.py",
    "plot_displays.py",
    "plot_code_meaning.py",
    "plot_codes_for_classifiers.py",
    "plot_regression_targets.py",
    "plot_table_codes.py",
    "plot_table_anomalies.py",
    "plot_ecg_anomalies.py",
    "plot_denoise_digits.py",
    "plot_conv_images.py",
    "plot_sparse_features.py",
    "plot_vae_manifold.py",
    "plot_held_out_groups.py",
    "plot_memmap.py",
    "plot_onnx.py",
)


class ExampleOrder:
    """Sort key of sphinx-gallery: the place in the list above; others come last."""

    def __init__(self, src_dir: str) -> None:
        self.src_dir = src_dir

    def __call__(self, filename: str) -> tuple[int, str]:
        place = ORDER.index(filename) if filename in ORDER else len(ORDER)
        return place, filename
