"""A grid search over the number of codes, and the memory that further ones take."""

from benchmarks.child import installed
from benchmarks.harness import resident, rounds, seconds, value

TITLE = "a grid search"
GRID = (2, 4, 8, 16, 32)
N_EPOCHS = 50
N_MORE_SEARCHES = {"skae DenseAE": 4, "keras.Model.fit": 1}


# Widths of the layers before the code: of the textbook, and those of "auto".
NETWORKS = {"32": (32,), "256-128": (256, 128)}


def skae_autoencoder(hidden, n_epochs):
    installed("tensorflow")  # not a part of the search
    from skae import DenseAE

    return DenseAE(hidden_layer_sizes=hidden, max_iter=n_epochs, random_state=0)


def keras_autoencoder(hidden, n_epochs):
    """Wrap the same layers as Keras itself trains them, as its users would."""
    keras = installed("keras")
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
                *(X, X),
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
    """Return the time of a search, and how much more memory further ones take."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline

    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    pipeline = Pipeline(
        [
            ("codes", AUTOENCODERS[contender](NETWORKS[network], n_epochs)),
            ("classifier", KNeighborsClassifier()),
        ]
    )
    search = GridSearchCV(pipeline, {"codes__n_components": grid}, cv=3)
    first = seconds(search.fit, X, y)
    before = resident()
    for _ in range(N_MORE_SEARCHES[contender]):
        search.fit(X, y)
    return {
        "seconds": first,
        "growth": (resident() - before) / N_MORE_SEARCHES[contender],
        "chosen": search.best_params_["codes__n_components"],
        "score": search.best_score_,
    }


def main(report):
    n_epochs, grid = (2, GRID[:2]) if report.quick else (N_EPOCHS, GRID)
    networks = ["32"] if report.quick else NETWORKS

    def rows():
        for network in networks:
            measured = rounds(
                measure,
                AUTOENCODERS,
                1,
                network=network,
                n_epochs=n_epochs,
                grid=grid,
            )
            report.keep(network, measured)
            ours = value(measured, "skae DenseAE", "seconds")
            for name, kept in measured.items():
                if "error" in kept:
                    yield network, name, kept["error"], *[None] * 4
                    continue
                now = kept["median"]
                yield (
                    network,
                    name,
                    f"{now['seconds']:.1f}",
                    f"{now['seconds'] / ours:.1f}",
                    f"{now['chosen']:.0f}",
                    f"{now['score']:.3f}",
                    f"{now['growth']:+.1f}",
                )

    report.table(
        f"{len(grid)} values of n_components, three folds and the refit, {n_epochs} "
        "epochs of digits",
        [
            "layers",
            "",
            "seconds",
            "times skae",
            "chosen",
            "accuracy",
            "MB a further search",
        ],
        rows(),
    )
