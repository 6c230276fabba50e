"""What the report costs: seconds, peak memory and sizes for a study of 60 cells on five centers of 2,000 images.

Each part is timed in one process. With --browser the page is opened in Chromium, sorted and switched to dark.
Usage: python benchmarks/reporting.py [--images 2000] [--output FOLDER] [--browser]
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext

Result = TypeVar("Result")
TARGETS = {"comparison and page": 90.0, "report.html": 15.0, "load event": 2.0, "first sort": 2.0, "theme": 2.0}
"""Seconds on two cores, MB of the page, seconds in the browser."""


class Parts:
    """What was measured, in order: seconds or MB by name."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, str]] = []

    def timed(self, name: str, work: Callable[[], Result]) -> Result:
        """Run a part and note its seconds."""
        start, cpu = time.perf_counter(), time.process_time()
        found = work()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        self.note(name, seconds, f"s, CPU {cpu:.1f} s")
        return found

    def note(self, name: str, value: float, unit: str) -> None:
        """Add a number."""
        self.rows.append((name, value, unit))

    def of(self, *names: str) -> float:
        """The sum of some parts."""
        return sum(value for name, value, _ in self.rows if name in names)


def main() -> None:
    """Print what the parts cost; exit code 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000, help="per center")
    parser.add_argument("--cells", type=int, default=60)
    parser.add_argument("--output", type=Path, help="keep the report in this folder")
    parser.add_argument("--browser", action="store_true", help="also open it in Chromium")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.output or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        parts = measure(asked.images, asked.cells, folder)
        if asked.browser:
            from benchmarks.simulated.browser import browse

            for name, number in browse(folder / "report.html").items():
                parts.note(name, number, "s" if name in TARGETS else "")
    show(parts, f"{asked.cells} cells x 5 centers x {asked.images:,} images")
    sys.exit(any(value > TARGETS.get(name, value) for name, value, _ in parts.rows))


def measure(images: int, cells: int, folder: Path) -> Parts:
    """Build, compare, render and write one study."""
    from benchmarks.simulated.large import large
    from benchmarks.simulated.page import facts
    from evaluation.comparison.comparing import compare

    parts = Parts()
    study = parts.timed("simulating (not counted)", lambda: large(images, cells=cells))
    parts.note("predictions", study.predictions.height / 1e6, "million rows")
    parts.note("memory before", memory(), "MB")
    given = (study.predictions, study.labels, study.plan, study.cells)
    comparison = parts.timed("compare", lambda: compare(*given, open_external=True, further=study.further))
    parts.note("memory at peak of compare", memory(), "MB")
    context = facts(study, comparison)
    written(parts, context, folder)
    parts.note("comparison and page", parts.of("compare", "page and tables"), "s")
    parts.note("memory at peak", memory(), "MB")
    return parts


def written(parts: Parts, context: ReportContext, folder: Path) -> None:
    """Write the report and note the sizes of its files."""
    from evaluation.report.writing import write_report

    page = parts.timed("page and tables", lambda: write_report(context, folder))
    parts.note("report.html", page.stat().st_size / 1e6, "MB")
    tables = list((folder / "tables").iterdir())
    parts.note("tables", sum(path.stat().st_size for path in tables) / 1e6, f"MB in {len(tables)} files")


def memory() -> float:
    """The most that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(parts: Parts, title: str) -> None:
    """Print the numbers beside their targets."""
    where = f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    shown = Table("part", "measured", "", "target", title=f"{title}; {time.strftime('%Y-%m-%d')}, {where}")
    for name, value, unit in parts.rows:
        target = f"≤ {TARGETS[name]:g}" if name in TARGETS else ""
        shown.add_row(name, f"{value:,.1f}", unit, target)
    Console(width=None if sys.stdout.isatty() else 120).print(shown)


if __name__ == "__main__":
    main()
