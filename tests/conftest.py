import os

# Read once, when SciPy is imported: with it scikit-learn checks arrays of other kinds.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler


@pytest.fixture(autouse=True)
def _same_draws_each_run():
    """Seed the draws of `random_state=None`, so that a test fails always or never."""
    np.random.seed(0)


@pytest.fixture(scope="session")
def digits():
    """Standardised digits, (1797, 64)."""
    return StandardScaler().fit_transform(load_digits().data)


@pytest.fixture(scope="session")
def digit_labels():
    """The digit of each row, (1797,)."""
    return load_digits().target
