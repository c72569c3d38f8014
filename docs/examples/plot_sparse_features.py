"""
What the codes of a sparse autoencoder stand for
================================================

:class:`~skae.SparseAE` has many codes, of which few are active in each row. It is
fitted to handwritten digits here, with two ways of keeping codes inactive. We look at
what a code stands for: what it adds to the picture, and in which digits it is largest.
The components of PCA, which take part in every digit, are shown for comparison.
"""

# %%
# Fits
# ----
# "topk" keeps the eight largest codes of each row and sets the others to zero. "l1" is
# a penalty on the size of the codes, and how many are active differs between rows. The
# errors are those of a quarter of the digits, which is held out.
#
# Each is compared with PCA of as many components as are active in a row. That flatters
# the sparse codes, as which of the 128 are active tells something, too.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import SparseAE

X_train, X_test = train_test_split(load_digits().data, test_size=0.25, random_state=0)
topk = SparseAE(128, sparsity="topk", target_sparsity=8, random_state=0).fit(X_train)
l1 = SparseAE(128, sparsity="l1", random_state=0).fit(X_train)


def error(reducer):
    X_again = reducer.inverse_transform(reducer.transform(X_test))
    return np.mean((X_again - X_test) ** 2)


print("                error  active codes a row  most active code  codes never active")
for autoencoder in (topk, l1):
    share = autoencoder.active_share_
    n_active = round(share.sum())
    pca = PCA(n_active, random_state=0).fit(X_train)
    print(
        f"{f'SparseAE, {autoencoder.sparsity}':16}{error(autoencoder):5.2f}"
        f"{share.sum():20.1f}{share.max():18.0%}{np.sum(share == 0):20d}\n"
        f"{f'PCA({n_active})':16}{error(pca):5.2f}{n_active:20.1f}{1:18.0%}{0:20d}"
    )

# %%
# What a code adds, and where it is largest
# -----------------------------------------
# The decoder is a network, so that what a code does depends on the other codes. We take
# the average over the training digits in which the code is active: the decoded digit
# minus the same one decoded with that code set to zero. Red is ink that the code adds,
# blue is ink that it takes away; each picture has its own scale. Beside it are the
# held-out digits in which the code is largest. Shown are the eight codes that are most
# often active and the first eight components of PCA, without any selection.
#
# Digits in which a code is large often share a stroke, and may belong to several
# classes. Not every code is easily put into words, and the pictures of what a code adds
# look no simpler than the first components of PCA.


def effect(autoencoder, unit):
    codes = autoencoder.transform(X_train)
    codes = codes[codes[:, unit] != 0]
    others = codes.copy()
    others[:, unit] = 0
    decode = autoencoder.inverse_transform
    return np.mean(decode(codes) - decode(others), axis=0)


def draw(figure, title, effects, codes):
    figure.suptitle(title)
    axes = figure.subplots(len(effects), 6)
    for row, picture, code in zip(axes, effects, codes.T, strict=True):
        limit = np.abs(picture).max()
        row[0].imshow(picture.reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
        for ax, digit in zip(row[1:], X_test[np.argsort(-code)], strict=False):
            ax.imshow(digit.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        for ax in row:
            ax.set(xticks=[], yticks=[])


figure = plt.figure(figsize=(12, 5.6), layout="constrained")
parts = figure.subfigures(1, 3, wspace=0.04)
for part, autoencoder in zip(parts, (topk, l1), strict=False):
    units = np.argsort(-autoencoder.active_share_)[:8]
    effects = [effect(autoencoder, unit) for unit in units]
    title = f'SparseAE, sparsity="{autoencoder.sparsity}"'
    draw(part, title, effects, autoencoder.transform(X_test)[:, units])
pca = PCA(8, random_state=0).fit(X_train)
draw(parts[2], "PCA", pca.components_, pca.transform(X_test))
plt.show()
