"""The measured lines of the READMEs, from the record of the benchmarks.

::

    python docs/readme_figures.py            # tells whether they agree with the record
    python docs/readme_figures.py --write    # writes them anew

Run it after `python -m benchmarks full --json docs/performance.json`. The lines stand
between two comments in each README, and are never typed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORD = HERE / "performance.json"

BEGIN = (
    "<!-- figures of docs/performance.json: python docs/readme_figures.py --write -->"
)
END = "<!-- end of the figures -->"

LINES = {
    HERE.parent / "README.md": """\
- **Error.** On large datasets, the error on held-out rows is {large_error} of PCA's
  (geometric mean of {n_large} settings; worst fit {large_worst}). On small or wide ones,
  it is {small_error} ({n_small} settings; worst fit {small_worst}), and {percent_pca} % of the
  fits returned PCA.
- **Time.** {n_epochs} epochs on the digits take {fit_seconds} s, once compiled: {keras_ratio} times
  less than with `keras.Model.fit`, {mlp_ratio} times less than with scikit-learn's
  `MLPRegressor`.
- **Serving.** A new process loads a pipeline and gives its first answer in
  {serving_time} times the time and {serving_memory} times the memory of a pipeline with PCA. A
  Keras encoder in it takes {keras_time} times the time and {keras_memory} times the memory.
""",
    HERE / "README.zh-CN.md": """\
- **误差**：在大数据集上，留出样本的误差是 PCA 的 {large_error} 倍
  （{n_large} 组设置的几何平均；最差的一次拟合为 {large_worst}）。
  在小样本或高维数据集上为 {small_error} 倍
  （{n_small} 组设置；最差的一次拟合为 {small_worst}），其中 {percent_pca} % 的拟合返回了 PCA。
- **时间**：网络编译完成后，在 digits 数据上训练 {n_epochs} 轮需要 {fit_seconds} 秒。
  `keras.Model.fit` 的耗时是它的 {keras_ratio} 倍，
  scikit-learn 的 `MLPRegressor` 是它的 {mlp_ratio} 倍。
- **部署**：新进程从加载流水线到给出第一个结果，
  耗时是 PCA 流水线的 {serving_time} 倍，内存是其 {serving_memory} 倍；
  换成 Keras 编码器则分别是 {keras_time} 倍和 {keras_memory} 倍。
""",
}


class RecordError(Exception):
    """The record lacks what a line of the READMEs needs."""


@dataclass(frozen=True)
class Figures:
    """The numbers of the lines, as they are printed."""

    n_large: str
    large_error: str
    large_worst: str
    n_small: str
    small_error: str
    small_worst: str
    percent_pca: str
    n_epochs: str
    fit_seconds: str
    keras_ratio: str
    mlp_ratio: str
    serving_time: str
    serving_memory: str
    keras_time: str
    keras_memory: str


# --- From the record to the figures ---


def figures_of(sections: dict[str, Any]) -> Figures:
    """Return the figures that the lines need."""
    large = quality(sections, "Large datasets")
    small = quality(sections, "Small or wide datasets")
    fits = medians(sections, "fits", "digits")
    skae = fits("skae DenseAE", "later")
    serving = medians(sections, "serving", "first_answer")

    def to_pca(contender: str, quantity: str) -> str:
        ratio = serving(contender, quantity) / serving("pipeline with PCA", quantity)
        return f"{ratio:.2f}"

    return Figures(
        n_large=str(len(large.errors)),
        large_error=f"{geometric_mean(large.errors):.2f}",
        large_worst=f"{max(large.worst):.3f}",
        n_small=str(len(small.errors)),
        small_error=f"{geometric_mean(small.errors):.2f}",
        small_worst=f"{max(small.worst):.3f}",
        percent_pca=f"{100 * small.returned_pca:.0f}",
        # "50 epochs on the digits, 64-32-16-32-64"
        n_epochs=table(sections, "fits", "epochs")["title"].split()[0],
        fit_seconds=f"{skae:.2g}",
        keras_ratio=f"{fits('keras.Model.fit', 'later') / skae:.1f}",
        mlp_ratio=f"{fits('sklearn MLPRegressor', 'later') / skae:.1f}",
        serving_time=to_pca("pipeline with skae DenseAE", "seconds"),
        serving_memory=to_pca("pipeline with skae DenseAE", "peak"),
        keras_time=to_pca("pipeline with Keras encoder", "seconds"),
        keras_memory=to_pca("pipeline with Keras encoder", "peak"),
    )


@dataclass(frozen=True)
class Quality:
    """A table of the section on quality, by dataset and number of codes."""

    errors: list[float]
    worst: list[float]
    returned_pca: float


def quality(sections: dict[str, Any], title: str) -> Quality:
    """Read a table; its errors are "0.527 (0.595)", the worst in brackets."""
    found = table(sections, "quality", title)
    cells = [
        re.fullmatch(r"([\d.]+) \(([\d.]+)\)", cell)
        for cell in column(found, "error relative to PCA")
    ]
    if not all(cells):
        raise RecordError(
            f"The errors of {title!r} are not written as '0.527 (0.595)'."
        )
    errors, worst = zip(*[map(float, cell.groups()) for cell in cells], strict=True)
    used = [cell.split("/") for cell in column(found, "network used")]
    n_networks, n_fits = (sum(map(int, counts)) for counts in zip(*used, strict=True))
    return Quality([*errors], [*worst], 1 - n_networks / n_fits)


def table(sections: dict[str, Any], section: str, title: str) -> dict[str, Any]:
    """Return the first table of a section whose title has these words."""
    tables = value(sections, section)["tables"]
    for found in tables:
        if title in found["title"]:
            return found
    titles = [found["title"] for found in tables]
    raise RecordError(f"Section {section!r} has no table {title!r}, but {titles}.")


def column(found: dict[str, Any], beginning: str) -> list[str]:
    """Return the cells of the first column whose head begins with these words."""
    for i, head in enumerate(found["columns"]):
        if head.startswith(beginning):
            return [row[i] for row in found["rows"]]
    raise RecordError(
        f"Table {found['title']!r} has no column {beginning!r}, but {found['columns']}."
    )


def medians(sections: dict[str, Any], section: str, part: str) -> Any:
    """Return a function of contender and quantity to the median of its rounds."""
    results = value(value(sections, section)["measured"], part)

    def median(contender: str, quantity: str) -> float:
        return value(value(value(results, contender), "median"), quantity)

    return median


def value(mapping: dict[str, Any], key: str) -> Any:
    if key not in mapping:
        raise RecordError(f"The record has no {key!r}, but {sorted(mapping)}.")
    return mapping[key]


def geometric_mean(values: list[float]) -> float:
    return exp(sum(map(log, values)) / len(values))


# --- From the figures to the READMEs ---


def updated(text: str, lines: str) -> str:
    """Return the text of a README with these lines between the comments."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise RecordError(f"The README lacks the comments {BEGIN!r} and {END!r}.")
    return f"{before}{begin}\n\n{lines}\n{end}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help="write the lines anew")
    write = parser.parse_args().write
    sections = json.loads(RECORD.read_text(encoding="utf-8"))["sections"]
    figures = asdict(figures_of(sections))
    n_outdated = 0
    for path, lines in LINES.items():
        text = path.read_text(encoding="utf-8")
        wanted = updated(text, lines.format(**figures))
        if wanted == text:
            continue
        n_outdated += 1
        if write:
            path.write_text(wanted, encoding="utf-8")
        print(f"{path.name}: {'written' if write else 'not as in the record'}")
    return int(n_outdated > 0 and not write)


if __name__ == "__main__":
    sys.exit(main())
