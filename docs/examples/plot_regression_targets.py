"""
Two codes for a number to predict
=================================

:class:`~skae.SupervisedAE` also takes numbers as targets. Here rows depend on two
strong hidden properties and a weaker one, and the weaker one decides the target. Codes
that only reconstruct leave it out.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skae import CodesDisplay, DenseAE, SupervisedAE

rng = np.random.default_rng(0)
hidden = rng.normal(size=(2000, 3)) * [3, 3, 2]
X = hidden @ rng.normal(size=(3, 20)) + 0.3 * rng.normal(size=(2000, 20))
y = hidden[:, 2] + 0.2 * rng.normal(size=2000)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# R2 on new rows
# --------------
# Each pipeline is judged on rows that neither the codes nor the regression have seen.
# The target weighs 2 rather than the default of 0.5, as the prediction is what we want.
# The codes pay for it with a larger error of the reconstruction.

quick = {"hidden_layer_sizes": (64,), "max_iter": 40, "random_state": 0}
models = {}
for reducer in (
    PCA(2, random_state=0),
    DenseAE(2, **quick),
    SupervisedAE(2, target_type="continuous", target_weight=2.0, **quick),
):
    name = type(reducer).__name__
    models[name] = make_pipeline(reducer, Ridge()).fit(X_train, y_train)
    codes = reducer.transform(X_test)
    error = np.mean((X_test - reducer.inverse_transform(codes)) ** 2)
    score = models[name].score(X_test, y_test)
    print(f"{name:14}R2 {score:.2f}, error of the reconstruction {error:.1f}")

# %%
# The codes, coloured by the target
# ---------------------------------

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for (name, model), ax in zip(models.items(), axes, strict=True):
    CodesDisplay.from_estimator(model[0], X_test, y_test, target_name="target", ax=ax)
    ax.set_title(name)
plt.show()
