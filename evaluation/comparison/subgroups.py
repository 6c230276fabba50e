"""Subgroups of external images: age band, sex, view, device and lesion size, where they are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import nan
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import chi2

from evaluation.arrays import Bools
from evaluation.centers.between_variance import cochran
from evaluation.comparison.calls import carried
from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import POOLED, Panel
from evaluation.decisions.thresholds import count, rule_name
from evaluation.discrimination.areas import auc
from search_spaces.errors import StudyError
from search_spaces.study import Analysis

SUBGROUPS: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "attribute": pl.String(),
    "group": pl.String(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "auc": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "rule": pl.String(),
    "source": pl.String(),
    "sensitivity": pl.Float64(),
    "sensitivity_low": pl.Float64(),
    "sensitivity_high": pl.Float64(),
    "specificity": pl.Float64(),
    "specificity_low": pl.Float64(),
    "specificity_high": pl.Float64(),
    "interaction_p": pl.Float64(),
    "flag": pl.String(),
}
ATTRIBUTES: dict[str, pl.DataType] = {
    "center": pl.String(),
    "image": pl.String(),
    "age": pl.Float64(),  # years
    "sex": pl.String(),
    "view": pl.String(),
    "device": pl.String(),
    "lesion_size": pl.Float64(),  # longest side of the largest box, mm
}
NO_ATTRIBUTES = pl.DataFrame(schema={name: ATTRIBUTES[name] for name in ("center", "image")})
BANDS = {"age": ((20, 40, 60), "years"), "lesion_size": ((40, 80), "mm")}
"""Lower bounds of the second band and those above it; 80 mm is the limit of T1 in the TNM of bone."""
FEWEST = 10
"""Positives, and negatives, below which a subgroup is counted but not measured."""
SHARED_NEGATIVES = "negatives without a lesion stand in every group: no interaction test"
SUPPRESSED = f"suppressed: fewer than {FEWEST} positives or negatives"

Row = dict[str, Any]
Groups = NDArray[np.str_]


def subgroups(boards: Sequence[Panel], plan: Analysis, cells: pl.DataFrame, attributes: pl.DataFrame) -> pl.DataFrame:
    """AUC, and sensitivity and specificity at carried thresholds, per group of pooled external images (SUBGROUPS).

    `attributes`: some of ATTRIBUTES, one row per image. `interaction_p` is Cochran's test that the AUCs of the groups
    that are large enough are equal; it takes groups as independent. Images without a value form no group. Raises
    StudyError for an image that stands twice and for a column that is neither words nor numbers as ATTRIBUTES says.
    """
    table = _checked(attributes)
    pooled = next((panel for panel in boards if panel.role == "external" and panel.center == POOLED), None)
    if pooled is None:
        return pl.DataFrame(schema=SUBGROUPS)
    known = {name: _groups(pooled, table, name) for name in plan.subgroups if name in table.columns}
    rows = [
        row
        for cell in cells["cell"]
        if cell in pooled.scores
        for name, groups in known.items()
        for row in _attribute(boards, pooled, cell, name, groups, plan)
    ]
    return pl.DataFrame(rows, schema=SUBGROUPS, orient="row")


def _checked(attributes: pl.DataFrame) -> pl.DataFrame:
    for name, kind in ATTRIBUTES.items():
        found = attributes.schema.get(name, kind)
        if found not in {kind, pl.Null} and not (kind.is_numeric() and found.is_numeric()):
            raise StudyError(f"Table 'attributes': column {name!r} is {found}, it must be {kind}.")
    twice = attributes.filter(attributes.select("center", "image").is_duplicated())
    if twice.height:
        center, image = twice.select("center", "image").row(0)
        raise StudyError(
            f"Table 'attributes': image {image!r} of center {center!r} stands more than once; give each image one row."
        )
    return attributes


def _groups(panel: Panel, attributes: pl.DataFrame, name: str) -> Groups:
    """The group of each image of the panel, empty where it is unknown."""
    images = pl.DataFrame({"center": panel.centers.tolist(), "image": panel.images.tolist()})
    values = images.join(
        attributes.select("center", "image", name), on=["center", "image"], how="left", maintain_order="left"
    )[name]
    if name in BANDS:
        return np.array([_band(value, *BANDS[name]) for value in values.to_list()])
    return np.array([value or "" for value in values.to_list()])


def _band(value: float | None, bounds: tuple[int, ...], unit: str) -> str:
    if value is None or np.isnan(value):
        return ""
    place = int(np.searchsorted(bounds, value, side="right"))
    if place == 0:
        return f"under {bounds[0]} {unit}"
    if place == len(bounds):
        return f"{bounds[-1]} {unit} and over"
    return f"{bounds[place - 1]} to under {bounds[place]} {unit}"


def _attribute(
    boards: Sequence[Panel], panel: Panel, cell: str, name: str, groups: Groups, plan: Analysis
) -> Iterator[Row]:
    cases = panel.cases(cell)
    parts, shared = _parts(groups[cases.used], cases, name)
    areas = {group: _area(panel, cell, cases, inside) for group, inside in parts.items()}
    who: Row = {"arm": panel.arms[cell], "cell": cell, "role": panel.role, "attribute": name}
    who["interaction_p"] = nan if shared else _interaction(areas.values())
    for rule in plan.thresholds:
        by = carried(boards, cell, rule)
        called = None if by is None else by.calls(panel, cell, cases)
        for group, inside in parts.items():
            chosen = {"rule": rule_name(rule), "source": "" if by is None else by.source}
            row = who | areas[group] | {"group": group} | chosen | _rates(cases, called, inside, areas[group])
            yield row | {"flag": "; ".join(filter(None, [row["flag"], SHARED_NEGATIVES if shared else ""]))}


def _parts(groups: Groups, cases: Cases, name: str) -> tuple[dict[str, Bools], bool]:
    """Which cases each group holds; negatives without a lesion have no size and are compared with every size."""
    names = sorted(set(groups.tolist()) - {""}, key=lambda group: (not group.startswith("under "), group))
    everywhere = (groups == "") & (cases.labels == 0) & (name == "lesion_size")
    return {group: (groups == group) | everywhere for group in names}, bool(everywhere.any())


def _area(panel: Panel, cell: str, cases: Cases, inside: Bools) -> Row:
    labels = cases.labels[inside]
    sizes = {"n_positive": int(labels.sum()), "n_negative": int(labels.size - labels.sum())}
    if min(sizes.values()) < FEWEST:
        return sizes | {"auc": nan, "se": nan, "low": nan, "high": nan, "flag": SUPPRESSED}
    found = auc(labels, panel.score(cell, cases)[inside], cases.patients[inside])
    return sizes | {"auc": found.auc, "se": found.se, "low": found.low, "high": found.high, "flag": found.flag}


def _interaction(areas: Iterable[Row]) -> float:
    """Cochran's test over the groups that were measured; NaN where one of them has no positive standard error."""
    known = [(area["auc"], area["se"]) for area in areas if area["flag"] != SUPPRESSED]
    if len(known) < 2 or not all(se > 0 for _, se in known):
        return nan
    values, errors = np.array(known).T
    return float(chi2.sf(cochran(values, errors**2), len(known) - 1))


def _rates(cases: Cases, called: Bools | None, inside: Bools, area: Row) -> Row:
    names = [f"{rate}{bound}" for rate in ("sensitivity", "specificity") for bound in ("", "_low", "_high")]
    if called is None or area["flag"] == SUPPRESSED:
        return dict.fromkeys(names, nan)
    point = count(cases.labels[inside], called[inside])
    return dict(zip(names, (*point.sensitivity, *point.specificity), strict=True))
