"""Do the same as serve.py by Keras, for comparison.

Usage: python serve_keras.py FOLDER
"""

import time

start = time.perf_counter()

import pickle
import resource
import sys
from pathlib import Path

import keras
from sklearn.datasets import load_digits

folder = Path(sys.argv[1])
scaler, classifier = pickle.loads((folder / "rest.pkl").read_bytes())
encoder = keras.models.load_model(folder / "encoder.keras")
row, label = load_digits().data[:1], load_digits().target[0]
prediction = classifier.predict(encoder.predict(scaler.transform(row), verbose=0))

seconds = time.perf_counter() - start
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"Keras: first prediction after {seconds:.2f} s, {megabytes:.0f} MB")
assert prediction == [label]
