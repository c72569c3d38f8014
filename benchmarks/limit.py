"""The limit of the machine: a lower bound on the time of an epoch.

The limit adds the times of two kinds of work and neglects all other work:

- matrix products, at the highest rate that NumPy or TensorFlow reaches on large square
  matrices;
- unavoidable memory traffic, at the bandwidth of all processors together. Each step of
  Adam reads the weights, the gradient and two moments, and writes all but the gradient;
  each epoch reads the rows once.

It assumes that nothing overlaps.
"""

from concurrent.futures import ThreadPoolExecutor
from glob import glob
from time import perf_counter

from benchmarks.harness import available_processors, median_of, run_rounds
from benchmarks.workloads import BATCH_SIZE, WORKLOADS, Workload

TITLE = "the limit of the machine"

# Workloads of the section, with their numbers of rows.
N_ROWS = {
    "digits": 1797,
    "fashion_60k": 60_000,
    "golub (wide)": 38,
    "synthetic (tall)": 1_000_000,
}
QUICK = "fashion_60k"

FLOAT_BYTES = 4
SQUARE_SIZE = 4096
# Reads and writes of Adam per weight and step, and the arrays that it holds: weights,
# gradient and two moments.
ADAM_PASSES = 7
ADAM_ARRAYS = 4


# --- Work of an epoch ---


def flops_per_row(workload):
    """Count the operations of the matrix products, forward and backward, for one row.

    The input of the first layer needs no gradient.
    """
    sizes = [n_inputs * n_outputs for n_inputs, n_outputs in workload.layers]
    return 6 * sum(sizes) - 2 * sizes[0]


def n_parameters(workload):
    return sum((n_inputs + 1) * n_outputs for n_inputs, n_outputs in workload.layers)


def n_steps(n_rows):
    return -(-n_rows // BATCH_SIZE)


def work_of_epoch(workload, n_rows):
    """Return the operations of an epoch, and the bytes moved for Adam and the rows."""
    return {
        "flops": n_rows * flops_per_row(workload),
        "adam": n_steps(n_rows) * ADAM_PASSES * FLOAT_BYTES * n_parameters(workload),
        "rows": n_rows * workload.n_features * FLOAT_BYTES,
    }


def least_seconds(work, rate, bandwidth, adam_bandwidth):
    """Return the least time for the work; rates are in units of 1e9 per second."""
    products = work["flops"] / rate
    traffic = work["adam"] / adam_bandwidth + work["rows"] / bandwidth
    return (products + traffic) / 1e9


def least_epoch_seconds(results, workload, n_rows):
    """Return the least time of an epoch at the measured rates."""
    return least_seconds(
        work_of_epoch(workload, n_rows),
        best_rate(results),
        median_of(results, "memory", "memory"),
        median_of(results, "memory", "optimizer"),
    )


def best_rate(results, key="square"):
    return max(median_of(results, library, key) for library in PRODUCTS)


# --- Rates of the machine ---


def measure(contender, workload, quick):
    """Return rates in GFLOP/s or bandwidths in GB/s; runs in a separate process."""
    workload = Workload(*workload)
    min_seconds = 0.2 if quick else 1.0
    if contender == "memory":
        return bandwidths(workload, min_seconds)
    create_product = PRODUCTS[contender]()
    square = [(SQUARE_SIZE, SQUARE_SIZE, SQUARE_SIZE)]
    return {
        "square": product_rate(create_product, square, min_seconds),
        "shapes": product_rate(create_product, step_products(workload), min_seconds),
    }


def step_products(workload):
    """Return the sizes (n, m, k) of the products in one training step.

    Each layer has a forward product and one for the gradient of its kernel; all but the
    first also have one for the gradient of their input.
    """
    products = []
    for i, (n_inputs, n_outputs) in enumerate(workload.layers):
        products.append((BATCH_SIZE, n_inputs, n_outputs))
        products.append((n_inputs, BATCH_SIZE, n_outputs))
        if i > 0:
            products.append((BATCH_SIZE, n_outputs, n_inputs))
    return products


def product_rate(create_product, products, min_seconds):
    calls = [create_product(*sizes) for sizes in products]
    n_flops = 2 * sum(n * m * k for n, m, k in products)
    return n_flops / best_seconds(calls, min_seconds) / 1e9


def best_seconds(calls, min_seconds):
    """Return the shortest time in which all calls run, one after another.

    They are repeated for `min_seconds`, and at least five times.
    """
    start, times = perf_counter(), []
    while perf_counter() < start + min_seconds or len(times) < 5:
        now = perf_counter()
        for call in calls:
            call()
        times.append(perf_counter() - now)
    return min(times)


def numpy_product():
    import numpy as np

    def create_product(n, m, k):
        a, b = (np.ones(shape, np.float32) for shape in ((n, m), (m, k)))
        out = np.empty((n, k), np.float32)
        return lambda: np.matmul(a, b, out=out)

    return create_product


def tensorflow_product():
    import tensorflow as tf

    def create_product(n, m, k):
        a, b = tf.ones((n, m)), tf.ones((m, k))
        return lambda: tf.linalg.matmul(a, b)

    return create_product


PRODUCTS = {"NumPy": numpy_product, "TensorFlow": tensorflow_product}
CONTENDERS = (*PRODUCTS, "memory")


def bandwidths(workload, min_seconds):
    """Return the bandwidth of memory, and the bandwidth for the optimizer's arrays.

    The latter is that of the last-level cache if the arrays fit into it.
    """
    cache = last_level_cache()
    arrays = ADAM_ARRAYS * FLOAT_BYTES * n_parameters(workload)
    in_cache = arrays < cache
    memory = stream_bandwidth(8 * cache, min_seconds)
    # Below 4 MiB, the time of the calls would dominate.
    size = max(arrays, 4 * 2**20)
    optimizer = stream_bandwidth(size, min_seconds) if in_cache else memory
    return {
        "memory": memory,
        "optimizer": optimizer,
        "cache_megabytes": cache / 2**20,
        "optimizer_megabytes": arrays / 2**20,
        "in_cache": int(in_cache),
    }


def last_level_cache():
    """Return the size of the largest cache in bytes, or 32 MiB if it is unknown."""
    sizes = []
    for path in glob("/sys/devices/system/cpu/cpu0/cache/index*/size"):
        with open(path) as text:
            size = text.read().strip()
        sizes.append(int(size.rstrip("KM")) * (2**20 if size.endswith("M") else 2**10))
    return max(sizes, default=32 * 2**20)


def stream_bandwidth(n_bytes, min_seconds):
    """Return the bandwidth of copying and adding arrays of `n_bytes` in all, in GB/s.

    The method is that of STREAM (McCalpin, 1995), with one thread per processor.
    """
    import numpy as np

    n_threads = len(available_processors())
    size = n_bytes // (3 * FLOAT_BYTES * n_threads)
    arrays = [[np.ones(size, np.float32) for _ in range(3)] for _ in range(n_threads)]

    def copy(a, b, c):
        np.copyto(c, a)

    def add(a, b, c):
        np.add(a, b, out=c)

    n_passes = max(1, 2**26 // n_bytes)
    with ThreadPoolExecutor(n_threads) as pool:

        def bandwidth(kernel, n_arrays):
            def work(thread_arrays):
                for _ in range(n_passes):
                    kernel(*thread_arrays)

            moved = n_threads * n_passes * n_arrays * size * FLOAT_BYTES
            best = best_seconds([lambda: list(pool.map(work, arrays))], min_seconds)
            return moved / best / 1e9

        return max(bandwidth(copy, 2), bandwidth(add, 3))


# --- Section ---


def main(report):
    for name in [QUICK] if report.quick else N_ROWS:
        workload = WORKLOADS[name]
        results = run_rounds(
            measure,
            CONTENDERS,
            report.n_rounds(),
            workload=workload,
            quick=report.quick,
        )
        report.record(name, results)
        show(report, name, results)


def show(report, name, results):
    workload, n_rows = WORKLOADS[name], N_ROWS[name]
    report.table(
        f"{name}: least time of an epoch, {workload.network}, {n_rows} rows",
        ["quantity", "value", "unit"],
        [*rate_rows(workload, n_rows, results), *time_rows(workload, n_rows, results)],
        "Matrix products: 6 operations per kernel weight and row, 4 in the first "
        f"layer. Adam: {ADAM_PASSES} passes of {FLOAT_BYTES} bytes per weight and "
        "step. Rows: read once per epoch.",
    )


def rate_rows(workload, n_rows, results):
    flops = work_of_epoch(workload, n_rows)["flops"]
    yield "matrix products of a step", flops / n_steps(n_rows) / 1e9, "GFLOP"
    yield (
        "best rate, large square matrices",
        best_rate(results),
        "GFLOP/s (the faster of NumPy and TensorFlow)",
    )
    kinds = {"square": "large square matrices", "shapes": "matrices of a step"}
    for key, matrices in kinds.items():
        for library in PRODUCTS:
            rate = median_of(results, library, key)
            yield f"{library}, {matrices}", rate, "GFLOP/s"
    memory = results["memory"]["median"]
    yield "memory bandwidth", memory["memory"], "GB/s"
    place = "in the last-level cache" if memory["in_cache"] else "in memory"
    yield (
        f"bandwidth for the optimizer's {memory['optimizer_megabytes']:.1f} MB",
        memory["optimizer"],
        f"GB/s ({place}, {memory['cache_megabytes']:.0f} MB)",
    )


def time_rows(workload, n_rows, results):
    work, memory = work_of_epoch(workload, n_rows), results["memory"]["median"]
    yield "time of the matrix products", work["flops"] / best_rate(results) / 1e9, "s"
    yield "time of Adam", work["adam"] / memory["optimizer"] / 1e9, "s"
    yield "time of reading the rows", work["rows"] / memory["memory"] / 1e9, "s"
    yield (
        "least time of an epoch",
        least_epoch_seconds(results, workload, n_rows),
        "s",
    )
