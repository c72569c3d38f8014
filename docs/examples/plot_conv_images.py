"""
Convolutions or dense layers, for images
========================================

:class:`~skae.ConvAE` knows which pixels are neighbours, and looks for the same patterns
everywhere. :class:`~skae.DenseAE` knows nothing about the pixels, but it is quicker and
free to learn something else for every place. Which is better depends on the images:
here both are compared with PCA on handwritten digits that are centred, and on the same
digits at random places of a larger picture.
"""

# %%
# Data
# ----
# The digits have 8 by 8 pixels. The larger pictures have 16 by 16 and are empty but for
# one digit. A quarter of the digits is held out.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import ConvAE, DenseAE

rng = np.random.default_rng(0)


def move(digits, size=16):
    """Put each digit at a random place of an empty picture."""
    pictures = np.zeros((len(digits), size, size))
    places = rng.integers(0, size - 8, (len(digits), 2), endpoint=True)
    for picture, (row, column), digit in zip(pictures, places, digits, strict=True):
        picture[row : row + 8, column : column + 8] = digit.reshape(8, 8)
    return pictures.reshape(len(digits), -1)


X_train, X_test = train_test_split(load_digits().data, test_size=0.25, random_state=0)
data = {"centred": (X_train, X_test), "moved": (move(X_train), move(X_test))}

# %%
# Errors and times
# ----------------
# All make 16 numbers of a picture. The error is the share of the variance of held-out
# pictures that the reconstruction does not explain. The convolutional network has one
# layer of eight filters of 5 by 5 pixels, which is one of a few that were tried, by
# ``reconstruction_error_``, the error on rows that `fit` holds out. The other two are
# used with their default settings.

N_COMPONENTS = 16
estimators = (
    PCA(N_COMPONENTS, random_state=0),
    DenseAE(N_COMPONENTS, random_state=0),
    ConvAE(N_COMPONENTS, filters=(8,), kernel_size=5, max_iter=50, random_state=0),
)
reconstructions = {}
print("digits   estimator  held-out error  seconds of fit")
for digits, (X_fit, X_new) in data.items():
    variance = np.mean((X_new - X_fit.mean(axis=0)) ** 2)
    reconstructions[digits] = {"original": X_new}
    for estimator in estimators:
        name = type(estimator).__name__
        start = perf_counter()
        estimator.fit(X_fit)
        seconds = perf_counter() - start
        X_again = estimator.inverse_transform(estimator.transform(X_new))
        error = np.mean((X_again - X_new) ** 2) / variance
        reconstructions[digits][name] = X_again
        print(f"{digits:8} {name:9}{error:16.3f}{seconds:16.1f}")

# %%
# The dense network is better where the same pixel means the same in every picture, the
# convolutional one where the digits move, and it takes longer. PCA is far behind both.
#
# Reconstructions
# ---------------
# The first digits of those held out.

figure = plt.figure(figsize=(12, 4.5), layout="constrained")
parts = figure.subfigures(1, 2, wspace=0.03)
for part, (digits, rows) in zip(parts, reconstructions.items(), strict=True):
    part.suptitle(f"{digits} digits")
    for row, (name, X_shown) in zip(part.subplots(4, 6), rows.items(), strict=True):
        for ax, x in zip(row, X_shown, strict=False):
            side = int(np.sqrt(len(x)))
            ax.imshow(x.reshape(side, side), cmap="gray_r", vmin=0, vmax=16)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
plt.show()
