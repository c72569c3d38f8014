"""Plans and tasks of small fits."""

import numpy as np

from skae._fit.code_kinds import PrincipalCode
from skae._fit.plan import FitPlan
from skae._fit.rows import TrainingRows
from skae._fit.task import FitTask
from skae._network.architectures import Activations, dense_network
from skae._utils.parameters import Seeds

LINEAR_ENDS = Activations("gelu", "linear", "linear")
SIGMOID_OUTPUT = Activations("gelu", "linear", "sigmoid")


def make_network(
    n_features=6, n_components=2, *, hidden=(4,), activations=LINEAR_ENDS, shortcut=True
):
    return dense_network((n_features, *hidden, n_components), activations, shortcut)


def make_plan(**changes):
    """Return the plan of a small `DenseAE` with some values changed."""
    values = {
        "estimator": "DenseAE",
        "network": make_network(),
        "code_kind": PrincipalCode(),
        "loss": "squared_error",
        "batch_size": 16,
        "min_steps": 4,
        "pca_shortcut": True,
        "early_stopping": True,
        "validation_fraction": 0.1,
        "n_iter_no_change": 10,
        "tol": 1e-4,
        "learning_rate": 3e-3,
        "max_iter": 8,
        "alpha": 0.0,
        "seeds": Seeds(split=0, initialization=1, training=2, validation=3),
    }
    return FitPlan(**{**values, **changes})


def make_task(X, **changes):
    """Return the task of fitting a small network to the rows."""
    return FitTask(make_plan(**changes), TrainingRows(X, "DenseAE"))


def random_rows(n_samples=60, n_features=6, seed=0):
    """Return rows far from the origin, with features of different variances."""
    rng = np.random.default_rng(seed)
    scale = np.arange(1, n_features + 1)
    return rng.normal(size=(n_samples, n_features)) * scale + 20
