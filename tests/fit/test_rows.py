import numpy as np
import pytest
from sklearn.decomposition import PCA

from skae._fit.rows import TrainingRows
from tests.fit.plans import random_rows


def test_scale_is_the_root_mean_variance():
    X = random_rows()
    mean, scale = TrainingRows(X, "DenseAE").mean_and_scale
    np.testing.assert_allclose(mean, X.mean(axis=0))
    assert scale == pytest.approx(np.sqrt(X.var(axis=0).mean()))


def test_constant_rows_have_unit_scale_and_nothing_unexplained():
    rows = TrainingRows(np.full((9, 3), 7.0), "DenseAE")
    assert rows.mean_and_scale[1] == 1
    np.testing.assert_array_equal(rows.unexplained_by_pca(2), 0)


def test_unexplained_share_is_that_of_pca(digits):
    ratio = PCA(svd_solver="full").fit(digits).explained_variance_ratio_
    unexplained = TrainingRows(digits, "DenseAE").unexplained_by_pca(64)
    np.testing.assert_allclose(unexplained, 1 - np.cumsum(ratio), atol=1e-12)
    assert (unexplained >= 0).all()


def test_infinite_variance_names_the_estimator():
    rows = TrainingRows(np.array([[1e200, 1.0], [1.0, 2.0]]), "MyAE")
    with pytest.raises(ValueError, match=r"MyAE got X .*1e\+200.*MaxAbsScaler"):
        _ = rows.mean_and_scale
