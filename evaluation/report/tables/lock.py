"""The plan that was locked, and what was changed since, as display tables; and which sections must say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Column, Entry, Facts, Field, Group, Row, Table, columns_of, rows_of, text
from evaluation.report.numbers import plural
from evaluation.report.tables.study import pairs_frame

MOST_ALIKE = 3
"""Changes of one kind, seen at one time, that have a row each; more share one row, and the CSV has all."""
NOUNS = {"cell": "cell", "recipe": "cell", "center": "center", "analysis": "field"}


def lock(context: ReportContext) -> Table:
    """When the plan was locked and what it holds, and when the external centers were opened."""
    frame = pairs_frame(context.lock)
    fields = (Field("name", "What"), Field("value", "Locked"))
    return Table(
        id="lock-facts",
        caption="Locked plan",
        columns=columns_of(fields),
        groups=(Group(None, rows_of(frame, fields)),),
        csv="lock",
        explanation="The first sweep locks the plan before anything is trained. The hash covers cells, the key of "
        "every replicate, the analysis, what arms compute after training, and the content of all centers.",
        empty="The study is not locked: no sweep has been started.",
    )


def lock_words(context: ReportContext) -> str:
    """When the plan was locked, when the external centers were opened, and how many changes there are since."""
    facts = context.lock
    if not facts:
        return "No plan is locked: no sweep has been started."
    today = context.changes.filter(pl.col("in_effect"))
    late = today.filter(pl.col("opened")).height
    changed = "no change since" if today.is_empty() else f"{plural(today.height, 'change')} since"
    told = f"{changed}, {late} of them first seen after the opening" if late else changed
    opened = facts.get("external centers opened at", "not yet")
    when = "not opened yet" if opened == "not yet" else f"opened {opened}"
    return f"Locked {facts.get('locked at', '')}, hash {facts.get('plan hash', '')}; external centers {when}; {told}."


def changes(context: ReportContext) -> Table:
    """What differs from the locked plan, oldest first, with the results that it makes exploratory."""
    columns = (Column("First seen"), Column("Change"), Column("Makes exploratory"))
    return Table(
        id="changes",
        caption="Changes after the lock",
        columns=columns,
        groups=(Group(None, tuple(_rows(context.changes))),),
        csv="changes",
        explanation="Times are those of the first sweep or report that saw a change. Exploratory results take no part "
        "in the primary family, and the sections that show them say so.",
        empty="Nothing was changed after the lock." if context.lock else "Nothing is locked yet.",
    )


def exploratory(context: ReportContext) -> Mapping[str, tuple[str, ...]]:
    """Sentences that a section must show, by its id: changes of today that make what it shows exploratory."""
    found: dict[str, tuple[str, ...]] = {}
    for row in context.changes.filter(pl.col("in_effect"), pl.col("exploratory") != "").iter_rows(named=True):
        for section in (name for name in row["sections"].split(", ") if name):
            sentence = f"{_sentence_case(row['exploratory'])}: {row['what'].rstrip('.')} ({_when(row)})."
            found[section] = (*found.get(section, ()), sentence)
    return found


def _rows(frame: pl.DataFrame) -> Iterator[Row]:
    keys = ["when", "opened", "kind", "in_effect", pl.col("exploratory") != ""]
    for _, group in frame.group_by(keys, maintain_order=True):
        rows = group.to_dicts()
        if len(rows) > MOST_ALIKE:
            yield _shared_row(rows)
        else:
            yield from (_row(row) for row in rows)


def _row(row: Facts) -> Row:
    taken_back = () if row["in_effect"] else ("taken back since",)
    return (_seen(row), Entry(text(row["what"]), tags=taken_back), Entry(text(row["exploratory"])))


def _shared_row(rows: list[Facts]) -> Row:
    first, names = rows[0], [row["subject"] for row in rows]
    noun = f"more {NOUNS.get(first['kind'], 'change')}"
    what = Entry(
        first["what"],
        (f"and {plural(len(rows) - 1, noun)} likewise: {', '.join(names[1:])}",),
        () if first["in_effect"] else ("taken back since",),
    )
    alike = {row["exploratory"] for row in rows}
    results = first["exploratory"] if len(alike) == 1 else "each of them and every comparison with it"
    return (_seen(first), what, Entry(text(results)))


def _seen(row: Facts) -> Entry:
    if not row["when"]:
        return Entry("not noted yet", ("by no sweep or report that was written",))
    return Entry(row["when"], (f"{'after' if row['opened'] else 'before'} the external centers were opened",))


def _when(row: Facts) -> str:
    if not row["when"]:
        return "not noted yet"
    return f"first seen {row['when']}, {'after' if row['opened'] else 'before'} the external centers were opened"


def _sentence_case(words: str) -> str:
    return words[:1].upper() + words[1:]
