"""TensorFlow is imported on demand, and only where it can work."""

import gc
import os
from contextlib import suppress

import pytest

from skae._utils import tensorflow_import
from skae._utils.tensorflow_import import (
    garbage_collection_paused,
    import_with_tensorflow,
)
from tests.processes import run

MODULE = "skae._network.keras_interpreter"
REPORT = f"""
import sys
from skae._utils.tensorflow_import import import_with_tensorflow
try:
    import_with_tensorflow({MODULE!r})
except Exception as error:
    print(type(error).__name__, error)
assert {MODULE!r} not in sys.modules
"""


def test_module_is_imported_once():
    module = import_with_tensorflow(MODULE)
    assert module.__name__ == MODULE
    assert import_with_tensorflow(MODULE) is module


def test_other_backend_is_refused_before_keras_is_imported():
    output = run(REPORT + "assert 'keras' not in sys.modules", KERAS_BACKEND="jax")
    assert output.stdout.startswith("RuntimeError")
    assert "'jax' backend" in output.stdout
    assert "KERAS_BACKEND=tensorflow" in output.stdout


def test_other_backend_of_a_keras_that_is_imported_is_refused(monkeypatch):
    import_with_tensorflow(MODULE)
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with pytest.raises(RuntimeError, match=r"'torch' backend.*KERAS_BACKEND"):
        import_with_tensorflow("skae._train.not_imported_yet")


@pytest.mark.parametrize("package", ["keras", "tensorflow"])
def test_missing_package_is_reported_with_advice(package):
    output = run(f"import sys\nsys.modules[{package!r}] = None\n{REPORT}")
    assert output.stdout.startswith("ImportError")
    assert "pip install tensorflow" in output.stdout


def test_fork_of_a_process_that_has_started_tensorflow_is_refused(monkeypatch):
    import_with_tensorflow(MODULE)
    parent = os.getpid()
    monkeypatch.setattr(tensorflow_import.os, "getpid", lambda: parent + 1)
    for name in (MODULE, "skae._train.not_imported_yet"):
        with pytest.raises(RuntimeError, match=f"process {parent}, and .* is a fork"):
            import_with_tensorflow(name)


def test_threads_that_import_at_once_all_get_the_complete_module():
    run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from skae._utils.tensorflow_import import import_with_tensorflow\n"
        "def import_model_builder(_):\n"
        f"    return import_with_tensorflow({MODULE!r}).to_model\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    builders = [*pool.map(import_model_builder, range(4))]\n"
        "assert len({*builders}) == 1\n"
    )


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_garbage_collection_is_paused_and_then_as_it_was(enabled, error):
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with suppress(ZeroDivisionError), garbage_collection_paused():
            assert not gc.isenabled()
            if error:
                raise error
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
