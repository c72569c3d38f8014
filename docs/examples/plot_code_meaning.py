"""
==============================
What two codes of a table mean
==============================

The loadings of PCA say what its components are made of. ``loadings`` does the same for
an autoencoder: the mean derivative of each code by each feature, or of each feature by
each code.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skae import DenseAE

data = load_wine()
X = StandardScaler().fit_transform(data.data)
pca = PCA(2).fit(X)
autoencoder = DenseAE(2, random_state=0).fit(X)
print(f"network used: {autoencoder.used_network_}")

# %%
# What the codes are made from
# ----------------------------
# Each bar is the change of a code for one standard deviation of a feature, averaged
# over the wines. A network's derivatives differ from wine to wine: where the mean
# absolute one (thin line) is longer than the bar, they differ in sign.

signed = autoencoder.loadings(X)
absolute = autoencoder.loadings(X, absolute=True)
places = np.arange(len(data.feature_names))
figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
for code, ax in enumerate(axes):
    ax.barh(places - 0.2, pca.components_[code], 0.35, color="lightgrey", label="PCA")
    ax.barh(places + 0.2, signed[code], 0.35, color="tab:blue", label="DenseAE, mean")
    for sign in (-1, 1):
        ax.hlines(
            places + 0.2,
            0,
            sign * absolute[code],
            color="black",
            lw=0.8,
            label="DenseAE, mean absolute" if sign == 1 else None,
        )
    ax.axvline(0, color="black", lw=0.8)
    ax.set(title=f"code {code + 1}", xlabel="change for one standard deviation")
axes[0].set_yticks(places, data.feature_names)
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=3)
plt.show()

# %%
# What the codes stand for
# ------------------------
# The decoder's loadings say how the reconstruction changes with a code: the features
# that rise and fall together.

decoder = autoencoder.loadings(X, part="decoder")
for code, changes in enumerate(decoder):
    order = np.argsort(-np.abs(changes))[:4]
    text = ", ".join(f"{data.feature_names[i]} {changes[i]:+.2f}" for i in order)
    print(f"code {code + 1}: {text}")
