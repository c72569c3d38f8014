"""
A tour: ten minutes from PCA to a served pipeline
=================================================

We begin with :class:`~sklearn.decomposition.PCA` and end with a pipeline that runs
where TensorFlow is not installed. On the way we choose the number of codes, let codes
know the classes, and find anomalies. Download the page as a notebook to follow it.
"""

# %%
# PCA first
# ---------
# The digits are images of 8 by 8 pixels. A quarter of them is held out until the end.

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    CodesDisplay,
    DenseAE,
    OutlierScoresDisplay,
    ReconstructionOutlierDetector,
    SupervisedAE,
    TruncationSearchCV,
    compare_with_pca,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)


def error(model):
    return np.mean((X_test - model.inverse_transform(model.transform(X_test))) ** 2)


pca = PCA(2, random_state=0).fit(X_train)
print(f"error of PCA on new digits: {error(pca):.1f}")

# %%
# DenseAE in its place
# --------------------
# :class:`~skae.DenseAE` has the same methods. Its codes can follow curves, so two of
# them keep more.

autoencoder = DenseAE(2, max_iter=60, random_state=0).fit(X_train)
print(f"error of DenseAE on new digits: {error(autoencoder):.1f}")

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for model, ax in zip((pca, autoencoder), axes, strict=True):
    CodesDisplay.from_estimator(model, X_test, y_test, ax=ax)

# %%
# What was held out
# -----------------
# `fit` trained on some of the training digits and compared the network with PCA on the
# others. The network is kept only if it is better there. If it were not,
# `used_network_` would be `False` and the estimator would be PCA.

print(f"network used: {autoencoder.used_network_}")
print(f"held-out error: {autoencoder.reconstruction_error_:.1f}")
print(f"PCA on the same rows: {autoencoder.pca_reconstruction_error_:.1f}")

# %%
# Those held-out digits are independent of the others. If your rows are not, say so:
# pass `groups` to `fit`, or ``holdout="blocks"`` for a series. :doc:`/held_out` tells
# when.
#
# Choose the number of codes
# --------------------------
# First a look at what each number gives. With ``ordered=True``, each split takes one
# fit for all numbers.

ordered = DenseAE(ordered=True, max_iter=30, random_state=0)
comparison = compare_with_pca(
    X_train, n_components=[1, 2, 4, 8, 16], autoencoder=ordered, cv=4
)
_ = comparison.plot()

# %%
# Then a search by what the codes are for, here a classifier. Again, each fold takes one
# fit.

classifier = make_pipeline(
    StandardScaler(),
    DenseAE(max_iter=30, random_state=0),
    LogisticRegression(max_iter=2000),
)
search = TruncationSearchCV(classifier, [2, 4, 8, 16], cv=4).fit(X_train, y_train)
for k, score in zip([2, 4, 8, 16], search.cv_results_["mean_test_score"], strict=True):
    print(f"{k:2d} codes: accuracy {score:.2f}")

# %%
# Codes that know the classes
# ---------------------------
# Sixteen codes are enough for the classifier. If there may only be two, let the labels
# shape them.


def classifier_on(step):
    return make_pipeline(StandardScaler(), step, LogisticRegression(max_iter=2000))


for step in (
    PCA(2, random_state=0),
    DenseAE(2, max_iter=30, random_state=0),
    SupervisedAE(2, max_iter=30, random_state=0),
):
    accuracy = classifier_on(step).fit(X_train, y_train).score(X_test, y_test)
    print(f"{type(step).__name__:14}accuracy with two codes: {accuracy:.2f}")

# %%
# Anomalies
# ---------
# A row that is reconstructed badly is unusual. The detector sets its threshold on rows
# that were held out, so that 5 % of normal rows are flagged. The anomalies are digits
# with shuffled pixels.

detector = ReconstructionOutlierDetector(
    DenseAE(16, hidden_layer_sizes=(64,), max_iter=30, random_state=0),
    false_alarm_rate=0.05,
    cv=4,
    random_state=0,
).fit(X_train)
odd = np.random.default_rng(0).permuted(X_test[:40], axis=1)
print(f"digits flagged: {np.mean(detector.predict(X_test) == -1):.0%}")
print(f"shuffled digits flagged: {np.mean(detector.predict(odd) == -1):.0%}")
_ = OutlierScoresDisplay.from_estimator(
    detector, np.vstack([X_test, odd]), np.repeat([1, -1], [len(X_test), len(odd)])
)

# %%
# Save, and serve without TensorFlow
# ----------------------------------
# A fitted estimator is NumPy arrays. We pickle the best pipeline of the search, and
# load it in another process. That process never imports TensorFlow.

pipeline = search.best_estimator_
SERVE = """
import pickle, sys
import numpy as np

with open(sys.argv[1], "rb") as file:
    pipeline = pickle.load(file)
rows = np.load(sys.argv[2])
print("classes:", pipeline.predict(rows))
print("TensorFlow imported:", "tensorflow" in sys.modules)
"""
with tempfile.TemporaryDirectory() as folder:
    model_path, rows_path = Path(folder, "model.pkl"), Path(folder, "rows.npy")
    model_path.write_bytes(pickle.dumps(pipeline))
    np.save(rows_path, X_test[:10])
    command = [sys.executable, "-c", SERVE, str(model_path), str(rows_path)]
    served = subprocess.run(command, capture_output=True, text=True, check=True)
print(served.stdout)
print("here:   ", pipeline.predict(X_test[:10]))

# %%
# Or as ONNX
# ----------
# For other languages and devices, skl2onnx converts the whole pipeline. We check that
# onnxruntime gives the same classes.

import onnxruntime
from skl2onnx import to_onnx

rows = X_test.astype("float32")
converted = to_onnx(pipeline, rows[:1], target_opset=17, options={"zipmap": False})
session = onnxruntime.InferenceSession(converted.SerializeToString())
labels, probabilities = session.run(None, {"X": rows})
print(f"same classes: {np.mean(labels == pipeline.predict(rows)):.1%}")
difference = np.abs(probabilities - pipeline.predict_proba(rows)).max()
print(f"largest difference of a probability: {difference:.0e}")
print(f"accuracy on new digits: {np.mean(labels == y_test):.2f}")

# %%
# Where to go from here: :doc:`/choose_estimator`, :doc:`/latent_dimension`,
# :doc:`/anomalies` and :doc:`/deployment`.
