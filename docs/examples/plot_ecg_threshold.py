"""
==============================================
Which heartbeats are abnormal, and where in it
==============================================

An autoencoder that knows normal heartbeats only reconstructs abnormal ones badly. A
threshold on the error tells them apart, and the error of each sample shows what is
abnormal. The beats are made of bumps, like those of an electrocardiogram.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import precision_score, recall_score

from skae import DenseAE, OutlierScoresDisplay, ReconstructionOutlierDetector

# %%
# Beats
# -----
# The waves P, Q, R, S and T, in their usual heights and widths with some spread. In the
# abnormal beats the wave T points down, as it may if the heart lacks blood.

SECONDS = np.arange(140) / 200 - 0.3
TIMES = np.array([-0.160, -0.030, 0.000, 0.030, 0.230])
HEIGHTS = np.array([0.15, -0.12, 1.00, -0.25, 0.30])
WIDTHS = np.array([0.022, 0.010, 0.011, 0.010, 0.045])


def make_beats(n_beats, rng, t_wave=1.0):
    heights = HEIGHTS * rng.normal(1, 0.12, size=(n_beats, 5))
    heights[:, 4] *= t_wave
    widths = WIDTHS * rng.normal(1, 0.12, size=(n_beats, 5))
    times = TIMES + rng.normal(0, 0.005, size=(n_beats, 5))
    distance = (SECONDS[:, None, None] - times) / widths
    beats = np.sum(heights * np.exp(-(distance**2) / 2), axis=2).T
    return beats + rng.normal(0, 0.02, beats.shape)


rng = np.random.default_rng(0)
X_train = make_beats(1200, rng)
X_test = np.concatenate([make_beats(300, rng), make_beats(60, rng, t_wave=-0.4)])
y_test = np.repeat([1, -1], [300, 60])

# %%
# Threshold
# ---------
# The threshold is set such that 2 % of normal beats are flagged by mistake. It is set
# on beats that were held out: those that the network has learnt have smaller errors.

detector = ReconstructionOutlierDetector(
    DenseAE(8, hidden_layer_sizes=(64,), max_iter=40, random_state=0),
    false_alarm_rate=0.02,
    error="absolute",
    cv=3,
    random_state=0,
).fit(X_train)
y_pred = detector.predict(X_test)
print(f"network used: {detector.estimator_.used_network_}")
print(f"normal beats flagged: {np.mean(y_pred[y_test == 1] == -1):.1%}")
print(f"precision: {precision_score(y_test, y_pred, pos_label=-1):.2f}")
print(f"recall: {recall_score(y_test, y_pred, pos_label=-1):.2f}")

# %%
# Where in the beat
# -----------------
# ``feature_errors`` has the error of each sample, here in multiples of its usual error
# on held-out beats: the wave T stands out.

beat = X_test[-1:]
reconstruction = beat - detector.feature_errors(beat)
errors = detector.feature_errors(beat, units="held_out")[0]

figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
axes[0].plot(SECONDS, beat[0], color="black", lw=1, label="abnormal beat")
axes[0].plot(SECONDS, reconstruction[0], color="tab:orange", label="reconstruction")
axes[0].set(xlabel="seconds", ylabel="millivolts")
axes[0].legend(fontsize="small")
axes[1].axhspan(-2, 2, color="lightgrey")
axes[1].plot(SECONDS, errors, color="tab:red", lw=1)
axes[1].set(xlabel="seconds", ylabel="error, in multiples of the usual one")
OutlierScoresDisplay.from_estimator(detector, X_test, y_test, ax=axes[2])
plt.show()
