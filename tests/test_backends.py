"""Keras and NumPy agree on what a description means."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from skae._network import ACTIVATIONS, Dense, Network, Stack, Weights
from skae._numpy_backend import forward

WIDTHS = st.integers(1, 9)


def draw_arrays(stack, rng):
    return [
        rng.normal(0, shape[0] ** -0.5, shape).astype(np.float32)
        for shape in stack.array_shapes
    ]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(max_examples=5, deadline=None)
@given(
    sizes=st.tuples(WIDTHS, WIDTHS, WIDTHS),
    n_rows=st.integers(1, 20),
    shortcut=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_numpy_matches_keras(activation, sizes, n_rows, shortcut, seed):
    from skae._keras_backend import to_model

    # Keras warns that a softmax over one unit is constant.
    assume(activation != "softmax" or min(sizes) > 1)
    rng = np.random.default_rng(seed)
    n_inputs, n_hidden, n_outputs = sizes
    stack = Stack(
        (Dense(n_inputs, n_hidden, activation), Dense(n_hidden, n_outputs, activation)),
        shortcut,
    )
    arrays = draw_arrays(stack, rng)
    X = rng.normal(size=(n_rows, n_inputs)).astype(np.float32)
    model = to_model(Network(stack, stack), Weights(arrays, []), "encoder")
    output = forward(stack, arrays, X)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, np.asarray(model(X)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_extreme_inputs_stay_finite_and_are_not_overwritten(activation):
    stack = Stack((Dense(3, 3, activation),))
    X = np.array([[-800.0, 0.0, 800.0]])
    before = X.copy()
    with np.errstate(over="raise", invalid="raise"):
        output = forward(stack, [np.eye(3), np.zeros(3)], X)
    assert np.isfinite(output).all()
    np.testing.assert_array_equal(X, before)


def test_blocks_and_sparse_rows_give_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    stack = Stack((Dense(4, 3, "gelu"), Dense(3, 2)), shortcut=True)
    arrays = [array.astype(np.float64) for array in draw_arrays(stack, rng)]
    X = rng.normal(size=(2500, 4))
    X[X < 0] = 0
    whole = forward(stack, arrays, X)
    one_by_one = np.vstack([forward(stack, arrays, X[[i]]) for i in range(len(X))])
    np.testing.assert_allclose(whole, one_by_one, rtol=1e-12)
    np.testing.assert_array_equal(whole, forward(stack, arrays, csr_array(X)))
