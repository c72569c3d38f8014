"""Train a pipeline on the digits and save it for the two servers beside this file.

Usage: python train.py FOLDER
"""

import pickle
import sys
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import DenseAE

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
X, y = load_digits(return_X_y=True)
model = make_pipeline(
    StandardScaler(), DenseAE(10, random_state=0), LogisticRegression(max_iter=1000)
).fit(X, y)
(folder / "model.pkl").write_bytes(pickle.dumps(model))

# The other way, for comparison: the network in Keras's own format, the rest pickled.
scaler, autoencoder, classifier = (step for _, step in model.steps)
autoencoder.to_keras("encoder").save(folder / "encoder.keras")
(folder / "rest.pkl").write_bytes(pickle.dumps((scaler, classifier)))
