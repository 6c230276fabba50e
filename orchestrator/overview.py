"""What `plan` and `status` print."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.lease import holder_of
from orchestrator.forecast import START_AND_REPORT, Sizes, estimate, estimate_ingestion
from orchestrator.lock import read_lock
from orchestrator.plan import Plan
from orchestrator.resources import Capacity
from orchestrator.schedule import Schedule, State
from search_spaces.job import in_order


def print_plan(plan: Plan, console: Console, cores: int) -> None:
    """Cells, combinations left out, missing weights, jobs by kind with what is finished, and the time it will take."""
    study = plan.workspace.study
    console.print(_headed(study.name, f"{len(plan.expansion.cells)} cells, {len(plan.jobs)} jobs"))
    for line in _cells(plan):
        console.print(line, highlight=False, soft_wrap=True)
    for entry in plan.expansion.left_out:
        console.print(f"left out  {entry.combination}: {entry.reason}", style="dim", highlight=False, soft_wrap=True)
    for missing in plan.expansion.missing:
        console.print(
            f"waits     {missing.cell.id}: {missing.sentence}", style="yellow", highlight=False, soft_wrap=True
        )
    console.print(_jobs(plan))
    for sentence in _outlook(plan, cores):
        console.print(sentence, highlight=False, soft_wrap=True)


def print_status(plan: Plan, console: Console) -> None:
    """Who runs the study, what is done, what failed and why, and whether external results are open."""
    workspace = plan.workspace
    holder = holder_of(workspace.lease)
    who = f"running: process {holder['pid']} on {holder['host']} since {holder['since']}" if holder else "not running"
    console.print(_headed(workspace.study.name, who))
    schedule = plan.schedule(Capacity(1), read_lock(workspace))
    console.print(_jobs(plan))
    lock = read_lock(workspace)
    opened = f"open since {lock.opened_at or 'now'}" if lock and plan.external_open else "sealed"
    console.print(f"external results: {opened}", highlight=False)
    print_problems(plan, schedule, console)


def print_problems(plan: Plan, schedule: Schedule, console: Console) -> None:
    """A table of failed jobs, and how many others each blocks."""
    bad = [key for key, state in schedule.states.items() if state is State.FAILED]
    blocked = schedule.count(State.BLOCKED)
    if not bad:
        return
    table = Table("failed job", "error", title=f"{len(bad)} failed, {blocked} blocked", title_justify="left")
    for key in bad[:20]:
        table.add_row(plan.jobs[key].name, Text(schedule.reasons[key]))  # brackets in an error are no markup
    console.print(table)
    console.print(
        f"Tracebacks: {plan.workspace.run_store.root / 'failed'}. Mend the cause, or RETRY=failed tries again."
    )


def _headed(name: str, text: str) -> Text:
    return Text.assemble((name, "bold"), f": {text}")


def _cells(plan: Plan) -> Iterator[str]:
    """One line per cell; not a table, which would cut the names in a narrow terminal."""
    width = max(len(cell.id) for cell in plan.expansion.cells)
    for cell in plan.expansion.cells:
        fits = [job.key for job in plan.jobs.values() if job.cell == cell.id and job.kind == "fit"]
        yield f"{cell.id:<{width}}  {sum(key in plan.finished for key in fits)}/{len(fits)} replicates"


def _jobs(plan: Plan) -> Table:
    """One row per kind of work and task: wanted, finished, left, and what that is estimated to take."""
    wanted = Counter((job.work, job.task) for job in plan.selected.values())
    done = Counter((job.work, job.task) for key, job in plan.selected.items() if key in plan.finished)
    seconds = _seconds(plan)
    columns = ("jobs", "task", "wanted", "finished", "left", "core-seconds")
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for work, task in sorted(wanted, key=lambda entry: (in_order(entry[0]), entry[1])):
        counts = wanted[work, task], done[work, task], wanted[work, task] - done[work, task]
        table.add_row(work, task, *map(str, counts), f"{seconds[work, task]:.0f}")
    for name in sorted(set(seconds) - set(wanted)):
        table.add_row(*name, "", "", "", f"{seconds[name]:.0f}")
    return table


def _outlook(plan: Plan, cores: int) -> Iterator[str]:
    total = sum(_seconds(plan).values())
    sizes = Sizes.of_study(plan.workspace.study, plan.cohort.sizes)
    guessed = [name for name in plan.not_ingested if name not in sizes.images]
    if guessed:
        yield f"Not ingested yet, so counted with {sizes.of(guessed[0])} images each: {', '.join(guessed)}."
    if total:
        yield f"Estimated: {total:.0f} core-seconds, {total / cores / 60:.1f} minutes on {cores} cores without a GPU."
    else:
        yield "Nothing is left to do."


def _seconds(plan: Plan) -> dict[tuple[str, str], float]:
    """Estimated core-seconds of what is left, by kind of work and task; jobs that failed for good are not tried."""
    study = plan.workspace.study
    sizes = Sizes.of_study(study, plan.cohort.sizes)
    found: dict[tuple[str, str], float] = defaultdict(float)
    for key, job in plan.selected.items():
        if key not in plan.finished and key not in plan.failed:
            found[job.work, job.task] += estimate(study, job, sizes)
    if plan.not_ingested:
        found["ingestion", ""] = estimate_ingestion(plan.not_ingested, sizes)
    if found:
        found["workers", "start, report"] = START_AND_REPORT
    return found
