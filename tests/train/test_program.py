"""The compiled core: reuse, exclusive leases, and how training ends."""

import gc
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, ParameterGrid

from skae import DenoisingAE, DenseAE, SparseAE, VAETransformer


@pytest.fixture
def make():
    """Estimators of one small architecture, so that the tests share its compilation."""

    def make_estimator(**parameters):
        defaults = {
            "n_components": 3,
            "hidden_layer_sizes": (8,),
            "early_stopping": False,
            "batch_size": 100,
            "max_iter": 3,
            "random_state": 0,
        }
        return DenseAE(**{**defaults, **parameters})

    return make_estimator


def call_at_epoch(epoch, function):
    """Return a log handler that calls `function` when the epoch has been trained."""

    class Handler(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith(f"epoch {epoch}:"):
                function()

    return Handler()


@pytest.fixture
def at_epoch():
    logger = logging.getLogger("skae")
    added = []

    def add(epoch, function):
        added.append(call_at_epoch(epoch, function))
        logger.addHandler(added[-1])

    yield add
    for handler in added:
        logger.removeHandler(handler)


def n_compiled():
    from skae._training import _idle_programs

    return len(_idle_programs)


@pytest.fixture
def fit_by_xla(monkeypatch):
    """Fit by XLA after the first epochs, in a network that is compiled for it."""

    def fit(model, X, n_steps=8):
        monkeypatch.setattr("skae._training._idle_programs", OrderedDict())
        monkeypatch.setattr("skae._runs._WORK_BEFORE_XLA", 5e6)
        monkeypatch.setattr("skae._runs._WORK_WORTH_XLA", 0)
        # So that an epoch takes more than one turn.
        monkeypatch.setattr("skae._epochs._MOST_STEPS", 8)
        model.fit(X)
        assert steps_taken_at_once() == {1, n_steps}
        return model

    return fit


def steps_taken_at_once():
    from skae._training import _idle_programs

    return {n for compiled in _idle_programs.values() for n in compiled._runs}


def test_folds_and_scalar_settings_share_one_compilation(digits, make):
    make().fit(digits)
    before = n_compiled()
    grid = {
        "learning_rate_init": [1e-3, 2e-3],
        "alpha": [0.0, 0.1],
        "max_iter": [1, 2],
        "random_state": [0, 1],
    }
    GridSearchCV(make(), grid, cv=3).fit(digits)
    make(early_stopping=True).fit(digits[:333])
    make(whiten=True).partial_fit(digits[:50])
    assert n_compiled() == before


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (DenoisingAE(3), {"noise_level": [0.1, 0.5]}),
        (SparseAE(3), {"sparsity_weight": [0.1, 1.0]}),
        (SparseAE(3, sparsity="kl"), {"target_sparsity": [0.1, 0.3]}),
        (VAETransformer(3), {"beta": [0.5, 2.0], "kl_warmup": [0, 2]}),
    ],
)
def test_what_the_others_add_shares_one_compilation_too(digits, estimator, grid):
    estimator.set_params(
        hidden_layer_sizes=(8,), early_stopping=False, max_iter=3, random_state=0
    )
    scores = []
    clone(estimator).fit(digits)
    before = n_compiled()
    for parameters in ParameterGrid(grid):
        model = clone(estimator).set_params(**parameters).fit(digits)
        scores.append(model.score(digits))
    assert n_compiled() == before
    assert len(set(scores)) == len(scores)


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collector_is_left_as_it_was(digits, make, enabled):
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        make(hidden_layer_sizes=(6 + enabled,), max_iter=1).fit(digits)  # compiles anew
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


def test_fitting_again_gives_the_same_weights(digits, make):
    first, second = (make().fit(digits).transform(digits) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = make(random_state=1).fit(digits).transform(digits)
    assert not np.allclose(first, other)


def test_order_of_rows_depends_on_the_random_state(digits, make):
    """A single layer starts at PCA whatever the seed, so only the order can differ."""
    codes = [
        make(hidden_layer_sizes=(), alpha=0.1, random_state=seed)
        .fit(digits)
        .transform(digits)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.allclose(codes[0], codes[2])


def test_threads_give_the_serial_weights(digits, make):
    estimators = [make(random_state=seed, max_iter=20) for seed in range(4)]
    serial = [model.fit(digits).transform(digits) for model in estimators]
    with ThreadPoolExecutor(2) as pool:
        fitted = list(pool.map(lambda model: model.fit(digits), estimators))
    for codes, model in zip(serial, fitted, strict=True):
        np.testing.assert_allclose(model.transform(digits), codes, atol=1e-9)


def test_fit_inside_a_fit_disturbs_neither(digits, make, at_epoch):
    serial = make(verbose=1).fit(digits).transform(digits)
    inner = make(random_state=1)
    expected = inner.fit(digits).transform(digits)
    at_epoch(2, lambda: inner.fit(digits))
    outer = make(verbose=1).fit(digits)
    np.testing.assert_array_equal(outer.transform(digits), serial)
    np.testing.assert_array_equal(inner.transform(digits), expected)


@pytest.mark.parametrize("batch_size", [5, 7, 100])
def test_every_row_counts_in_every_epoch(digits, make, batch_size):
    X = digits[:12]
    model = make(learning_rate_init=1e-12, batch_size=batch_size, pca_shortcut=False)
    model.fit(X)
    expected = model.reconstruction_error_ / X.var(axis=0).mean()
    np.testing.assert_allclose(model.history_["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize("n_samples", [99, 100, 101, 102, 250])
def test_no_batch_is_much_smaller_than_the_others(n_samples):
    """A few rows left over would take a step as long as any other."""
    from skae._epochs import _batch_lengths, _batched

    rows = np.arange(1, n_samples + 1)
    batches = _batched(rows, _batch_lengths(n_samples, 50), 50)
    lengths = (batches > 0).sum(axis=1)
    assert len(lengths) == -(-n_samples // 50)
    assert lengths.max() - lengths.min() <= 1
    np.testing.assert_array_equal(batches[batches > 0], rows)


def test_best_epoch_is_kept_and_training_stops_early(digits, make):
    model = make(
        early_stopping=True,
        learning_rate_init=0.05,
        max_iter=100,
        n_iter_no_change=3,
        pca_shortcut=False,
    ).fit(digits)
    val_loss = model.history_["val_loss"]
    assert model.n_iter_ == len(val_loss) == len(model.history_["loss"]) < 100
    kept = model.reconstruction_error_ / digits.var(axis=0).mean()
    np.testing.assert_allclose(kept, min(val_loss), rtol=1e-4)


@pytest.mark.parametrize(("warmup", "first"), [(0, 1), (2, 2)])
def test_weights_before_the_end_of_the_schedule_are_means(
    warmup, first, make, digits, monkeypatch
):
    """Of the second half of the epochs until then; few rows are trained so."""
    from skae import _training

    def flat(weights):
        return np.concatenate([array.ravel() for array in weights.all])

    def run(compiled, parts):
        trace = run_epoch(compiled, parts)
        epochs.append(flat(compiled.as_weights(trace.values)))
        return trace

    def train_with_stops(program, settings, *others):
        settings = replace(settings, stops=(3, 4, 8), warmup=warmup)
        outcomes.append(train(program, settings, *others))
        return outcomes[0]

    epochs, outcomes = [], []
    run_epoch, train = _training.CompiledProgram.run_epoch, _training.train
    monkeypatch.setattr(_training.CompiledProgram, "run_epoch", run)
    monkeypatch.setattr(_training, "train", train_with_stops)
    make(max_iter=8).fit(digits[:200])
    of_stops = map(flat, outcomes[0].at_stops)
    spans = [(first, 3), (3, 4), (7, 8)]
    wanted = [np.mean(epochs[begin:end], axis=0) for begin, end in spans]
    for weights, mean in zip(of_stops, wanted, strict=True):
        np.testing.assert_allclose(weights, mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(flat(outcomes[0].weights), epochs[7])


def test_divergence_at_once_raises_with_advice_and_keeps_the_fit(digits, make):
    model = make().fit(digits)
    codes = model.transform(digits)
    for max_iter in (1, 5):
        model.set_params(learning_rate_init=1e30, max_iter=max_iter)
        with pytest.raises(ValueError, match=r"Scale the data .* learning_rate_init"):
            model.fit(digits[:, :30])
        assert model.n_features_in_ == 64
        np.testing.assert_array_equal(model.transform(digits), codes)


@pytest.fixture
def leap(monkeypatch):
    """Make the steps of an epoch far too large, by its number among all."""
    from skae._training import CompiledProgram

    run_epoch = CompiledProgram.run_epoch
    epochs = []

    def leap_in(epoch):
        def run(compiled, parts):
            epochs.append(epoch)
            if len(epochs) == epoch:
                parts = (
                    part._replace(step_sizes=part.step_sizes * 1e30) for part in parts
                )
            return run_epoch(compiled, parts)

        monkeypatch.setattr(CompiledProgram, "run_epoch", run)

    return leap_in


@pytest.mark.parametrize("early_stopping", [True, False])
def test_divergence_later_warns_and_keeps_the_best_weights(
    early_stopping, digits, make, leap
):
    leap(4)
    model = make(early_stopping=early_stopping, max_iter=60, pca_shortcut=False)
    with pytest.warns(ConvergenceWarning, match="best weights before epoch"):
        model.fit(digits)
    assert model.n_iter_ == 3
    assert model.score(digits) > 0


def test_divergence_in_a_fold_leaves_it_the_best_weights_before(digits, make, leap):
    in_last_fold = 4 * 32 + 4
    leap(in_last_fold)
    model = make(early_stopping=True, max_iter=32, learning_rate_init=0.02)
    with pytest.warns(ConvergenceWarning, match="best weights before epoch"):
        model.fit(digits[:400])
    assert model.used_network_


def test_few_and_many_values_are_updated_alike(digits, make, monkeypatch):
    slow = {"pca_shortcut": False, "max_iter": 10}
    by_few = make(**slow).fit(digits)
    monkeypatch.setattr("skae._training._idle_programs", OrderedDict())
    monkeypatch.setattr("skae._optimizer._FUSED_SIZE", 0)
    by_many = make(**slow).fit(digits)
    assert by_few.history_["loss"][-1] < 0.9 * by_few.history_["loss"][0]
    np.testing.assert_allclose(
        by_many.reconstruct(digits), by_few.reconstruct(digits), atol=1e-3
    )


@pytest.mark.parametrize(
    ("parameters", "atol"),
    [
        ({"pca_shortcut": False, "alpha": 0.1}, 1e-3),
        ({"pca_shortcut": False, "early_stopping": True}, 1e-3),
        ({"pca_shortcut": False, "ordered": True}, 1e-2),
    ],
)
def test_steps_by_xla_give_the_same_fit(digits, make, fit_by_xla, parameters, atol):
    one_by_one = make(max_iter=10, **parameters).fit(digits)
    by_xla = fit_by_xla(make(max_iter=10, **parameters), digits)
    for name, losses in one_by_one.history_.items():
        np.testing.assert_allclose(by_xla.history_[name], losses, rtol=1e-3)
    np.testing.assert_allclose(
        by_xla.reconstruct(digits), one_by_one.reconstruct(digits), atol=atol
    )
    again = make(max_iter=10, **parameters).fit(digits)
    np.testing.assert_array_equal(again.transform(digits), by_xla.transform(digits))


@pytest.mark.parametrize(
    "make_other",
    [
        lambda **shared: VAETransformer(**shared, pca_shortcut=False),
        lambda **shared: DenoisingAE(**shared, noise="swap"),
    ],
)
def test_noise_by_xla_is_as_strong(digits, fit_by_xla, make_other):
    """It is not the same numbers, but their effect is."""
    settings = {"max_iter": 20, "batch_size": 100, "early_stopping": False}
    model = make_other(hidden_layer_sizes=(8,), random_state=0, **settings)
    one_by_one = clone(model).fit(digits).history_["loss"]
    by_xla = fit_by_xla(model, digits).history_["loss"]
    np.testing.assert_allclose(by_xla[-1], one_by_one[-1], rtol=0.02, atol=0.01)


@pytest.mark.parametrize("make_other", [DenseAE, SparseAE, DenoisingAE])
@pytest.mark.parametrize("by_xla", [False, True])
def test_many_rows_are_trained_on_in_parts(
    digits, fit_by_xla, monkeypatch, make_other, by_xla
):
    """Then there is no copy of all of them, and the fit is the same."""
    settings = {"hidden_layer_sizes": (8,), "max_iter": 5, "batch_size": 100}
    model = make_other(3, random_state=0, alpha=0.1, **settings)

    def fit():
        other = clone(model)
        return fit_by_xla(other, digits) if by_xla else other.fit(digits)

    whole = fit()
    monkeypatch.setattr("skae._runs._FEW_VALUES", 0)
    monkeypatch.setattr("skae._epochs._MOST_VALUES", 250 * 64)
    in_parts = fit()
    for name, losses in whole.history_.items():
        np.testing.assert_allclose(in_parts.history_[name], losses, rtol=1e-5)
    np.testing.assert_array_equal(in_parts.transform(digits), whole.transform(digits))


def test_values_are_swapped_with_all_other_rows_of_the_part():
    from skae._corruption import Corruption
    from skae._epochs import prepare_epochs
    from skae._network import Activations, dense_network
    from skae._plan import Data, Program, Settings, Split

    linear = Activations("linear", "linear", "linear")
    network = dense_network((1, 1), linear, shortcut=False)
    program = Program(network, "squared_error", 4, False, "swap")
    none = np.zeros(1)
    corruption = Corruption("swap", 0.5, none, none)
    settings = Settings(
        *[1e-3, 1, True, 0.0, 0.0, 0.0, None, (0,), False], corruption=corruption
    )
    X = np.arange(11, dtype=np.float32)[:, np.newaxis]
    split = Split(np.arange(1, 11, dtype=np.int32), np.zeros(1, np.int32))
    ((part,),) = prepare_epochs(program, settings, Data(X, None), split)
    donors = part.rows.numpy().ravel()[part.donors.numpy()]
    np.testing.assert_array_equal(np.sort(donors), X[1:].ravel())


def test_fewer_steps_are_taken_at_once_of_wide_rows(
    digits, make, fit_by_xla, monkeypatch
):
    """Their batches would fill the memory."""
    model = make(max_iter=3)
    monkeypatch.setattr("skae._epochs._VALUES_OF_STEPS", 3 * 100 * 64)
    fit_by_xla(model.set_params(batch_size=100), digits, n_steps=3)


def test_little_work_is_not_compiled_by_xla(digits, make, monkeypatch):
    monkeypatch.setattr("skae._training._idle_programs", OrderedDict())
    make().fit(digits)
    assert steps_taken_at_once() == {1}


def test_a_batch_takes_every_normal_number_once():
    import tensorflow as tf

    from skae._training import _Normals

    table = np.arange(100, dtype=np.float32)
    normals = _Normals(tf.constant(table), tf.constant([7]))
    taken = [normals.take(shape).numpy() for shape in ((4, 3), (5, 2), (6, 1))]
    assert [part.shape for part in taken] == [(4, 3), (5, 2), (6, 1)]
    np.testing.assert_array_equal(
        np.concatenate([part.ravel() for part in taken]), table[7:35]
    )


def interrupt():
    raise KeyboardInterrupt


def test_interrupt_leaves_the_best_so_far(digits, make, at_epoch):
    at_epoch(2, interrupt)
    model = make(verbose=1, max_iter=50)
    with pytest.raises(KeyboardInterrupt):
        model.fit(digits)
    assert model.n_iter_ == 2
    assert model.score(digits) > 0


def test_interrupt_without_a_result_leaves_the_previous_fit(digits, make, at_epoch):
    model = make(early_stopping=True, max_iter=5).fit(digits)
    state = model.__dict__.copy()
    at_epoch(2, interrupt)
    # Too few rows for a single hold-out: the interrupt falls into a fold.
    model.verbose = state["verbose"] = 1
    with pytest.raises(KeyboardInterrupt):
        model.fit(digits[:200])
    assert model.__dict__ == state
