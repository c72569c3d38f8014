"""PCA from products of rows or features, or from a Krylov space, equals an SVD's."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skae._fit import large_pca
from skae._fit.large_pca import LargePCA
from skae._fit.rows import TrainingRows
from skae._fit.task import FitTask
from skae._train.config import Split
from tests.fit.plans import make_network, make_plan

SHAPES = {"tall": (300, 60), "wide": (60, 300)}
METHODS = {"products": 2048, "krylov": 0}


def rows_of(shape, seed=0):
    """Return rows whose variances fall from 1 to 0.01."""
    n_side = min(shape)
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(max(shape), n_side)))[0].T
    X = rng.normal(size=(n_side, n_side)) * np.geomspace(1, 0.01, n_side) @ axes
    return X if shape[0] == n_side else X.T


@pytest.fixture(params=METHODS)
def method(request, monkeypatch):
    """Let products be decomposed, or a Krylov space; in several blocks."""
    monkeypatch.setattr(large_pca, "_SMALL_SIDE", METHODS[request.param])
    monkeypatch.setattr(large_pca, "_WORTH_KRYLOV", 0)
    monkeypatch.setattr(large_pca, "_BLOCK_SIZE", 7 * 60)
    return request.param


def pca_of(X):
    return LargePCA(X, X.mean(axis=0, dtype=float))


def assert_pca(found, X, n_components, rtol, atol):
    expected = PCA(n_components, svd_solver="full").fit(X.astype(float))
    axes = found.axes(n_components)
    np.testing.assert_allclose(axes.mean, expected.mean_, rtol=1e-7, atol=atol)
    np.testing.assert_allclose(axes.scale**2, expected.explained_variance_, rtol=rtol)
    np.testing.assert_allclose(
        axes.variance_ratio, expected.explained_variance_ratio_, rtol=rtol
    )
    np.testing.assert_allclose(axes.components, expected.components_, atol=atol)
    assert axes.noise_variance == pytest.approx(expected.noise_variance_, rel=rtol)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("far", [0, 1e3])
@pytest.mark.parametrize(
    ("dtype", "rtol", "atol"), [(np.float64, 1e-5, 1e-3), (np.float32, 1e-4, 1e-3)]
)
def test_components_of_all_rows_and_of_some(method, shape, far, dtype, rtol, atol):
    X = (rows_of(SHAPES[shape]) + far).astype(dtype)
    pca, some = pca_of(X), np.arange(5, len(X))
    # The first one is found anew, the second from what is known of the first.
    assert_pca(pca.decompose(4, some), X[some], 4, rtol, atol)
    assert_pca(pca.decompose(4), X, 4, rtol, atol)


@pytest.mark.parametrize("shape", SHAPES)
def test_products_are_exact(shape):
    X = rows_of(SHAPES[shape]) + 1e3
    few = np.arange(20)  # whose sums are not those of all less those of the others
    for rows in (None, np.arange(3, len(X)), few):
        found = pca_of(X).decompose(4, rows)
        assert_pca(found, X if rows is None else X[rows], 4, 1e-9, 1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_without_an_outlier_are_not_found_by_a_difference(shape):
    X = rows_of(SHAPES[shape]).copy()
    X[0] = 1e9
    rows = np.arange(1, len(X))
    assert_pca(pca_of(X).decompose(4, rows), X[rows], 4, 1e-6, 1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_variances_of_all_components(shape):
    X = rows_of(SHAPES[shape]).astype(np.float32)
    expected = PCA(svd_solver="full").fit(X.astype(float)).explained_variance_
    found = pca_of(X).variances()
    np.testing.assert_allclose(found[:59], expected[:59], rtol=1e-6)


@pytest.mark.parametrize("wide", [False, True])
def test_components_that_products_lose_to_rounding(wide):
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(60, 60)))[0][:20]
    X = rng.normal(size=(300, 20)) * np.geomspace(1, 1e-9, 20) @ axes
    X = X.T if wide else X
    n_components = 18 if wide else 20
    found = pca_of(X).decompose(n_components, exact=True)
    expected = PCA(n_components, svd_solver="full").fit(X)
    np.testing.assert_allclose(found.directions, expected.components_, atol=1e-5)
    np.testing.assert_allclose(found.variances, expected.explained_variance_, rtol=1e-5)
    assert found.directions @ found.directions.T == pytest.approx(
        np.eye(n_components), abs=1e-9
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_rank_deficient_rows_have_spare_components(shape):
    X = np.asarray(rows_of(SHAPES[shape]))[:, :40].copy()
    X = X @ np.ones((40, 3)) @ np.ones((3, 50)) + np.arange(50)  # of rank 1
    found = pca_of(X).decompose(5, exact=True)
    np.testing.assert_array_equal(found.variances[1:], 0)
    np.testing.assert_allclose(found.axes(5).reconstruct(X), X, rtol=1e-9)


def test_constant_rows_have_no_variance():
    axes = pca_of(np.full((90, 3), 7.0)).decompose(2, exact=True).axes(2)
    assert axes.error == axes.noise_variance == 0
    np.testing.assert_array_equal(axes.unit_scale, 1)


def test_krylov_space_explains_as_much_as_randomised_pca(monkeypatch):
    monkeypatch.setattr(large_pca, "_SMALL_SIDE", 0)
    monkeypatch.setattr(large_pca, "_WORTH_KRYLOV", 0)
    X = np.random.default_rng(0).normal(size=(600, 400)) * np.geomspace(1, 0.3, 400)
    state = np.random.get_state()[1].copy()
    found = pca_of(X).decompose(8)
    randomised = PCA(8, svd_solver="randomized", random_state=0).fit(X)
    assert found.variances.sum() > randomised.explained_variance_.sum()
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_array_equal(found.directions, pca_of(X).decompose(8).directions)


class CountingRows:
    """Counts how often rows are read, and refuses to give all at once."""

    def __init__(self, X):
        self._X = X
        self.shape = X.shape
        self.n_read = 0

    def __len__(self):
        return len(self._X)

    def __getitem__(self, rows):
        found = self._X[rows]
        assert len(found) < len(self._X)
        self.n_read += len(found)
        return found


def test_products_are_found_once(monkeypatch):
    monkeypatch.setattr(large_pca, "_BLOCK_SIZE", 7 * 60)
    X = CountingRows(rows_of(SHAPES["tall"]))
    pca = LargePCA(X, np.zeros(60))
    pca.decompose(4, np.arange(30, 300))
    assert X.n_read <= 1 + 300 + 30  # all rows, and those that are held out
    pca.decompose(4)
    assert X.n_read <= 1 + 300 + 30


def test_a_task_of_many_rows_has_pca_in_the_units_of_training(monkeypatch):
    monkeypatch.setattr("skae._fit.rows._MANY_MULTIPLICATIONS", 0)
    X = rows_of((90, 6)) * 7 + 3
    plan = make_plan(network=make_network(n_components=2))
    split = Split(np.arange(10, 90, dtype=np.int32), np.arange(10, dtype=np.int32))
    large = FitTask(plan, TrainingRows(X, "DenseAE"))
    assert large.rows.large_pca is not None
    monkeypatch.setattr("skae._fit.rows._MANY_MULTIPLICATIONS", np.inf)
    small = FitTask(plan, TrainingRows(X, "DenseAE"))
    assert small.rows.large_pca is None
    found, expected = large.axes(split), small.axes(split)
    for name in ("mean", "components", "scale", "variance_ratio"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=1e-6
        )
    assert found.error == pytest.approx(expected.error, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_products_stay_in_the_range_of_single_precision(scale, monkeypatch):
    monkeypatch.setattr("skae._fit.rows._MANY_MULTIPLICATIONS", 0)
    X = rows_of(SHAPES["tall"]).astype(np.float32)
    expected = TrainingRows(X, "DenseAE").pca(3)
    found = TrainingRows(np.float32(scale) * X, "DenseAE").pca(3)
    np.testing.assert_allclose(found.directions, expected.directions, atol=1e-4)
    np.testing.assert_allclose(found.variances / scale**2, expected.variances, 1e-4)
