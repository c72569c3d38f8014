"""Whether saved states that were damaged or changed are refused."""

import random
import warnings
from inspect import signature

import numpy as np
from sklearn.datasets import load_wine

import skae
from benchmarks.report import Target

TITLE = "damaged and changed states"
N_STATES = 500

SMALL = {
    "early_stopping": False,
    "hidden_layer_sizes": (4,),
    "max_iter": 2,
    "random_state": 0,
}


def fitted_estimators(X):
    return [
        skae.DenseAE(3, **SMALL).fit(X),
        skae.DenseAE(3, ordered=True, **SMALL).fit(X),
        skae.DenseAE(3).fit(X[:40]),  # PCA
        skae.ConvAE(3, filters=2, **SMALL).fit(X),
        skae.DenoisingAE(3, **SMALL).fit(X),
        skae.SparseAE(6, sparsity="topk", target_sparsity=2, **SMALL).fit(X),
        skae.VAETransformer(2, **SMALL).fit(X.astype(np.float32)),
    ]


def leaves(value, path=()):
    """Yield the path and the value of every leaf of nested containers."""
    items = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        yield path, value
    for key, item in items:
        yield from leaves(item, (*path, key))


def replaced(value, path, new):
    """Return the nested containers with another value at the path."""
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: replaced(value[path[0]], path[1:], new)}
    items = list(value)
    items[path[0]] = replaced(items[path[0]], path[1:], new)
    return type(value)(items)


def changed(value, rng):
    """Return a value that differs from the given one."""
    if isinstance(value, np.ndarray):
        kind = rng.randrange(4)
        if kind == 0 and value.ndim:
            return value[:-1]
        if kind == 1 and value.dtype.kind == "f":
            other = np.float32 if value.dtype == np.float64 else np.float64
            return value.astype(other)
        value = value.copy()
        index = rng.randrange(value.size)
        if value.dtype.kind == "b":
            value.flat[index] ^= True
        elif kind == 2 and value.dtype.kind == "f":
            value.flat[index] = np.nan
        else:
            value.flat[index] += 1
        return value
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return value + "x" if isinstance(value, str) else 1


def is_served(estimator, X, rng, with_digest):
    """Change one fitted value of the saved state, and tell whether rows are served."""
    state = estimator.__getstate__()
    digest = state.pop("_skae_digest")
    parameters = {*signature(type(estimator)).parameters, "_skae_version"}
    fitted = {key: value for key, value in state.items() if key not in parameters}
    path, value = rng.choice([*leaves(fitted)])
    state = replaced(state, path, changed(value, rng))
    if with_digest:
        state["_skae_digest"] = digest
    new = type(estimator).__new__(type(estimator))
    try:
        new.__setstate__(state)
        new.transform(X)
    except ValueError:
        return False
    return True


def main(report):
    X, _ = load_wine(return_X_y=True)
    n_states = 50 if report.quick else N_STATES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimators = fitted_estimators(X)
    served = {}
    for with_digest in (True, False):
        rng = random.Random(0)
        served[with_digest] = sum(
            is_served(rng.choice(estimators), X, rng, with_digest)
            for _ in range(n_states)
        )
    report.table(
        f"{n_states} states with one value changed",
        ["states", "served"],
        [
            ("with a digest", served[True]),
            ("of earlier versions, without one", served[False]),
        ],
    )
    report.targets([Target("changed states served", served[True], 0)])
