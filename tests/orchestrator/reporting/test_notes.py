from __future__ import annotations

import polars as pl

from evaluation.comparison.comparing import SCHEMAS, Comparison
from evaluation.comparison.performance import PERFORMANCE
from infra.privacy import check_text
from orchestrator.reporting.notes import cell_note, center_note, study_note
from search_spaces.grid import Cell

CELL = Cell("classification", "classification", "resnet50", "chest", "frozen")


def row(role, center, auc=0.7):
    counts = {"n_positive": 74, "n_negative": 56}
    found = {"cell": CELL.id, "role": role, "center": center, "auc": auc, "low": 0.6, "high": 0.8, **counts}
    return {"average_precision": 0.5, **found}


def compared(*rows):
    empty = {name: pl.DataFrame(schema=schema) for name, schema in SCHEMAS.items()}
    return Comparison(**{**empty, "performance": pl.DataFrame(rows, schema=PERFORMANCE)})


def test_a_cell_says_what_it_is_and_its_result_with_interval_and_counts_center_by_center():
    comparison = compared(row("reserve", "all"), row("external", "center_b"), row("external", "all", float("nan")))

    first, _, *found = cell_note(CELL, comparison, exploratory=False).splitlines()

    assert first.startswith(
        "**resnet50** for classification, weights pretrained on chest, init frozen; part of the locked analysis."
    )
    assert "(run:study>report.html)" in first
    assert found == [
        "- external, pooled: AUC n/a (95 % interval 0.600 to 0.800; 74 positive, 56 negative)",
        "- external, center_b: AUC 0.700 (95 % interval 0.600 to 0.800; 74 positive, 56 negative)",
        "- reserve, pooled: AUC 0.700 (95 % interval 0.600 to 0.800; 74 positive, 56 negative)",
    ]


def test_before_there_are_results_a_cell_says_what_it_is_and_a_center_nothing():
    assert cell_note(CELL, None, exploratory=True).endswith("exploratory, not part of the locked analysis.")
    assert center_note(CELL, "center_b", "external", compared(row("reserve", "all"))) == ""


def test_a_note_with_results_begins_like_the_one_without():
    later = cell_note(CELL, compared(row("reserve", "all")), exploratory=False)

    assert later.startswith(cell_note(CELL, None, exploratory=False))  # so that a replay without them leaves it


def test_a_center_tells_its_own_result_and_points_to_its_cell():
    note = center_note(CELL, "center_b", "external", compared(row("external", "all", 0.9), row("external", "center_b")))

    assert note.startswith(f"[{CELL.id}](run:cell {CELL.id}) at center_b (external): AUC 0.700 ")


def test_the_study_points_to_report_and_views_in_its_first_line_and_may_be_logged():
    note = study_note(compared(row("external", "all")))

    first = note.splitlines()[0]
    assert "[report](run:study>report.html)" in first
    assert "[centers](view:centers)" in first
    check_text("note", note)
