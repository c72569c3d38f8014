"""Networks of textbooks can be built, with exactly their layers."""

import keras
import numpy as np
import pytest

from skae import ConvAE, DenoisingAE, DenseAE, SparseAE, VAETransformer


def fit(estimator, n_features):
    X = np.random.default_rng(0).uniform(size=(8, n_features))
    estimator.set_params(
        pca_shortcut=False, early_stopping=False, max_iter=1, random_state=0
    )
    return estimator.fit(X)


def layers(model):
    """Describe the layers of a Keras model that change values."""
    described = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in ("InputLayer", "Reshape"):
            continue
        width = getattr(layer, "units", getattr(layer, "filters", None))
        if width is None:
            described.append(kind)
        else:
            described.append((kind, width, layer.activation.__name__))
    return described


def dense(*layers):
    return [("Dense", width, activation) for width, activation in layers]


def test_linear_autoencoder_has_two_layers():
    model = fit(DenseAE(3, hidden_layer_sizes=()), 20).to_keras()
    assert layers(model) == dense((3, "linear"), (20, "linear"))
    assert model.count_params() == 21 * 3 + 4 * 20


@pytest.mark.filterwarnings("ignore:.* got n_components=:UserWarning")
def test_deep_autoencoder():
    model = fit(
        DenseAE(
            60,
            hidden_layer_sizes=(512, 256),
            activation="relu",
            code_activation="relu",
            output_activation="sigmoid",
        ),
        784,
    )
    assert layers(model.to_keras()) == dense(
        *[(512, "relu"), (256, "relu"), (60, "relu"), (256, "relu"), (512, "relu")],
        (784, "sigmoid"),
    )
    assert model.to_keras("encoder").count_params() == 548_668
    assert model.to_keras("decoder").count_params() == 549_392


@pytest.mark.filterwarnings("ignore:.* got n_components=:UserWarning")
def test_autoencoder_of_signals():
    model = fit(
        DenseAE(
            16,
            hidden_layer_sizes=(64, 32),
            activation="relu",
            output_activation="sigmoid",
            loss="absolute_error",
        ),
        140,
    )
    assert layers(model.to_keras()) == dense(
        *[(64, "relu"), (32, "relu"), (16, "linear"), (32, "relu"), (64, "relu")],
        (140, "sigmoid"),
    )
    assert model.to_keras().count_params() == (
        141 * 64 + 65 * 32 + 33 * 16 + 17 * 32 + 33 * 64 + 65 * 140
    )


@pytest.mark.parametrize("cls", [DenoisingAE, SparseAE])
def test_denoising_and_sparse_autoencoders_are_dense_networks(cls):
    model = fit(cls(5, hidden_layer_sizes=(16,), activation="relu", alpha=0.1), 20)
    code = "relu" if cls is SparseAE else "linear"
    assert layers(model.to_keras()) == dense(
        (16, "relu"), (5, code), (16, "relu"), (20, "linear")
    )
    assert model.to_keras().count_params() == 21 * 16 + 17 * 5 + 6 * 16 + 17 * 20


def test_convolutional_autoencoder():
    model = fit(ConvAE(None, activation="relu", output_activation="sigmoid"), 784)
    assert model.n_components_ == 392
    encoder, decoder = (model.to_keras(part) for part in ("encoder", "decoder"))
    assert layers(encoder) == [
        ("Conv2D", 16, "relu"),
        "MaxPooling2D",
        ("Conv2D", 8, "relu"),
        "MaxPooling2D",
    ]
    assert layers(decoder) == [
        "UpSampling2D",
        ("Conv2D", 8, "relu"),
        "UpSampling2D",
        ("Conv2D", 16, "relu"),
        ("Conv2D", 1, "sigmoid"),
    ]
    assert encoder.count_params() == 10 * 16 + (9 * 16 + 1) * 8
    assert decoder.count_params() == (
        (9 * 8 + 1) * 8 + (9 * 8 + 1) * 16 + (9 * 16 + 1) * 1
    )
    kernel = encoder.layers[2]
    assert (kernel.kernel_size, kernel.padding, kernel.strides) == (
        (3, 3),
        "same",
        (1, 1),
    )
    assert encoder.layers[3].pool_size == (2, 2)


def test_variational_autoencoder_has_heads_for_mean_and_log_variance():
    model = fit(
        VAETransformer(
            2,
            hidden_layer_sizes=(256,),
            activation="relu",
            output_activation="sigmoid",
            loss="binary_crossentropy",
        ),
        784,
    )
    posterior = model.to_keras("posterior")
    assert layers(posterior) == dense((256, "relu"), (2, "linear"), (2, "linear"))
    assert posterior.count_params() == 785 * 256 + 2 * (257 * 2)
    mean, log_variance = posterior.outputs
    assert {layer.name for layer in posterior.layers} >= {
        "encoder_output",
        "encoder_log_variance",
    }
    assert mean.shape == log_variance.shape == (None, 2)
    decoder = model.to_keras("decoder")
    assert layers(decoder) == dense((256, "relu"), (784, "sigmoid"))
    assert decoder.count_params() == 3 * 256 + 257 * 784
    assert layers(model.to_keras("encoder")) == dense((256, "relu"), (2, "linear"))


# NumPy warns about the way in which Keras reads its variables.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras_model_can_be_saved_and_loaded(tmp_path):
    """It consists of layers of Keras, so loading it does not require skae."""
    model = fit(SparseAE(8, sparsity="topk", target_sparsity=2), 20)
    keras_model = model.to_keras()
    keras_model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    X = np.random.default_rng(1).uniform(size=(5, 20))
    np.testing.assert_allclose(loaded(X), keras_model(X))
