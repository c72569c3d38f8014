"""The READMEs agree with the record of the benchmarks, and with each other."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import check_links
import pytest
import readme_figures

ENGLISH, CHINESE = readme_figures.LINES


@pytest.fixture
def sections():
    return json.loads(readme_figures.RECORD.read_text(encoding="utf-8"))["sections"]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_blocks(path: Path) -> list[str]:
    return re.findall(r"^```.*?^```$", read(path), flags=re.MULTILINE | re.DOTALL)


def links(path: Path) -> set[str]:
    """Return the links of a README, files as paths in the repository."""
    found = re.findall(r"\]\(([^)\s]+)", read(path))
    return {
        link if "://" in link else str((path.parent / link).resolve()) for link in found
    }


def test_figures_are_those_of_the_record():
    command = [sys.executable, readme_figures.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr} Run `python docs/readme_figures.py --write`."
    )


def test_figures_follow_the_record(sections):
    before = readme_figures.figures_of(copy.deepcopy(sections))
    sections["fits"]["measured"]["digits"]["skae DenseAE"]["median"]["later"] *= 2
    after = readme_figures.figures_of(sections)
    assert float(after.keras_ratio) == pytest.approx(float(before.keras_ratio) / 2, 0.1)
    unchanged = asdict(before).keys() - {"fit_seconds", "keras_ratio", "mlp_ratio"}
    assert all(asdict(before)[name] == asdict(after)[name] for name in unchanged)


@pytest.mark.parametrize("section", ["quality", "fits", "serving"])
def test_a_record_that_lacks_a_section_is_told(sections, section):
    del sections[section]
    with pytest.raises(readme_figures.RecordError, match=section):
        readme_figures.figures_of(sections)


def test_a_record_without_the_column_is_told(sections):
    sections["quality"]["tables"][0]["columns"][3] = "ratio"
    with pytest.raises(readme_figures.RecordError, match="has no column 'error"):
        readme_figures.figures_of(sections)


def test_code_blocks_are_the_same_in_both_languages():
    assert len(code_blocks(ENGLISH)) == 3
    assert code_blocks(ENGLISH) == code_blocks(CHINESE)


def test_contents_are_the_same_in_both_languages():
    def shape(path: Path) -> list[str]:
        beginnings = re.findall(r"^(#+ |\| `\w+`|- |!\[)", read(path), re.MULTILINE)
        return [beginning.strip() for beginning in beginnings]

    assert shape(ENGLISH) == shape(CHINESE)
    # Each links to the other.
    languages = {str(ENGLISH), str(CHINESE)}
    actions = {link for path in (ENGLISH, CHINESE) for link in links(path)}
    actions = {link for link in actions if check_links.OUTSIDE_OF_THE_FILES in link}
    ignored = languages | actions
    assert links(ENGLISH) - ignored == links(CHINESE) - ignored


def test_links_lead_to_files():
    assert [
        fault for p in check_links.READMES for fault in check_links.readme_faults(p)
    ] == []


def test_the_ten_lines_are_those_of_the_front_page():
    page = read(Path(__file__).with_name("index.rst"))
    prompts = re.findall(r"^(?:>>>|\.\.\.) (.*)$", page, re.MULTILINE)
    on_page = [line.partition("  # doctest")[0] for line in prompts]
    in_readme = [line for line in code_blocks(ENGLISH)[0].splitlines()[1:-1] if line]
    assert on_page == in_readme


def test_estimators_are_those_of_the_package():
    import skae

    table = set(re.findall(r"^\| `(\w+)` \|", read(ENGLISH), re.MULTILINE))
    transformers = {
        name for name in skae.__all__ if hasattr(getattr(skae, name), "reconstruct")
    }
    assert table == transformers
