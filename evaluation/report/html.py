"""The page: every table and figure rendered into one file that asks for nothing else."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from evaluation.report import figures, results, tables
from evaluation.report.names import arm_box
from evaluation.report.operating_points import operating_points
from evaluation.report.summary import summarize

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext

HERE = Path(__file__).parent


def render(context: ReportContext) -> str:
    """The report as one HTML text: styles, scripts and figures inside, all data escaped."""
    curves = [figure for arm in context.arms if (figure := figures.roc(context, arm))]
    page = (
        _environment()
        .get_template("template.html.jinja")
        .render(
            context=context,
            created=context.created.strftime("%Y-%m-%d %H:%M %Z").strip(),
            summary=summarize(context),
            forest=figures.forest(context),
            arms=[_arm(context, arm) for arm in context.arms],
            primary=results.primary_contrasts(context),
            matrices=results.matrices(context),
            significance=results.SIGNIFICANCE,
            curves=[(figure, Markup(figure.json)) for figure in curves],
            **_study_tables(context),
            style=_inlined("style.css"),
            script=_inlined("report.js"),
            plotly=_plotly() if curves else "",
        )
    )
    return page.lstrip()


def _arm(context: ReportContext, arm: str) -> dict[str, Any]:
    return {
        "name": arm,
        "box": arm_box(context, arm),
        "discrimination": results.discrimination(context, arm),
        "operating_points": operating_points(context, arm),
    }


def _study_tables(context: ReportContext) -> dict[str, Any]:
    makers = (
        tables.cohort, tables.quarantine, tables.leakage, tables.budgets, tables.run_times,
        tables.certificates, tables.left_out, tables.failures, tables.environment, tables.lock,
    )  # fmt: skip
    return {make.__name__: make(context) for make in makers}


def _environment() -> Environment:
    loader = FileSystemLoader(HERE)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _inlined(name: str) -> Markup:
    return Markup((HERE / name).read_text(encoding="utf-8"))


@cache
def _plotly() -> Markup:
    return Markup(get_plotlyjs())
