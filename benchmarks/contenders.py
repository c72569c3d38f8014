"""The libraries that are compared, each used as an experienced user would.

Every function below imports its library and returns ``fit(X, n_epochs)``, which trains
a new network of the given workload.
"""

from benchmarks.child import require
from benchmarks.workloads import BATCH_SIZE, LEARNING_RATE


def skae_dense(workload):
    require("tensorflow")  # imported here so that the first fit does not include it
    from skae import DenseAE

    return lambda X, n_epochs: DenseAE(
        workload.n_components,
        hidden_layer_sizes=workload.hidden,
        activation="relu",
        pca_shortcut=False,
        early_stopping=False,
        learning_rate_init=LEARNING_RATE,
        batch_size=BATCH_SIZE,
        max_iter=n_epochs,
        random_state=0,
    ).fit(X)


# --- Keras ---


def keras_model(workload, steps_per_execution=1):
    import keras

    *hidden, last = workload.all_widths[1:]
    code = len(hidden) // 2
    layers = [
        keras.layers.Dense(width, activation=None if i == code else "relu")
        for i, width in enumerate(hidden)
    ]
    model = keras.Sequential(
        [keras.Input((workload.n_features,)), *layers, keras.layers.Dense(last)]
    )
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        "mse",
        steps_per_execution=steps_per_execution,
    )
    return model


def keras_fit(workload, one_execution_per_epoch=False):
    require("keras")

    def fit(X, n_epochs):
        n_steps = -(-len(X) // BATCH_SIZE) if one_execution_per_epoch else 1
        model = keras_model(workload, steps_per_execution=n_steps)
        return model.fit(X, X, batch_size=BATCH_SIZE, epochs=n_epochs, verbose=0)

    return fit


def keras_one_execution(workload):
    return keras_fit(workload, one_execution_per_epoch=True)


def keras_transformer(workload):
    """Wrap the network in `keras.wrappers.SKLearnTransformer`.

    The wrapper does not accept rows as targets, so a layer computes the loss.
    """
    keras = require("keras")

    class ReconstructionLoss(keras.layers.Layer):
        def call(self, inputs, outputs):
            self.add_loss(keras.ops.mean(keras.ops.square(inputs - outputs)))
            return outputs

    def build(X, y):
        network = keras_model(workload)
        outputs = ReconstructionLoss()(network.inputs[0], network.outputs[0])
        model = keras.Model(network.inputs, outputs)
        model.compile(
            keras.optimizers.Adam(LEARNING_RATE), lambda y, outputs: 0 * outputs[:, 0]
        )
        return model

    settings = {"batch_size": BATCH_SIZE, "verbose": 0}
    return lambda X, n_epochs: keras.wrappers.SKLearnTransformer(
        build, fit_kwargs={**settings, "epochs": n_epochs}
    ).fit(X, X[:, 0])


# --- PyTorch ---


def torch_model(workload):
    from torch import nn

    layers = []
    for i, (n_inputs, n_outputs) in enumerate(workload.layers):
        layers += [nn.Linear(n_inputs, n_outputs), nn.ReLU()]
        if i == len(workload.hidden):
            layers.pop()  # the code layer is linear
    return nn.Sequential(*layers[:-1])


def torch_loop(workload, compiled=False):
    torch = require("torch")

    def batch_loss(model, batch):
        return torch.nn.functional.mse_loss(model(batch), batch)

    batch_loss = torch.compile(batch_loss) if compiled else batch_loss

    def fit(X, n_epochs):
        X = torch.from_numpy(X)
        model = torch_model(workload)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
        for _ in range(n_epochs):
            for indices in torch.randperm(len(X)).split(BATCH_SIZE):
                optimizer.zero_grad()
                batch_loss(model, X[indices]).backward()
                optimizer.step()

    return fit


def torch_compiled(workload):
    return torch_loop(workload, compiled=True)


# --- scikit-learn, and estimators built on PyTorch ---


def mlp_regressor(workload):
    from sklearn.neural_network import MLPRegressor

    return lambda X, n_epochs: MLPRegressor(
        hidden_layer_sizes=workload.all_widths[1:-1],
        batch_size=min(BATCH_SIZE, len(X)),
        learning_rate_init=LEARNING_RATE,
        alpha=0.0,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs + 1,
        tol=0,
        random_state=0,
    ).fit(X, X)


def pyod_autoencoder(workload):
    require("torch")
    models = require("pyod.models.auto_encoder")
    # pyod applies the activation to the code layer as well.
    return lambda X, n_epochs: models.AutoEncoder(
        hidden_neuron_list=[*workload.hidden, workload.n_components],
        hidden_activation_name="relu",
        batch_norm=False,
        dropout_rate=0.0,
        lr=LEARNING_RATE,
        batch_size=BATCH_SIZE,
        epoch_num=n_epochs,
        optimizer_params={"weight_decay": 0.0},
        preprocessing=False,
        verbose=0,
    ).fit(X)


def encdr(workload):
    ENCDR = require("encdr").ENCDR
    return lambda X, n_epochs: ENCDR(
        hidden_dims=list(workload.hidden),
        latent_dim=workload.n_components,
        learning_rate=LEARNING_RATE,
        batch_size=BATCH_SIZE,
        max_epochs=n_epochs,
        validation_split=0.0,
        standardize=False,
        trainer_kwargs={"enable_progress_bar": False, "enable_model_summary": False},
    ).fit(X)


NETWORKS = {
    "skae DenseAE": skae_dense,
    "keras.Model.fit": keras_fit,
    "keras.Model.fit, one execution per epoch": keras_one_execution,
    "keras SKLearnTransformer": keras_transformer,
    "torch loop": torch_loop,
    "torch loop, compiled": torch_compiled,
    "sklearn MLPRegressor": mlp_regressor,
    "pyod AutoEncoder": pyod_autoencoder,
    "encdr ENCDR": encdr,
}


# --- Decompositions, whose fits have no epochs ---


def pca(workload):
    from sklearn.decomposition import PCA

    return lambda X, n_epochs: PCA(workload.n_components).fit(X)


def incremental_pca(workload):
    from sklearn.decomposition import IncrementalPCA

    return lambda X, n_epochs: IncrementalPCA(workload.n_components).fit(X)


def kernel_pca(workload):
    from sklearn.decomposition import KernelPCA

    return lambda X, n_epochs: KernelPCA(
        workload.n_components, kernel="rbf", fit_inverse_transform=True
    ).fit(X)


DECOMPOSITIONS = {
    "sklearn PCA": pca,
    "sklearn IncrementalPCA": incremental_pca,
    "sklearn KernelPCA": kernel_pca,
}

ALL = {**NETWORKS, **DECOMPOSITIONS}
