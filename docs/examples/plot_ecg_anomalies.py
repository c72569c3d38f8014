"""
Abnormal heartbeats: which, and where in the beat
=================================================

An autoencoder that has seen only normal heartbeats reconstructs others badly. A
threshold on the error tells them apart, and the error of each sample shows what is
abnormal. PCA, dense layers and convolutions are compared, each in the same detector.

The beats are artificial: sums of five bumps, one for each wave of the heartbeat, as in
the model of McSharry et al. (IEEE Transactions on Biomedical Engineering, 2003).
"""

# %%
# Beats
# -----
# The waves are called P, Q, R, S and T. A beat has 140 samples, 200 a second. Heights,
# widths, times and speed vary, and there are noise and a drift of the baseline. Three
# kinds of beats are abnormal. Their kind is used only to judge the detectors.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from skae import (
    ConvAE,
    DenseAE,
    FeatureErrorsDisplay,
    OutlierScoresDisplay,
    ReconstructionOutlierDetector,
)

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
X_train = make_beats("normal", 1500, rng)
X_test = {kind: make_beats(kind, 200, rng) for kind in ("normal", *KINDS)}

# %%
# Which beats
# -----------
# Each detector sets its threshold on beats that it held out, so that 2 % of normal
# beats are flagged. The area under the ROC curve is the chance that an abnormal beat
# scores lower than a normal one.

detectors = {}
for estimator in (
    PCA(8, random_state=0),
    DenseAE(8, hidden_layer_sizes=(64,), max_iter=40, random_state=0),
    ConvAE(8, image_shape=(140,), max_iter=20, random_state=0),
):
    name = type(estimator).__name__
    detector = ReconstructionOutlierDetector(
        estimator, false_alarm_rate=0.02, cv=3, random_state=0
    )
    detectors[name] = detector.fit(X_train)
    scores = {kind: detector.score_samples(X) for kind, X in X_test.items()}
    false_alarms = np.mean(detector.predict(X_test["normal"]) == -1)
    print(f"{name}: normal beats flagged {false_alarms:.1%}")
    for kind in KINDS:
        is_normal = np.repeat([1, 0], [200, 200])
        both = np.concatenate([scores["normal"], scores[kind]])
        flagged = np.mean(detector.predict(X_test[kind]) == -1)
        area = roc_auc_score(is_normal, both)
        print(f"    {kind:12}flagged {flagged:4.0%}, area {area:.3f}")

# %%
# A network is not better at everything: it may follow an abnormal beat so well that it
# looks normal. Compare detectors on abnormal rows if you have some.

# sphinx_gallery_thumbnail_number = 1
beats = np.concatenate(list(X_test.values()))
_ = OutlierScoresDisplay.from_estimator(
    detectors["DenseAE"], beats, np.repeat([1, -1, -1, -1], 200)
)

# %%
# Where in the beat
# -----------------
# One beat of each abnormal kind, its reconstruction, and the error of each sample in
# multiples of its usual size.

detector = detectors["DenseAE"]
figure, axes = plt.subplots(2, 3, figsize=(12, 5.4), layout="constrained")
for kind, (top, bottom) in zip(KINDS, axes.T, strict=True):
    beat = X_test[kind][:1]
    reconstruction = beat - detector.feature_errors(beat)
    top.plot(SECONDS, beat[0], color="black", lw=1, label="beat")
    top.plot(SECONDS, reconstruction[0], color="tab:orange", label="reconstruction")
    top.set(title=kind, xlabel="seconds", ylim=(-0.9, 1.4))
    FeatureErrorsDisplay.from_estimator(
        detector, beat, units="held_out", image_shape=(140,), ax=bottom
    )
    bottom.set_title("")
axes[0, 0].legend(fontsize="small", loc="lower right")
plt.show()
