import pytest
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="session")
def digits():
    """Standardised digits, (1797, 64)."""
    return StandardScaler().fit_transform(load_digits().data)
