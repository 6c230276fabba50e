from __future__ import annotations

from infra.notes import linked


def test_links_of_a_note_lead_to_runs_their_artifacts_and_views() -> None:
    note = "[cell](run:cell arm/a-b-frozen), [report](run:study>report.html), [all](view:cells)"

    found = linked(note, "7", {"study": "5a", "cell arm/a-b-frozen": "c1"})

    assert found == (
        "[cell](#/experiments/7/runs/c1?workflowType=machine_learning), "
        "[report](#/experiments/7/runs/5a/artifacts/report.html?workflowType=machine_learning), "
        "[all](#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey=osteogrid-cells)"
    )


def test_a_link_to_a_run_that_is_not_there_stays_as_words() -> None:
    assert linked("its [results](run:center arm/a-b-frozen center_b)", "7", {}) == "its results"


def test_a_note_that_is_too_long_with_its_links_is_cut_at_a_line() -> None:
    found = linked("[cell](run:study)\n" * 500, "7", {"study": "5a"})

    assert len(found) < 8000
    assert found.endswith("?workflowType=machine_learning)\n\n(cut here; the report has it all)")
