"""A compiled program that failed is not used again, and fits elsewhere still work."""

import numpy as np
import pytest

from skae import DenseAE
from skae._train import program
from tests.processes import run


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(120, 7))


def make():
    """Return an estimator with an architecture that no other test compiles."""
    return DenseAE(
        2, hidden_layer_sizes=(11,), early_stopping=False, max_iter=2, random_state=0
    )


def test_fits_in_a_graph_are_refused_and_break_no_later_fit(X):
    import tensorflow as tf

    with tf.Graph().as_default(), pytest.raises(RuntimeError, match="eager mode"):
        make().fit(X)
    codes = make().fit(X).transform(X)

    @tf.function(autograph=False)
    def fit_while_tracing():
        make().fit(X)
        return 0

    with pytest.raises(RuntimeError, match="eager mode"):
        fit_while_tracing()
    np.testing.assert_array_equal(make().fit(X).transform(X), codes)


def test_the_first_fit_in_a_graph_or_in_a_distribution_scope_breaks_no_later_fit():
    run(
        "import numpy as np, tensorflow as tf\n"
        "cpu, = tf.config.list_physical_devices('CPU')\n"
        "two = [tf.config.LogicalDeviceConfiguration()] * 2\n"
        "tf.config.set_logical_device_configuration(cpu, two)\n"
        "from skae import DenseAE\n"
        "X = np.random.default_rng(0).normal(size=(60, 4))\n"
        "def fit(n_units):\n"
        "    model = DenseAE(2, hidden_layer_sizes=(n_units,), max_iter=2,\n"
        "                    early_stopping=False, random_state=0)\n"
        "    return model.fit(X).transform(X)\n"
        "with tf.Graph().as_default():\n"
        "    try:\n"
        "        fit(5)\n"
        "    except RuntimeError as error:\n"
        "        assert 'eager mode' in str(error)\n"
        "first = fit(5)\n"
        "assert np.array_equal(fit(5), first)\n"
        "with tf.distribute.MirroredStrategy(['cpu:0', 'cpu:1']).scope():\n"
        "    try:\n"
        "        fit(6)\n"
        "    except Exception as error:\n"
        "        print(error)\n"
        "assert np.array_equal(fit(6), fit(6))\n"
        "assert np.isfinite(fit(6)).all()\n"
    )


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_program_that_failed_is_dropped(X, monkeypatch, error):
    codes = make().fit(X).transform(X)
    idle = program._idle_programs
    before = list(idle)
    run_epoch = program.CompiledProgram.run_epoch
    failed = []

    def damage_and_fail(self, chunks):
        failed.append(self)
        for group in self._groups:
            group.values.assign(np.full(group.values.shape, np.nan))
        raise error

    monkeypatch.setattr(program.CompiledProgram, "run_epoch", damage_and_fail)
    with pytest.raises(error):
        make().fit(X)
    assert failed[0] in before
    assert failed[0] not in idle
    monkeypatch.setattr(program.CompiledProgram, "run_epoch", run_epoch)
    np.testing.assert_array_equal(make().fit(X).transform(X), codes)


def test_a_program_whose_training_diverged_is_kept(X):
    """Nothing is wrong with it, and compiling it again would take time and memory."""
    make().fit(X)
    before = set(program._idle_programs)
    with pytest.raises(ValueError, match="diverged"):
        make().set_params(learning_rate_init=1e30).fit(X)
    assert set(program._idle_programs) == before
