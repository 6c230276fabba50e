"""The sections of the page in their order, and what each is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.report.context import ReportContext
from evaluation.report.display import Table
from evaluation.report.figures.calibration_curves import calibration_curves
from evaluation.report.figures.centers_forest import areas_by_center, differences_by_center
from evaluation.report.figures.decision_curves import decision_curves
from evaluation.report.figures.drawing import Figure
from evaluation.report.figures.froc import froc
from evaluation.report.figures.ladders import ladders
from evaluation.report.figures.learning_rates import rates
from evaluation.report.figures.precision_recall import precision_recall
from evaluation.report.figures.readers import reader_figures
from evaluation.report.figures.roc import roc
from evaluation.report.figures.tuning_history import history
from evaluation.report.names import arm_box
from evaluation.report.tables import centers, certificates, contrasts, discrimination, effects, radiomics, study, tuning
from evaluation.report.tables import lock as locked
from evaluation.report.tables import readers as reading
from evaluation.report.tables.calibration import calibration
from evaluation.report.tables.decisions import decisions
from evaluation.report.tables.gallery import Shown, gallery
from evaluation.report.tables.localization import localization
from evaluation.report.tables.net_benefit import net_benefit
from evaluation.report.tables.operating_points import operating_points
from evaluation.report.tables.saliency import saliency, saliency_pairs, sanity
from evaluation.report.tables.stability import stability
from evaluation.report.tables.stability_tests import stability_effects, stability_pairs
from evaluation.report.tables.subgroups import subgroups

OfStudy = Callable[[ReportContext], Table | list[Table]]
OfArm = Callable[[ReportContext, str], Table | list[Table] | list[Shown] | str]
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
    Section("cohort", "Cohort", tables=(study.cohort, study.flow_counts, study.quarantine, study.leakage)),
    Section("lock", "Plan and lock", tables=(locked.lock, locked.changes)),
    Section("discrimination", "Discrimination", by_arm=(discrimination.discrimination, discrimination.single_models)),
    Section(
        "centers",
        "Across centers",
        tables=(centers.areas_over_centers, centers.differences_over_centers, centers.center_probe),
        figures=(areas_by_center, differences_by_center),
    ),
    Section(
        "contrasts",
        "Contrasts and effects",
        tables=(effects.primary, effects.named_effects, contrasts.aggregate_contrasts, contrasts.matrices),
    ),
    Section("roc", "ROC and precision-recall", figures=(roc, precision_recall)),
    Section("operating-points", "Operating points", by_arm=(operating_points,)),
    Section("decisions", "Paired decisions", tables=(decisions,)),
    Section("calibration", "Calibration", by_arm=(calibration,), figures=(calibration_curves,)),
    Section("net-benefit", "Net benefit", tables=(net_benefit,), figures=(decision_curves,)),
    Section("localization", "Localization", by_arm=(localization,), figures=(froc,)),
    Section(
        "stability",
        "Stability",
        tables=(stability_effects, stability_pairs),
        by_arm=(stability,),
        figures=(ladders,),
    ),
    Section("saliency", "Saliency", tables=(saliency_pairs,), by_arm=(saliency, sanity, gallery)),
    Section("readers", "Readers", tables=reading.TABLES),
    Section("subgroups", "Subgroups", by_arm=(subgroups,)),
    Section("radiomics", "Radiomics", tables=(radiomics.coefficients, radiomics.elastic_nets)),
    Section("tuning", "Tuning", tables=(tuning.choices,), by_arm=(tuning.trials,), figures=(history, rates)),
    Section("weights", "Weights", tables=(certificates.certificates, certificates.findings)),
    Section("cost", "Budget and cost", tables=(study.budgets, study.run_times)),
    Section("gaps", "Left out and failed", tables=(study.left_out, study.failures)),
    Section("provenance", "Provenance", tables=(study.environment,)),
)


def made(context: ReportContext) -> dict[str, Any]:
    """Everything that the sections' templates name."""
    return {
        "sections": SECTIONS,
        "exploratory": locked.exploratory(context),
        "lock_words": locked.lock_words(context),
        "reader_words": reading.reader_words(context),
        "reader_figures": reader_figures(context),
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
