"""Draws a snapshot for the width of the terminal: one column of tables, or two where there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.progress.snapshot import CellProgress, Failure, Running, Snapshot, Work, clock
from orchestrator.schedule import State

WIDE = 130
"""Columns of a terminal from which two tables stand side by side."""
BAR, GAP, BETWEEN, SHORTEST = 60, 3, 2, 12
MOST_RUNNING, MOST_FAILURES, FEWEST_CELLS = 12, 3, 3
NONE = "–"
NO_HEIGHT = 80
"""Lines of what has no end, such as a file."""


@dataclass(frozen=True)
class View:
    """A snapshot as rich draws it, never wider than the terminal, no taller than it if its height is known."""

    snapshot: Snapshot
    title: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The head over the tables."""
        width = options.max_width
        head = list(_head(self.snapshot, self.title, width))
        rows = (console.height if console.is_terminal else NO_HEIGHT) - len(head) - 1
        lines = Table.grid()  # a bare bar ends without a line break
        for part in head:
            lines.add_row(part)
        yield lines
        yield _tables(self.snapshot, width, rows)


def shorten(text: str, width: int) -> str:
    """A text of at most so many columns; what is left out of its middle is an ellipsis."""
    if len(text) <= width:
        return text
    kept = max(width, 3) - 1
    return f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"


def _head(snapshot: Snapshot, title: str, width: int) -> Iterator[RenderableType]:
    """Title, counts, bar, notes, each in lines of their own."""
    if title:
        yield Text(shorten(title, width), style="bold")
    passed, _, rest = snapshot.line().partition("; ")
    for line in [snapshot.line()] if len(snapshot.line()) <= width else [passed, rest]:
        yield Text(shorten(line, width))
    finished, every = snapshot.count(State.FINISHED), snapshot.count()
    yield ProgressBar(total=max(every, 1), completed=finished, width=min(BAR, width))
    for note in snapshot.notes:
        yield Text(shorten(note, width), style="dim")


def _tables(snapshot: Snapshot, width: int, rows: int) -> RenderableType:
    """Work, what runs and what failed; the cells below them or beside, as many as fit."""
    wide = width >= WIDE
    pane = (width - GAP) // 2 if wide else width
    now = [_work(snapshot.work, pane), _running(snapshot.running, pane), _failures(snapshot.failures, pane)]
    used = 0 if wide else sum(table.row_count + 2 for table in now if table is not None)
    cells = _cells(snapshot.cells, pane, max(rows - used - 2, FEWEST_CELLS))
    if not wide:
        return _stacked([*now, cells])
    beside = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    beside.add_row(_stacked(now), _stacked([cells]))
    return beside


def _stacked(parts: Sequence[Table | None]) -> Table:
    stack = Table.grid()
    for part in parts:
        if part is not None:
            stack.add_row("")
            stack.add_row(part)
    return stack


def _table(*columns: str) -> Table:
    """A bare table whose first column holds text and the others numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    return table


def _named(rows: Sequence[Sequence[str | Text]], columns: Sequence[str], width: int) -> Table:
    """A table whose names are shortened in the middle, so that the rest fits."""
    others = sum(max(len(texts[place]) for texts in [columns, *rows]) + BETWEEN for place in range(1, len(columns)))
    table = _table(*columns)
    for name, *texts in rows:
        table.add_row(Text(shorten(str(name), max(width - others, SHORTEST))), *texts)
    return table


def _work(work: Sequence[Work], width: int) -> Table:
    """Jobs by kind and purpose; states that no job is in are left out."""
    rare = [state for state in (State.FAILED, State.BLOCKED) if any(part.count(state) for part in work)]
    states = (State.FINISHED, State.RUNNING, State.WAITING, *rare)
    columns = ("jobs", *("done" if state is State.FINISHED else str(state) for state in states), "of")
    return _named([_counted(part, states) for part in work], columns, width)


def _counted(part: Work, states: Sequence[State]) -> list[str | Text]:
    return [part.name, *(_count(part.count(state), state) for state in states), str(part.count())]


def _count(count: int, state: State) -> Text:
    """A zero is quiet, and a failure is not."""
    return Text(str(count), style="dim" if not count else "red" if state is State.FAILED else "")


def _running(running: Sequence[Running], width: int) -> Table | None:
    rows = [
        (job.name, f"{job.epoch}/{job.epochs}" if job.epochs else NONE, job.metric, clock(job.seconds))
        for job in running[:MOST_RUNNING]
    ]
    if len(running) > MOST_RUNNING:
        rows.append((f"and {len(running) - MOST_RUNNING} more", "", "", ""))
    return _named(rows, ("running", "epoch", "metric", "time"), width) if rows else None


def _failures(found: Sequence[Failure], width: int) -> Table | None:
    if not found:
        return None
    table = _table(
        "failed lately" if len(found) <= MOST_FAILURES else f"failed lately, {MOST_FAILURES} of {len(found)}"
    )
    for failure in found[:MOST_FAILURES]:
        table.add_row(Text(shorten(failure.name, width), style="red"))
        table.add_row(Text(shorten(f"  {' '.join(failure.error.split())}", width)))
    return table


def _cells(cells: Sequence[CellProgress], width: int, most: int) -> Table | None:
    """Cells; where they are too many, those under way first, then complete ones, and how many are not shown."""
    if not cells:
        return None
    shown = list(cells)
    if len(cells) > most:
        shown = sorted(cells, key=_distance)[: max(most - 1, 1)]
    rows = [
        (
            cell.cell,
            _share(cell.trials, cell.trials_planned),
            _share(cell.replicates, cell.replicates_planned),
            _best(cell),
        )
        for cell in shown
    ]
    if len(shown) < len(cells):
        rows.append((f"and {len(cells) - len(shown)} more cells", "", "", ""))
    return _named(rows, ("cell", "trials", "replicates", "best"), width)


def _distance(cell: CellProgress) -> int:
    done = cell.replicates + cell.trials
    return 0 if 0 < done < cell.replicates_planned + cell.trials_planned else 1 if done else 2


def _share(done: int, planned: int) -> str:
    return f"{done}/{planned}" if planned else NONE


def _best(cell: CellProgress) -> str:
    return NONE if isnan(cell.best) else f"{cell.best:.3f}"
