"""
DenseAE in the place of PCA
===========================

:class:`~skae.DenseAE` takes the place of :class:`~sklearn.decomposition.PCA` in a
pipeline. Here both compress scikit-learn's handwritten digits to a few numbers each. On
digits that neither has seen we compare what gets lost, and how well two classifiers
read the digit from the code.
"""

# %%
# Data
# ----
# A quarter of the digits is held out. The features are standardised, as one does for
# PCA, and pixels that are blank in almost every digit are dropped first: after
# standardisation one grey spot in such a pixel would outweigh the rest of the image.

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import BoundaryNorm
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import DenseAE

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)
preprocess = make_pipeline(VarianceThreshold(1.0), StandardScaler()).fit(X_train)
X_train, X_test = preprocess.transform(X_train), preprocess.transform(X_test)
n_train, n_pixels = X_train.shape
print(f"{n_train} digits to fit, {len(X_test)} held out, {n_pixels} pixels")

# %%
# Error and accuracy on held-out digits
# -------------------------------------
# The error is the share of the variance that the reconstruction does not explain; for
# :class:`~skae.DenseAE` it is ``1 - score(X_test)``. The accuracies are those of a
# logistic regression, which separates classes by straight lines, and of nearest
# neighbours. Both are trained on the codes of the digits that were not held out. This
# is one split and one seed; others give somewhat different numbers.


def unexplained_variance(reducer):
    residual = X_test - reducer.inverse_transform(reducer.transform(X_test))
    return np.sum(residual**2) / np.sum((X_test - X_train.mean(axis=0)) ** 2)


def accuracy(reducer, classifier):
    classifier.fit(reducer.transform(X_train), y_train)
    return classifier.score(reducer.transform(X_test), y_test)


def measure(reducer):
    return (
        unexplained_variance(reducer),
        accuracy(reducer, LogisticRegression(max_iter=5000)),
        accuracy(reducer, KNeighborsClassifier()),
    )


reducers, measures = {}, {}
print("                 held-out error    logistic regression  nearest neighbours")
print("n_components" + "        PCA  DenseAE" * 3)
for n_components in (2, 4, 8, 16):
    pair = PCA(n_components, random_state=0), DenseAE(n_components, random_state=0)
    reducers[n_components] = [reducer.fit(X_train) for reducer in pair]
    measures[n_components] = [measure(reducer) for reducer in pair]
    columns = zip(*measures[n_components], strict=True)
    row = "".join(f"{pca:11.3f}{autoencoder:9.3f}" for pca, autoencoder in columns)
    print(f"{n_components:12d}{row}")

# %%
# Had the network not beaten PCA on rows that `fit` holds out, the answer would be PCA.
# This is what the estimators tell of that comparison, as mean squared errors:

for n_components, (_, autoencoder) in reducers.items():
    print(
        f"n_components={n_components}: used_network_={autoencoder.used_network_}, "
        f"error {autoencoder.reconstruction_error_:.3f}, "
        f"PCA {autoencoder.pca_reconstruction_error_:.3f}"
    )

# %%
# Two numbers a digit
# -------------------
# With two components the codes of the held-out digits can be drawn. The classes were
# shown to neither method.

fig, axes = plt.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
colours = plt.get_cmap("tab10", 10)
norm = BoundaryNorm(np.arange(-0.5, 10), colours.N)
for ax, reducer, (error, linear, neighbours) in zip(
    axes, reducers[2], measures[2], strict=True
):
    codes = reducer.transform(X_test)
    points = ax.scatter(*codes.T, c=y_test, cmap=colours, norm=norm, s=12)
    ax.set_title(
        f"{type(reducer).__name__}: held-out error {error:.3f}\n"
        f"accuracy: logistic regression {linear:.3f}, neighbours {neighbours:.3f}",
        fontsize="medium",
    )
    ax.set_xlabel("component 1")
axes[0].set_ylabel("component 2")
colourbar = fig.colorbar(points, ax=axes, ticks=range(10), label="digit", pad=0.02)
colourbar.minorticks_off()

# sphinx_gallery_start_ignore
if "sphinx_gallery" not in sys.modules:
    fig.savefig("replace_pca.png", dpi=100)
# sphinx_gallery_end_ignore
