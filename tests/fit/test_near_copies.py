import numpy as np
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    make_blobs,
    make_swiss_roll,
)
from sklearn.preprocessing import StandardScaler

from skae._fit.near_copies import are_windows, have_near_copies


def found(X):
    """Look for near copies across a random split."""
    order = np.random.default_rng(0).permutation(len(X))
    held_out, train = np.split(order, [len(X) // 10])
    return have_near_copies(X.astype(np.float32), train, held_out)


def noise(n_rows, n_features, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


INDEPENDENT = {
    "noise": noise(1000, 30),
    "noise in a plane": noise(500, 2) @ noise(2, 20),
    "digits": load_digits().data,
    "breast cancer": load_breast_cancer().data,
    "diabetes": load_diabetes().data,
    "Swiss roll": make_swiss_roll(800, random_state=0)[0],
    "blobs": make_blobs(1000, 10, centers=8, random_state=0)[0],
    "bits": (noise(600, 12) > 0).astype(float),
    "counts": np.random.default_rng(0).poisson(0.2, size=(500, 20)).astype(float),
    "constant": np.ones((300, 3)),
    "integers and bits": np.hstack(
        [
            np.random.default_rng(0).integers(9, size=(5000, 3)),
            noise(5000, 6) > 0,
        ]
    ),
    "heavy tails": np.random.default_rng(0).standard_t(1.5, size=(800, 6)),
}


@pytest.mark.parametrize("name", INDEPENDENT)
@pytest.mark.parametrize("scaled", [False, True])
def test_independent_rows_have_no_near_copies(name, scaled):
    X = INDEPENDENT[name]
    X = StandardScaler().fit_transform(X) if scaled else X
    assert not found(X)
    assert not are_windows(X)


def with_noise(X, deviation):
    return X + deviation * noise(*X.shape, seed=9)


def between_neighbours(X):
    """Add rows between each row and one of its nearest neighbours, as SMOTE does."""
    rng = np.random.default_rng(0)
    distances = ((X[:, np.newaxis] - X) ** 2).sum(axis=2)
    nearest = np.argsort(distances, axis=1)[:, 1:6]
    chosen = X[nearest[np.arange(len(X)), rng.integers(5, size=len(X))]]
    return np.vstack([X, X + rng.uniform(size=(len(X), 1)) * (chosen - X)])


@pytest.mark.parametrize(
    "X",
    [
        with_noise(np.repeat(noise(200, 30), 9, axis=0), 0.001),
        with_noise(np.repeat(noise(300, 10), 3, axis=0), 0.05),
        with_noise(np.repeat(load_digits().data[:400], 4, axis=0), 0.1),
        with_noise(np.repeat(noise(120, 20), 10, axis=0), 0.2),
        between_neighbours(noise(500, 20)),
    ],
    ids=["nine times", "three times", "digits", "subjects", "SMOTE"],
)
def test_near_copies_are_found(X):
    assert found(X)
    assert found(X + 1000)
    assert not found(X[:150])  # too few rows to tell


def test_near_copies_are_found_among_many_blocks(monkeypatch):
    X = with_noise(np.repeat(noise(200, 30), 9, axis=0), 0.01)
    monkeypatch.setattr("skae._fit.near_copies._BLOCK_SIZE", 1)
    assert found(X)
    assert not found(noise(1000, 30))


def windows(values, width, stride=1):
    return np.lib.stride_tricks.sliding_window_view(values, width)[::stride]


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("width", [8, 16, 100])
@pytest.mark.parametrize(
    "values",
    [
        noise(2000, 1)[:, 0],
        noise(2000, 1)[:, 0].cumsum() + 1e4,
        np.sin(np.arange(2000) / 7) + 0.1 * noise(2000, 1)[:, 0],
    ],
    ids=["noise", "random walk", "wave"],
)
def test_overlapping_windows_are_found(values, width, stride):
    X = windows(values, width, stride)
    assert are_windows(X)
    scaled = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    assert are_windows(scaled)
    assert are_windows(X[::-1])
    assert not are_windows(np.random.default_rng(0).permutation(X))
    assert not are_windows(windows(values, width, width)[:300])


def test_windows_of_several_channels_are_found():
    values = noise(1500, 3).cumsum(axis=0)
    X = windows(values.ravel(), 3 * 20, 3)
    assert are_windows(X)
