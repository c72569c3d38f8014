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
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import DenseAE

# %%
# A file of rows
# --------------
# Handwritten digits with a little noise, five times over. They are written block by
# block, as if all of them were too many to hold.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
digits, X_test = train_test_split(load_digits().data, random_state=0)
N_BLOCK, N_ROWS = len(digits), 5 * len(digits)
rng = np.random.default_rng(0)
written = np.lib.format.open_memmap(path, "w+", "float32", (N_ROWS, 64))
for start in range(0, N_ROWS, N_BLOCK):
    written[start : start + N_BLOCK] = digits + rng.normal(size=digits.shape)
written.flush()

# %%
# One fit to the file
# -------------------
# Opened with ``mmap_mode="r"``, the file is read as needed and never copied as a whole.

X = np.load(path, mmap_mode="r")
copies = np.tile(np.arange(N_BLOCK), 5)  # rows of one digit are not independent
fitted = DenseAE(8, max_iter=10, random_state=0).fit(X, groups=copies)
print(f"network used: {fitted.used_network_}")
print(f"variance explained of new rows: {fitted.score(X_test):.3f}")

# %%
# Block by block
# --------------
# Each call is one pass over its block. The first block sets the mean, the scale and the
# PCA start, so it should be a fair sample. Nothing is held out: measure on rows of your
# own.

stream = DenseAE(8, random_state=0)
scores = []
for _ in range(6):
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
