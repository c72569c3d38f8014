"""What this machine could do at best, and the least time that an epoch takes on it.

The least time is that of the matrix products at the highest rate that NumPy or
TensorFlow reaches on large square ones, and of the passes over memory that nothing can
avoid, at the bandwidth of all processors together: Adam reads the weights, the
gradient and two moments and writes all but the gradient, at each step, and an epoch
reads the rows once. Nothing is taken to overlap, and nothing else to take time.
"""

from concurrent.futures import ThreadPoolExecutor
from glob import glob
from time import perf_counter

from benchmarks.harness import processors, rounds, value
from benchmarks.workloads import BATCH_SIZE, WORKLOADS, Workload

TITLE = "the limit of the machine"
N_BYTES = 4
SQUARE = 4096
ADAM_PASSES = 7
# Arrays that Adam goes through: weights, gradient, two moments.
ADAM_ARRAYS = 4
_SHOWN = ("digits", "fashion_60k", "golub (wide)", "made (tall)")


# --- What an epoch needs ---


def flops_of_a_row(workload):
    """Count the operations of the products, forward and backward, for one row.

    The first layer's input needs no gradient.
    """
    sizes = [n_inputs * n_outputs for n_inputs, n_outputs in workload.layers]
    return 6 * sum(sizes) - 2 * sizes[0]


def n_parameters(workload):
    return sum((n_inputs + 1) * n_outputs for n_inputs, n_outputs in workload.layers)


def n_steps(n_rows):
    return -(-n_rows // BATCH_SIZE)


def needs(workload, n_rows):
    """Return the operations of an epoch, and the bytes moved by Adam and as rows."""
    return {
        "flops": n_rows * flops_of_a_row(workload),
        "adam": n_steps(n_rows) * ADAM_PASSES * N_BYTES * n_parameters(workload),
        "rows": n_rows * workload.n_features * N_BYTES,
    }


def least_seconds(needed, rate, bandwidth, adam_bandwidth):
    """Return the least time of an epoch; rates are in units of 1e9 a second."""
    products = needed["flops"] / rate
    passes = needed["adam"] / adam_bandwidth + needed["rows"] / bandwidth
    return (products + passes) / 1e9


def limit_of(measured, workload, n_rows):
    """Return the least time of an epoch on the machine that was measured."""
    return least_seconds(
        needs(workload, n_rows),
        best_rate(measured),
        value(measured, "memory", "memory"),
        value(measured, "memory", "optimizer"),
    )


def best_rate(measured, key="square"):
    return max(value(measured, name, key) for name in ("NumPy", "TensorFlow"))


# --- What the machine does ---


def measure(contender, workload, quick):
    """Return rates in GFLOP/s or bandwidths in GB/s, in a process of its own."""
    workload = Workload(*workload)
    at_least = 0.2 if quick else 1.0
    if contender == "memory":
        return bandwidths(workload, at_least)
    product = PRODUCTS[contender]()
    return {
        "square": product_rate(product, [(SQUARE, SQUARE, SQUARE)], at_least),
        "shapes": product_rate(product, shapes(workload), at_least),
    }


def shapes(workload):
    """Return the products of a step: forward, and of both gradients."""
    products = []
    for i, (n_inputs, n_outputs) in enumerate(workload.layers):
        products.append((BATCH_SIZE, n_inputs, n_outputs))
        products.append((n_inputs, BATCH_SIZE, n_outputs))
        if i > 0:
            products.append((BATCH_SIZE, n_outputs, n_inputs))
    return products


def product_rate(product, dimensions, at_least):
    calls = [product(*sizes) for sizes in dimensions]
    n_flops = 2 * sum(n * m * k for n, m, k in dimensions)
    return n_flops / best_seconds(calls, at_least) / 1e9


def best_seconds(calls, at_least):
    """Return the least time that the calls take one after another."""
    start, times = perf_counter(), []
    while perf_counter() < start + at_least or len(times) < 5:
        now = perf_counter()
        for call in calls:
            call()
        times.append(perf_counter() - now)
    return min(times)


def numpy_product():
    import numpy as np

    def product(n, m, k):
        a, b = (np.ones(shape, np.float32) for shape in ((n, m), (m, k)))
        out = np.empty((n, k), np.float32)
        return lambda: np.matmul(a, b, out=out)

    return product


def tensorflow_product():
    import tensorflow as tf

    def product(n, m, k):
        a, b = tf.ones((n, m)), tf.ones((m, k))
        return lambda: tf.linalg.matmul(a, b)

    return product


PRODUCTS = {"NumPy": numpy_product, "TensorFlow": tensorflow_product}
CONTENDERS = (*PRODUCTS, "memory")


def bandwidths(workload, at_least):
    """Return the bandwidth of memory, and where the optimizer's arrays are.

    That is the last cache if they fit.
    """
    cache = last_cache()
    arrays = ADAM_ARRAYS * N_BYTES * n_parameters(workload)
    memory = stream(8 * cache, at_least)
    # Of smaller arrays, the time is that of the calls.
    fits = arrays < cache
    optimizer = stream(max(arrays, 4 * 2**20), at_least) if fits else memory
    return {
        "memory": memory,
        "optimizer": optimizer,
        "cache_megabytes": cache / 2**20,
        "optimizer_megabytes": arrays / 2**20,
        "in_cache": int(fits),
    }


def last_cache():
    sizes = []
    for path in glob("/sys/devices/system/cpu/cpu0/cache/index*/size"):
        with open(path) as text:
            size = text.read().strip()
        sizes.append(int(size.rstrip("KM")) * (2**20 if size.endswith("M") else 2**10))
    return max(sizes, default=32 * 2**20)


def stream(n_bytes, at_least):
    """Return the bandwidth of copies and sums over that many bytes in all, in GB/s.

    It is measured as STREAM does (McCalpin, 1995), one thread for each processor.
    """
    import numpy as np

    n_threads = len(processors())
    size = n_bytes // (3 * N_BYTES * n_threads)
    parts = [[np.ones(size, np.float32) for _ in range(3)] for _ in range(n_threads)]

    def copy(a, b, c):
        np.copyto(c, a)

    def add(a, b, c):
        np.add(a, b, out=c)

    n_passes = max(1, 2**26 // n_bytes)
    with ThreadPoolExecutor(n_threads) as pool:

        def rate(kernel, n_arrays):
            def work(part):
                for _ in range(n_passes):
                    kernel(*part)

            moved = n_threads * n_passes * n_arrays * size * N_BYTES
            best = best_seconds([lambda: list(pool.map(work, parts))], at_least)
            return moved / best / 1e9

        return max(rate(copy, 2), rate(add, 3))


# --- The section ---


def main(report):
    n_rounds = report.n_rounds()
    names = _SHOWN[1:2] if report.quick else _SHOWN
    for name in names:
        workload = WORKLOADS[name]
        measured = rounds(
            measure, CONTENDERS, n_rounds, workload=workload, quick=report.quick
        )
        report.keep(name, measured)
        show(report, name, workload, measured, workload.n_rows or ROWS[name])


# Of the datasets that are taken whole.
ROWS = {"digits": 1797, "golub (wide)": 38}


def show(report, name, workload, measured, n_rows):
    needed = needs(workload, n_rows)
    rate = best_rate(measured)
    memory = measured["memory"]["median"]
    place = "in the last cache" if memory["in_cache"] else "in memory"
    report.table(
        f"{name}: the least time of an epoch, {workload.network}, {n_rows} rows",
        ["", "", ""],
        [
            ("products of a step", needed["flops"] / n_steps(n_rows) / 1e9, "GFLOP"),
            ("rate, large square", rate, "GFLOP/s (the best of NumPy and TensorFlow)"),
            *(
                (f"{library}, large square", value(measured, library, "square"), "")
                for library in PRODUCTS
            ),
            *(
                (f"{library}, shapes of a step", value(measured, library, "shapes"), "")
                for library in PRODUCTS
            ),
            ("bandwidth of memory", memory["memory"], "GB/s"),
            (
                f"bandwidth of the optimizer's {memory['optimizer_megabytes']:.1f} MB",
                memory["optimizer"],
                f"GB/s ({place}, {memory['cache_megabytes']:.0f} MB)",
            ),
            ("products", needed["flops"] / rate / 1e9, "s"),
            ("Adam", needed["adam"] / memory["optimizer"] / 1e9, "s"),
            ("rows", needed["rows"] / memory["memory"] / 1e9, "s"),
            ("least time of an epoch", limit_of(measured, workload, n_rows), "s"),
        ],
        "Products: 6 operations for each weight of a kernel and row, 4 in the first "
        f"layer. Adam: {ADAM_PASSES} passes of {N_BYTES} bytes for each weight and "
        "step. Rows: read once.",
    )
