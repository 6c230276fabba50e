"""What differs between a report as it was found and as it is computed again."""

from __future__ import annotations

from io import StringIO

import polars as pl
import pytest

from evaluation.report.differences import of_pages, of_tables, parts_of

COMPUTED = pl.DataFrame(
    {
        "cell": ["one", "one", "two"],
        "center": ["b", "c", "b"],
        "n": [3, None, 5],
        "auc": [0.1 + 0.2, float("nan"), 0.9],
        "exploratory": [True, False, False],
    }
)
PAGE = (
    '<head><title>t</title></head><main><header id="summary">AUC 0.812</header>'
    '<section id="calibration"><td data-sort="0.30000000000000004">0.300</td></section></main><script>1</script>'
)


def as_csv(frame: pl.DataFrame) -> pl.DataFrame:
    """As it is read from the file that it is written to: all text."""
    return pl.read_csv(StringIO(frame.write_csv()), infer_schema=False)


def said(found: pl.DataFrame, computed: pl.DataFrame = COMPUTED) -> list[str]:
    return [str(difference) for difference in of_tables("tables/t.csv", found, computed)]


def test_a_table_equals_what_is_read_from_its_own_file():
    assert said(as_csv(COMPUTED)) == []
    assert said(COMPUTED) == []


def test_the_last_digits_of_a_sum_may_differ_and_nothing_more():
    last = COMPUTED.with_columns(pl.Series("auc", [0.3, float("nan"), 0.9]))
    more = COMPUTED.with_columns(pl.Series("auc", [0.300001, float("nan"), 0.9]))

    assert said(as_csv(last)) == []
    assert said(as_csv(more)) == [
        "tables/t.csv, row one · b, column auc: found '0.300001', computed again it is 0.30000000000000004."
    ]


@pytest.mark.parametrize("text", ["", "much", "NaN", "inf"])
def test_a_number_that_became_no_number_differs(text):
    found = as_csv(COMPUTED).with_columns(auc=pl.Series(["0.3", "NaN", text or None], dtype=pl.String))

    (sentence,) = said(found)

    assert sentence.startswith("tables/t.csv, row two · b, column auc: found ")


def test_texts_counts_and_truth_values_are_compared_too():
    found = as_csv(COMPUTED.with_columns(n=pl.Series([3, 4, 5]), exploratory=pl.lit(False)))

    assert said(found) == [
        "tables/t.csv, row one · c, column n: found '4', computed again it is nothing.",
        "tables/t.csv, row one · b, column exploratory: found 'false', computed again it is True.",
    ]


def test_rows_and_columns_that_only_one_of_them_has_are_named():
    found = as_csv(COMPUTED).with_columns(cell=pl.Series(["one", "one", "three"]), note=pl.lit("!")).drop("n")

    assert said(found) == [
        "tables/t.csv, column n: it is missing.",
        "tables/t.csv, column note: the report writes no such column.",
        "tables/t.csv, row two · b: it is missing.",
        "tables/t.csv, row three · b: computed again there is no such row.",
    ]


def test_rows_that_changed_places_are_named_since_the_page_tells_lines():
    assert said(as_csv(COMPUTED)[[1, 0, 2]]) == ["tables/t.csv: its rows stand in another order."]


def test_rows_that_no_text_tells_apart_are_counted_with_the_header_as_row_1():
    points = pl.DataFrame({"cell": ["one", "one"], "fpr": [0.0, 0.5]})

    assert said(points.with_columns(fpr=pl.Series([0.0, 0.6])), points) == [
        "tables/t.csv, row 3, column fpr: found 0.6, computed again it is 0.5."
    ]


def test_a_page_is_compared_by_sections_and_quotes_the_first_text_that_differs():
    (difference,) = of_pages("report.html", PAGE.replace("0.812", "0.912"), PAGE)

    assert str(difference) == ("report.html, section summary: found 'AUC 0.912', computed again it is 'AUC 0.812'.")
    assert parts_of(PAGE) == ["head", "section summary", "section calibration", "scripts"]


def test_numbers_in_full_in_a_page_may_differ_in_their_last_digits_only():
    assert of_pages("report.html", PAGE.replace("0.30000000000000004", "0.3"), PAGE) == []
    (difference,) = of_pages("report.html", PAGE.replace("0.30000000000000004", "0.4"), PAGE)
    assert str(difference) == "report.html, section calibration: other markup around the same texts."


def test_a_section_that_was_cut_out_or_put_in_is_named():
    shorter = PAGE.replace('<section id="calibration">', '<div class="calibration">')

    assert {d.place for d in of_pages("p", shorter, PAGE)} == {"p, section calibration", "p, section summary"}
    assert "the report has no such part" in str(of_pages("p", PAGE, shorter)[-1])


def test_sections_that_changed_places_are_named():
    cohort = '<section id="cohort">12</section>'
    first, last = PAGE.replace("<section", f"{cohort}<section"), PAGE.replace("</main>", f"{cohort}</main>")

    assert [str(difference) for difference in of_pages("p", last, first)] == ["p: its sections stand in another order."]


def test_a_text_that_was_added_to_at_its_end_is_quoted_there():
    style = "<style>" + "a{color:red}" * 20
    (difference,) = of_pages("p", f"{style}b{{display:none}}</style>", f"{style}</style>")

    assert "display:none" in difference.found
