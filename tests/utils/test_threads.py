import threading

from threadpoolctl import threadpool_info

from skae._threads import one_blas_thread_if_small


def blas_threads():
    return [
        pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
    ]


def test_overlapping_limits_leave_the_setting_as_it_was():
    before = blas_threads()
    first_has_left = threading.Event()
    second_has_entered = threading.Event()
    seen = []

    def second():
        with one_blas_thread_if_small(10):
            second_has_entered.set()
            first_has_left.wait(timeout=30)
        seen.append(blas_threads())

    thread = threading.Thread(target=second)
    with one_blas_thread_if_small(10):
        assert blas_threads() == [1] * len(before)
        thread.start()
        second_has_entered.wait(timeout=30)
    first_has_left.set()
    thread.join()
    assert seen == [before]
    assert blas_threads() == before


def test_large_work_keeps_its_threads():
    before = blas_threads()
    with one_blas_thread_if_small(1e12):
        assert blas_threads() == before
