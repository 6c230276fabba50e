"""Tables of the paper: the numbers of the report, in three forms."""

from __future__ import annotations

import csv
import re
from io import StringIO

import pytest

from evaluation.report.display import Column, Entry, Group, Table
from evaluation.report.paper.chosen import chosen_tables
from evaluation.report.paper.columns import LANDSCAPE_MM, columns_for
from evaluation.report.paper.latex import escape
from evaluation.report.paper.sheets import Sheet, sheet_of
from evaluation.report.paper.tables_as import as_csv, as_latex, as_markdown
from evaluation.report.tables import effects
from evaluation.report.tables.discrimination import discrimination
from tests.evaluation.report_example import example, unstarted


def table(**changes: object) -> Table:
    rows = (
        (Entry("resnet50_v2 & co", ("50% of it",)), Entry("0.738", ("0.714–0.762",), mark="a")),
        (Entry("scratch", tags=("exploratory",)), Entry("−0.1 ± 0.2")),
    )
    known = {
        "id": "auc-classification",
        "caption": "AUC",
        "columns": (Column("Cell"), Column("AUC", numeric=True, details=("n+ 60",), title="area under the curve")),
        "groups": (Group(Entry("External, pooled", ("all centers",)), rows),),
        "csv": "performance",
        "notes": (("a", "one class"),),
        "explanation": "Intervals are 95% intervals.",
    }
    return Table(**{**known, **changes})  # type: ignore[arg-type]


def sheet(**changes: object) -> Sheet:
    return sheet_of(table(**changes), "2")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("center_b", r"center\_b"),
        ("50% & more", r"50\% \& more"),
        ("0.7–0.8", "0.7--0.8"),
        ("−0.1 ± 0.2", r"$-$0.1 $\pm$ 0.2"),
        ("a{b}$c#d~e^f\\", r"a\{b\}\$c\#d\textasciitilde{}e\textasciicircum{}f\textbackslash{}"),
        ("p\u00a0<\u00a00.001", "p~$<$~0.001"),
        ("I², τ, ⅛", r"I\textsuperscript{2}, $\tau$, 1/8"),
    ],
)
def test_latex_prints_every_sign_as_it_is_written(text: str, latex: str):
    assert escape(text) == latex


def test_all_three_forms_hold_every_text_of_the_report_s_table():
    shown = discrimination(example(), "classification")
    made = sheet_of(shown, "1")
    texts = [
        line for group in shown.groups for row in group.rows for entry in row for line in (entry.text, *entry.details)
    ]

    assert len(texts) > 20
    for text in texts:
        assert text in as_csv(made)
        assert escape(text) in as_latex(made)
        assert re.sub(r"([\\|<>_`])", r"\\\1", text) in as_markdown(made)


def test_a_csv_says_the_group_of_every_row_and_keeps_quieter_lines():
    rows = list(csv.reader(StringIO(as_csv(sheet()))))

    assert rows[0] == ["Group", "Cell", "AUC; n+ 60"]
    assert rows[1] == ["External, pooled; all centers", "resnet50_v2 & co; 50% of it", "0.738 [a]; 0.714–0.762"]
    assert rows[2][1] == "scratch (exploratory)"


def test_markdown_has_caption_footnotes_notes_and_the_file_of_the_numbers():
    text = as_markdown(sheet())

    assert text.startswith("**Table 2.** AUC\n")
    assert "| resnet50\\_v2 & co<br>50% of it | 0.738 [a]<br>0.714–0.762 |" in text
    assert "[a] one class" in text
    assert "AUC: area under the curve." in text
    assert "`performance`" in text


def test_latex_has_caption_label_rules_and_raised_marks():
    text = as_latex(sheet())

    assert "\\caption{AUC}\\label{tab:2-auc-classification}" in text
    assert [text.count(rule) for rule in ("\\toprule", "\\midrule", "\\bottomrule")] == [2, 2, 1]
    assert "0.738\\textsuperscript{a}" in text
    assert "\\textsuperscript{a} one class" in text
    assert text.count("\\begin{") == text.count("\\end{")


def test_a_line_of_latex_has_as_many_cells_as_the_table_has_columns():
    made = sheet_of(effects.primary(example()), "1")

    for part, columns in zip(as_latex(made).split("% Table")[1:], columns_for(made), strict=True):
        lines = [line for line in part.splitlines() if line.endswith(("\\\\", "\\\\*")) and "multicolumn" not in line]
        cells = [line.replace("\\&", "").count("&") + 1 for line in lines if "\\caption" not in line]

        assert set(cells) == {len(columns.places)}


def test_a_table_that_no_page_holds_is_cut_into_parts_with_the_same_first_column():
    wide = tuple(Column(f"Center {number}", numeric=True) for number in range(30))
    row = (Entry("cell"), *(Entry("0.738 (0.714–0.762)") for _ in wide))
    parts = columns_for(sheet(columns=(Column("Cell"), *wide), groups=(Group(None, (row,)),)))

    assert len(parts) > 1
    assert all(part.places[0] == 0 and part.width_mm <= LANDSCAPE_MM for part in parts)
    assert sorted(place for part in parts for place in part.places[1:]) == list(range(1, 31))
    assert [part.is_further for part in parts[:2]] == [False, True]


def test_the_paper_counts_its_tables_and_leaves_out_those_that_name_files():
    chosen = chosen_tables(example())
    numbers = [one.sheet.number for one in chosen]
    everything = "".join(as_csv(one.sheet) for one in chosen)

    assert numbers[:3] == ["1", "2", "3"]
    assert "S1" in numbers
    assert len(set(numbers)) == len(numbers)
    assert "7/a.dcm" not in everything
    assert "CUDA out of memory" not in everything
    assert {"cohort", "discrimination", "primary", "operating-points", "decisions", "calibration"} <= {
        one.kind for one in chosen if not one.sheet.number.startswith("S")
    }


def test_before_anything_is_known_there_are_no_tables():
    assert chosen_tables(unstarted()) == []
