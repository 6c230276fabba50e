"""The comparison of a study's cells: everything the report and the tracker show, as frames."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl

from evaluation.comparison.aggregation import SCORES, image_scores, replicate_scores
from evaluation.comparison.bands import CURVE_BANDS, curve_bands
from evaluation.comparison.benefit import DECISION_CURVES, NET_BENEFIT, decision_curves, net_benefits, recalibrations
from evaluation.comparison.between_centers import CENTER_PROBE, HETEROGENEITY, center_probes, heterogeneity
from evaluation.comparison.calibrated import CALIBRATION, calibrations
from evaluation.comparison.calibration_curves import CALIBRATION_CURVES, calibration_curves
from evaluation.comparison.calls import carried
from evaluation.comparison.contrasts import CONTRASTS, contrasts
from evaluation.comparison.curves import PRECISION_RECALL, ROC, precision_recall, roc
from evaluation.comparison.decisions import DECISIONS, decisions
from evaluation.comparison.inference import EFFECTS, effects
from evaluation.comparison.localization import FROC, LESIONS, LOCALIZATION, localization, with_reference
from evaluation.comparison.operating_points import OPERATING_POINTS, operating_points
from evaluation.comparison.panels import Panel, panels
from evaluation.comparison.performance import PERFORMANCE, performance
from evaluation.comparison.pointing import SALIENCY, SALIENCY_PAIRS, Maps, decided, pointing
from evaluation.comparison.primary import primary_pairs
from evaluation.comparison.stability import STABILITY, stability_frames
from evaluation.comparison.stability_pairs import STABILITY_PAIRS
from evaluation.comparison.subgroups import NO_ATTRIBUTES, SUBGROUPS, subgroups
from evaluation.tables import DETECTIONS, check
from search_spaces.errors import StudyError
from search_spaces.study import Analysis

CELLS: dict[str, pl.DataType] = {
    "cell": pl.String(),
    "arm": pl.String(),
    "task": pl.String(),
    "backbone": pl.String(),
    "pretraining": pl.String(),
    "init": pl.String(),
    "replicates_planned": pl.Int64(),
    "exploratory": pl.Boolean(),
    "box": pl.String(),
}


@dataclass(frozen=True)
class Comparison:
    """What was found, one frame per question; a number that cannot be estimated is NaN, never null.

    The columns of each frame are in SCHEMAS under its name. `center` is a name, "all" (pooled) or "stratified".
    """

    scores: pl.DataFrame
    performance: pl.DataFrame
    effects: pl.DataFrame
    contrasts: pl.DataFrame
    operating_points: pl.DataFrame
    decisions: pl.DataFrame
    calibration: pl.DataFrame
    calibration_curves: pl.DataFrame
    decision_curves: pl.DataFrame
    net_benefit: pl.DataFrame
    heterogeneity: pl.DataFrame
    center_probe: pl.DataFrame
    subgroups: pl.DataFrame
    roc: pl.DataFrame
    precision_recall: pl.DataFrame
    curve_bands: pl.DataFrame
    localization: pl.DataFrame
    froc: pl.DataFrame
    stability: pl.DataFrame
    stability_pairs: pl.DataFrame
    saliency: pl.DataFrame
    saliency_pairs: pl.DataFrame


SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "scores": SCORES,
    "performance": PERFORMANCE,
    "effects": EFFECTS,
    "contrasts": CONTRASTS,
    "operating_points": OPERATING_POINTS,
    "decisions": DECISIONS,
    "calibration": CALIBRATION,
    "calibration_curves": CALIBRATION_CURVES,
    "decision_curves": DECISION_CURVES,
    "net_benefit": NET_BENEFIT,
    "heterogeneity": HETEROGENEITY,
    "center_probe": CENTER_PROBE,
    "subgroups": SUBGROUPS,
    "roc": ROC,
    "precision_recall": PRECISION_RECALL,
    "curve_bands": CURVE_BANDS,
    "localization": LOCALIZATION,
    "froc": FROC,
    "stability": STABILITY,
    "stability_pairs": STABILITY_PAIRS,
    "saliency": SALIENCY,
    "saliency_pairs": SALIENCY_PAIRS,
}


@dataclass(frozen=True)
class Further:
    """What a study may know beside predictions and labels; without it the frames that need it are empty."""

    attributes: pl.DataFrame = field(default_factory=lambda: NO_ATTRIBUTES)
    """Some of subgroups.ATTRIBUTES, one row per image."""
    detections: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DETECTIONS))
    lesions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LESIONS))
    """Boxes of the positive labels, per detection arm."""
    variants: pl.DataFrame | None = None
    """Which perturbation a variant is a draw of."""
    maps: Maps = field(default_factory=Maps)


def compare(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    plan: Analysis,
    cells: pl.DataFrame,
    *,
    open_external: bool,
    further: Further | None = None,
) -> Comparison:
    """Join predictions with labels, aggregate the replicates of each cell, and compare the cells.

    `labels`: arm, center, image, label (1 or 0); images of an arm without a label are left out. `cells`: CELLS, whose
    order is the order of every frame. Until `open_external`, no frame has an external row. Raises StudyError for
    faulty tables and for primary comparisons that name nothing.
    """
    known = _checked_cells(cells)
    replicates = replicate_scores(predictions, labels, known, open_external=open_external)
    boards = list(panels(scores := image_scores(replicates), replicates))
    measured, found = performance(boards, replicates, known), effects(boards, plan, known)
    maps, more = recalibrations(boards, known), further or Further()
    usable, limits = with_reference(predictions, labels, more.lesions, known), _limits(boards, plan)
    seal = {"open_external": open_external}
    with ThreadPoolExecutor(1) as beside:  # on a core of its own: both are of tables, and all else is of panels
        located = beside.submit(localization, more.detections, usable, more.lesions, known, **seal)
        stable = beside.submit(stability_frames, predictions, labels, known, plan, more.variants, limits, **seal)
        calls, planned = decided(boards, plan.thresholds), primary_pairs(plan, known)
        pointed = pointing(more.maps, calls, known, planned, **seal, adjust=plan.adjust)
        return Comparison(
            scores=scores,
            performance=measured,
            effects=found,
            contrasts=contrasts(boards, plan, known),
            operating_points=operating_points(boards, plan, known),
            decisions=decisions(boards, plan, known),
            calibration=calibrations(boards, maps),
            calibration_curves=calibration_curves(boards, maps),
            decision_curves=decision_curves(boards, maps),
            net_benefit=net_benefits(boards, plan, known, maps),
            heterogeneity=heterogeneity(measured, found),
            center_probe=center_probes(boards, known, plan.bootstrap.seed),
            subgroups=subgroups(boards, plan, known, more.attributes),
            roc=roc(boards, known),
            precision_recall=precision_recall(boards, known),
            curve_bands=curve_bands(boards, plan, known),
            saliency=pointed.saliency,
            saliency_pairs=pointed.pairs,
            **located.result()._asdict(),
            stability=stable.result().stability,
            stability_pairs=stable.result().pairs,
        )


def _checked_cells(cells: pl.DataFrame) -> pl.DataFrame:
    known = check(cells, CELLS, "cells")
    if known["cell"].is_duplicated().any():
        raise StudyError("Table 'cells' names a cell more than once; each cell has one row.")
    return known


def _limits(boards: list[Panel], plan: Analysis) -> dict[str, float]:
    """The carried threshold of each cell by the plan's first rule, where it is one for all models."""
    if not plan.thresholds:
        return {}
    cells = {cell for panel in boards for cell in panel.scores}
    found = {cell: carried(boards, cell, plan.thresholds[0]) for cell in sorted(cells)}
    return {cell: by.threshold for cell, by in found.items() if by is not None}
