"""The sections of the page in their order, and what each is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.report.context import ReportContext
from evaluation.report.display import Table
from evaluation.report.figures.decision_curves import decision_curves
from evaluation.report.figures.drawing import Figure
from evaluation.report.figures.learning_rates import rates
from evaluation.report.figures.roc import roc
from evaluation.report.names import arm_box
from evaluation.report.tables import centers, certificates, contrasts, discrimination, effects, radiomics, study, tuning
from evaluation.report.tables.calibration import calibration
from evaluation.report.tables.decisions import decisions
from evaluation.report.tables.localization import localization
from evaluation.report.tables.net_benefit import net_benefit
from evaluation.report.tables.operating_points import operating_points
from evaluation.report.tables.stability import stability, stability_pairs
from evaluation.report.tables.subgroups import subgroups

OfStudy = Callable[[ReportContext], Table | list[Table]]
OfArm = Callable[[ReportContext, str], Table | list[Table]]
OfFigure = Callable[[ReportContext, str], Figure | None]


@dataclass(frozen=True)
class Section:
    """One section; sections/<id>.html.jinja lays it out and knows everything by the name of the function that made it.

    `tables` are of the study as a whole, `by_arm` become entries of `arms`, `figures` lists with one for each arm that
    has something to draw.
    """

    id: str
    title: str
    tables: tuple[OfStudy, ...] = ()
    by_arm: tuple[OfArm, ...] = ()
    figures: tuple[OfFigure, ...] = ()


SECTIONS: tuple[Section, ...] = (
    Section("cohort", "Cohort", tables=(study.cohort, study.quarantine, study.leakage)),
    Section("discrimination", "Discrimination", by_arm=(discrimination.discrimination, discrimination.single_models)),
    Section(
        "contrasts",
        "Contrasts and effects",
        tables=(effects.primary, effects.named_effects, contrasts.aggregate_contrasts, contrasts.matrices),
    ),
    Section("operating-points", "Operating points", by_arm=(operating_points,)),
    Section("decisions", "Paired decisions", tables=(decisions,)),
    Section("calibration", "Calibration", by_arm=(calibration,)),
    Section("net-benefit", "Net benefit", tables=(net_benefit,), figures=(decision_curves,)),
    Section("localization", "Localization", by_arm=(localization,)),
    Section("stability", "Stability", tables=(stability_pairs,), by_arm=(stability,)),
    Section(
        "centers",
        "Across centers",
        tables=(centers.areas_over_centers, centers.differences_over_centers, centers.center_probe),
    ),
    Section("subgroups", "Subgroups", by_arm=(subgroups,)),
    Section("roc", "ROC curves", figures=(roc,)),
    Section("radiomics", "Radiomics", tables=(radiomics.coefficients, radiomics.elastic_nets)),
    Section("tuning", "Tuning", tables=(tuning.choices,), by_arm=(tuning.trials,), figures=(rates,)),
    Section("cost", "Budget and cost", tables=(study.budgets, study.run_times)),
    Section("weights", "Weights", tables=(certificates.certificates, certificates.findings)),
    Section("gaps", "Left out and failed", tables=(study.left_out, study.failures)),
    Section("provenance", "Provenance", tables=(study.lock, study.environment)),
)


def made(context: ReportContext) -> dict[str, Any]:
    """Everything that the sections' templates name."""
    return {
        "sections": SECTIONS,
        "arms": [_arm(context, arm) for arm in context.arms],
        **{make.__name__: make(context) for section in SECTIONS for make in section.tables},
        **{make.__name__: _drawn(context, make) for section in SECTIONS for make in section.figures},
    }


def draws(parts: Mapping[str, Any]) -> bool:
    """Whether any section has a figure that needs plotly, which is much larger than all the rest of a page."""
    return any(parts[make.__name__] for section in SECTIONS for make in section.figures)


def _arm(context: ReportContext, arm: str) -> dict[str, Any]:
    makers = [make for section in SECTIONS for make in section.by_arm]
    return {"name": arm, "box": arm_box(context, arm)} | {make.__name__: make(context, arm) for make in makers}


def _drawn(context: ReportContext, make: OfFigure) -> list[Figure]:
    return [figure for arm in context.arms if (figure := make(context, arm))]
