import numpy as np
import pandas as pd
import pytest

from skae._utils.missing import is_missing_value


@pytest.mark.parametrize(
    "value", [None, float("nan"), np.float32("nan"), pd.NaT, pd.NA]
)
def test_missing_values_are_told(value):
    assert is_missing_value(value)


@pytest.mark.parametrize("value", [0, 1.5, "", "nan", False, np.array([1, 2])])
def test_other_values_are_not_missing(value):
    assert not is_missing_value(value)
