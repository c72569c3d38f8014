import json
import re
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="not a part of the source distribution")

from benchmarks.__main__ import SECTIONS, parse
from benchmarks.datasets import available
from benchmarks.harness import in_turns, python
from benchmarks.limit import flops_of_a_row, least_seconds, n_parameters, needs
from benchmarks.report import Figure, Report
from benchmarks.scaling import exponent
from benchmarks.workloads import Workload

DOCS = Path(__file__).parents[1] / "docs"


def test_work_of_an_epoch_is_that_counted_by_hand():
    workload = Workload("", (3, 2))
    # Forward 12 products and sums, as many for the kernels' gradients, and 6 for the
    # gradient of the code.
    assert flops_of_a_row(workload) == 2 * (12 + 12 + 6)
    assert n_parameters(workload) == (3 * 2 + 2) + (2 * 3 + 3)
    # Two steps: 7 passes over 17 weights of 4 bytes each.
    assert needs(workload, 200) == {"flops": 12000, "adam": 952, "rows": 2400}


def test_least_time_is_of_work_over_rates():
    needed = {"flops": 6e9, "adam": 4e9, "rows": 1e9}
    assert least_seconds(needed, 3.0, 2.0, 8.0) == pytest.approx(2 + 0.5 + 0.5)


def test_exponent_of_proportional_times_is_one():
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    times = [100, 3, 30, 300]  # the first is below the range that counts
    assert exponent(sizes, times) == pytest.approx(1)
    assert exponent(sizes, [1, 2, None, 8]) == pytest.approx(0.3010, abs=1e-4)


def test_command_line_selects_sections():
    assert parse([]).settings == "quick"
    assert parse([]).only == list(SECTIONS)
    chosen = parse(["full", "--only", "fits", "limit", "--json", "record.json"])
    assert (chosen.settings, chosen.only) == ("full", ["fits", "limit"])
    with pytest.raises(SystemExit):
        parse(["--only", "nothing"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "0"], "int of at least 1, got 0"),
        (["--data", "digts"], "invalid choice: 'digts'"),
        (["--json", "nowhere/record.json"], "no folder nowhere"),
        (["--json", __file__], "no record"),
        (["--json", "record.json", "--data", "digits"], "leave out --data"),
    ],
)
def test_command_line_refuses_before_measuring(arguments, message, capsys):
    with pytest.raises(SystemExit):
        parse(arguments)
    assert message in capsys.readouterr().err


def test_section_that_is_left_out_does_not_take_the_place_of_a_record(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"sections": {"tall": {"tables": ["of old"]}}}')
    report = Report(quick=True, path=path)
    report.begin("tall", "")
    report.table("", ["rows"], [[1]])
    report.leave_out("no data")
    report.save()
    kept = json.loads(path.read_text())["sections"]
    assert kept == {"tall": {"tables": ["of old"]}}


def test_data_that_is_not_there_is_left_out_and_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SKAE_DATA", str(tmp_path))
    report = Report(quick=False, data=["letter", "digits"])
    report.begin("quality", "")
    assert available(report, ["letter", "wine", "digits"]) == ["digits"]
    assert "letter is left out: set SKAE_DATA" in capsys.readouterr().out


def test_contender_that_fails_is_reported_and_left_out():
    assert python("-c", "print('{\"seconds\": 1}')") == {"seconds": 1}
    assert python("-c", "raise ValueError('no')") == {"error": "failed: ValueError: no"}
    results = {
        "works": iter([{"s": 1}, {"s": 5}, {"s": 2}]),
        "fails": iter([{"s": 1}, {"error": "failed"}]),
    }
    measured = in_turns(lambda name: next(results[name]), results, 3)
    assert measured["works"]["median"] == {"s": 2}
    assert measured["fails"] == {"error": "failed"}


def test_figure_is_met_or_not_or_not_measured():
    assert Figure("", 1.0, 1.0).met is True
    assert Figure("", 1.1, 1.0).met is False
    assert Figure("", 17.0, 18, at_least=True).met is False
    assert Figure("", None, 1.0).met is None


@pytest.mark.skipif(not DOCS.exists(), reason="not a part of the source distribution")
def test_page_shows_sections_that_the_record_has():
    page = (DOCS / "performance.rst").read_text()
    shown = re.findall(r"include:: generated/performance/(\w+)\.inc", page)
    record = json.loads((DOCS / "performance.json").read_text())["sections"]
    assert set(shown) <= set(SECTIONS)
    assert set(shown) <= set(record)
