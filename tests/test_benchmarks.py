import json
import re
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="not included in the source distribution")

from benchmarks.__main__ import SECTIONS, parse
from benchmarks.datasets import available_datasets
from benchmarks.harness import alternate, run_python
from benchmarks.limit import (
    flops_per_row,
    least_seconds,
    n_parameters,
    work_of_epoch,
)
from benchmarks.report import Report, Target
from benchmarks.scaling import exponent
from benchmarks.workloads import Workload

DOCS = Path(__file__).parents[1] / "docs"


def test_work_of_an_epoch_equals_the_count_by_hand():
    workload = Workload("", (3, 2))
    # 12 multiply-adds forward, 12 for the gradients of the kernels, and 6 for the
    # gradient of the code.
    assert flops_per_row(workload) == 2 * (12 + 12 + 6)
    assert n_parameters(workload) == (3 * 2 + 2) + (2 * 3 + 3)
    # Two steps, each with 7 passes over 17 weights of 4 bytes.
    assert work_of_epoch(workload, 200) == {"flops": 12000, "adam": 952, "rows": 2400}


def test_least_time_is_the_work_divided_by_the_rates():
    work = {"flops": 6e9, "adam": 4e9, "rows": 1e9}
    assert least_seconds(work, 3.0, 2.0, 8.0) == pytest.approx(2 + 0.5 + 0.5)


def test_exponent_of_proportional_times_is_one():
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    times = [100, 3, 30, 300]  # the first size is too small to count
    assert exponent(sizes, times) == pytest.approx(1)
    assert exponent(sizes, [1, 2, None, 8]) == pytest.approx(0.3010, abs=1e-4)


def test_command_line_selects_sections():
    assert parse([]).settings == "quick"
    assert parse([]).only == list(SECTIONS)
    parsed = parse(["full", "--only", "fits", "limit", "--json", "record.json"])
    assert (parsed.settings, parsed.only) == ("full", ["fits", "limit"])
    with pytest.raises(SystemExit):
        parse(["--only", "nothing"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "0"], "must be a positive integer, got 0"),
        (["--data", "digts"], "invalid choice: 'digts'"),
        (["--json", "nowhere/record.json"], "folder nowhere does not exist"),
        (["--json", __file__], "is not a benchmark record"),
        (["--json", "record.json", "--data", "digits"], "combined with --data"),
    ],
)
def test_command_line_rejects_invalid_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit):
        parse(arguments)
    assert message in capsys.readouterr().err


def test_abandoned_section_keeps_its_previous_record(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"sections": {"tall": {"tables": ["previous"]}}}')
    report = Report(quick=True, path=path)
    report.begin("tall", "")
    report.table("", ["rows"], [[1]])
    report.abandon("no data")
    report.save()
    sections = json.loads(path.read_text())["sections"]
    assert sections == {"tall": {"tables": ["previous"]}}


def test_missing_datasets_are_skipped_and_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SKAE_DATA", str(tmp_path))
    report = Report(quick=False, datasets=["letter", "digits"])
    report.begin("quality", "")
    assert available_datasets(report, ["letter", "wine", "digits"]) == ["digits"]
    assert "letter is skipped: set SKAE_DATA" in capsys.readouterr().out


def test_short_table_rows_are_filled(capsys):
    report = Report(quick=True)
    report.begin("fits", "")
    report.table("", ["", "time (s)", "ratio"], [("torch", "not installed")])
    assert "| torch | not installed | - |" in capsys.readouterr().out


def test_failing_contender_is_reported_and_not_measured_again():
    assert run_python("-c", "print('{\"seconds\": 1}')") == {"seconds": 1}
    assert run_python("-c", "raise ValueError('no')") == {
        "error": "failed: ValueError: no"
    }
    measurements = {
        "works": iter([{"s": 1}, {"s": 5}, {"s": 2}]),
        "fails": iter([{"s": 1}, {"error": "failed"}]),
    }
    results = alternate(lambda name: next(measurements[name]), measurements, 3)
    assert results["works"]["median"] == {"s": 2}
    assert results["fails"] == {"error": "failed"}


def test_target_is_met_missed_or_not_measured():
    assert Target("", 1.0, 1.0).met is True
    assert Target("", 1.1, 1.0).met is False
    assert Target("", 17.0, 18, at_least=True).met is False
    assert Target("", None, 1.0).met is None


@pytest.mark.skipif(not DOCS.exists(), reason="no docs in the source distribution")
def test_every_section_of_the_page_is_recorded():
    page = (DOCS / "performance.rst").read_text()
    shown = re.findall(r"include:: generated/performance/(\w+)\.inc", page)
    record = json.loads((DOCS / "performance.json").read_text())["sections"]
    assert set(shown) <= set(SECTIONS)
    assert set(shown) <= set(record)
