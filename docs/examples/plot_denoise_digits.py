"""
Denoising digits
================

:class:`~skae.DenoisingAE` learns to reconstruct clean rows from rows with noise. Here
it is fitted to clean handwritten digits, and then cleans noisy ones that it has not
seen. PCA does so too: it keeps the first components and drops the rest, where there is
more noise than digit. How many to keep is a compromise, so we try all numbers.
"""

# %%
# Data
# ----
# A quarter of the digits is held out and gets normal noise. Its standard deviation is
# half of the data's, the root mean variance of the pixels, which is the unit of
# ``noise_level``. The network is trained with noise like this, too.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import DenoisingAE

NOISE_LEVEL = 0.5

X, y = load_digits(return_X_y=True)
X_train, X_clean, _, y_clean = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)
noise_std = NOISE_LEVEL * np.sqrt(X_train.var(axis=0).mean())
rng = np.random.default_rng(0)
X_noisy = X_clean + rng.normal(0, noise_std, X_clean.shape)

# %%
# Errors
# ------
# All methods are fitted to clean digits. For PCA we choose the number of components
# that has the least error on the very digits that are shown here, which is more than
# one can know in practice. The Wiener filter, the best that a linear method can do,
# keeps all components but shrinks each by the share of the noise in it; it is told the
# level of the noise, as the autoencoders are.


def error(X_denoised):
    return np.mean((X_denoised - X_clean) ** 2)


pca = PCA().fit(X_train)
shrinkage = pca.explained_variance_ / (pca.explained_variance_ + noise_std**2)
sizes = np.arange(1, pca.n_components_ + 1)


def denoise_by_pca(weights):
    return pca.inverse_transform(pca.transform(X_noisy) * weights)


pca_errors = [error(denoise_by_pca(sizes <= k)) for k in sizes]
best = sizes[np.argmin(pca_errors)]
denoised = {
    k: DenoisingAE(k, noise_level=NOISE_LEVEL, random_state=0)
    .fit(X_train)
    .reconstruct(X_noisy)
    for k in (8, 16, 32, 64)
}
pictures = {
    "clean": X_clean,
    "noisy": X_noisy,
    f"PCA({best})": denoise_by_pca(sizes <= best),
    "Wiener filter": denoise_by_pca(shrinkage),
    **{f"DenoisingAE({k})": X_denoised for k, X_denoised in denoised.items()},
}
print("mean squared error against the clean digits, whose pixels go from 0 to 16")
for name, X_shown in pictures.items():
    print(f"{name:>16}{error(X_shown):8.2f}")

# %%
# Pictures
# --------
# The first held-out digit of each class, and the errors over the size of the code. A
# small code loses part of the digit, as with PCA. But a large one lets little noise
# through: what removes the noise is not the size of the code but what was learned.

fig = plt.figure(figsize=(9, 7.5), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=(1.6, 1))
names = ("clean", "noisy", f"PCA({best})", "Wiener filter", "DenoisingAE(32)")
for row, name in zip(top.subplots(len(names), 10), names, strict=True):
    for digit, ax in enumerate(row):
        shown = pictures[name][y_clean == digit][0]
        ax.imshow(shown.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")

ax = bottom.subplots()
ax.plot(sizes, pca_errors, label="PCA")
ax.axhline(error(denoise_by_pca(shrinkage)), color="grey", label="Wiener filter")
ax.plot(list(denoised), list(map(error, denoised.values())), "o-", label="DenoisingAE")
ax.set(xlabel="n_components", ylabel="mean squared error", ylim=(0, 8))
ax.legend()
plt.show()
