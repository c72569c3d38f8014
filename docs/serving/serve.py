"""Load a pickled pipeline and predict. TensorFlow need not be installed.

Usage: python serve.py FOLDER
"""

import time

start = time.perf_counter()

import pickle
import resource
import sys
from pathlib import Path

from sklearn.datasets import load_digits

model = pickle.loads((Path(sys.argv[1]) / "model.pkl").read_bytes())
row, label = load_digits().data[:1], load_digits().target[0]
prediction = model.predict(row)

seconds = time.perf_counter() - start
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"skae: first prediction after {seconds:.2f} s, {megabytes:.0f} MB")
assert prediction == [label]
assert "tensorflow" not in sys.modules
