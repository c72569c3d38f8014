"""One test for each contract that skae relies on beyond TensorFlow's documentation."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from skae._train.tensorflow_internals import (
    apply_fused_adam,
    compile_function,
    empty_aligned,
    read_values,
    scan,
    share_arrays,
    take_slice,
)


def address(tensor):
    """Return where the values of a tensor begin, through a view that copies nothing."""

    class View:
        """Tensors of older versions have no such methods."""

        def __dlpack__(self, **options):
            return tf.experimental.dlpack.to_dlpack(tensor)

        def __dlpack_device__(self):
            return 1, 0  # the processor's memory

    return np.from_dlpack(View()).ctypes.data


@pytest.mark.parametrize("shape", [(3, 5), (0, 4), (1,)])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_aligned_arrays_are_shared_without_a_copy(shape, dtype):
    array = empty_aligned(shape, dtype)
    array[...] = np.arange(array.size).reshape(shape)
    (tensor,) = share_arrays([array])
    np.testing.assert_array_equal(tensor, array)
    array += 1
    np.testing.assert_array_equal(tensor, array)


def test_other_arrays_are_copied_to_aligned_memory():
    base = empty_aligned((40,))
    base[...] = np.arange(40)
    strided = base.reshape(8, 5)[:, 1:4]
    odd = base[1:11]
    integers = np.arange(7, dtype=np.int32)
    arrays = [odd, strided, base[:0], integers[::-1]]
    tensors = share_arrays(arrays)
    for array, tensor in zip(arrays, tensors, strict=True):
        assert tensor.dtype.as_numpy_dtype == array.dtype
        np.testing.assert_array_equal(tensor, array)
    for tensor in (tensors[0], tensors[1], tensors[3]):
        assert address(tensor) % 64 == 0
    base += 1
    np.testing.assert_array_equal(tensors[0], odd - 1)


def test_a_shared_tensor_keeps_the_memory_alive():
    class Array(np.ndarray):
        """An array that can be weakly referenced."""

    array = empty_aligned((1000,)).view(Array)
    array[...] = 7
    alive = weakref.ref(array)
    (tensor,) = share_arrays([array])
    del array
    gc.collect()
    assert alive() is not None
    np.testing.assert_array_equal(tensor, np.full(1000, 7.0))


def test_memory_may_be_overwritten_once_the_call_has_returned():
    """The rows of an epoch's chunks lie in the same memory, one after another."""
    memory = empty_aligned((200, 300))
    spec = (tf.TensorSpec((200, 300)),)
    # Work that would still be running if calls returned early.
    run = compile_function(lambda now: [now[0] @ tf.transpose(now[0])], spec)
    totals, expected = [], []
    for value in range(5):
        memory[...] = value
        totals.append(run(tuple(share_arrays([memory])))[0])
        memory[...] = np.nan
        expected.append(np.full((200, 200), 300.0 * value**2))
    np.testing.assert_array_equal(totals, expected)


@pytest.mark.parametrize("size", [3, 2**17])
def test_values_that_were_read_stay_when_the_variable_is_written_to(size):
    variable = tf.Variable(tf.ones(size))
    kept = read_values(variable)
    variable.assign_sub(0.5 * tf.ones(size))
    moments = tf.Variable(tf.zeros(size)), tf.Variable(tf.zeros(size))
    apply_fused_adam(variable, moments, tf.ones(size), 0.1, (0.9, 0.999, 1e-7))
    variable.assign(tf.zeros(size))
    np.testing.assert_array_equal(kept, np.ones(size))


def test_weights_returned_by_a_compiled_function_stay_as_they_were():
    variable = tf.Variable(tf.zeros(2**17))

    def step(now):
        variable.assign_add(now[0] * tf.ones(2**17))
        return [read_values(variable)]

    run = compile_function(step, (tf.TensorSpec(()),))
    epochs = [run((tf.constant(1.0),))[0] for _ in range(3)]
    for epoch, values in enumerate(epochs, start=1):
        np.testing.assert_array_equal(values, np.full(2**17, float(epoch)))


def test_a_raw_call_does_what_the_traced_function_does():
    variable = tf.Variable([1.0, 2.0])

    def function(now):
        factor, offsets = now
        variable.assign(variable * factor)
        return [tf.reduce_sum(variable + offsets), tf.identity(variable)]

    run = compile_function(function, (tf.TensorSpec(()), tf.TensorSpec((None,))))
    total, values = run((tf.constant(3.0), tf.constant([1.0, 1.0])))
    assert total == 11
    np.testing.assert_array_equal(values, [3, 6])
    variable.assign([0.0, 1.0])  # the call uses the variable itself, not its value then
    total, _ = run((tf.constant(2.0), tf.constant([0.0, 0.0])))
    assert total == 2


def test_errors_in_a_raw_call_are_raised():
    run = compile_function(
        lambda now: [tf.reshape(now[0], (2, 2))], (tf.TensorSpec((None,)),)
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        run((tf.ones(3),))


def test_steps_of_a_scan_follow_one_another_and_all_outputs_are_kept():
    def step(i, state):
        return tf.cast(state[0], tf.float32), [state[0] * 2 + i]

    for capacity, outputs in [(None, [1, 2, 5]), (4, [1, 2, 5, 0])]:
        collected, (last,) = tf.function(
            lambda capacity=capacity: scan(3, step, (), [tf.constant(1)], capacity)
        )()
        np.testing.assert_array_equal(collected, outputs)
        assert last == 12


@pytest.mark.parametrize("width", [16, 5])
def test_slices_along_the_first_axis_are_right_whether_aligned_or_not(width):
    values = np.arange(4 * 2 * width, dtype=np.float32).reshape(4, 2, width)
    function = tf.function(lambda i: take_slice(tf.constant(values), i))
    for i in range(4):
        np.testing.assert_array_equal(function(tf.constant(i)), values[i])


def test_fused_adam_applies_the_step_size_as_it_is():
    """Its powers of the decay rates are zero, so it corrects no bias."""
    values = tf.Variable([1.0, -2.0])
    moments = tf.Variable([0.2, 0.1]), tf.Variable([0.3, 0.4])
    gradient = np.array([0.5, -1.0])
    momentum = 0.9 * np.array([0.2, 0.1]) + 0.1 * gradient
    velocity = 0.99 * np.array([0.3, 0.4]) + 0.01 * gradient**2
    expected = np.array([1.0, -2.0]) - 0.05 * momentum / (np.sqrt(velocity) + 1e-3)
    after = apply_fused_adam(
        values, moments, tf.constant(gradient, tf.float32), 0.05, (0.9, 0.99, 1e-3)
    )
    np.testing.assert_allclose(after, expected, rtol=1e-5)
    np.testing.assert_allclose(moments[0], momentum, rtol=1e-5)
    np.testing.assert_allclose(moments[1], velocity, rtol=1e-5)
