"""The page: every table and figure rendered into one file that asks for nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from evaluation.report import (
    centers,
    certificates,
    contrasts,
    discrimination,
    effects,
    figures,
    radiomics,
    tables,
    tuning,
)
from evaluation.report.calibration import calibration
from evaluation.report.decision_curves import decision_curves
from evaluation.report.decisions import decisions
from evaluation.report.localization import localization
from evaluation.report.names import adjustment, arm_box
from evaluation.report.net_benefit import net_benefit
from evaluation.report.operating_points import operating_points
from evaluation.report.stability import stability, stability_pairs
from evaluation.report.subgroups import subgroups
from evaluation.report.summary import summarize

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext
    from evaluation.report.display import Table

HERE = Path(__file__).parent


def render(context: ReportContext, files: Mapping[str, str] | None = None) -> str:
    """The report as one HTML text: styles, scripts and figures inside, all data escaped.

    `files`: the file of each table by its name, name.csv where it is not given.
    """
    curves = [figure for arm in context.arms if (figure := figures.roc(context, arm))]
    benefits = [figure for arm in context.arms if (figure := decision_curves(context, arm))]
    ranges = [figure for arm in context.arms if (figure := tuning.rates(context, arm))]
    page = (
        _environment()
        .get_template("template.html.jinja")
        .render(
            context=context,
            files=dict(files or {}),
            created=context.created.strftime("%Y-%m-%d %H:%M %Z").strip(),
            summary=summarize(context),
            forest=figures.forest(context),
            arms=[_arm(context, arm) for arm in context.arms],
            significance=contrasts.SIGNIFICANCE,
            pairs_adjustment=adjustment(context.seen.contrasts),
            curves=curves,
            decision_curves=benefits,
            learning_rates=ranges,
            **_tables(context),
            style=_inlined("style.css"),
            script=_inlined("report.js"),
            plotly=_plotly() if curves or benefits or ranges else "",
        )
    )
    return page.lstrip()


def _arm(context: ReportContext, arm: str) -> dict[str, Any]:
    makers = (
        discrimination.discrimination, discrimination.single_models,
        operating_points, calibration, subgroups, localization, stability, tuning.trials,
    )  # fmt: skip
    return {"name": arm, "box": arm_box(context, arm)} | {make.__name__: make(context, arm) for make in makers}


def _tables(context: ReportContext) -> dict[str, Any]:
    """Tables, and lists of tables, of the study as a whole by the name of their function."""
    makers: tuple[Callable[[ReportContext], Table | list[Table]], ...] = (
        effects.primary, effects.named_effects, contrasts.aggregate_contrasts, contrasts.matrices, decisions,
        net_benefit, centers.areas_over_centers, centers.differences_over_centers, centers.center_probe,
        stability_pairs, tuning.choices, radiomics.coefficients, radiomics.elastic_nets,
        tables.cohort, tables.quarantine, tables.leakage, tables.budgets, tables.run_times,
        certificates.certificates, certificates.findings,
        tables.left_out, tables.failures, tables.environment, tables.lock,
    )  # fmt: skip
    return {make.__name__: make(context) for make in makers}


def _environment() -> Environment:
    loader = FileSystemLoader(HERE)
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters["trusted"] = Markup
    return found


def _inlined(name: str) -> Markup:
    return Markup((HERE / name).read_text(encoding="utf-8"))


@cache
def _plotly() -> Markup:
    return Markup(get_plotlyjs())
