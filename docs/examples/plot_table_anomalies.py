"""
Anomalies in a table with categories
====================================

The table lists flats and houses. In a few of them something does not fit: each value
may be usual by itself, but not beside the others. :class:`~skae.MixedTableEncoder`
turns numbers and categories into comparable columns, and
:class:`~skae.ReconstructionOutlierDetector` finds the odd rows and the odd column.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from skae import (
    DenseAE,
    FeatureErrorsDisplay,
    MixedTableEncoder,
    OutlierScoresDisplay,
    ReconstructionOutlierDetector,
)


def make_homes(n_homes, rng):
    size, age = rng.normal(size=n_homes).clip(-2.5, 2.5), rng.uniform(0, 100, n_homes)
    noise = rng.normal(size=(4, n_homes))
    return pd.DataFrame(
        {
            "area": (130 + 30 * size + 4 * noise[0]).round(1),
            "rooms": (4 + 1.2 * size + 0.3 * noise[1]).round().astype(int),
            "built": (2025 - age).astype(int),
            "kind": np.where(size + 0.2 * noise[2] > 0.3, "house", "flat"),
            "heating": np.where(age + 4 * noise[3] < 40, "heat pump", "gas"),
        }
    )


rng = np.random.default_rng(0)
homes = make_homes(1500, rng)

# %%
# A CSV file to look at
# ---------------------
# New homes come as a CSV file. In the first four of 300, a value
# does not fit.

fresh = make_homes(300, rng)
fresh.loc[0, "rooms"] = 9
fresh.loc[1, "kind"] = "house" if fresh.loc[1, "kind"] == "flat" else "flat"
fresh.loc[2, ["built", "heating"]] = [1935, "heat pump"]
fresh.loc[3, "area"] = 290.0
file = io.StringIO(fresh.to_csv(index=False))
fresh = pd.read_csv(file)
print(fresh.head(6))

# %%
# Flagged rows
# ------------
# The encoder comes first, so that errors are in comparable units. The detector expects
# to flag 1 % of usual homes.

model = make_pipeline(
    MixedTableEncoder(),
    ReconstructionOutlierDetector(
        DenseAE(2, hidden_layer_sizes=(64, 32), max_iter=60, random_state=0),
        false_alarm_rate=0.01,
        cv=3,
        random_state=0,
    ),
).fit(homes)
flagged = model.predict(fresh) == -1
print(fresh[flagged])

# sphinx_gallery_thumbnail_number = 1
is_usual = np.where(np.arange(len(fresh)) < 4, -1, 1)
_ = OutlierScoresDisplay.from_estimator(model, fresh, is_usual)

# %%
# Why they are odd
# ----------------
# The errors by column, in multiples of their usual size.

figure, axes = plt.subplots(2, 2, figsize=(10, 6), layout="constrained")
for row, ax in enumerate(axes.flat):
    FeatureErrorsDisplay.from_estimator(
        model, fresh[row : row + 1], units="held_out", ax=ax
    )
    ax.set_title(f"row {row}")
plt.show()
