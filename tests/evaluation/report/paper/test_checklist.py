"""Reporting checklists: numbers of items, and who fills what."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from evaluation.report.paper.checklist import (
    FILES,
    FILLED,
    OPEN,
    PARTLY,
    Answer,
    Answers,
    checklist_csv,
    checklist_markdown,
    fill,
    load_checklist,
)
from evaluation.report.paper.chosen import CHOICES
from evaluation.report.paper.figures.chosen import MAKERS

NOBODY = Answers({}, {}, {})


@pytest.mark.parametrize(
    ("name", "items", "rows"), [("tripod_ai", 27, 52), ("claim_2024", 44, 44), ("stard_ai", 40, 48)]
)
def test_a_checklist_has_the_items_of_its_guideline(name: str, items: int, rows: int):
    checklist = load_checklist(name)
    numbers = [item.id.rstrip("abcdefg") for item in checklist.items]

    assert len(checklist.items) == rows
    assert list(dict.fromkeys(numbers)) == [str(number) for number in range(1, items + 1)]


@pytest.mark.parametrize("name", FILES)
def test_items_name_kinds_of_tables_and_figures_that_exist(name: str):
    items = load_checklist(name).items

    assert {kind for item in items for kind in item.tables} <= {choice.kind for choice in CHOICES}
    assert {kind for item in items for kind in item.figures} <= set(MAKERS)


@pytest.mark.parametrize("name", FILES)
def test_what_only_a_human_knows_is_never_filled(name: str):
    everything = Answers(
        {key: Answer("methods.md", "text") for item in load_checklist(name).items for key in item.methods},
        {choice.kind: [Answer("Table 1")] for choice in CHOICES},
        {kind: [Answer("Figure 1")] for kind in MAKERS},
    )
    lines = fill(load_checklist(name), everything)

    assert all(line.status != FILLED for line in lines if line.item.human)
    assert all(line.missing for line in lines if line.status != FILLED)
    assert {line.status for line in lines} == {FILLED, PARTLY, OPEN}


def test_funding_and_ethics_need_input_whatever_the_kit_holds():
    lines = {line.item.id: line for line in fill(load_checklist("tripod_ai"), NOBODY)}

    assert lines["17"].status == lines["18a"].status == OPEN
    assert lines["17"].missing == "ethics approval and consent"


def test_an_item_without_facts_needs_input_even_where_it_could_be_filled():
    (robustness,) = (line for line in fill(load_checklist("claim_2024"), NOBODY) if line.item.id == "30")

    assert robustness.status == OPEN
    assert "not planned in this study" in robustness.missing


def test_other_statistics_do_not_fill_the_items_of_heterogeneity_and_updating():
    lines = fill(load_checklist("tripod_ai"), Answers({"secondary": Answer("methods.md", "Decision curves.")}, {}, {}))
    status = {line.item.id: line.status for line in lines}

    assert (status["12d"], status["12f"], status["12e"]) == (OPEN, OPEN, FILLED)


def test_sealed_results_are_partly_missing():
    tables = {"discrimination": [Answer("Table 2")], "operating-points": [Answer("Table 3")]}
    lines = fill(load_checklist("stard_ai"), Answers({}, tables, {}, sealed=True))
    (accuracy,) = (line for line in lines if line.item.id == "31")

    assert accuracy.status == PARTLY
    assert accuracy.missing == "external results, once the centers are opened"


def test_csv_and_markdown_hold_every_item_with_its_place():
    checklist = load_checklist("claim_2024")
    lines = fill(checklist, Answers({"images": Answer("methods.md, Image preparation", "Resized.")}, {}, {}))
    rows = list(csv.DictReader(StringIO(checklist_csv(lines))))
    text = checklist_markdown(checklist, lines)

    assert len(rows) == 44
    assert rows[8]["status"] == "filled"
    assert rows[8]["text"] == "Resized."
    assert "| 9 | Preprocessing: Steps of preprocessing | filled | methods.md, Image preparation |  |" in text
    assert "fill in the official form" in text
