"""Digests of what fits return, to show that a change of structure changed no number.

``python -m benchmarks.digests store FILE`` before the change and ``python -m
benchmarks.digests compare FILE`` after it, on the same machine: the digests cover the
saved state, the codes and the reconstruction of each fit, to the last bit.
"""

import argparse
import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import StandardScaler

from skae import (
    ConvAE,
    DenoisingAE,
    DenseAE,
    SparseAE,
    SupervisedAE,
    VAETransformer,
)

SHORT = {"hidden_layer_sizes": (32,), "max_iter": 12, "random_state": 0}
NETWORK = {**SHORT, "early_stopping": False}
PLAIN = {**NETWORK, "pca_shortcut": False}


def standardised(load, n_rows=None):
    return StandardScaler().fit_transform(load().data)[:n_rows]


def curved(n_rows, n_features):
    """Return rows on a curved surface of four dimensions, with noise."""
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(n_rows, 4))
    surface = np.tanh(codes @ rng.normal(size=(4, 32))) @ rng.normal(
        size=(32, n_features)
    )
    return surface + 0.1 * rng.normal(size=surface.shape)


def many_digits():
    return standardised(load_digits)


def single_precision():
    return standardised(load_digits).astype(np.float32)


def bounded():
    return load_digits().data / 16


def few_digits():
    return standardised(load_digits, 400)


def tiny():
    return standardised(load_wine, 40)


def wine():
    return standardised(load_wine)


def cancer():
    return standardised(load_breast_cancer)


def noise():
    return np.random.default_rng(0).normal(size=(300, 8))


def tall():
    return curved(40_000, 220)


def long():
    return curved(8_000, 100)


def labels(X):
    """Return three classes, for the estimators that see labels."""
    sums = X.sum(axis=1)
    return np.digitize(sums, np.quantile(sums, [1 / 3, 2 / 3]))


def fit(estimator, X):
    return estimator.fit(X, labels(X))


def in_blocks(estimator, X):
    for block in np.array_split(X, 3):
        estimator.partial_fit(block, labels(block))
    return estimator


def resumed(estimator, X):
    estimator.set_params(warm_start=True).fit(X, labels(X))
    estimator.fit(X[::-1] + 1, labels(X[::-1]))
    return estimator.partial_fit(X[:200], labels(X[:200]))


def truncated(estimator, X):
    return estimator.fit(X).truncate(3)


def truncated_and_refined(estimator, X):
    return estimator.fit(X).truncate(2).set_params(max_iter=4).fit(X)


# Name, estimator, rows, and how it is fitted.
FITS = [
    ("dense", DenseAE(4, **SHORT), many_digits, fit),
    ("dense, float32", DenseAE(4, **SHORT), single_precision, fit),
    ("dense, default", DenseAE(4, max_iter=4, random_state=1), many_digits, fit),
    ("dense, whitened", DenseAE(4, whiten=True, **SHORT), many_digits, fit),
    ("dense, huber", DenseAE(4, loss="huber", alpha=0.1, **SHORT), many_digits, fit),
    ("dense, folds", DenseAE(4, **SHORT), few_digits, fit),
    ("dense, folds of cancer", DenseAE(2, max_iter=40, random_state=0), cancer, fit),
    ("dense, tiny", DenseAE(3, **SHORT), tiny, fit),
    ("dense, noise", DenseAE(3, **SHORT), noise, fit),
    ("dense, plain", DenseAE(4, activation="relu", **PLAIN), many_digits, fit),
    (
        "dense, sigmoids",
        DenseAE(
            4,
            code_activation="sigmoid",
            output_activation="sigmoid",
            loss="binary_crossentropy",
            **SHORT,
        ),
        bounded,
        fit,
    ),
    ("dense, blocks", DenseAE(4, whiten=True, **SHORT), many_digits, in_blocks),
    ("dense, resumed", DenseAE(4, **SHORT), many_digits, resumed),
    ("dense, tall", DenseAE(4, **{**NETWORK, "max_iter": 2}), tall, fit),
    (
        "dense, by XLA",
        DenseAE(4, hidden_layer_sizes=(512, 256), max_iter=70, random_state=0),
        long,
        fit,
    ),
    ("ordered", DenseAE(6, ordered=True, **SHORT), many_digits, fit),
    ("ordered, folds", DenseAE(6, ordered=True, **SHORT), few_digits, fit),
    ("ordered, truncated", DenseAE(6, ordered=True, **NETWORK), many_digits, truncated),
    (
        "ordered, refined",
        DenseAE(6, ordered=True, **NETWORK),
        many_digits,
        truncated_and_refined,
    ),
    ("ordered, blocks", DenseAE(5, ordered=True, **SHORT), many_digits, in_blocks),
    ("ordered, resumed", DenseAE(5, ordered=True, **NETWORK), many_digits, resumed),
    ("share", DenseAE(0.6, **SHORT), many_digits, fit),
    ("share, folds", DenseAE(0.7, **SHORT), cancer, fit),
    ("share, blocks", DenseAE(0.7, **SHORT), many_digits, in_blocks),
    ("elbow", DenseAE("auto", **NETWORK), wine, fit),
    ("denoising", DenoisingAE(8, noise_level=0.5, **SHORT), many_digits, fit),
    ("denoising, swap", DenoisingAE(8, noise="swap", **SHORT), few_digits, fit),
    ("denoising, masking", DenoisingAE(4, noise="masking", **SHORT), bounded, fit),
    ("denoising, share", DenoisingAE(0.6, noise_level=0.3, **SHORT), many_digits, fit),
    (
        "denoising, salt",
        DenoisingAE(4, noise="salt_and_pepper", **SHORT),
        many_digits,
        in_blocks,
    ),
    ("denoising, tiny", DenoisingAE(4, **SHORT), tiny, fit),
    ("sparse", SparseAE(32, **SHORT), many_digits, fit),
    ("sparse, kl", SparseAE(32, sparsity="kl", **SHORT), few_digits, fit),
    (
        "sparse, topk",
        SparseAE(64, sparsity="topk", target_sparsity=4, **SHORT),
        single_precision,
        resumed,
    ),
    ("supervised", SupervisedAE(4, **SHORT), many_digits, fit),
    ("supervised, folds", SupervisedAE(2, max_iter=40, random_state=0), cancer, fit),
    ("supervised, tiny", SupervisedAE(3, **SHORT), tiny, fit),
    (
        "supervised, numbers",
        SupervisedAE(3, target_type="continuous", **SHORT),
        many_digits,
        fit,
    ),
    ("supervised, blocks", SupervisedAE(4, **NETWORK), many_digits, in_blocks),
    ("supervised, resumed", SupervisedAE(4, **NETWORK), many_digits, resumed),
    ("variational", VAETransformer(4, **SHORT), many_digits, fit),
    ("variational, folds", VAETransformer(2, max_iter=40, random_state=0), cancer, fit),
    ("variational, tiny", VAETransformer(3, **SHORT), tiny, fit),
    ("variational, beta", VAETransformer(3, beta=4, **SHORT), many_digits, in_blocks),
    (
        "variational, bits",
        VAETransformer(
            3, loss="binary_crossentropy", output_activation="sigmoid", **SHORT
        ),
        bounded,
        fit,
    ),
    ("conv", ConvAE(4, filters=(4, 2), **SHORT), many_digits, fit),
    ("conv, map", ConvAE(None, filters=(4,), **SHORT), single_precision, fit),
    ("conv, signal", ConvAE(3, filters=4, image_shape=(30,), **SHORT), cancer, fit),
    (
        "conv, denoising",
        ConvAE(4, noise="gaussian", filters=(4, 2), **SHORT),
        many_digits,
        fit,
    ),
    (
        "conv, denoising map",
        ConvAE(None, noise="swap", filters=4, **SHORT),
        few_digits,
        fit,
    ),
    ("conv, resumed", ConvAE(3, filters=4, **NETWORK), few_digits, resumed),
]


def update(digest, value):
    """Feed a value of builtins and arrays to the digest."""
    if isinstance(value, dict):
        for key in sorted(value):
            digest.update(key.encode())
            update(digest, value[key])
    elif isinstance(value, (list, tuple)):
        for item in value:
            update(digest, item)
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    else:
        digest.update(repr(value).encode())


def digest_of(model, X):
    """Return a digest of the fitted state and of what it computes."""
    digest = hashlib.sha256()
    state, parameters = model.__getstate__(), model.get_params(deep=False)
    fitted = [key for key in state if key not in parameters]
    update(digest, {key: state[key] for key in fitted if not key.startswith("_skae_")})
    codes = model.transform(X[:500])
    update(digest, [codes, model.inverse_transform(codes), model.score_samples(X[:5])])
    return digest.hexdigest()


def digests(names):
    warnings.simplefilter("ignore")
    for name, estimator, rows, how in FITS:
        if not names or name in names:
            X = rows()
            yield name, digest_of(how(clone(estimator), X), X)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("action", choices=["store", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="+", default=[], help="names of fits")
    arguments = parser.parse_args()
    found = {}
    for name, digest in digests(arguments.only):
        found[name] = digest
        print(f"{digest[:16]}  {name}", flush=True)
    if arguments.action == "store":
        arguments.file.write_text(json.dumps(found, indent=1))
        return
    before = json.loads(arguments.file.read_text())
    changed = [name for name in found if found[name] != before.get(name)]
    print(f"{len(found)} fits, changed: {', '.join(changed) or 'none'}")
    sys.exit(bool(changed))


if __name__ == "__main__":
    main()
