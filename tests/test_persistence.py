"""Saved states: their format, their versions, and other libraries that load them."""

import copy
import io
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
from skae import ConvAE, DenseAE, SparseAE, skops_trusted_types
from tests.estimators import NAMES
from tests.processes import run

NETWORK = {"early_stopping": False, "hidden_layer_sizes": (4,), "max_iter": 2}
SAVED_STATES = sorted((Path(__file__).parent / "saved_states").glob("*.pkl"))
# What states lack that were saved before it was added.
NEWER = {"_held_out", "holdout", "noise", "noise_level"}
X, Y = load_wine(return_X_y=True)


def without_digest(state):
    return {key: value for key, value in state.items() if key != "_skae_digest"}


def fitted(name, **settings):
    return getattr(skae, name)(3, random_state=0, **NETWORK, **settings).fit(X, Y)


# --- The format ---


class RawState:
    """Stands for an estimator in a pickle, and keeps the state as it was saved."""

    def __setstate__(self, state):
        self.state = state


class RawUnpickler(pickle.Unpickler):
    """Loads pickled estimators as `RawState`."""

    def find_class(self, module, name):
        is_estimator = module.startswith("skae.")
        return RawState if is_estimator else super().find_class(module, name)


def assert_equal_states(actual, expected):
    """Compare builtins and arrays to the bit, with their types."""
    assert type(actual) is type(expected)
    if isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)
    elif isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key, value in expected.items():
            assert_equal_states(actual[key], value)
    elif isinstance(expected, (list, tuple)):
        for value, other in zip(actual, expected, strict=True):
            assert_equal_states(value, other)
    else:
        assert actual == expected


def leaves(value):
    """Return the values in nested containers."""
    if type(value) is dict:
        value = [*value, *value.values()]
    if type(value) in (list, tuple):  # a named tuple is no builtin
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@pytest.mark.parametrize(
    "estimator",
    [
        *[getattr(skae, name)(3, **NETWORK) for name in NAMES],
        DenseAE(3),
        DenseAE(3, ordered=True, **NETWORK),
        DenseAE(0.5, **NETWORK),
        DenseAE("auto", **NETWORK),
        ConvAE(None, early_stopping=False, max_iter=1),
        SparseAE(4, sparsity="topk", target_sparsity=2, **NETWORK),
    ],
    ids=str,
)
def test_saved_state_consists_of_builtins_and_arrays(estimator):
    state = clone(estimator).fit(X, Y).__getstate__()
    kinds = {type(leaf) for leaf in leaves(state)}
    assert kinds <= {np.ndarray, str, int, float, bool, type(None)}


def test_saved_state_does_not_share_its_containers_with_the_estimator():
    """Changing one does not change the other."""
    model = fitted("DenseAE", ordered=True)
    expected = model.transform(X)
    state = model.__getstate__()
    state["_network"]["encoder"]["layers"].clear()
    del state["_encoder_arrays"]
    np.testing.assert_array_equal(model.transform(X), expected)


@pytest.mark.parametrize("name", NAMES)
def test_state_without_a_parameter_gets_its_default(name):
    """The version that saved it may not have had the parameter."""
    model = fitted(name, tol=0.5)
    state = model.__getstate__()
    del state["tol"]
    loaded = type(model).__new__(type(model))
    loaded.__setstate__(state)
    assert loaded.tol == type(model)().tol == 1e-4
    assert loaded.get_params() == {**model.get_params(), "tol": 1e-4}
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


def test_state_of_an_unfitted_estimator_is_its_parameters():
    model = pickle.loads(pickle.dumps(DenseAE(5, tol=0.5)))
    assert model.get_params() == DenseAE(5, tol=0.5).get_params()
    assert not model.__sklearn_is_fitted__()


# --- Damaged states ---


def restored(model, state):
    """Return an estimator of the class of the model with another saved state."""
    other = type(model).__new__(type(model))
    other.__setstate__(state)
    return other


def changed(value):
    """Return a value of the same type that differs."""
    if isinstance(value, np.ndarray):
        return np.concatenate([value.ravel()[:-1], [value.ravel()[-1] + 1]]).reshape(
            value.shape
        )
    return {bool: lambda: not value, str: lambda: value + "x"}.get(
        type(value), lambda: value + 1
    )()


def with_one_change(value):
    """Yield copies of nested containers in each of which one leaf is changed."""
    if isinstance(value, dict):
        for key, item in value.items():
            for other in with_one_change(item):
                yield {**value, key: other}
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            for other in with_one_change(item):
                yield type(value)([*value[:i], other, *value[i + 1 :]])
    elif value is not None:
        yield changed(value)


@pytest.mark.parametrize("name", NAMES)
def test_any_change_of_the_fitted_state_is_refused(name):
    model = fitted(name)
    state = model.__getstate__()
    parameters = {*model.get_params(), "_skae_version"}
    fitted_state = {key: state[key] for key in state if key not in parameters}
    changes = [*with_one_change(fitted_state)]
    assert len(changes) > 30
    for other in changes:
        with pytest.raises(ValueError, match=f"saved state of this {name} was damaged"):
            restored(model, {**state, **other})


def test_parameters_may_be_changed_in_a_saved_state():
    model = fitted("DenseAE")
    other = restored(model, {**model.__getstate__(), "tol": 0.5})
    assert other.tol == 0.5
    np.testing.assert_array_equal(other.transform(X), model.transform(X))


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("_encoder_arrays", 0), np.zeros((2, 4)), "shapes that do not fit"),
        (("_decoder_arrays", 1), np.zeros(4, complex), "not all floats"),
        (("_decoder_arrays", 1), np.zeros(4, np.float32), "differ in precision"),
        (("_decoder_arrays", 1), np.full(4, np.nan), "not finite"),
        (("mean_",), np.zeros(5), "shapes that do not fit"),
        (("_code_scale",), np.zeros(2), "shapes that do not fit"),
        (("_scale",), np.inf, "not finite"),
        (("n_components_",), 4, "numbers of features and codes"),
        (("n_features_in_",), 14, "numbers of features and codes"),
        (("_network", "encoder", "layers", 0, 3), "swish", "activation 'swish'"),
        (("_network", "encoder", "layers", 0, 2), 5, "do not fit together"),
        (("_network", "encoder"), {}, "structure is not that of a fit"),
        (("_ordering",), (), "structure is not that of a fit"),
    ],
)
def test_state_that_contradicts_itself_is_refused_without_a_digest_too(
    path, value, fault
):
    """States of before digests have none."""

    def put(state, path):
        if not path:
            return value
        key, *rest = path
        if isinstance(state, dict):
            return {**state, key: put(state[key], rest)}
        return [*state[:key], put(state[key], rest), *state[key + 1 :]]

    model = fitted("DenseAE")
    state = model.__getstate__()
    del state["_skae_digest"]
    np.testing.assert_array_equal(
        restored(model, state).transform(X), model.transform(X)
    )
    with pytest.raises(ValueError, match=f"saved state of this DenseAE .*{fault}"):
        restored(model, put(state, path))


# --- Versions ---


def test_modules_that_define_the_estimators_keep_their_names():
    """They are part of every saved state: renaming one makes the states unreadable."""
    assert {name: getattr(skae, name).__module__ for name in NAMES} == {
        "ConvAE": "skae._conv",
        "DenoisingAE": "skae._denoising",
        "DenseAE": "skae._dense",
        "SparseAE": "skae._sparse",
        "SupervisedAE": "skae._supervised",
        "VAETransformer": "skae._vae",
    }


def test_this_version_has_saved_states_of_all_estimators():
    kinds = {
        type(pickle.loads(saved["pickle"])).__name__
        for path in SAVED_STATES
        if path.stem == skae.__version__
        for saved in pickle.loads(path.read_bytes())["estimators"].values()
    }
    assert kinds == set(NAMES), "run `python -m tests.saved_states.save`"


@pytest.mark.filterwarnings("ignore:This .* was saved by skae:UserWarning")
@pytest.mark.parametrize("path", SAVED_STATES, ids=lambda path: path.stem)
def test_states_of_all_versions_load_with_the_same_arrays(path):
    for name, saved in pickle.loads(path.read_bytes())["estimators"].items():
        raw = RawUnpickler(io.BytesIO(saved["pickle"])).load().state
        model = pickle.loads(saved["pickle"])
        state = model.__getstate__()
        arrays = {key for key in raw if key.endswith("_arrays")}
        assert arrays == {"_encoder_arrays", "_decoder_arrays"}, name
        for key in arrays:
            assert_equal_states(state[key], raw[key])
            assert_equal_states(getattr(model, key), raw[key])
        if path.stem == skae.__version__:
            for newer in NEWER - raw.keys():
                state.pop(newer, None)
            # The digest is also of what is newer.
            assert_equal_states(without_digest(state), without_digest(raw))


@pytest.mark.filterwarnings("ignore:This .* was saved by skae:UserWarning")
@pytest.mark.parametrize("path", SAVED_STATES, ids=lambda path: path.stem)
def test_states_of_all_versions_give_the_results_of_then(path):
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
        model.partial_fit(X, np.arange(len(X)) % 3)


def load_by_skops(data):
    return skops.io.loads(data, trusted=skops_trusted_types())


@pytest.mark.parametrize(
    ("save", "load"),
    [(pickle.dumps, pickle.loads), (skops.io.dumps, load_by_skops)],
    ids=["pickle", "skops"],
)
def test_state_of_another_version_warns(save, load, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("skae._persistence.__version__", "0.0.1")
        data = save(fitted("DenseAE"))
    expected = rf"DenseAE was saved by skae 0\.0\.1 and is loaded .*{skae.__version__}"
    with pytest.warns(UserWarning, match=expected):
        model = load(data)
    assert model.transform(X).shape == (len(X), 3)


def test_state_without_a_version_warns():
    model = fitted("DenseAE")
    state = model.__getstate__()
    del state["_skae_version"]
    with pytest.warns(UserWarning, match="saved by skae of an unknown version"):
        model.__setstate__(state)


def test_copies_of_the_same_version_do_not_warn(tmp_path):
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


def test_unknown_layer_of_a_later_version_is_named():
    model = fitted("DenseAE")
    state = model.__getstate__()
    del state["_skae_digest"]
    state["_network"]["encoder"]["layers"][0][0] = "Attention"
    with pytest.raises(ValueError, match=r"layer 'Attention'.* later version saved it"):
        model.__setstate__(state)


# --- skops ---


@pytest.mark.parametrize("name", NAMES)
def test_skops_must_trust_the_estimator_only(name):
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
    ids=["NumPy parameters", "ordered", "share of the variance", "topk", "array"],
)
def test_skops_must_trust_nothing_more_for_any_parameters(estimator):
    pipeline = make_pipeline(StandardScaler(), estimator, LogisticRegression())
    data = skops.io.dumps(pipeline.fit(X, Y))
    needed = skops.io.get_untrusted_types(data=data)
    assert needed == [f"{type(estimator).__module__}.{type(estimator).__name__}"]
    load_by_skops(data)


class MyAE(DenseAE):
    """A subclass of a user."""


def test_skops_refuses_other_types_by_name():
    data = skops.io.dumps(make_pipeline(DenseAE(), MyAE()))
    with pytest.raises(UntrustedTypesFoundException, match=r"test_persistence\.MyAE"):
        load_by_skops(data)


# --- Keras files ---


# NumPy warns about the way in which Keras reads its variables.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("part", ["reconstruction", "encoder"])
def test_keras_files_load_in_safe_mode_in_another_process(tmp_path, part):
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
        "assert 'skae._network.keras_interpreter' not in sys.modules\n"
    )
