import numpy as np
import pytest

from skae._fit import task as task_module
from skae._fit.rows import TrainingRows
from skae._fit.task import FitTask
from skae._network.architectures import FeatureMaps, conv_network
from skae._train.config import Split
from skae._train.corruption import CORRUPTIONS
from skae._utils.parameters import Seeds
from tests.fit.plans import (
    LINEAR_ENDS,
    SIGMOID_OUTPUT,
    make_network,
    make_plan,
    make_task,
    random_rows,
)


def corrupting(name, level=0.5, **changes):
    return {"corruption": CORRUPTIONS[name], "noise_level": level, **changes}


def split_of(n_samples, n_held_out):
    indices = np.arange(n_samples, dtype=np.int32)
    return Split(indices[n_held_out:], indices[:n_held_out])


# --- Units ---


def test_rows_are_trained_on_centred_with_one_scale_for_all_features():
    X = random_rows()
    task = make_task(X)
    np.testing.assert_allclose(task.Z, (X - X.mean(axis=0)) / task.scale, atol=1e-5)
    assert np.mean(task.Z.var(axis=0)) == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(task.input_units(task.Z), X, rtol=1e-5)
    assert task.squared_unit() == task.scale**2


def test_rows_of_a_nonlinear_output_stay_in_their_units():
    X = random_rows()
    task = make_task(X, network=make_network(activations=SIGMOID_OUTPUT))
    np.testing.assert_array_equal(task.Z, X.astype(np.float32))
    assert task.input_units is None
    assert task.squared_unit() == 1


def test_rows_are_scaled_but_not_centred_before_a_convolution():
    X = random_rows()
    maps = FeatureMaps((6, 1), (2,), kernel_size=3)
    task = make_task(X, network=conv_network(maps, (2,), LINEAR_ENDS, shortcut=True))
    np.testing.assert_allclose(task.Z, X / task.scale, rtol=1e-5)


def test_units_of_an_earlier_fit_are_used():
    X = random_rows()
    units = (np.arange(6.0), 2.0)
    task = FitTask(make_plan(), TrainingRows(X, "DenseAE"), units)
    np.testing.assert_allclose(task.Z, (X - np.arange(6)) / 2, rtol=1e-5)


def test_many_rows_are_brought_into_their_units_when_they_are_read(monkeypatch):
    X = random_rows()
    expected = make_task(X).Z
    monkeypatch.setattr(task_module, "_FEW_VALUES", 0)
    rows = make_task(X).Z
    assert not isinstance(rows, np.ndarray)
    np.testing.assert_allclose(rows[:], expected, atol=1e-6)


# --- PCA of a split ---


def test_pca_of_a_split_is_found_once(monkeypatch):
    calls = []

    def decompose(*args, **kwargs):
        calls.append(kwargs["rows"])
        return original(*args, **kwargs)

    original = task_module.decompose
    monkeypatch.setattr(task_module, "decompose", decompose)
    task, split = make_task(random_rows()), split_of(60, 20)
    first = task.axes(split)
    other_plan = task.with_plan(make_plan(network=make_network(n_components=1)))
    assert len(other_plan.axes(split).components) == 1
    np.testing.assert_array_equal(task.axes(split).components, first.components)
    assert len(calls) == 1
    np.testing.assert_array_equal(calls[0], split.train)
    task.axes(split_of(60, 30))
    assert len(calls) == 2


def test_pca_is_that_of_the_rows_to_train_on():
    X = random_rows()
    task, split = make_task(X), split_of(60, 20)
    mean = task.input_units(task.axes(split).mean)
    np.testing.assert_allclose(mean, X[20:].mean(axis=0), rtol=1e-6)


# --- Corruption of the rows to compare on ---


def test_rows_without_corruption_are_their_own_inputs():
    task, split = make_task(random_rows()), split_of(60, 20)
    assert task.corrupted(split) is None
    for rows in task.comparison_rows(split):
        assert rows.inputs is rows.targets


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_corrupted_rows_are_always_the_same(name):
    split = split_of(60, 20)
    task = make_task(random_rows(), **corrupting(name))
    first = task.corrupted(split)
    assert first.shape == (20, 6)
    assert (first != task.Z[:20]).any()
    np.testing.assert_array_equal(task.corrupted(split), first)
    again = make_task(random_rows(), **corrupting(name))
    np.testing.assert_array_equal(again.corrupted(split), first)
    seeds = Seeds(0, 1, 2, 99)
    other = make_task(random_rows(), **corrupting(name, seeds=seeds)).corrupted(split)
    assert (other != first).any()


def test_noise_has_its_level_in_units_of_the_scale_of_the_data():
    X = random_rows(4000)
    linear = make_task(X, **corrupting("gaussian"))
    bounded = make_network(activations=SIGMOID_OUTPUT)
    other = make_task(X, **corrupting("gaussian", network=bounded))
    noise = [(task.corrupted(task.all_rows) - task.Z).std() for task in (linear, other)]
    assert noise[0] == pytest.approx(0.5, rel=0.05)
    assert noise[1] == pytest.approx(0.5 * linear.scale, rel=0.05)


def test_masked_values_are_zero_in_the_units_of_the_data():
    task = make_task(random_rows(), **corrupting("masking"))
    corrupted = task.corrupted(task.all_rows)
    masked = corrupted != task.Z
    assert 0.3 < masked.mean() < 0.7
    in_units = task.input_units(corrupted)
    np.testing.assert_allclose(in_units[masked], 0, atol=1e-5)


def test_salt_and_pepper_are_extremes_of_the_rows_to_train_on():
    X = random_rows()
    X[:20] *= 100
    task = make_task(X, **corrupting("salt_and_pepper"))
    values = task.corruption_values(split_of(60, 20))
    np.testing.assert_array_equal(values.low, task.Z[20:].min(axis=0))
    np.testing.assert_array_equal(values.high, task.Z[20:].max(axis=0))


def test_swapped_values_come_from_the_rows_to_train_on():
    task, split = make_task(random_rows(), **corrupting("swap", 1.0)), split_of(60, 20)
    for values, donors in zip(task.corrupted(split).T, task.Z[20:].T, strict=True):
        assert np.isin(values, donors).all()


# --- Rows to compare on ---


@pytest.mark.parametrize("n_held_out", [0, 20])
def test_blocks_of_comparison_rows_pair_targets_with_their_inputs(
    n_held_out, monkeypatch
):
    monkeypatch.setattr("skae._utils.blocks._BLOCK_SIZE", 7 * 6)
    monkeypatch.setattr("skae._utils.blocks._LEAST_ROWS", 1)
    task, split = (
        make_task(random_rows(), **corrupting("gaussian")),
        split_of(60, n_held_out),
    )
    blocks = [*task.comparison_rows(split)]
    assert len(blocks) > 2
    targets = np.vstack([block.targets for block in blocks])
    np.testing.assert_array_equal(targets, task.Z[: n_held_out or 60])
    inputs = np.vstack([block.inputs for block in blocks])
    np.testing.assert_array_equal(inputs, task.corrupted(split))
    assert {block.unit for block in blocks} == {task.scale**2}


@pytest.mark.parametrize("parameters", [{}, corrupting("gaussian")])
def test_rows_of_pca_are_all_rows_in_the_units_of_the_data(parameters, monkeypatch):
    monkeypatch.setattr("skae._utils.blocks._BLOCK_SIZE", 7 * 6)
    monkeypatch.setattr("skae._utils.blocks._LEAST_ROWS", 1)
    X = random_rows()
    task = make_task(X, **parameters)
    blocks = [*task.rows_of_pca()]
    np.testing.assert_array_equal(np.vstack([block.targets for block in blocks]), X)
    inputs = np.vstack([block.inputs for block in blocks])
    corrupted = task.corrupted(task.all_rows)
    expected = X if corrupted is None else task.input_units(corrupted)
    np.testing.assert_array_equal(inputs, expected)
    assert {block.unit for block in blocks} == {1.0}
