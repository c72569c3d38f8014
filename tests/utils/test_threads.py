"""Small work runs on one BLAS thread, and the setting is restored afterwards."""

import threading
from contextlib import ExitStack

import pytest
from threadpoolctl import threadpool_info

from skae._utils.threads import one_blas_thread_if_small


def blas_threads():
    return [
        pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
    ]


@pytest.fixture
def before():
    """Return the numbers of threads, of which limits would change some."""
    threads = blas_threads()
    if max(threads) == 1:
        pytest.skip("BLAS has a single thread on this machine")
    return threads


def test_small_work_has_one_thread_and_large_work_keeps_its_threads(before):
    with one_blas_thread_if_small(10):
        assert blas_threads() == [1] * len(before)
    with one_blas_thread_if_small(1e12):
        assert blas_threads() == before


def test_setting_is_restored_after_an_error(before):
    with pytest.raises(ZeroDivisionError), one_blas_thread_if_small(10):
        raise ZeroDivisionError
    assert blas_threads() == before


def test_overlapping_limits_in_threads_leave_the_setting_as_it_was(before):
    first_has_left = threading.Event()
    second_has_entered = threading.Event()
    seen = []

    def enter_late_and_leave_last():
        with one_blas_thread_if_small(10):
            second_has_entered.set()
            assert first_has_left.wait(timeout=30)
        seen.append(blas_threads())

    thread = threading.Thread(target=enter_late_and_leave_last)
    with one_blas_thread_if_small(10):
        assert blas_threads() == [1] * len(before)
        thread.start()
        assert second_has_entered.wait(timeout=30)
    first_has_left.set()
    thread.join()
    assert seen == [before]
    assert blas_threads() == before


def test_limits_that_end_in_the_order_of_their_beginning_leave_it_too(before):
    with ExitStack() as outer, ExitStack() as inner:
        inner.enter_context(one_blas_thread_if_small(10))
        outer.enter_context(one_blas_thread_if_small(10))
    assert blas_threads() == before
