"""
An autoencoder in ONNX, and a check
===================================

ONNX models run in other languages and on devices without Python. We convert the
encoder, the decoder and a whole pipeline, run them with onnxruntime, and compare with
NumPy.
"""

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import skops.io
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import DenseAE, skops_trusted_types

X, y = load_digits(return_X_y=True)
X = X.astype("float32")  # runtimes compute in single precision
pipeline = make_pipeline(
    StandardScaler(),
    DenseAE(8, max_iter=30, random_state=0),
    LogisticRegression(max_iter=2000),
).fit(X, y)
scaled, autoencoder = pipeline[:1].transform(X), pipeline[1]

# %%
# Parts of the autoencoder
# ------------------------


def run(model, **inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, inputs)[0]


codes = run(autoencoder.to_onnx("encoder"), X=scaled)
rows = run(autoencoder.to_onnx("decoder"), codes=codes)
differences = {
    "codes": codes - autoencoder.transform(scaled),
    "reconstructions": rows - autoencoder.reconstruct(scaled),
}

# %%
# The whole pipeline
# ------------------

converted = to_onnx(pipeline, X[:1], target_opset=17, options={"zipmap": False})
session = onnxruntime.InferenceSession(converted.SerializeToString())
labels, probabilities = session.run(None, {"X": X})
differences["probabilities"] = probabilities - pipeline.predict_proba(X)
print(f"same classes: {np.mean(labels == pipeline.predict(X)):.1%}")
print(f"size of the model: {len(converted.SerializeToString()) / 1e3:.0f} kB")

figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
largest = [np.abs(difference).max() for difference in differences.values()]
bars = ax.barh(list(differences), largest)
ax.bar_label(bars, [f"{value:.0e}" for value in largest], padding=3)
ax.set(xscale="log", xlabel="largest difference between ONNX and NumPy")
ax.margins(x=0.3)
plt.show()

# %%
# Or a file for Python
# --------------------
# skops loads a pipeline without running code of the file. It trusts only types that you
# name.

data = skops.io.dumps(pipeline)
loaded = skops.io.loads(data, trusted=skops_trusted_types())
print(f"same classes: {np.mean(loaded.predict(X) == pipeline.predict(X)):.1%}")
