import numpy as np
import pytest

from skae._fit.code_kinds import CodeKind, NestedCode, PrincipalCode
from skae._fit.finalize import network_result, pca_result
from skae._fit.run import Regime, train_and_compare
from skae._network.numpy_interpreter import forward
from skae._train.config import TrainingResult
from tests.fit.plans import make_task, random_rows


def outputs(result, X):
    codes = forward(result.network.encoder, result.weights.encoder, X)
    return codes, forward(result.network.decoder, result.weights.decoder, codes)


# --- Networks ---


@pytest.fixture
def untrained(monkeypatch):
    """Return the task and the run of a network that stays at its start, PCA."""

    def train(key, config, data, split, start):
        return TrainingResult(start, [0.5], [0.6])

    def run(X, **changes):
        task = make_task(X, **changes)
        (only,) = train_and_compare(task, task.all_rows, Regime())
        return task, only

    monkeypatch.setattr("skae._train.loop.train", train)
    return run


@pytest.mark.parametrize("code_kind", [PrincipalCode(), NestedCode()])
def test_network_that_is_still_pca_has_its_codes_and_units(untrained, code_kind):
    X = random_rows()
    task, run = untrained(X, code_kind=code_kind)
    result = network_result(task, run.trained, run.comparison)
    expected_codes, expected = outputs(pca_result(task), X)
    codes, reconstruction = outputs(result, X)
    np.testing.assert_allclose(codes, expected_codes, atol=1e-4)
    np.testing.assert_allclose(reconstruction, expected, atol=1e-4)
    np.testing.assert_allclose(result.code_scale, codes.std(axis=0, ddof=1), rtol=1e-4)
    assert result.used_network
    assert result.history == {"loss": [0.5], "val_loss": [0.6]}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_have_the_dtype_of_the_rows(untrained, dtype):
    task, run = untrained(random_rows().astype(dtype), code_kind=NestedCode())
    for result in (
        network_result(task, run.trained, run.comparison),
        pca_result(task),
    ):
        arrays = [*result.weights.joined(), result.mean]
        arrays += [] if result.nested is None else result.nested.arrays
        assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("code_kind", "has_curves"),
    [(CodeKind(), False), (PrincipalCode(), False), (NestedCode(), True)],
)
def test_only_nested_codes_have_curves(untrained, code_kind, has_curves):
    task, run = untrained(random_rows(), code_kind=code_kind)
    result = network_result(task, run.trained, run.comparison)
    assert result.reconstruction_error == run.comparison.curve[-1]
    for value in (result.curve, result.pca_curve, result.variance_ratio, result.nested):
        assert (value is not None) == has_curves


# --- PCA ---


def test_pca_without_a_trial_is_compared_on_all_rows():
    X = random_rows()
    task = make_task(X)
    result = pca_result(task)
    error = np.mean((outputs(result, X)[1] - X) ** 2)
    assert result.reconstruction_error == pytest.approx(error)
    assert result.pca_reconstruction_error == result.reconstruction_error
    assert result.history["loss"] == [pytest.approx(error / task.scale**2)]
    assert not result.used_network


def test_pca_after_a_trial_keeps_its_record(untrained):
    task, run = untrained(random_rows())
    trainings = [
        TrainingResult(None, [1.0, 2.0]),
        TrainingResult(None, [3.0, 4.0], [5.0]),
    ]
    result = pca_result(task, run.comparison, trainings)
    assert result.history == {"loss": [2.0, 3.0], "val_loss": []}
    assert result.reconstruction_error == run.comparison.pca_curve[-1]
