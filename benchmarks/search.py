"""A grid search over n_components: its time, and the memory that further ones take."""

from benchmarks.child import require
from benchmarks.harness import (
    median_of,
    resident_memory,
    result_rows,
    run_rounds,
    time_call,
)

TITLE = "a grid search"
GRID = (2, 4, 8, 16, 32)
N_EPOCHS = 50
N_REPETITIONS = {"skae DenseAE": 4, "keras.Model.fit": 1}

# Widths of the hidden layers of the encoder: a textbook choice, and the default of
# more than four codes.
HIDDEN_WIDTHS = {"32": (32,), "256-128": (256, 128)}


def skae_autoencoder(hidden, n_epochs):
    require("tensorflow")  # imported here so that the search does not include it
    from skae import DenseAE

    return DenseAE(hidden_layer_sizes=hidden, max_iter=n_epochs, random_state=0)


def keras_autoencoder(hidden, n_epochs):
    """Wrap the same layers, trained by `keras.Model.fit`, as a transformer."""
    keras = require("keras")
    from sklearn.base import BaseEstimator, TransformerMixin

    class KerasAutoencoder(TransformerMixin, BaseEstimator):
        def __init__(self, n_components=2):
            self.n_components = n_components

        def fit(self, X, y=None):
            def layers(widths):
                return [keras.layers.Dense(n, activation="gelu") for n in widths]

            n_features = X.shape[1]
            code = keras.layers.Dense(self.n_components)
            outputs = keras.layers.Dense(n_features)
            self.encoder_ = keras.Sequential(
                [keras.Input((n_features,)), *layers(hidden), code]
            )
            model = keras.Sequential([self.encoder_, *layers(hidden[::-1]), outputs])
            model.compile(keras.optimizers.Adam(3e-3), "mse")
            model.fit(
                X,
                X,
                batch_size=128,
                epochs=n_epochs,
                validation_split=0.1,
                callbacks=[keras.callbacks.EarlyStopping(patience=10)],
                verbose=0,
            )
            return self

        def transform(self, X):
            return self.encoder_.predict(X, verbose=0)

    return KerasAutoencoder()


AUTOENCODERS = {"skae DenseAE": skae_autoencoder, "keras.Model.fit": keras_autoencoder}


def measure(contender, network, n_epochs, grid):
    """Return the time and the result of a search, and the growth of memory after it."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline

    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    pipeline = Pipeline(
        [
            ("codes", AUTOENCODERS[contender](HIDDEN_WIDTHS[network], n_epochs)),
            ("classifier", KNeighborsClassifier()),
        ]
    )
    search = GridSearchCV(pipeline, {"codes__n_components": grid}, cv=3)
    seconds = time_call(search.fit, X, y)
    before = resident_memory()
    for _ in range(N_REPETITIONS[contender]):
        search.fit(X, y)
    return {
        "seconds": seconds,
        "growth": (resident_memory() - before) / N_REPETITIONS[contender],
        "chosen": search.best_params_["codes__n_components"],
        "score": search.best_score_,
    }


def main(report):
    n_epochs, grid = (2, GRID[:2]) if report.quick else (N_EPOCHS, GRID)
    report.table(
        f"{len(grid)} values of n_components, 3 folds and the refit, {n_epochs} epochs "
        "on the digits",
        [
            "hidden layers",
            "",
            "time (s)",
            "ratio to skae",
            "chosen n_components",
            "accuracy",
            "growth per further search (MB)",
        ],
        table_rows(report, n_epochs, grid),
    )


def table_rows(report, n_epochs, grid):
    for network in ["32"] if report.quick else HIDDEN_WIDTHS:
        results = run_rounds(
            measure, AUTOENCODERS, 1, network=network, n_epochs=n_epochs, grid=grid
        )
        report.record(network, results)
        for row in network_rows(results):
            yield network, *row


def network_rows(results):
    skae = median_of(results, "skae DenseAE", "seconds")

    def cells(name, medians):
        return (
            f"{medians['seconds']:.1f}",
            f"{medians['seconds'] / skae:.1f}",
            f"{medians['chosen']:.0f}",
            f"{medians['score']:.3f}",
            f"{medians['growth']:+.1f}",
        )

    return result_rows(results, cells)
