"""The locked plan and its changes as tables, and the sections that must say so."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.report.page.html import render
from evaluation.report.tables.lock import changes, exploratory, lock, lock_words
from tests.evaluation.report_example import example, frame, unstarted

AT, LATER = "2026-03-02 10:00:00 +0000", "2026-03-09 10:00:00 +0000"
LOCK = {"locked at": "2026-03-01 09:00", "plan hash": "c0ffee", "external centers opened at": "2026-03-03 21:14"}
THRESHOLDS = (LATER, True, "analysis", "analysis.thresholds", "analysis.thresholds was [a], is [a, b].", True)
MARKED = (*THRESHOLDS, "operating points", "operating-points, decisions")


def cell(name: str, when: str = AT, *, opened: bool = False, in_effect: bool = True) -> tuple[Any, ...]:
    own = f"{name} and every comparison with it" if in_effect else ""
    return (when, opened, "cell", name, f"Cell {name} was added.", in_effect, own, "")


def changed(*rows: tuple[Any, ...]) -> Any:
    return example(changes=frame("changes", *rows), lock=LOCK)


def rows(context: Any) -> list[list[str]]:
    return [[entry.text for entry in row] for group in changes(context).groups for row in group.rows]


def test_each_change_stands_with_its_time_and_what_it_makes_exploratory():
    table = changes(changed(cell("one"), MARKED))

    assert rows(changed(cell("one"), MARKED)) == [
        [AT, "Cell one was added.", "one and every comparison with it"],
        [LATER, "analysis.thresholds was [a], is [a, b].", "operating points"],
    ]
    seen = [row[0].details for row in table.groups[0].rows]
    assert seen == [("before the external centers were opened",), ("after the external centers were opened",)]


def test_many_changes_of_one_kind_share_a_row_that_names_them():
    (row,) = changes(changed(*(cell(name) for name in ("one", "two", "three", "four")))).groups[0].rows

    assert row[1].text == "Cell one was added."
    assert row[1].details == ("and 3 more cells likewise: two, three, four",)
    assert row[2].text == "each of them and every comparison with it"


def test_what_was_taken_back_stays_and_marks_nothing():
    taken_back = (*THRESHOLDS[:5], False, "", "")
    context = changed(taken_back)

    assert changes(context).groups[0].rows[0][1].tags == ("taken back since",)
    assert exploratory(context) == {}


def test_a_change_that_no_report_noted_says_so():
    assert rows(changed(("", None, *MARKED[2:])))[0][0] == "not noted yet"


def test_sections_of_a_change_say_it_and_others_do_not():
    context = changed(cell("one"), MARKED)

    assert list(exploratory(context)) == ["operating-points", "decisions"]
    assert exploratory(context)["decisions"] == (
        "Operating points: analysis.thresholds was [a], is [a, b] "
        f"(first seen {LATER}, after the external centers were opened).",
    )


@pytest.mark.slow
def test_the_page_marks_exactly_these_sections():
    page = render(changed(MARKED))

    marked = [part.partition('"')[0] for part in page.split('<section id="')[1:] if 'class="exploratory"' in part]
    assert marked == ["operating-points", "decisions"]


def test_the_lead_counts_the_changes_and_those_after_the_opening():
    assert lock_words(changed(cell("one"), MARKED)) == (
        "Locked 2026-03-01 09:00, hash c0ffee; external centers opened 2026-03-03 21:14; "
        "2 changes since, 1 of them first seen after the opening."
    )
    assert lock_words(changed()).endswith("; no change since.")
    assert lock_words(unstarted()) == "No plan is locked: no sweep has been started."


def test_a_study_that_never_ran_has_nothing_locked():
    assert lock(unstarted()).is_empty
    assert changes(unstarted()).empty == "Nothing is locked yet."
