"""
How many components?
====================

One fit of a :class:`~skae.DenseAE` with ordered codes answers for every number of
components. Here its curve is drawn beside PCA's and beside separate fits; then the
codes are chosen by what they explain, and by how well a classifier reads them.
"""

# %%
# Data
# ----
# Standardised digits without the pixels that are blank in almost all of them.

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.model_selection import GridSearchCV, train_test_split
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


def unexplained(model):
    residual = X_test - model.inverse_transform(model.transform(X_test))
    return np.sum(residual**2) / np.sum((X_test - X_train.mean(axis=0)) ** 2)


# %%
# One ordered fit
# ---------------
# ``truncate(k)`` needs no training. A separate fit has the whole network for one number
# of components, and so is better at it, by about as much as a short refinement at that
# number makes up for.

numbers = np.arange(1, 17)
start = time.perf_counter()
ordered = DenseAE(16, ordered=True, random_state=0).fit(X_train)
print(f"one ordered fit: {time.perf_counter() - start:.1f} s")
curve = [unexplained(ordered.truncate(int(k))) for k in numbers]
pca_curve = [unexplained(PCA(k, random_state=0).fit(X_train)) for k in numbers]

some = [1, 2, 4, 8, 16]
start = time.perf_counter()
separate = [unexplained(DenseAE(k, random_state=0).fit(X_train)) for k in some]
print(f"{len(some)} separate fits: {time.perf_counter() - start:.1f} s")
refined = [
    unexplained(ordered.truncate(k).set_params(max_iter=25).fit(X_train)) for k in some
]

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.plot(numbers, pca_curve, "o-", color="0.6", ms=4, label="PCA")
ax.plot(numbers, curve, "o-", color="C0", ms=4, label="one ordered fit, truncated")
ax.plot(some, refined, "D", color="C1", ms=6, label="refined for 25 epochs")
ax.plot(some, separate, "x", color="k", ms=8, label="separate fits")
ax.set(
    xlabel="number of components",
    ylabel="unexplained share of the variance\n(held-out digits)",
    xticks=some,
    ylim=(0, 1),
)
ax.grid(alpha=0.3)
ax.legend(frameon=False)

# sphinx_gallery_start_ignore
if "sphinx_gallery" not in sys.modules:
    fig.savefig("latent_dimension.png", dpi=100)
# sphinx_gallery_end_ignore

# %%
# A share of the variance
# -----------------------
# As with PCA, `n_components` may be the share that the codes are to explain.

print("share   PCA  autoencoder   explained of held-out digits")
for share in (0.6, 0.7, 0.8):
    pca = PCA(share, svd_solver="full").fit(X_train)
    autoencoder = DenseAE(share, random_state=0).fit(X_train)
    print(
        f"{share:5.2f}{pca.n_components_:6d}{autoencoder.n_components_:13d}"
        f"{1 - unexplained(autoencoder):31.3f}"
    )

# %%
# What a classifier needs
# -----------------------
# A search scores the model that the codes are for. The codes of all numbers of
# components compete, and each network is compiled only once. On a terminal or in a
# notebook, the progress bar moves (it needs scikit-learn 1.9 or later). With
# ``max_propagation_depth=None`` it shows each fit and its epochs, too.

from sklearn.callback import ProgressBar

pipeline = make_pipeline(DenseAE(max_iter=20, random_state=0), KNeighborsClassifier())
search = GridSearchCV(pipeline, {"denseae__n_components": some}, cv=3)
search.set_callbacks(ProgressBar(max_propagation_depth=0))
start = time.perf_counter()
search.fit(X_train, y_train)
print(f"16 fits: {time.perf_counter() - start:.1f} s")
for k, score in zip(some, search.cv_results_["mean_test_score"], strict=True):
    print(f"n_components={k:2d}: accuracy {score:.3f}")
print(f"held-out digits: {search.score(X_test, y_test):.3f}")
