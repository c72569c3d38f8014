"""Saved states: by whom they are loaded, and what loads them."""

import copy
import pickle
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException

import skae
from skae import DenseAE, SparseAE, skops_trusted_types
from tests.estimators import NAMES
from tests.processes import run

NETWORK = {"early_stopping": False, "hidden_layer_sizes": (4,), "max_iter": 2}
SAVED_STATES = sorted((Path(__file__).parent / "saved_states").glob("*.pkl"))
X, Y = load_wine(return_X_y=True)


def fitted(name, **settings):
    return getattr(skae, name)(3, random_state=0, **NETWORK, **settings).fit(X)


# --- Versions ---


def test_the_modules_that_define_the_estimators_are_frozen():
    """They are written into every saved state: a move makes all of those unreadable."""
    assert {name: getattr(skae, name).__module__ for name in NAMES} == {
        "ConvAE": "skae._conv",
        "DenoisingAE": "skae._denoising",
        "DenseAE": "skae._dense",
        "SparseAE": "skae._sparse",
        "VAETransformer": "skae._vae",
    }


def test_this_version_has_saved_states():
    kinds = {
        type(pickle.loads(saved["pickle"])).__name__
        for path in SAVED_STATES
        if path.stem == skae.__version__
        for saved in pickle.loads(path.read_bytes())["estimators"].values()
    }
    assert kinds == set(NAMES), "run `python -m tests.saved_states.save`"


@pytest.mark.filterwarnings("ignore:This .* was saved by skae:UserWarning")
@pytest.mark.parametrize("path", SAVED_STATES, ids=lambda path: path.stem)
def test_states_of_all_versions_load_and_answer_as_they_did(path):
    saved = pickle.loads(path.read_bytes())
    X = saved["X"]
    for name, state in saved["estimators"].items():
        model = pickle.loads(state["pickle"])
        accuracy = {"rtol": 1e-5, "atol": 1e-5, "err_msg": name}
        codes, reconstruction = state["codes"], state["reconstruction"]
        assert model.transform(X).dtype == codes.dtype, name
        np.testing.assert_allclose(model.transform(X), codes, **accuracy)
        np.testing.assert_allclose(model.reconstruct(X), reconstruction, **accuracy)
        if name == "VAETransformer":
            mean, std = model.posterior(X)
            assert mean.shape == std.shape == model.sample(len(X))[:, :2].shape
        model.partial_fit(X)


def load_by_skops(data):
    return skops.io.loads(data, trusted=skops_trusted_types())


@pytest.mark.parametrize(
    ("save", "load"),
    [(pickle.dumps, pickle.loads), (skops.io.dumps, load_by_skops)],
    ids=["pickle", "skops"],
)
def test_another_version_is_warned_of(save, load, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr("skae._persistence.__version__", "0.0.1")
        data = save(fitted("DenseAE"))
    expected = rf"DenseAE was saved by skae 0\.0\.1 and is loaded .*{skae.__version__}"
    with pytest.warns(UserWarning, match=expected):
        model = load(data)
    assert model.transform(X).shape == (len(X), 3)


def test_a_state_without_a_version_is_warned_of():
    model = fitted("DenseAE")
    with pytest.warns(UserWarning, match="saved by skae of an unknown version"):
        model.__setstate__(vars(model).copy())


def test_copies_within_a_version_do_not_warn(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fitted("DenseAE")
        joblib.dump(model, tmp_path / "model.joblib")
        copies = [
            copy.copy(model),
            copy.deepcopy(model),
            pickle.loads(pickle.dumps(model)),
            joblib.load(tmp_path / "model.joblib"),
            clone(model).fit(X),
        ]
    for other in copies:
        assert vars(other).keys() == vars(model).keys()
        np.testing.assert_array_equal(other.transform(X), model.transform(X))


def test_a_layer_of_a_later_version_is_named():
    model = fitted("DenseAE")
    model._network["encoder"]["layers"][0][0] = "Attention"
    with pytest.raises(
        ValueError, match=r"layer 'Attention'.*saved by a later version"
    ):
        model.transform(X)


# --- skops ---


@pytest.mark.parametrize("name", NAMES)
def test_skops_needs_to_trust_the_estimator_only(name):
    model = fitted(name)
    data = skops.io.dumps(model)
    (needed,) = skops.io.get_untrusted_types(data=data)
    assert needed == f"{type(model).__module__}.{name}"
    assert needed in skops_trusted_types()
    loaded = load_by_skops(data)
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    np.testing.assert_array_equal(loaded.reconstruct(X), model.reconstruct(X))


@pytest.mark.parametrize(
    "estimator",
    [
        DenseAE(np.int64(3), random_state=np.random.RandomState(0), **NETWORK),
        DenseAE(3, ordered=True, **NETWORK),
        DenseAE(0.5, early_stopping=False, max_iter=2),
        SparseAE(4, sparsity="topk", target_sparsity=2, max_iter=2),
        DenseAE(2, hidden_layer_sizes=np.array([4]), max_iter=2),
    ],
    ids=["of NumPy's types", "ordered", "share of the variance", "topk", "array"],
)
def test_skops_does_not_need_to_trust_more(estimator):
    """Whatever the parameters are."""
    pipeline = make_pipeline(StandardScaler(), estimator, LogisticRegression())
    data = skops.io.dumps(pipeline.fit(X, Y))
    needed = skops.io.get_untrusted_types(data=data)
    assert needed == [f"{type(estimator).__module__}.{type(estimator).__name__}"]
    load_by_skops(data)


class Stranger(DenseAE):
    """Not one of the five."""


def test_skops_refuses_other_types_by_name():
    data = skops.io.dumps(make_pipeline(DenseAE(), Stranger()))
    with pytest.raises(
        UntrustedTypesFoundException, match=r"test_persistence\.Stranger"
    ):
        load_by_skops(data)


# --- Keras's own format ---


# Keras reads its variables in a way that NumPy warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("part", ["reconstruction", "encoder"])
def test_keras_files_load_in_safe_mode_elsewhere(tmp_path, part):
    models = {
        "dense": fitted("DenseAE"),
        "images": fitted("ConvAE"),
        "noise": fitted("DenoisingAE"),
        "topk": fitted("SparseAE", sparsity="topk", target_sparsity=1),
        "variational": fitted("VAETransformer"),
    }
    for name, model in models.items():
        model.to_keras(part).save(tmp_path / f"{name}.keras")
        expected = model.transform(X) if part == "encoder" else model.reconstruct(X)
        np.save(tmp_path / f"{name}.npy", expected)
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    run(
        "import sys\n"
        "from pathlib import Path\n"
        "import keras, numpy as np, skae\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "X = np.load(folder / 'X.npy')\n"
        "for path in folder.glob('*.keras'):\n"
        "    model = keras.models.load_model(path, safe_mode=True)\n"
        "    expected = np.load(path.with_suffix('.npy'))\n"
        "    np.testing.assert_allclose(\n"
        "        model(X), expected, rtol=1e-4, atol=1e-2, err_msg=path.stem\n"
        "    )\n"
        "assert 'skae._keras_backend' not in sys.modules\n"
    )
