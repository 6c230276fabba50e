"""The page: every section rendered into one file that asks for nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from evaluation.report.figures.effects import effects
from evaluation.report.figures.flow import flow
from evaluation.report.figures.forest import forest
from evaluation.report.names import adjustment
from evaluation.report.page.sections import draws, made
from evaluation.report.summary import summarize
from evaluation.report.tables import contrasts

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext

HERE = Path(__file__).parent


def render(context: ReportContext, files: Mapping[str, str] | None = None) -> str:
    """The report as one HTML text: styles, scripts and figures inside, all data escaped.

    `files`: the file of each table by its name, name.csv where it is not given.
    """
    parts = made(context)
    page = (
        _environment()
        .get_template("template.html.jinja")
        .render(
            context=context,
            files=dict(files or {}),
            created=context.created.strftime("%Y-%m-%d %H:%M %Z").strip(),
            summary=summarize(context),
            forest=forest(context),
            effects_figure=effects(context),
            flow=flow(context),
            significance=contrasts.SIGNIFICANCE,
            pairs_adjustment=adjustment(context.seen.contrasts),
            **parts,
            style=_inlined("style.css"),
            script=_inlined("report.js"),
            plotly=_plotly() if draws(parts) else "",
        )
    )
    return page.lstrip()


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
