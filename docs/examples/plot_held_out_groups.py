"""
Ten rows of each subject: why groups matter
===========================================

Rows of one subject are alike. If some of them are trained on and others are held out,
the network seems better than it is. Pass `groups`, and whole subjects are held out.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from skae import DenseAE

rng = np.random.default_rng(0)
subjects = np.repeat(np.arange(100), 10)
centres = rng.normal(size=(200, 20))


def measure(centres):
    rows = np.repeat(centres, 10, axis=0)
    return rows + 0.1 * rng.normal(size=rows.shape)


X, X_new = measure(centres[:100]), measure(centres[100:])

# %%
# Two fits
# --------
# The subjects have nothing in common, so PCA is the right answer. `fit` without groups
# warns that held-out rows are close to training rows.

settings = {"hidden_layer_sizes": (64,), "max_iter": 40, "random_state": 0}
with warnings.catch_warnings(record=True, action="always") as caught:
    misled = DenseAE(4, **settings).fit(X)
grouped = DenseAE(4, **settings).fit(X, groups=subjects)
print(f"warning: {caught[0].message}")
print(f"network used: without groups {misled.used_network_}")
print(f"              with groups {grouped.used_network_}")

# %%
# What the fit says, and what is true of new subjects
# ----------------------------------------------------


def error_on_new_subjects(model):
    return np.mean((X_new - model.reconstruct(X_new)) ** 2)


models = {"without groups": misled, "with groups": grouped}
claimed = [model.reconstruction_error_ for model in models.values()]
true = [error_on_new_subjects(model) for model in models.values()]
figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
places = np.arange(2)
for offset, values, label in (
    (-0.2, claimed, "held-out error of the fit"),
    (0.2, true, "error on new subjects"),
):
    bars = ax.bar(places + offset, values, 0.38, label=label)
    ax.bar_label(bars, fmt="%.2f")
ax.set_xticks(places, list(models))
ax.set(ylabel="mean squared error", ylim=(0, 1.4))
ax.legend()
plt.show()
