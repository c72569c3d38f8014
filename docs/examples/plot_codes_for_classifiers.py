"""
Codes that know the classes
===========================

Two codes of a digit, by PCA, by :class:`~skae.DenseAE` and by
:class:`~skae.SupervisedAE`, which sees the labels of the digits that it is fitted to.
We draw the codes of digits that none of them has seen, and measure how well classifiers
read the digit from the code, and what gets lost.
"""

# %%
# Data
# ----
# A quarter of the digits is held out.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import BoundaryNorm
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import DenseAE, SupervisedAE

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

# %%
# Three pairs of codes
# --------------------
# The first two ignore `y_train`. The error is the share of the variance that the
# reconstruction does not explain.

reducers = [
    PCA(2, random_state=0).fit(X_train),
    DenseAE(2, random_state=0).fit(X_train),
    SupervisedAE(2, random_state=0).fit(X_train, y_train),
]


def unexplained_variance(reducer):
    residual = X_test - reducer.inverse_transform(reducer.transform(X_test))
    return np.sum(residual**2) / np.sum((X_test - X_train.mean(axis=0)) ** 2)


def accuracy(reducer, classifier):
    classifier.fit(reducer.transform(X_train), y_train)
    return classifier.score(reducer.transform(X_test), y_test)


fig, axes = plt.subplots(1, 3, figsize=(13, 4.6), layout="constrained")
colours = plt.get_cmap("tab10", 10)
norm = BoundaryNorm(np.arange(-0.5, 10), colours.N)
for ax, reducer in zip(axes, reducers, strict=True):
    linear = accuracy(reducer, LogisticRegression(max_iter=5000))
    neighbours = accuracy(reducer, KNeighborsClassifier())
    codes = reducer.transform(X_test)
    points = ax.scatter(*codes.T, c=y_test, cmap=colours, norm=norm, s=12)
    ax.set_title(
        f"{type(reducer).__name__}: error {unexplained_variance(reducer):.3f}\n"
        f"accuracy: logistic regression {linear:.3f}, neighbours {neighbours:.3f}",
        fontsize="medium",
    )
    ax.set_xlabel("component 1")
axes[0].set_ylabel("component 2")
colourbar = fig.colorbar(points, ax=axes, ticks=range(10), label="digit", pad=0.02)
colourbar.minorticks_off()

# %%
# The codes of :class:`~skae.SupervisedAE` still reconstruct the digit. `fit` compared
# both with PCA, on digits that it held out itself:

supervised = reducers[-1]
print(f"score of the labels: {supervised.target_score_:.3f}")
print(f"PCA with a linear head: {supervised.pca_target_score_:.3f}")
print(f"error: {supervised.reconstruction_error_:.3f}")
print(f"error of PCA: {supervised.pca_reconstruction_error_:.3f}")

# %%
# Judge on other rows
# -------------------
# Codes of training rows know the labels of these rows, so a classifier that is judged
# on them looks better than it is. In a pipeline, cross-validation fits the codes anew
# for each fold and judges on the others. The labels here are drawn at random, so the
# right answer is 0.5.

rng = np.random.default_rng(0)
noise, labels = rng.normal(size=(300, 30)), rng.integers(2, size=300)
# Without early stopping the network is kept, although PCA would be the answer here.
autoencoder = SupervisedAE(2, early_stopping=False, max_iter=50, random_state=0)
classifier = LogisticRegression()
codes = autoencoder.fit_transform(noise, labels)
wrong = cross_val_score(classifier, codes, labels)
right = cross_val_score(make_pipeline(autoencoder, classifier), noise, labels)
print(f"codes of all rows, then cross-validation: {wrong.mean():.2f} (wrong)")
print(f"cross-validation of the pipeline: {right.mean():.2f}")
