"""
Unusual heartbeats in an electrocardiogram
==========================================

An autoencoder that has seen only normal heartbeats reconstructs normal ones well and
others badly, so that the error of the reconstruction tells how unusual a beat is. The
beats here are artificial: sums of five bumps, one for each wave of the heartbeat, as in
the model of McSharry et al. (IEEE Transactions on Biomedical Engineering, 2003), with
random heights, widths and times. Three kinds of beats are abnormal. Which beats they
are is used only to judge the scores.
"""

# %%
# Beats
# -----
# The waves are called P, Q, R, S and T; Q, R and S are close together. A beat has 140
# samples, 200 a second, with the R peak after 0.3 s. It also varies in height and speed
# as a whole, and there are noise and a drift of the baseline.

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from skae import ConvAE, DenseAE

SECONDS = np.arange(140) / 200 - 0.3
# Waves         P      Q      R      S      T
TIMES = [-0.160, -0.030, 0.000, 0.030, 0.230]
HEIGHTS = [0.15, -0.12, 1.00, -0.25, 0.30]
WIDTHS = [0.022, 0.010, 0.011, 0.010, 0.045]


def make_beats(kind, n_beats, rng):
    """Draw beats of one kind, in millivolts."""
    spread = rng.normal(1, 0.12, size=(2, n_beats, 5))
    heights, widths = HEIGHTS * spread[0], WIDTHS * spread[1]
    times = TIMES + rng.normal(0, 0.005, size=(n_beats, 5))
    times[:, 4] += rng.normal(0, 0.015, n_beats)
    if kind == "wide QRS":  # the ventricles are excited one after the other
        widths[:, 1:4] *= rng.uniform(1.5, 2.2, size=(n_beats, 1))
    elif kind == "inverted T":
        heights[:, 4] *= rng.uniform(-0.8, -0.2, n_beats)
    elif kind == "no P":
        heights[:, 0] = 0
    speed = rng.normal(1, 0.06, size=(n_beats, 1))
    size = rng.normal(1, 0.1, size=(n_beats, 1))
    distance = (SECONDS[:, None, None] * speed - times) / widths
    beats = size * np.sum(heights * np.exp(-(distance**2) / 2), axis=2).T
    drift = rng.normal(0, 0.03, size=(n_beats, 1)) * (1 + 2 * SECONDS)
    return beats + drift + rng.normal(0, 0.02, beats.shape)


KINDS = ("wide QRS", "inverted T", "no P")
rng = np.random.default_rng(0)
X_train = make_beats("normal", 2000, rng)
X_test = {kind: make_beats(kind, 300, rng) for kind in ("normal", *KINDS)}

# %%
# Scores
# ------
# ``score_samples`` is minus the squared error of each row, so that unusual rows are
# low. The same is computed for PCA, whose own ``score_samples`` is something else, a
# log-likelihood; it is shown, too. The area under the ROC curve is the chance that an
# abnormal beat scores lower than a normal one: 0.5 is a guess, 1 is perfect.


def minus_squared_error(pca, X):
    return -np.sum((X - pca.inverse_transform(pca.transform(X))) ** 2, axis=1)


def area_under_curve(scores, kind):
    normal, abnormal = scores["normal"], scores[kind]
    is_normal = np.repeat([1, 0], [len(normal), len(abnormal)])
    return roc_auc_score(is_normal, np.concatenate([normal, abnormal]))


scores, convs = {}, {}
print(f"{'score':20}" + "".join(f"{kind:>12}" for kind in KINDS))
for k in (4, 8, 16):
    pca = PCA(k, random_state=0).fit(X_train)
    dense = DenseAE(k, random_state=0).fit(X_train)
    conv = convs[k] = ConvAE(k, image_shape=(140,), random_state=0).fit(X_train)
    scorers = {
        f"PCA({k}) likelihood": pca.score_samples,
        f"PCA({k})": partial(minus_squared_error, pca),
        f"DenseAE({k})": dense.score_samples,
        f"ConvAE({k})": conv.score_samples,
    }
    for name, scorer in scorers.items():
        scores[name] = {kind: scorer(X) for kind, X in X_test.items()}
        areas = [area_under_curve(scores[name], kind) for kind in KINDS]
        print(f"{name:20}" + "".join(f"{area:12.3f}" for area in areas))
    print(f"networks used: DenseAE {dense.used_network_}, ConvAE {conv.used_network_}")

# %%
# The networks do not always win. With eight components the dense one follows a wide QRS
# too well, which makes it less conspicuous than PCA does. Nor are more components
# better: with too many, unusual beats are reconstructed as well as others, and what is
# left of all is noise. Where the networks do not beat PCA on rows that `fit` holds out,
# both are PCA, and so are their scores; the likelihood is then the better one, as it
# also tells whether the components themselves are unusual.
#
# Beats and scores
# ----------------
# One beat of each kind, as it is and as a :class:`~skae.ConvAE` of eight components
# reconstructs it, and the squared errors of all beats that were not trained on.

figure = plt.figure(figsize=(12, 5.8), layout="constrained")
top, bottom = figure.subfigures(2, 1)
axes = top.subplots(1, 4, sharey=True)
for ax, (kind, X) in zip(axes, X_test.items(), strict=True):
    ax.plot(SECONDS, X[0], color="black", lw=1, label="beat")
    ax.plot(
        SECONDS, convs[8].reconstruct(X[:1])[0], color="tab:orange", label="ConvAE(8)"
    )
    ax.set(title=kind, xlabel="seconds", ylim=(-0.9, 1.4))
axes[0].set_ylabel("millivolts")
axes[0].legend(fontsize="small", loc="lower right")

for ax, name in zip(
    bottom.subplots(1, 2, sharey=True), ("PCA(8)", "ConvAE(8)"), strict=True
):
    for kind, values in scores[name].items():
        histtype = "stepfilled" if kind == "normal" else "step"
        colour = "lightgrey" if kind == "normal" else None
        ax.hist(
            -values,
            np.geomspace(0.04, 2, 40),
            histtype=histtype,
            color=colour,
            lw=1.5,
            label=kind,
        )
    ax.set(title=name, xlabel="squared error", ylabel="beats", xscale="log")
    ax.legend(fontsize="small")
plt.show()
