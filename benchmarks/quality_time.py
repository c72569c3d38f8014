"""How long the default network trains until its held-out error is below that of PCA.

DenseAE and Keras train the same network from the same start. Both hold out a tenth of
the standardised rows; after each epoch, their error on these rows is divided by the
error of a PCA of the other rows. The time counts from the call with the rows, but not
while the Keras network is evaluated.
"""

import math
import time
from contextlib import contextmanager
from statistics import median

from benchmarks.child import require
from benchmarks.harness import (
    describe_rounds,
    median_of,
    ratio,
    result_rows,
    run_rounds,
)
from benchmarks.report import Target
from benchmarks.workloads import BATCH_SIZE, LEARNING_RATE

TITLE = "time to quality"

# Number of components, and the largest ratio of skae's time to that of Keras.
DATA = {"digits": (10, 0.15), "fashion_mnist": (16, 0.5)}
# Error ratios whose times are measured.
LEVELS = {"pca": 1.0, "0.8_pca": 0.8}
N_EPOCHS = 100
_WARMUP_EPOCHS = 5
_HIDDEN = (256, 128)

# Keras stops at this error ratio, slightly below the levels, to save time.
_STOP_RATIO = 0.7


def standardised_rows(data):
    import numpy as np
    from sklearn.preprocessing import StandardScaler

    from benchmarks.datasets import LARGE

    X = StandardScaler().fit_transform(LARGE[data]().X)
    return np.ascontiguousarray(X, dtype=np.float32)


# --- skae ---


def skae_curve(n_components, X):
    """Return the time and the error ratio after each epoch of a default fit."""
    import logging

    from skae import DenseAE

    class CurveHandler(logging.Handler):
        def emit(self, record):
            if record.msg.startswith("epoch"):
                points.append((time.perf_counter() - start, record.args[2]))

    points, logger, handler = [], logging.getLogger("skae"), CurveHandler()
    logger.addHandler(handler)
    logger.propagate = False
    start = time.perf_counter()
    model = DenseAE(n_components, random_state=0, verbose=1).fit(X)
    logger.removeHandler(handler)
    # Logged errors are in training units, in which the mean variance is 1.
    pca_error = model.pca_reconstruction_error_ / X.var(axis=0, dtype=float).mean()
    return [(seconds, float(error / pca_error)) for seconds, error in points]


# --- Keras ---


class Stopwatch:
    """Measures time from its creation, without the time in `paused` blocks."""

    def __init__(self):
        self._paused_seconds = 0.0
        self._start = time.perf_counter()

    def seconds(self):
        return time.perf_counter() - self._start - self._paused_seconds

    @contextmanager
    def paused(self):
        now = time.perf_counter()
        yield
        self._paused_seconds += time.perf_counter() - now


def keras_curve(n_components, X):
    """Return the curve of Keras, with skae's layers, start, peak rate and schedule."""
    import keras
    import numpy as np
    from sklearn.decomposition import PCA

    clock, points = Stopwatch(), []
    order = np.random.default_rng(0).permutation(len(X))
    n_held_out = -(-len(X) // 10)
    X_test, X = X[order[:n_held_out]], X[order[n_held_out:]]
    pca = PCA(n_components).fit(X)
    scale = np.sqrt(X.var(axis=0).mean())
    model = keras_network(pca, scale)
    rows = (X - pca.mean_) / scale
    model.compile(keras.optimizers.Adam(learning_rate_schedule(len(rows))), "mse")
    with clock.paused():
        error_ratio = held_out_error_ratio(model, pca, scale, X_test)
        assert math.isclose(error_ratio(), 1.0, rel_tol=1e-3), (
            f"training starts at {error_ratio()} times the error of PCA instead of 1"
        )

    class CurveCallback(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seconds = clock.seconds()
            with clock.paused():
                points.append((seconds, error_ratio()))
                if points[-1][1] < _STOP_RATIO:
                    self.model.stop_training = True

    settings = {"batch_size": BATCH_SIZE, "epochs": N_EPOCHS, "verbose": 0}
    model.fit(rows, rows, callbacks=[CurveCallback()], **settings)
    return points


def learning_rate_schedule(n_rows):
    import keras

    n_steps = -(-n_rows // BATCH_SIZE)
    warmup = _WARMUP_EPOCHS * n_steps
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        N_EPOCHS * n_steps - warmup,
        warmup_target=LEARNING_RATE,
        warmup_steps=warmup,
    )


def held_out_error_ratio(model, pca, scale, X_test):
    """Return a function that divides the error of the model by that of PCA."""
    import numpy as np

    rows = (X_test - pca.mean_) / scale
    residual = X_test - pca.inverse_transform(pca.transform(X_test))
    pca_error = np.square(residual / scale).mean()

    def error_ratio():
        outputs = model.predict_on_batch(rows)
        return float(np.square(outputs - rows).mean() / pca_error)

    return error_ratio


def keras_network(pca, scale):
    """Return DenseAE's default network at its start, where its output is that of PCA.

    Codes have unit variance, hidden kernels are random, and the last kernels are zero.
    """
    import keras
    import numpy as np

    def half(inputs, widths, linear_kernel):
        h = inputs
        for width in widths[:-1]:
            h = keras.layers.Dense(width, activation="gelu")(h)
        last = keras.layers.Dense(widths[-1], kernel_initializer="zeros")(h)
        linear_path = keras.layers.Dense(widths[-1], use_bias=False)
        outputs = keras.layers.Add()([last, linear_path(inputs)])
        linear_path.set_weights([linear_kernel])
        return outputs

    n_components, n_features = pca.components_.shape
    deviation = np.sqrt(pca.explained_variance_) / scale
    inputs = keras.Input((n_features,))
    code = half(inputs, (*_HIDDEN, n_components), pca.components_.T / deviation)
    decode = pca.components_ * deviation[:, np.newaxis]
    outputs = half(code, (*_HIDDEN[::-1], n_features), decode)
    return keras.Model(inputs, outputs)


# --- Section ---

CONTENDERS = {"skae DenseAE": skae_curve, "keras.Model.fit": keras_curve}


def measure(contender, data, n_later):
    """Return curves and times of the first fit in a process and of later fits."""
    require("tensorflow" if contender.startswith("skae") else "keras")
    X = standardised_rows(data)
    curves = [CONTENDERS[contender](DATA[data][0], X) for _ in range(1 + n_later)]
    first, *later = curves
    result = {"first_curve": first, "later_curve": later[-1]}
    for name, level in LEVELS.items():
        result[f"first_{name}"], _ = reached(first, level)
        result[f"later_{name}"] = median(reached(curve, level)[0] for curve in later)
        result[f"epochs_{name}"] = reached(later[-1], level)[1]
    return result


def reached(curve, level):
    """Return the time and the epoch at which the error ratio first is at the level."""
    for epoch, (seconds, error_ratio) in enumerate(curve, start=1):
        if error_ratio <= level:
            return seconds, epoch
    return math.inf, math.inf


def main(report):
    n_rounds, n_later = report.n_rounds(), 1 if report.quick else 2
    for data in ["digits"] if report.quick else DATA:
        results = run_rounds(measure, CONTENDERS, n_rounds, data=data, n_later=n_later)
        report.record(data, results)
        show(report, data, results, n_rounds)


def show(report, data, results, n_rounds):
    n_components, _ = DATA[data]

    def cells(name, medians):
        for level in LEVELS:
            yield from (medians[f"{fit}_{level}"] for fit in ("first", "later"))
        yield from (f"{medians[f'epochs_{level}']:.0f}" for level in LEVELS)

    report.table(
        f"{data}, {n_components} components: seconds until the held-out error is that "
        "of PCA, and 0.8 of it",
        [
            "",
            *("PCA error, first fit", "PCA error, later fits"),
            *("0.8 PCA error, first fit", "0.8 PCA error, later fits"),
            *("epochs to PCA error", "epochs to 0.8 PCA error"),
        ],
        result_rows(results, cells),
        f"{describe_rounds(n_rounds)} DenseAE has its default settings; Keras trains "
        "the same layers with the same start, batches, peak learning rate and kind of "
        "schedule.",
    )
    report.targets(targets(data, results))


def targets(data, results):
    for fit, label in (("later", "later fits"), ("first", "first fit")):
        skae, keras = (
            median_of(results, contender, f"{fit}_0.8_pca") for contender in CONTENDERS
        )
        yield Target(
            f"{data}: time to 0.8 PCA error, {label}, relative to keras.Model.fit",
            ratio(skae, keras),
            DATA[data][1],
        )
