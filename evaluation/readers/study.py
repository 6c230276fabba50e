"""A reader study from its ratings: each reader, all readers together, and how well they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from evaluation.decisions.thresholds import operating_point
from evaluation.discrimination.areas import CLUSTERED, DELONG, Area, Difference, area, difference
from evaluation.discrimination.delong import Placements
from evaluation.multiplicity import holm
from evaluation.readers import tables
from evaluation.readers.covariance import area_covariance
from evaluation.readers.groups import about_readers, group_changes
from evaluation.readers.kappas import agreement_of
from evaluation.readers.obuchowski_rockette import Analysis, ObuchowskiRockette, obuchowski_rockette
from evaluation.readers.panel import Panel, panel_of
from evaluation.readers.tables import frame

ONE_CLASS = "one class"


@dataclass(frozen=True, eq=False)
class ReaderStudy:
    """Frames with the schemas of `evaluation.readers.tables`; the reference modality comes last among the modalities.

    `flag` says which readings were left out. `analyses` holds the same numbers as `overall`, `differences` and `means`
    with the variance components.
    """

    readers: tuple[str, ...]
    modalities: tuple[str, ...]
    reference: str
    n_positive: int
    n_negative: int
    about: pl.DataFrame
    areas: pl.DataFrame
    changes: pl.DataFrame
    groups: pl.DataFrame
    operating_points: pl.DataFrame
    overall: pl.DataFrame
    differences: pl.DataFrame
    means: pl.DataFrame
    agreement: pl.DataFrame
    analyses: ObuchowskiRockette
    flag: str = ""


def reader_study(
    ratings: pl.DataFrame,
    truth: pl.DataFrame | Mapping[str, int] | None = None,
    reference_modality: str | None = None,
    threshold: float | None = None,
) -> ReaderStudy:
    """Compare readers' AUCs between modalities, for readers and cases as random samples or fixed.

    `ratings`: the schema RATINGS of `load_readers`; `truth`: case -> 1 or 0 as columns `case` and `truth` or a mapping,
    where the ratings have none. `reference_modality` (the first that the ratings name unless given) is subtracted from
    the others. A case that some reader did not read in some modality is left out for all, and the flag counts them.
    Variances are DeLong's, or Obuchowski's clustered ones where a patient has several cases. `threshold`: rating from
    which on a reader calls a case positive. Raises StudyError for ratings and truths that cannot be used.
    """
    panel = panel_of(ratings, truth, reference_modality)
    placed = [
        [panel.placements(at, reader) for reader in range(len(panel.readers))] for at in range(len(panel.modalities))
    ]
    flat = [one for row in placed for one in row]
    estimates = np.array([[one.auc for one in row] for row in placed])
    covariance = area_covariance(flat, panel.clusters)
    analyses = obuchowski_rockette(estimates, covariance)
    about = about_readers(ratings, panel.readers)
    samples = (analyses.random_readers_and_cases, analyses.fixed_readers, analyses.fixed_cases)
    return ReaderStudy(
        readers=panel.readers,
        modalities=panel.modalities,
        reference=panel.modalities[-1],
        n_positive=panel.n_positive,
        n_negative=panel.n_negative,
        about=about,
        areas=_areas(panel, placed),
        changes=_changes(panel, placed),
        groups=frame(
            [row | _how(panel, row) for row in group_changes(about, panel.modalities, estimates, covariance)],
            tables.GROUPS,
        ),
        operating_points=_operating_points(panel, threshold),
        overall=frame([_of(panel, one) | one.overall._asdict() for one in samples], tables.OVERALL),
        differences=frame([row for one in samples for row in _differences(panel, one)], tables.DIFFERENCES),
        means=frame([row for one in samples for row in _means(panel, one)], tables.MEANS),
        agreement=agreement_of(panel, threshold),
        analyses=analyses,
        flag=panel.flag,
    )


def _areas(panel: Panel, placed: list[list[Placements]]) -> pl.DataFrame:
    rows = []
    for modality, row in zip(panel.modalities, placed, strict=True):
        for reader, one in zip(panel.readers, row, strict=True):
            counts = {"n_positive": panel.n_positive, "n_negative": panel.n_negative}
            rows.append({"reader": reader, "modality": modality} | counts | _flagged(panel, area(one, panel.clusters)))
    return frame(rows, tables.AREAS)


def _changes(panel: Panel, placed: list[list[Placements]]) -> pl.DataFrame:
    rows = []
    for modality, row in zip(panel.modalities[:-1], placed[:-1], strict=True):
        for reader, one, before in zip(panel.readers, row, placed[-1], strict=True):
            who = {"reader": reader, "modality": modality, "reference": panel.modalities[-1]}
            areas = {"auc": one.auc, "reference_auc": before.auc}
            rows.append(who | areas | _flagged(panel, difference(one, before, panel.clusters)))
    return frame(_adjusted(rows), tables.CHANGES)


def _adjusted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With Holm's p over the readers of each modality."""
    for modality in dict.fromkeys(row["modality"] for row in rows):
        family = [row for row in rows if row["modality"] == modality]
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_adjusted"] = float(p)
    return rows


def _flagged(panel: Panel, result: Area | Difference) -> dict[str, Any]:
    """A result as a row; with one class every number is NaN already and needs its reason."""
    return asdict(result) | ({} if panel.n_positive and panel.n_negative else {"flag": ONE_CLASS})


def _operating_points(panel: Panel, threshold: float | None) -> pl.DataFrame:
    rows = []
    for at, modality in enumerate(panel.modalities if threshold is not None else ()):
        for reader, scores in zip(panel.readers, panel.ratings[at], strict=True):
            point = operating_point(panel.labels, scores, float(threshold or 0))
            shares = {"sensitivity": point.sensitivity, "specificity": point.specificity}
            ends = {f"{name}_{end}": getattr(share, end) for name, share in shares.items() for end in ("low", "high")}
            rates = {name: share.value for name, share in shares.items()}
            rows.append({"reader": reader, "modality": modality} | asdict(point) | rates | ends)
    return frame(rows, tables.OPERATING_POINTS)


def _of(panel: Panel, one: Analysis) -> dict[str, Any]:
    return {"readers": one.readers, "cases": one.cases} | _how(panel, {"method": one.method, "flag": one.flag})


def _how(panel: Panel, row: Mapping[str, Any]) -> dict[str, Any]:
    """Method with its covariance; with one class every number is NaN, whatever else is wrong."""
    repeat = panel.clusters is not None and panel.clusters.repeat
    method = f"{row['method']}, {CLUSTERED if repeat else DELONG} covariance"
    return {"method": method, "flag": row["flag"] if panel.n_positive and panel.n_negative else ONE_CLASS}


def _differences(panel: Panel, one: Analysis) -> list[dict[str, Any]]:
    names = panel.modalities
    return [
        _of(panel, one) | gap._asdict() | {"first": names[gap.first], "second": names[gap.second]}
        for gap in one.differences
    ]


def _means(panel: Panel, one: Analysis) -> list[dict[str, Any]]:
    return [
        _of(panel, one) | mean._asdict() | {"modality": panel.modalities[mean.modality], "auc": mean.mean}
        for mean in one.means
    ]
