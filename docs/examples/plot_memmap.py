"""
Rows that do not fit in memory
==============================

There are two ways to fit data on disk. `fit` reads a memory map block by block, holds
rows out, and decides between network and PCA. `partial_fit` trains on one block at a
time, for rows that arrive one block after the other.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skae import DenseAE

# %%
# A file of rows
# --------------
# 20,000 rows of 32 features, which depend on three hidden numbers. They are written
# block by block, as if all of them were too many to hold.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
N_ROWS, N_BLOCK = 20_000, 4_000
rng = np.random.default_rng(0)
weights = rng.normal(size=(3, 32)), rng.normal(size=(3, 32))


def make_rows(n_rows):
    hidden = rng.normal(size=(n_rows, 3))
    rows = np.sin(hidden @ weights[0]) + hidden @ weights[1]
    return (rows + 0.1 * rng.normal(size=rows.shape)).astype("float32")


written = np.lib.format.open_memmap(path, "w+", "float32", (N_ROWS, 32))
for start in range(0, N_ROWS, N_BLOCK):
    written[start : start + N_BLOCK] = make_rows(N_BLOCK)
written.flush()
X_test = make_rows(1000)

# %%
# One fit to the file
# -------------------
# Opened with ``mmap_mode="r"``, the file is read as needed and never copied as a whole.

X = np.load(path, mmap_mode="r")
fitted = DenseAE(3, hidden_layer_sizes=(64,), max_iter=10, random_state=0).fit(X)
print(f"network used: {fitted.used_network_}")
print(f"variance explained of new rows: {fitted.score(X_test):.3f}")

# %%
# Block by block
# --------------
# Each call is one pass over its block. The first block sets the mean, the scale and the
# PCA start, so it should be a fair sample. Nothing is held out: measure on rows of your
# own.

stream = DenseAE(3, hidden_layer_sizes=(64,), random_state=0)
scores = []
for _ in range(4):
    for start in range(0, N_ROWS, N_BLOCK):
        stream.partial_fit(X[start : start + N_BLOCK])
        scores.append(stream.score(X_test))
print(f"variance explained of new rows: {scores[-1]:.3f}")

figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
ax.plot(range(1, len(scores) + 1), scores, "o-", label="partial_fit")
ax.axhline(fitted.score(X_test), color="black", ls="--", label="fit, 10 epochs")
ax.set(xlabel="blocks seen", ylabel="variance explained of new rows")
ax.legend()
plt.show()
del X, written
folder.cleanup()
