"""The second seed's published counts, fed as prediction tables, give its published numbers in the report's page."""

from __future__ import annotations

import polars as pl
import pytest

from evaluation.comparison.comparing import Comparison
from evaluation.report.context import SCHEMAS, ReportContext
from evaluation.report.display import Entry
from evaluation.report.page.html import render
from evaluation.report.tables.decisions import decisions
from evaluation.report.tables.operating_points import operating_points
from tests.evaluation.published_counts import SENSITIVE, SPECIFIC, YOUDEN, Point, cells, published
from tests.evaluation.report_example import example
from tests.evaluation.report_page import Page

pytestmark = pytest.mark.slow  # each point is compared with 2,000 draws of 743 radiographs


def study(comparison: Comparison) -> ReportContext:
    """The report of the two detectors: one development center, one external center."""
    known = cells().with_columns(
        replicates_finished=pl.col("replicates_planned"),
        tuned=pl.lit(""),
        core_seconds=pl.lit(0.0),
        pretrain_core_seconds=pl.lit(0.0),
        trials=pl.lit(0),
        epochs=pl.lit(0),
    )
    cohort = pl.DataFrame(
        [("a", "development", None, 10, 10, 5), ("b", "external", None, 743, 743, 268)],
        schema=SCHEMAS["cohort"],
        orient="row",
    )
    none = {name: pl.DataFrame(schema=SCHEMAS[name]) for name in ("tuning", "trials", "certificates", "leakage")}
    more = {name: pl.DataFrame(schema=SCHEMAS[name]) for name in ("elastic_nets", "coefficients", "failures")}
    return example(cells=known, cohort=cohort, comparison=comparison, **none, **more)


def p_of(comparison: Comparison, metric: str, test: str) -> float:
    """An unrounded p, as it stands in decisions.csv."""
    frame = comparison.decisions.filter(
        pl.col("metric") == metric, pl.col("center") == "b", pl.col("source") == "reserve"
    )
    return float(frame.filter(pl.col("test").str.starts_with(test))["p"][0])


def decided(comparison: Comparison) -> dict[str, Entry]:
    """The entries of the paired decisions on the 743 radiographs, by metric."""
    table = next(one for one in decisions(study(comparison)) if one.id == "decisions-external-b-carried")
    ((_, *entries),) = table.groups[0].rows
    return dict(zip(("sensitivity", "specificity", "ppv", "npv"), entries, strict=True))


@pytest.fixture(scope="module")
def sensitive() -> Comparison:
    return published(SENSITIVE)


def test_the_high_sensitivity_point_has_its_published_specificities_values_and_p(sensitive: Comparison) -> None:
    found = decided(sensitive)

    assert "0.903 against 0.867" in found["specificity"].details  # 429 and 412 of 475
    assert "38 against 21 right alone" in found["specificity"].details
    assert "p\u00a0=\u00a00.037, adjusted 0.037" in found["specificity"].details
    assert "0.903 against 0.903" in found["sensitivity"].details  # 242 of 268
    assert "0.840 against 0.793" in found["ppv"].details  # 242 of 288 and 242 of 305
    assert p_of(sensitive, "specificity", "McNemar chi2, continuity-corrected") == pytest.approx(0.03725, abs=5e-6)


def test_the_positive_predictive_values_differ_with_the_published_p(sensitive: Comparison) -> None:
    # Printed .030. R's DTComPair gives .028 for the ratio; 2,000 draws leave a percentile p of .03 an error of .005.
    for kind in ("normal", "percentile"):
        p = p_of(sensitive, "ppv", f"bootstrap of cases, stratified by class, {kind}")
        assert p == pytest.approx(0.03, abs=0.01)
    assert p_of(sensitive, "ppv", "relative predictive value") == pytest.approx(0.028, abs=5e-4)


def test_the_two_by_two_tables_are_those_of_the_paper(sensitive: Comparison) -> None:
    table = operating_points(study(sensitive), "detection")[0]

    rows = [group.rows[0] for group in table.groups]

    assert [[entry.text for entry in row[3:7]] for row in rows] == [
        ["242", "46", "26", "429"],
        ["242", "63", "26", "412"],
    ]
    assert {row[2].text for row in rows} == {"reserve"}


@pytest.mark.parametrize(
    ("point", "values", "alone", "shown", "exact"),
    [
        (SPECIFIC, "0.799 against 0.765", "9 against 0 right alone", "0.0077", 0.00766),
        (YOUDEN, "0.914 against 0.892", "6 against 0 right alone", "0.041", 0.04123),
    ],
    ids=["high specificity", "Youden"],
)
def test_the_sensitivities_of_the_other_points_have_their_published_p(
    point: Point, values: str, alone: str, shown: str, exact: float
) -> None:
    comparison = published(point)  # the paper prints 214/268 = .7985 and 205/268 = .7649 truncated

    details = decided(comparison)["sensitivity"].details

    assert {values, alone} <= {*details}
    assert f"p\u00a0=\u00a0{shown}, adjusted {shown}" in details
    assert p_of(comparison, "sensitivity", "McNemar chi2, continuity-corrected") == pytest.approx(exact, abs=5e-6)


def test_specificities_of_the_other_points_do_not_differ() -> None:
    assert p_of(published(YOUDEN), "specificity", "McNemar chi2, continuity-corrected") > 0.5


def test_the_page_says_all_of_it(sensitive: Comparison) -> None:
    text = Page(render(study(sensitive))).text

    assert "Paired decisions: External, b, n+ 268, n− 475, thresholds of the reserve" in text
    assert "McNemar chi2, continuity-corrected" in text
    for said in ("0.903 against 0.867", "38 against 21 right alone", "p = 0.037", "0.840 against 0.793"):
        assert said in text
