"""
==========================
A table to codes, and back
==========================

Most tables have columns of numbers and columns of categories. This one lists cars that
are made up from two hidden properties, their size and their age. Two codes keep most of
what the table says, and decode to a table again.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from skae import DenseAE, MixedTableEncoder


def make_cars(n_cars, rng):
    size, age = rng.normal(size=n_cars), rng.uniform(0, 20, n_cars)
    noise = rng.normal(size=(5, n_cars))
    kinds = np.array(["city car", "compact", "estate", "van"])
    weight = 1300 + 300 * size + 40 * noise[0]
    return pd.DataFrame(
        {
            "weight": weight.round().astype(int),
            "power": (100 + 35 * size - 2 * age + 6 * noise[1]).round().astype(int),
            "price": 1000 * np.exp(3 + 0.4 * size - 0.12 * age + 0.1 * noise[2]),
            "kind": kinds[np.digitize(size + 0.2 * noise[3], [-0.8, 0.2, 1.1])],
            "fuel": np.where(age + noise[4] < 5, "electric", "petrol"),
        }
    )


cars = make_cars(1500, np.random.default_rng(0))
fresh = make_cars(300, np.random.default_rng(1))
print(fresh.head())

# %%
# Two codes
# ---------
# The encoder standardises the numbers and weights the categories, and the autoencoder
# makes two codes of them.

model = make_pipeline(
    MixedTableEncoder(),
    DenseAE(2, hidden_layer_sizes=(64, 32), max_iter=60, random_state=0),
)
model.fit(cars)
codes = model.transform(fresh)
decoded = model.inverse_transform(codes)
print(decoded.head())

# %%
# What is kept
# ------------

for name in ("kind", "fuel"):
    print(f"{name} given back: {(decoded[name] == fresh[name]).mean():.0%}")
for name in ("weight", "power", "price"):
    error = np.mean((decoded[name] - fresh[name]) ** 2) / fresh[name].var()
    print(f"share of the variance of {name} kept: {1 - error:.0%}")

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for kind, group in fresh.groupby("kind"):
    axes[0].scatter(*codes[group.index].T, s=8, label=kind)
for fuel, group in fresh.groupby("fuel"):
    axes[1].scatter(*codes[group.index].T, s=8, label=fuel)
for ax in axes[:2]:
    ax.set(xlabel="first code", ylabel="second code")
    ax.legend(fontsize="small")
axes[2].scatter(fresh["price"], decoded["price"], s=8, color="black")
axes[2].axline((0, 0), slope=1, color="tab:orange")
axes[2].set(xlabel="price", ylabel="price decoded from two codes")
plt.show()
