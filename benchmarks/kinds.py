"""Kinds of generated rows, independent and dependent ones.

A kind of independent rows is a function that draws any number of rows of one
distribution. Its own parameters, such as directions and centres, are drawn from another
generator, so that later rows are of the same distribution.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_wine,
    make_s_curve,
    make_swiss_roll,
)
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

N_FRESH = 3000


# --- Independent rows: functions of (n_rows, rng, parameters) ---


def _noise(n_features, scale=None):
    def draw(n_rows, rng, parameters):
        X = rng.normal(size=(n_rows, n_features))
        return X if scale is None else X * scale(np.arange(1, n_features + 1))

    return draw


def _low_rank(n_features, rank, noise):
    def draw(n_rows, rng, parameters):
        directions = parameters.normal(size=(rank, n_features))
        X = rng.normal(size=(n_rows, rank)) @ directions
        return X + noise * rng.normal(size=X.shape)

    return draw


def _student(n_features, degrees):
    def draw(n_rows, rng, parameters):
        mixing = parameters.normal(size=(n_features, n_features))
        return rng.standard_t(degrees, size=(n_rows, n_features)) @ mixing

    return draw


def _lognormal(n_features, sigma):
    def draw(n_rows, rng, parameters):
        return rng.lognormal(sigma=sigma, size=(n_rows, n_features))

    return draw


def _blobs(n_features, n_centres, spread):
    def draw(n_rows, rng, parameters):
        centres = parameters.normal(size=(n_centres, n_features))
        X = centres[rng.integers(n_centres, size=n_rows)]
        return X + spread * rng.normal(size=X.shape)

    return draw


def _surface(n_features, n_latent, frequency, noise):
    """Sines of latent variables along random directions."""

    def draw(n_rows, rng, parameters):
        directions = parameters.normal(size=(2 * n_latent, n_features))
        latent = rng.uniform(-1, 1, size=(n_rows, n_latent)) * frequency
        X = np.hstack([np.sin(latent), np.cos(latent)]) @ directions
        return X + noise * rng.normal(size=X.shape)

    return draw


def _quadratic(n_features, n_latent, noise):
    def draw(n_rows, rng, parameters):
        directions = parameters.normal(size=(2 * n_latent, n_features))
        latent = rng.normal(size=(n_rows, n_latent))
        X = np.hstack([latent, latent**2 - 1]) @ directions
        return X + noise * rng.normal(size=X.shape)

    return draw


def _sphere(n_features, noise):
    def draw(n_rows, rng, parameters):
        X = rng.normal(size=(n_rows, n_features))
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        return X + noise * rng.normal(size=X.shape)

    return draw


def _roll(maker, noise):
    def draw(n_rows, rng, parameters):
        X, _ = maker(n_rows, noise=noise, random_state=int(rng.integers(2**31)))
        return X

    return draw


def _circles(noise):
    def draw(n_rows, rng, parameters):
        angle = rng.uniform(0, 2 * np.pi, n_rows)
        radius = rng.choice([1.0, 2.0], n_rows)
        X = radius[:, np.newaxis] * np.column_stack([np.cos(angle), np.sin(angle)])
        return X + noise * rng.normal(size=X.shape)

    return draw


def _bits(n_features, n_latent=None):
    def draw(n_rows, rng, parameters):
        if n_latent is None:
            share = parameters.uniform(0.1, 0.9, n_features)
        else:
            directions = parameters.normal(size=(n_latent, n_features))
            share = 1 / (
                1 + np.exp(-2 * rng.normal(size=(n_rows, n_latent)) @ directions)
            )
        return (rng.uniform(size=(n_rows, n_features)) < share).astype(float)

    return draw


def _one_hot(n_columns, n_levels):
    def draw(n_rows, rng, parameters):
        levels = rng.integers(n_levels, size=(n_rows, n_columns))
        return np.eye(n_levels)[levels].reshape(n_rows, -1)

    return draw


def _mixed(n_integers, n_levels):
    """Integers of few values beside one-hot columns."""

    def draw(n_rows, rng, parameters):
        integers = rng.integers(n_levels, size=(n_rows, n_integers))
        return np.hstack([integers, np.eye(5)[rng.integers(5, size=n_rows)]])

    return draw


def _counts(n_features, n_topics):
    def draw(n_rows, rng, parameters):
        topics = parameters.gamma(0.3, size=(n_topics, n_features))
        weights = rng.dirichlet(np.full(n_topics, 0.5), size=n_rows)
        return rng.poisson(2 * weights @ topics).astype(float)

    return draw


def _bumps(n_features, noise):
    """Signals with one bump whose place, width and height vary."""

    def draw(n_rows, rng, parameters):
        place, width = (
            np.linspace(0, 1, n_features),
            rng.uniform(0.03, 0.15, (n_rows, 1)),
        )
        centre, height = (
            rng.uniform(0.2, 0.8, (n_rows, 1)),
            rng.uniform(1, 2, (n_rows, 1)),
        )
        X = height * np.exp(-0.5 * ((place - centre) / width) ** 2)
        return X + noise * rng.normal(size=X.shape)

    return draw


def _spectra(n_features, n_peaks, noise):
    """Mixtures of a few smooth spectra, far more features than directions."""

    def draw(n_rows, rng, parameters):
        place = np.linspace(0, 1, n_features)
        centres = parameters.uniform(0, 1, (n_peaks, 1))
        peaks = np.exp(-0.5 * ((place - centres) / 0.05) ** 2)
        amounts = rng.dirichlet(np.ones(n_peaks), size=n_rows)
        X = (amounts + 0.3 * amounts**2) @ peaks
        return X + noise * rng.normal(size=X.shape)

    return draw


class Kind(NamedTuple):
    """Independent rows of one distribution, and how many of them are fitted."""

    draw: Any
    n_rows: int
    n_components: int


INDEPENDENT = {
    "noise, 60 rows": Kind(_noise(10), 60, 2),
    "noise, 300 rows": Kind(_noise(30), 300, 5),
    "noise, 2,000 rows": Kind(_noise(30), 2000, 5),
    "noise of falling variance": Kind(_noise(20, lambda i: 1 / i), 200, 3),
    "noise of very different scales": Kind(_noise(12, lambda i: 10.0**-i), 400, 2),
    "wide noise": Kind(_noise(300), 80, 4),
    "low rank, 55 rows": Kind(_low_rank(20, 3, 0.3), 55, 2),
    "low rank, 100 rows": Kind(_low_rank(20, 3, 0.3), 100, 3),
    "low rank, 1,500 rows": Kind(_low_rank(40, 8, 0.5), 1500, 4),
    "low rank, wide": Kind(_low_rank(400, 5, 0.5), 90, 3),
    "Student's t, 3 degrees": Kind(_student(10, 3), 500, 3),
    "Student's t, 2 degrees": Kind(_student(10, 2), 1500, 3),
    "lognormal": Kind(_lognormal(8, 1.0), 400, 2),
    "lognormal, heavy": Kind(_lognormal(15, 2.0), 1200, 3),
    "2 blobs": Kind(_blobs(10, 2, 0.5), 150, 1),
    "5 blobs": Kind(_blobs(10, 5, 0.3), 300, 2),
    "20 blobs": Kind(_blobs(15, 20, 0.2), 800, 3),
    "20 tight blobs": Kind(_blobs(15, 20, 0.02), 1500, 3),
    "50 blobs, few rows": Kind(_blobs(15, 50, 0.1), 120, 3),
    "surface, 60 rows": Kind(_surface(20, 2, 2.0, 0.2), 60, 2),
    "surface, 90 rows": Kind(_surface(20, 2, 2.0, 0.05), 90, 2),
    "surface, 250 rows": Kind(_surface(20, 2, 2.0, 0.1), 250, 2),
    "surface, 2,000 rows": Kind(_surface(30, 3, 3.0, 0.2), 2000, 3),
    "surface, wound": Kind(_surface(20, 2, 8.0, 0.1), 600, 2),
    "quadratic, 80 rows": Kind(_quadratic(15, 2, 0.2), 80, 2),
    "quadratic, 500 rows": Kind(_quadratic(15, 2, 0.2), 500, 2),
    "sphere": Kind(_sphere(3, 0.02), 300, 2),
    "sphere of 20 dimensions": Kind(_sphere(20, 0.0), 700, 5),
    "Swiss roll": Kind(_roll(make_swiss_roll, 0.3), 500, 2),
    "Swiss roll, few rows": Kind(_roll(make_swiss_roll, 0.3), 70, 2),
    "S curve": Kind(_roll(make_s_curve, 0.1), 1500, 2),
    "circles": Kind(_circles(0.1), 200, 1),
    "bits": Kind(_bits(30), 300, 4),
    "bits of latent variables": Kind(_bits(40, 3), 600, 3),
    "one-hot columns": Kind(_one_hot(5, 4), 400, 4),
    "one-hot columns, few rows": Kind(_one_hot(5, 4), 75, 4),
    "integers and one-hot columns": Kind(_mixed(3, 12), 1500, 2),
    "counts": Kind(_counts(60, 6), 400, 5),
    "counts, many rows": Kind(_counts(60, 6), 1500, 5),
    "bumps, 60 rows": Kind(_bumps(50, 0.05), 60, 2),
    "bumps, 150 rows": Kind(_bumps(50, 0.05), 150, 3),
    "bumps, 1,200 rows": Kind(_bumps(50, 0.05), 1200, 3),
    "60 spectra": Kind(_spectra(400, 6, 0.01), 60, 2),
    "60 noisy spectra": Kind(_spectra(200, 6, 0.1), 60, 3),
    "90 spectra": Kind(_spectra(400, 10, 0.02), 90, 4),
}


def independent(name, seed):
    """Return rows to fit and fresh rows of a kind of `INDEPENDENT`."""
    kind, rng = INDEPENDENT[name], np.random.default_rng([seed, 0])
    X, fresh = (
        kind.draw(n_rows, rng, np.random.default_rng([seed, 1]))
        for n_rows in (kind.n_rows, N_FRESH)
    )
    return X, fresh


# --- Dependent rows ---


class Dependent(NamedTuple):
    """Rows that depend on each other, fresh ones that do not, and how to fit them."""

    X: np.ndarray
    fresh: np.ndarray
    n_components: int
    parameters: dict[str, Any]
    fit_parameters: dict[str, Any]


def _repeats(seed):
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.normal(size=(200, 30)), 9, axis=0)
    return Dependent(X, rng.normal(size=(N_FRESH, 30)), 5, {}, {})


def _table(load, seed):
    X, y = load(return_X_y=True)
    parts = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
    scaler = StandardScaler().fit(parts[0])
    return scaler.transform(parts[0]), scaler.transform(parts[1]), parts[2]


def _bootstrap(seed):
    X, fresh, _ = _table(load_wine, seed)
    rows = np.random.default_rng(seed).integers(len(X), size=1500)
    return Dependent(X[rows], fresh, 2, {}, {})


def _oversampled(seed):
    """Copies of rows of the smaller class, until both are as large."""
    X, fresh, y = _table(load_breast_cancer, seed)
    rng = np.random.default_rng(seed)
    smaller, larger = sorted((np.flatnonzero(y == label) for label in (0, 1)), key=len)
    rows = np.concatenate([larger, rng.choice(smaller, len(larger))])
    return Dependent(X[rows], fresh, 4, {}, {})


def _subjects(n_subjects, n_rows, within):
    """Rows near the centre of their subject; fresh rows are of other subjects."""

    def make(seed):
        rng = np.random.default_rng(seed)

        def draw(n_subjects):
            centres = rng.normal(size=(n_subjects, 20))
            X = np.repeat(centres, n_rows, axis=0)
            return X + within * rng.normal(size=X.shape)

        groups = np.repeat(np.arange(n_subjects), n_rows)
        return Dependent(draw(n_subjects), draw(300), 4, {}, {"groups": groups})

    return make


def _curved_subjects(seed):
    """Rows of each subject on a curve of its own, all of one family."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(4, 20))

    def draw(n_subjects):
        phase = np.repeat(rng.uniform(0, 2 * np.pi, n_subjects), 40)
        angle = rng.uniform(0, 2 * np.pi, len(phase))
        waves = [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(angle + phase)]
        X = np.column_stack(waves) @ directions
        return X + 0.1 * rng.normal(size=X.shape)

    groups = np.repeat(np.arange(50), 40)
    return Dependent(draw(50), draw(150), 2, {}, {"groups": groups})


def _subjects_on_a_surface(n_subjects, n_rows):
    """Rows on one curved surface: each subject has a place on it, and a small shift."""

    def make(seed):
        rng = np.random.default_rng(seed)
        directions = rng.normal(size=(4, 20))

        def draw(n_subjects):
            subjects = np.repeat(np.arange(n_subjects), n_rows)
            latent = rng.normal(size=(n_subjects, 2))[subjects]
            latent += 0.5 * rng.normal(size=latent.shape)
            X = np.hstack([latent, latent**2 - 1]) @ directions
            X += 0.3 * rng.normal(size=(n_subjects, 20))[subjects]
            return X + 0.3 * rng.normal(size=X.shape)

        groups = np.repeat(np.arange(n_subjects), n_rows)
        return Dependent(draw(n_subjects), draw(400), 2, {}, {"groups": groups})

    return make


def _windows(series, width, n_rows):
    """Overlapping windows of a series, and windows of a later part of it."""

    def make(seed):
        rng = np.random.default_rng(seed)
        values = series(n_rows + 20 * N_FRESH, rng)
        windows = np.lib.stride_tricks.sliding_window_view(values, width)
        fresh = windows[n_rows + 5 * width :][::19][:N_FRESH]
        return Dependent(windows[:n_rows].copy(), fresh, 4, {"holdout": "blocks"}, {})

    return make


def _autoregressive(n_values, rng):
    from scipy.signal import lfilter

    return lfilter([1.0], [1.0, -1.6, 0.7], rng.normal(size=n_values))


def _logistic_map(n_values, rng):
    """A chaotic series: each value is a parabola of the one before."""
    values = np.empty(n_values)
    values[0] = rng.uniform(0.2, 0.8)
    for i in range(1, n_values):
        values[i] = 3.8 * values[i - 1] * (1 - values[i - 1])
    return values + 0.02 * rng.normal(size=n_values)


def _pulses(n_values, rng):
    """Pulses at a rate that wanders, as of a heart, with noise."""
    from scipy.signal import lfilter

    wandering = lfilter([0.2], [1.0, -0.98], rng.normal(size=n_values))
    phase = np.cumsum(0.15 * (1 + 0.2 * np.tanh(wandering)))
    return np.exp(4 * (np.cos(phase) - 1)) + 0.05 * rng.normal(size=n_values)


DEPENDENT = {
    "noise, each row nine times": _repeats,
    "bootstrap of wine": _bootstrap,
    "over-sampling of breast cancer by copies": _oversampled,
    "30 subjects of 60 rows, near their centres": _subjects(30, 60, 0.2),
    "12 subjects of 50 rows, near their centres": _subjects(12, 50, 0.3),
    "8 subjects of 200 rows": _subjects(8, 200, 1.0),
    "50 subjects of 40 rows on curves": _curved_subjects,
    "60 subjects of 12 rows on a surface": _subjects_on_a_surface(60, 12),
    "60 subjects of 40 rows on a surface": _subjects_on_a_surface(60, 40),
    "200 subjects of 20 rows on a surface": _subjects_on_a_surface(200, 20),
    "windows of an autoregressive series": _windows(_autoregressive, 32, 2000),
    "windows of it, few": _windows(_autoregressive, 32, 600),
    "windows of a chaotic series": _windows(_logistic_map, 8, 3000),
    "windows of pulses": _windows(_pulses, 64, 4000),
    "windows of pulses, few": _windows(_pulses, 64, 900),
}
