"""Which figures a paper shows, in its order."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.report.context import ReportContext
from evaluation.report.paper.figures.calibration import calibration
from evaluation.report.paper.figures.decision_curves import decision_curves
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.effects import effects
from evaluation.report.paper.figures.flow import flow
from evaluation.report.paper.figures.forest import forests
from evaluation.report.paper.figures.froc import froc
from evaluation.report.paper.figures.roc import roc
from evaluation.report.paper.figures.stability import stability
from evaluation.report.paper.figures.style import Style

MAKERS: dict[str, Callable[[ReportContext, Style], list[Drawing]]] = {
    "flow": flow,
    "effects": effects,
    "roc": roc,
    "forest": forests,
    "calibration": calibration,
    "decision-curves": decision_curves,
    "froc": froc,
    "stability": stability,
}
"""By kind; a kind without rows gives no figure."""
