"""Whether tests reject a true null in 5 % and intervals hold the truth in 95 %, by simulation with fixed seeds.

Every rate stands with its Monte Carlo standard error and the band it should lie in; what misses it is marked. The
short form runs 1 in 500 repetitions and shows gross errors only.
Usage: python benchmarks/simulations.py [--short] [--markdown]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.simulated import areas, bootstrapped, calibrated, centers, decisions, folds, rates, replicates, shared
from benchmarks.simulated.lines import HEADINGS, Effort, Line


class Section(NamedTuple):
    """A table; a wide one has a column per method."""

    title: str
    lines: Callable[[Effort], Iterator[Line]]
    wide: bool = False


SECTIONS = (
    Section("Equal areas: type I error", areas.tests),
    Section("Areas: coverage", areas.intervals),
    Section("Paired decisions, equal rates: type I error", decisions.tests),
    Section("Paired decisions: coverage", decisions.intervals),
    Section("Rates and ratios: coverage", rates.intervals),
    Section("Calibration: coverage", calibrated.intervals),
    Section("Mean of single models, equal areas: type I error", replicates.tests, wide=True),
    Section("Mean of single models, areas .80 and .75: coverage", replicates.intervals, wide=True),
    Section("Folds and seeds, equal areas: type I error", folds.tests, wide=True),
    Section("Folds and seeds without cases: type I error", folds.tests_without_cases, wide=True),
    Section("Two-way bootstrap, equal areas: type I error", bootstrapped.tests, wide=True),
    Section("Two-way bootstrap, areas .80 and .75: coverage", bootstrapped.intervals, wide=True),
    Section("Several centers: coverage", centers.intervals, wide=True),
    Section("Contrasts of the same models at four centers: type I error and coverage", shared.tests, wide=True),
)
SHORT = Effort(0.002)


def main() -> None:
    """Run and print all of it."""
    effort = SHORT if "--short" in sys.argv else Effort()
    start = time.perf_counter()
    lines = run(effort, markdown if "--markdown" in sys.argv else table)
    took = f"{time.perf_counter() - start:.0f} s, {time.process_time():.0f} s of CPU time"
    print(f"\n{summary(lines)} {took}, {time.strftime('%Y-%m-%d')}.")


def run(effort: Effort, show: Callable[[str, Sequence[str], list[Sequence[str]]], None]) -> list[Line]:
    """Every line; each section is shown as soon as it is known."""
    everything = []
    for section in SECTIONS:
        lines = list(section.lines(effort))
        everything += lines
        show(section.title, *(wide(lines) if section.wide else long(lines)))
    return everything


def summary(lines: Sequence[Line]) -> str:
    """How many rates lie where they should."""
    counts = Counter(line.verdict for line in lines)
    judged = sum(counts.values()) - counts["beside"]
    others = f"{counts['unclear']} are unclear, {counts['MISSED']} missed it"
    return f"{counts['held']} of {judged} rates held their band, {others}."


def long(lines: Sequence[Line]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """A row per line."""
    return HEADINGS, [line.cells() for line in lines]


def wide(lines: Sequence[Line]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """A row per setting, a column per method; rates in percent, with the verdict unless held."""
    methods = list(dict.fromkeys(line.method for line in lines))
    by_setting: dict[str, dict[str, str]] = {}
    for line in lines:
        mark = f" {line.verdict}" if line.verdict in {"MISSED", "unclear"} else ""
        by_setting.setdefault(line.setting, {"": f"{line.repetitions:,}"})[line.method] = line.percent + mark
    headings = ["%, ± Monte Carlo se", *methods, "repetitions"]
    return headings, [[key, *(row.get(name, "") for name in [*methods, ""])] for key, row in by_setting.items()]


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """For a terminal."""
    shown = Table(*headings, title=title, title_justify="left")
    for row in rows:
        shown.add_row(*row, style="red" if any("MISSED" in cell for cell in row) else None)
    Console(width=None if sys.stdout.isatty() else 150).print(shown)


def markdown(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """For a page."""
    print(f"\n### {title}\n")
    for row in (headings, ["---"] * len(headings), *rows):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
