"""scikit-learn's checks and shared behaviour, for the main settings of each class."""

import pickle

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

import skae
from skae import DenseAE, MixedTableEncoder, ReconstructionOutlierDetector
from skae._train.corruption import CORRUPTIONS
from tests.estimators import NAMES

SHORT = {"max_iter": 20}
# The checks fit few rows, for which the result is usually PCA. Without early stopping,
# the network is kept; a small one compiles quickly.
NETWORK = {"early_stopping": False, "hidden_layer_sizes": (8,), **SHORT}
SETTINGS = {
    "ConvAE": [
        {},
        NETWORK,
        {"n_components": None, **SHORT},
        {"noise": "gaussian", **NETWORK},
        {"n_components": None, "noise": "swap", **SHORT},
    ],
    "DenoisingAE": [{}, *({"noise": noise, **NETWORK} for noise in CORRUPTIONS)],
    "DenseAE": [
        {},
        {"pca_shortcut": False, **SHORT},
        {"early_stopping": False, **SHORT},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (), "early_stopping": False, **SHORT},
        {"ordered": True, **SHORT},
        {"ordered": True, **NETWORK},
        {"n_components": 0.7, **SHORT},
        {"n_components": "auto", **NETWORK},
    ],
    "SparseAE": [
        {},
        {"sparsity": "kl", **NETWORK},
        {"sparsity": "topk", **NETWORK},
    ],
    "SupervisedAE": [
        {},
        NETWORK,
        {"target_type": "continuous", **NETWORK},
        {"code_activation": "tanh", **NETWORK},
    ],
    "VAETransformer": [{}, NETWORK],
}
ESTIMATORS = [
    getattr(skae, name)(**settings) for name in NAMES for settings in SETTINGS[name]
]
ESTIMATORS += [
    ReconstructionOutlierDetector(),
    ReconstructionOutlierDetector(DenseAE(1, random_state=0, **NETWORK)),
    ReconstructionOutlierDetector(PCA(1), error="absolute", units="held_out"),
    ReconstructionOutlierDetector(PCA(1), contamination=0.1),
    MixedTableEncoder(),
    MixedTableEncoder(handle_missing="ignore", handle_unknown="ignore"),
]


# Its labels are often whole numbers that scikit-learn's checks mean as numbers.
@pytest.mark.filterwarnings("ignore:SupervisedAE takes the .* for classes:UserWarning")
# The checks fit few rows, and some have a single feature.
@pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")
@pytest.mark.filterwarnings("ignore:.* too few to flag only:UserWarning")
@pytest.mark.filterwarnings("ignore:.* reconstructs the training rows:UserWarning")
@parametrize_with_checks(ESTIMATORS)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("output_activation", ["linear", "softplus"])
@pytest.mark.parametrize("name", sorted({*NAMES} - {"DenoisingAE"}))
def test_reported_error_is_that_of_the_reconstruction(
    digits, digit_labels, name, output_activation
):
    """It is in the units of the data, including their offset."""
    X = digits * 3 + 20
    model = getattr(skae, name)(
        3, output_activation=output_activation, random_state=0, **NETWORK
    ).fit(X, digit_labels)
    error = np.mean((model.reconstruct(X) - X) ** 2)
    assert model.reconstruction_error_ == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_training_continues_from_a_pickled_fit(digits, digit_labels, name):
    model = getattr(skae, name)(4, random_state=0, **NETWORK)
    model.set_params(max_iter=1).fit(digits, digit_labels)
    model = pickle.loads(pickle.dumps(model))
    score = model.score(digits)
    resumed = pickle.loads(pickle.dumps(model)).set_params(warm_start=True, max_iter=5)
    assert resumed.fit(digits, digit_labels).score(digits) > score
    for _ in range(3):
        model.partial_fit(digits, digit_labels)
    assert model.n_iter_ == 4
    assert model.score(digits) > score


@pytest.mark.parametrize("settings", [{}, {"pca_shortcut": False}])
@pytest.mark.parametrize("name", NAMES)
def test_network_is_accepted_on_larger_data(digits, digit_labels, name, settings):
    """The checks of scikit-learn pass for PCA, too."""
    estimator = getattr(skae, name)(4, random_state=0, max_iter=30, **settings)
    estimator.fit(digits, digit_labels)
    assert estimator.used_network_
