"""How long it takes to be better than PCA: the default network, from the same start.

Both hold out a tenth of the standardised rows and are compared, after each epoch, with
the error that PCA of the others leaves on those. The clock runs from the rows to that
epoch, everything included; for Keras it stops while the held-out rows are evaluated.
"""

import math
import time
from statistics import median

from benchmarks.child import installed
from benchmarks.harness import ratio, rounds, value
from benchmarks.report import Figure
from benchmarks.workloads import BATCH_SIZE, LEARNING_RATE

TITLE = "time to quality"

# Numbers of codes, and the share of Keras's time that is asked for.
DATA = {"digits": (10, 0.15), "fashion_mnist": (16, 0.5)}
TARGETS = {"pca": 1.0, "0.8_pca": 0.8}
N_EPOCHS = 100
_WARMUP_EPOCHS = 5
_HIDDEN = (256, 128)

# Keras need not train beyond what is asked; the plot shows this much more.
_STOP = 0.7


def standardised(data):
    import numpy as np
    from sklearn.preprocessing import StandardScaler

    from benchmarks.datasets import LARGE

    X = StandardScaler().fit_transform(LARGE[data]().X)
    return np.ascontiguousarray(X, dtype=np.float32)


def skae_curve(n_components, X):
    """Return the time and the error, of PCA's, after each epoch of a default fit."""
    import logging

    from skae import DenseAE

    class Stamps(logging.Handler):
        def emit(self, record):
            if record.msg.startswith("epoch"):
                points.append((time.perf_counter() - start, record.args[2]))

    points, logger, handler = [], logging.getLogger("skae"), Stamps()
    logger.addHandler(handler)
    logger.propagate = False
    start = time.perf_counter()
    model = DenseAE(n_components, random_state=0, verbose=1).fit(X)
    logger.removeHandler(handler)
    # The log has errors in units of training, in which the mean variance is 1.
    pca_error = model.pca_reconstruction_error_ / X.var(axis=0, dtype=float).mean()
    return [(seconds, float(error / pca_error)) for seconds, error in points]


def keras_curve(n_components, X):
    """Do the same with Keras: the same layers, start, rate and schedule."""
    import keras
    import numpy as np
    from sklearn.decomposition import PCA

    start, paused, points = time.perf_counter(), 0.0, []
    order = np.random.default_rng(0).permutation(len(X))
    n_held_out = -(-len(X) // 10)
    X_test, X = X[order[:n_held_out]], X[order[n_held_out:]]
    pca = PCA(n_components).fit(X)
    scale = np.sqrt(X.var(axis=0).mean())
    model = keras_network(pca, scale)
    rows = (X - pca.mean_) / scale
    n_steps = -(-len(rows) // BATCH_SIZE)
    warmup = _WARMUP_EPOCHS * n_steps
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        N_EPOCHS * n_steps - warmup,
        warmup_target=LEARNING_RATE,
        warmup_steps=warmup,
    )
    model.compile(keras.optimizers.Adam(schedule), "mse")
    now = time.perf_counter()
    test_rows = (X_test - pca.mean_) / scale
    left_by_pca = X_test - pca.inverse_transform(pca.transform(X_test))
    pca_error = np.square(left_by_pca / scale).mean()

    def error():
        outputs = model.predict_on_batch(test_rows)
        return float(np.square(outputs - test_rows).mean() / pca_error)

    assert math.isclose(error(), 1.0, rel_tol=1e-3), "training does not start at PCA"
    paused += time.perf_counter() - now

    class Stamps(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            nonlocal paused
            now = time.perf_counter()
            points.append((now - start - paused, error()))
            if points[-1][1] < _STOP:
                self.model.stop_training = True
            paused += time.perf_counter() - now

    model.fit(
        rows,
        rows,
        batch_size=BATCH_SIZE,
        epochs=N_EPOCHS,
        callbacks=[Stamps()],
        verbose=0,
    )
    return points


def keras_network(pca, scale):
    """Return DenseAE's default network as it starts: its output is that of PCA.

    Codes have unit variance, hidden kernels are random, and the last layers are zero.
    """
    import keras
    import numpy as np

    def half(inputs, widths, linear):
        h = inputs
        for width in widths[:-1]:
            h = keras.layers.Dense(width, activation="gelu")(h)
        last = keras.layers.Dense(widths[-1], kernel_initializer="zeros")(h)
        path = keras.layers.Dense(widths[-1], use_bias=False)
        outputs = keras.layers.Add()([last, path(inputs)])
        path.set_weights([linear])
        return outputs

    n_components, n_features = pca.components_.shape
    deviation = np.sqrt(pca.explained_variance_) / scale
    inputs = keras.Input((n_features,))
    code = half(inputs, (*_HIDDEN, n_components), pca.components_.T / deviation)
    decode = pca.components_ * deviation[:, np.newaxis]
    outputs = half(code, (*_HIDDEN[::-1], n_features), decode)
    return keras.Model(inputs, outputs)


CONTENDERS = {"skae DenseAE": skae_curve, "keras.Model.fit": keras_curve}


def measure(contender, data, n_later):
    """Return the times of the first fit of a process, and of later ones."""
    installed("tensorflow" if contender.startswith("skae") else "keras")
    X = standardised(data)
    curves = [CONTENDERS[contender](DATA[data][0], X) for _ in range(1 + n_later)]
    first, *later = curves
    times = {"first_curve": first, "later_curve": later[-1]}
    for name, target in TARGETS.items():
        times[f"first_{name}"], _ = reached(first, target)
        times[f"later_{name}"] = median(reached(curve, target)[0] for curve in later)
        times[f"epochs_{name}"] = reached(later[-1], target)[1]
    return times


def reached(curve, target):
    """Return the time and the epoch at which an error is no more than the target."""
    for epoch, (seconds, error) in enumerate(curve, start=1):
        if error <= target:
            return seconds, epoch
    return math.inf, math.inf


def main(report):
    n_rounds, n_later = report.n_rounds(), 1 if report.quick else 2
    for data in ["digits"] if report.quick else DATA:
        measured = rounds(measure, CONTENDERS, n_rounds, data=data, n_later=n_later)
        report.keep(data, measured)
        show(report, data, measured, n_rounds)


def show(report, data, measured, n_rounds):
    n_components, asked = DATA[data]

    def rows():
        for name, kept in measured.items():
            if "error" in kept:
                yield name, kept["error"], *[None] * 5
                continue
            now = kept["median"]
            yield (
                name,
                *(
                    now[f"{when}_{target}"]
                    for target in TARGETS
                    for when in ("first", "later")
                ),
                *(f"{now[f'epochs_{target}']:.0f}" for target in TARGETS),
            )

    report.table(
        f"{data}, {n_components} codes: seconds until the held-out error is below",
        [
            "",
            *("PCA's, first fit", "later fits", "0.8 of it, first fit", "later fits"),
            *("epochs to PCA's", "epochs to 0.8"),
        ],
        rows(),
        f"Median of {n_rounds} processes each, in turns. The default DenseAE against "
        "the same layers, start, batches, peak rate and kind of schedule in Keras.",
    )
    figures = []
    for when, text in (("later", "later fits"), ("first", "first fit")):
        ours, theirs = (value(measured, name, f"{when}_0.8_pca") for name in CONTENDERS)
        name = f"{data}: time to 0.8 of PCA's error, {text}, of Keras fit's"
        figures.append(Figure(name, ratio(ours, theirs), asked))
    report.figures(figures)
