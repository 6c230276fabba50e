"""Which tables of the report a paper shows, in its order: the most general place there, the rest in a supplement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evaluation.report.context import ReportContext
from evaluation.report.display import Table
from evaluation.report.paper.sheets import Sheet, sheet_of
from evaluation.report.tables import (
    centers,
    certificates,
    discrimination,
    effects,
    lock,
    radiomics,
    readers,
    study,
    tuning,
)
from evaluation.report.tables.calibration import calibration
from evaluation.report.tables.decisions import decisions
from evaluation.report.tables.localization import localization
from evaluation.report.tables.net_benefit import net_benefit
from evaluation.report.tables.operating_points import operating_points
from evaluation.report.tables.saliency import saliency, saliency_pairs
from evaluation.report.tables.stability import stability
from evaluation.report.tables.stability_tests import stability_effects, stability_pairs
from evaluation.report.tables.subgroups import subgroups

OfStudy = Callable[[ReportContext], Table | list[Table]]
OfArm = Callable[[ReportContext, str], Table | list[Table]]


@dataclass(frozen=True)
class Choice:
    """A kind of table, what makes it, and the section of the report that shows it."""

    kind: str
    section: str
    of_study: OfStudy | None = None
    of_arm: OfArm | None = None
    main: bool = True
    """Whether its most general table stands in the paper itself."""


CHOICES: tuple[Choice, ...] = (
    Choice("cohort", "cohort", study.cohort),
    Choice("discrimination", "discrimination", of_arm=discrimination.discrimination),
    Choice("primary", "contrasts", effects.primary),
    Choice("effects", "contrasts", effects.named_effects),
    Choice("operating-points", "operating-points", of_arm=operating_points),
    Choice("decisions", "decisions", decisions),
    Choice("calibration", "calibration", of_arm=calibration),
    Choice("net-benefit", "net-benefit", net_benefit),
    Choice("localization", "localization", of_arm=localization),
    Choice("centers", "centers", centers.areas_over_centers),
    Choice("contrasts-over-centers", "centers", centers.differences_over_centers),
    Choice("stability", "stability", of_arm=stability),
    Choice("stability-pairs", "stability", stability_pairs),
    Choice("stability-effects", "stability", stability_effects, main=False),
    Choice("saliency", "saliency", of_arm=saliency),
    Choice("saliency-pairs", "saliency", saliency_pairs),
    Choice("coefficients", "radiomics", radiomics.coefficients),
    Choice("readers", "readers", readers.reader_means),
    Choice("reader-changes", "readers", readers.reader_changes),
    Choice("reader-points", "readers", readers.reader_points, main=False),
    Choice("reader-agreement", "readers", readers.reader_agreement, main=False),
    Choice("single-models", "discrimination", of_arm=discrimination.single_models, main=False),
    Choice("center-probe", "centers", centers.center_probe, main=False),
    Choice("subgroups", "subgroups", of_arm=subgroups, main=False),
    Choice("tuning", "tuning", tuning.choices, main=False),
    Choice("budgets", "cost", study.budgets, main=False),
    Choice("certificates", "weights", certificates.certificates, main=False),
    Choice("elastic-nets", "radiomics", radiomics.elastic_nets, main=False),
    Choice("changes", "lock", lock.changes, main=False),
    Choice("left-out", "gaps", study.left_out, main=False),
)
"""Not among them: tables that name files (quarantine, failures), which stay in the center's own report."""


@dataclass(frozen=True)
class ChosenTable:
    """A table of the paper with its place in the report."""

    kind: str
    section: str
    sheet: Sheet


def chosen_tables(context: ReportContext) -> list[ChosenTable]:
    """All that hold rows, numbered 1, 2 … in the paper and S1, S2 … in the supplement."""
    choices = [choice for choice in CHOICES if choice.section != "readers" or context.readers is not None]
    found = [(choice, tables) for choice in choices for tables in _made(context, choice) if tables]
    main = [(choice, tables[0]) for choice, tables in found if choice.main]
    rest = [(choice, table) for choice, tables in found for table in (tables[1:] if choice.main else tables)]
    return [*_numbered(main, ""), *_numbered(rest, "S")]


def _made(context: ReportContext, choice: Choice) -> Iterator[list[Table]]:
    """Lists whose first table is the most general one: of the study, or of each arm."""
    if choice.of_study is not None:
        yield _filled(choice.of_study(context))
    for arm in context.arms if choice.of_arm is not None else ():
        assert choice.of_arm is not None
        yield _filled(choice.of_arm(context, arm))


def _filled(made: Table | list[Table]) -> list[Table]:
    return [table for table in (made if isinstance(made, list) else [made]) if not table.is_empty]


def _numbered(tables: Sequence[tuple[Choice, Table]], prefix: str) -> list[ChosenTable]:
    return [
        ChosenTable(choice.kind, choice.section, sheet_of(table, f"{prefix}{number}"))
        for number, (choice, table) in enumerate(tables, 1)
    ]
