"""
Pictures of fitted autoencoders
===============================

One picture of each kind, of handwritten digits. :doc:`/plotting` says what each is for.
"""

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    CodeActivityDisplay,
    CodesDisplay,
    ComponentsCurveDisplay,
    DenseAE,
    FeatureErrorsDisplay,
    LoadingsDisplay,
    ManifoldDisplay,
    OutlierScoresDisplay,
    ReconstructionDisplay,
    ReconstructionOutlierDetector,
    SamplesDisplay,
    SparseAE,
    TrainingHistoryDisplay,
    VAETransformer,
    compare_with_pca,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)
autoencoder = DenseAE(2, random_state=0).fit(X_train)

# %%
# Training
# --------
# The error of the fit is measured on all held-out digits, as PCA's is. The curves may
# leave out the few digits that PCA reconstructs worst.

_ = TrainingHistoryDisplay.from_estimator(autoencoder)

# %%
# Codes
# -----
# The names of the classes stand at the medians of their codes.

_ = CodesDisplay.from_estimator(autoencoder, X_test, y_test, target_name="digit")

# %%
# Or by a value, here the mean grey of the digit:

_ = CodesDisplay.from_estimator(
    autoencoder, X_test, X_test.mean(axis=1), target_name="mean grey"
)

# %%
# Reconstructions
# ---------------

_ = ReconstructionDisplay.from_estimator(autoencoder, X_test, image_shape=(8, 8))

# %%
# Number of codes
# ---------------
# Bars are one standard deviation over the splits.

ordered = DenseAE(16, ordered=True, random_state=0).fit(X_train)
_ = ComponentsCurveDisplay.from_estimator(ordered)

# %%

comparison = compare_with_pca(
    X,
    y,
    autoencoder=DenseAE(ordered=True, max_iter=40, random_state=0),
    estimator=LogisticRegression(max_iter=5000),
)
_ = comparison.plot(value="score")

# %%
# A comparison is a table, too:

comparison

# %%
# What each code contributes
# --------------------------

_ = CodeActivityDisplay.from_estimator(ordered)

# %%

sparse = SparseAE(64, random_state=0).fit(X_train)
_ = CodeActivityDisplay.from_estimator(sparse, sort=True)

# %%
# What a code is made of
# ----------------------

_ = LoadingsDisplay.from_estimator(ordered, X_train[:300], image_shape=(8, 8))

# %%
# Features with names are the lines of a heat map. These are wines:

wine = load_wine(as_frame=True).data
of_wine = make_pipeline(StandardScaler(), DenseAE(2, random_state=0)).fit(wine)
_ = LoadingsDisplay.from_estimator(of_wine, wine)

# %%
# Outliers
# --------
# Digits among which 50 have their pixels shuffled, by a detector that has seen none of
# them.

detector = ReconstructionOutlierDetector(
    DenseAE(16, max_iter=30, random_state=0), cv=3, random_state=0
).fit(X_train)
shuffled = np.random.default_rng(0).permuted(X_test[:50], axis=1)
_ = OutlierScoresDisplay.from_estimator(
    detector, np.vstack([X_test, shuffled]), np.repeat([1, -1], [len(X_test), 50])
)

# %%
# What is wrong with one of them:

_ = FeatureErrorsDisplay.from_estimator(detector, shuffled[:1], image_shape=(8, 8))

# %%
# What codes decode to
# --------------------

vae = VAETransformer(2, random_state=0).fit(X_train)
_ = ManifoldDisplay.from_estimator(vae, image_shape=(8, 8))

# %%

_ = SamplesDisplay.from_estimator(vae, image_shape=(8, 8), random_state=0)

# %%
# The diagram of a fitted estimator
# ---------------------------------

autoencoder
