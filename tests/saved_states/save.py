"""Save small fitted estimators with their results, in the format of this version.

Run it once for each release, and commit the file that it writes:
``python -m tests.saved_states.save``
"""

import pickle
from pathlib import Path

import numpy as np

import skae
from skae import (
    ConvAE,
    DenoisingAE,
    DenseAE,
    SparseAE,
    SupervisedAE,
    VAETransformer,
)

SMALL = {
    "early_stopping": False,
    "hidden_layer_sizes": (4,),
    "max_iter": 2,
    "random_state": 0,
}
ESTIMATORS = {
    "DenseAE": DenseAE(2, **SMALL),
    "DenseAE of float32": DenseAE(2, **SMALL),
    "DenseAE that is PCA": DenseAE(2),
    "DenseAE, ordered": DenseAE(2, ordered=True, **SMALL),
    "ConvAE": ConvAE(2, image_shape=(3, 3), filters=(2,), **SMALL),
    "ConvAE of feature maps": ConvAE(None, image_shape=(3, 3), filters=(2,), **SMALL),
    "DenoisingAE": DenoisingAE(2, **SMALL),
    "SparseAE": SparseAE(4, **SMALL),
    "SparseAE, topk": SparseAE(4, sparsity="topk", target_sparsity=2, **SMALL),
    "SupervisedAE": SupervisedAE(2, **SMALL),
    "SupervisedAE of numbers": SupervisedAE(2, target_type="continuous", **SMALL),
    "VAETransformer": VAETransformer(2, **SMALL),
}


def main():
    X = np.random.default_rng(0).gamma(2.0, size=(40, 9))
    y = np.arange(len(X)) % 3  # for the estimators that see labels
    saved = {"X": X[:5], "estimators": {}}
    for name, estimator in ESTIMATORS.items():
        rows = X.astype(np.float32) if "float32" in name else X
        codes = estimator.fit(rows, y).transform(X[:5])
        saved["estimators"][name] = {
            "pickle": pickle.dumps(estimator),
            "codes": codes,
            "reconstruction": estimator.inverse_transform(codes),
        }
    path = Path(__file__).parent / f"{skae.__version__}.pkl"
    path.write_bytes(pickle.dumps(saved))


if __name__ == "__main__":
    main()
