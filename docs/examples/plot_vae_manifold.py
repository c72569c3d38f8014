"""
The plane of codes of a variational autoencoder
===============================================

:class:`~skae.VAETransformer` is fitted to handwritten digits with two numbers for each.
Its codes follow a standard normal distribution and leave no holes, so that every place
in the plane can be decoded to a picture, and random places give new digits.
"""

# %%
# Fit
# ---
# A quarter of the digits is held out. Nearest neighbours, trained on the codes of the
# others, tell how well the codes keep the classes apart, which were not shown to either
# method. PCA's codes are whitened for the comparison, as those of the VAE have unit
# variance too.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skae import CodesDisplay, ManifoldDisplay, SamplesDisplay, VAETransformer

X_train, X_test, y_train, y_test = train_test_split(
    *load_digits(return_X_y=True), test_size=0.25, random_state=0
)
vae = VAETransformer(2, random_state=0).fit(X_train)
pca = PCA(2, whiten=True, random_state=0).fit(X_train)
print("                held-out error  accuracy of neighbours")
for reducer in (pca, vae):
    codes = reducer.transform(X_test)
    error = np.mean((reducer.inverse_transform(codes) - X_test) ** 2)
    neighbours = KNeighborsClassifier().fit(reducer.transform(X_train), y_train)
    accuracy = neighbours.score(codes, y_test)
    print(f"{type(reducer).__name__:>14}{error:16.2f}{accuracy:24.3f}")

# %%
# Held-out digits in the plane, and the plane decoded
# ---------------------------------------------------
# The grid on the right is not evenly spaced: rows and columns are at equally probable
# quantiles of the standard normal distribution, from 2 % to 98 %, so that each picture
# stands for the same share of the prior. It is oriented as the plane on the left.

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.8), layout="constrained")
CodesDisplay.from_estimator(vae, X_test, y_test, target_name="digit", ax=left)
ManifoldDisplay.from_estimator(vae, n_grid=15, image_shape=(8, 8), ax=right)
plt.show()

# %%
# New digits
# ----------
# Codes drawn from the standard normal distribution, decoded. They are smoother than
# real digits, as two numbers do not tell everything and the decoder gives the mean of
# what is left open; and between two classes there are digits that are neither.

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.8), layout="constrained")
SamplesDisplay(X=X_test[:64], image_shape=(8, 8)).plot(left)
left.set_title("held-out digits")
SamplesDisplay.from_estimator(
    vae, n_samples=64, image_shape=(8, 8), random_state=0, ax=right
)
plt.show()
