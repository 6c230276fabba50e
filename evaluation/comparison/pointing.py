"""Whether the heat maps of every cell point at the lesions, and which cells' maps do so better than others'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any, NamedTuple

import polars as pl

from evaluation.arrays import Bools
from evaluation.comparison.aggregation import ROLES
from evaluation.comparison.calls import carried
from evaluation.comparison.mapped import MARKS, MEASURES, mapped
from evaluation.comparison.panels import POOLED, Panel
from evaluation.comparison.primary import Pair
from evaluation.decisions.mcnemar import mcnemar, mcnemar_clustered
from evaluation.decisions.paired_rates import paired_difference, paired_difference_clustered
from evaluation.multiplicity import ADJUSTMENTS
from evaluation.robustness.perturbation import SAME_CHANGES, compare_stability
from evaluation.robustness.saliency import Summary, summarize
from evaluation.tables import SALIENCY as MAPS
from evaluation.tables import check
from search_spaces.study import Threshold

_WHERE = dict.fromkeys(("arm", "role", "center"), pl.String())
_COUNTS = dict.fromkeys(("maps", "images", "patients"), pl.Int64())
SALIENCY: dict[str, pl.DataType] = {
    **dict.fromkeys(("arm", "cell", "role", "center", "decisions"), pl.String()),
    **_COUNTS,
    **dict.fromkeys(("chance", "chance_pointing", "pointing", "pointing_low", "pointing_high"), pl.Float64()),
    **dict.fromkeys(("energy", "energy_low", "energy_high"), pl.Float64()),
    **dict.fromkeys(MEASURES[1:], pl.Float64()),
    "randomized": pl.Float64(),
    "replicates": pl.Float64(),
    "grid": pl.String(),
    "method": pl.String(),
    "flag": pl.String(),
}
SALIENCY_PAIRS: dict[str, pl.DataType] = {
    **_WHERE,
    **dict.fromkeys(("measure", "first", "second"), pl.String()),
    "maps": pl.Int64(),
    "patients": pl.Int64(),
    **dict.fromkeys(("value_first", "value_second", "difference", "low", "high", "p", "p_adjusted"), pl.Float64()),
    **dict.fromkeys(("adjustment", "method", "flag"), pl.String()),
}
DECISIONS: dict[str, pl.DataType] = {
    **dict.fromkeys(("cell", "role", "center", "image"), pl.String()),
    "right": pl.Boolean(),
}
NO_MAP = "no map: "
"""What the flag of a cell says whose network has no map; the reason follows."""
SAME = "the same for both"

Row = dict[str, Any]


@dataclass(frozen=True)
class Maps:
    """What the saliency jobs of a study found, and the boxes that it is judged by."""

    maps: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MAPS))
    """tables.SALIENCY."""
    marks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MARKS))
    """Boxes of opened centers only; images without a row are left out."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Cell -> why its networks have no map."""


class Pointing(NamedTuple):
    """Columns: SALIENCY and SALIENCY_PAIRS; a number that cannot be estimated is NaN, never null."""

    saliency: pl.DataFrame
    pairs: pl.DataFrame


def pointing(
    found: Maps, decisions: pl.DataFrame, cells: pl.DataFrame, pairs: list[Pair], *, open_external: bool, adjust: str
) -> Pointing:
    """Every cell's maps against the boxes, for all images and for rightly and wrongly decided ones, and planned pairs.

    `decisions` (DECISIONS): whether a cell decides an image rightly; images without a row stand among all only.
    `pairs`: of cells, first against second, on the maps that both have; pairs of two arms are left out. Pairs of an
    arm at a place are a family for each measure, adjusted by `adjust`. External rows only if `open_external`.
    """
    opened = [role for role in ROLES if open_external or role != "external"]
    maps = check(found.maps, MAPS, "saliency").filter(pl.col("role").is_in(opened))
    each = mapped(maps, check(found.marks, MARKS, "marks"), cells)
    judged = each.join(decisions, on=["cell", "role", "center", "image"], how="left", maintain_order="left")
    rows = [row for where, part in _places(judged) for row in _cells(part, where, cells)]
    lacking = [_without(cells, cell, reason) for cell, reason in found.reasons.items()]
    compared = [row for where, part in _places(each) for row in _pairs(part, where, pairs, adjust)]
    return Pointing(
        pl.DataFrame([*rows, *lacking], schema=SALIENCY, orient="row"),
        pl.DataFrame(compared, schema=SALIENCY_PAIRS, orient="row"),
    )


def decided(boards: list[Panel], rules: tuple[Threshold, ...]) -> pl.DataFrame:
    """Whether each cell decides each image rightly by the carried threshold of the first rule (DECISIONS)."""
    frames = [pl.DataFrame(schema=DECISIONS)]
    for panel in (panel for panel in boards if panel.pooled and rules):
        for cell in panel.scores:
            limit, cases = carried(boards, cell, rules[0]), panel.cases(cell)
            if limit is not None:
                right = limit.calls(panel, cell, cases) == (cases.labels == 1)
                frames.append(_decisions(panel, cell, cases.used, right))
    return pl.concat(frames)


def _decisions(panel: Panel, cell: str, used: Bools, right: Bools) -> pl.DataFrame:
    images = {"center": panel.centers[used], "image": panel.images[used], "right": right}
    return pl.DataFrame(images).select(pl.lit(cell).alias("cell"), pl.lit(panel.role).alias("role"), *images)


def _places(rows: pl.DataFrame) -> Iterator[tuple[Row, pl.DataFrame]]:
    """Each arm, role and center, then all centers of a role together."""
    for (arm, role), there in rows.partition_by("arm", "role", as_dict=True, maintain_order=True).items():
        for center in sorted(there["center"].unique()):
            yield {"arm": arm, "role": role, "center": center}, there.filter(pl.col("center") == center)
        yield {"arm": arm, "role": role, "center": POOLED}, there


def _cells(part: pl.DataFrame, where: Row, cells: pl.DataFrame) -> Iterator[Row]:
    every = part.select("center", "image", "region").n_unique()
    parts = part.partition_by("cell", as_dict=True)
    for cell in cells["cell"]:
        if (cell,) in parts:
            yield from _summaries(parts[cell,], {**where, "cell": cell}, every)


def _summaries(maps: pl.DataFrame, who: Row, every: int) -> Iterator[Row]:
    known = maps.filter(pl.col("right").is_not_null())
    for name, part in (("all", maps), ("right", known.filter("right")), ("wrong", known.filter(~pl.col("right")))):
        if len(part):
            (found,) = summarize(part["hit"], part["energy"], part["chance"], part["patient"])
            lacking = every - len(part) if name == "all" else 0
            flags = [found.flag, f"images without a map: {lacking}" if lacking else ""]
            yield who | {"decisions": name} | _numbers(part, found) | {"flag": "; ".join(filter(None, flags))}


def _numbers(part: pl.DataFrame, found: Summary) -> Row:
    means = {name: _mean(part[name]) for name in ("chance_pointing", *MEASURES[1:], "randomized", "replicates")}
    methods = dict.fromkeys((f"pointing: {found.pointing_method}", f"energy: {found.energy_method}"))
    return means | {
        "maps": len(part),
        "images": part.select("center", "image").n_unique(),
        "patients": found.patients,
        "chance": found.chance,
        **dict(zip(("pointing", "pointing_low", "pointing_high"), found.pointing, strict=True)),
        **dict(zip(("energy", "energy_low", "energy_high"), found.energy, strict=True)),
        "grid": ", ".join(part["grid"].unique().sort()),
        "method": "; ".join(methods),
    }


def _mean(values: pl.Series) -> float:
    """Of those that are known."""
    known = values.cast(pl.Float64).drop_nans()
    return float(known.mean()) if len(known) else nan  # type: ignore[arg-type]  # a mean of numbers is one


def _without(cells: pl.DataFrame, cell: str, reason: str) -> Row:
    """The row of a cell that has no maps anywhere."""
    arm = cells.filter(pl.col("cell") == cell)["arm"][0]
    numbers = {name: nan for name, kind in SALIENCY.items() if kind == pl.Float64}
    who = {"arm": arm, "cell": cell, "role": "reserve", "center": POOLED, "decisions": "all"}
    return who | numbers | dict.fromkeys(_COUNTS, 0) | {"grid": "", "method": "", "flag": NO_MAP + reason}


def _pairs(part: pl.DataFrame, where: Row, pairs: list[Pair], adjust: str) -> Iterator[Row]:
    scored = set(part["cell"])
    mine = [(first, second) for first, second in pairs if {first, second} <= scored]
    both = [(pair, _shared(part, *pair)) for pair in mine]
    for measure, compare in (("pointing", _pointing), ("energy", _energy)):
        rows = [
            where | {"measure": measure, "first": pair[0], "second": pair[1]} | found
            for pair, maps in both
            if (found := compare(maps))
        ]
        for row, p in zip(rows, ADJUSTMENTS[adjust]([row["p"] for row in rows]), strict=True):
            yield row | {"p_adjusted": float(p), "adjustment": adjust}


def _shared(part: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
    one, other = (part.filter(pl.col("cell") == cell) for cell in (first, second))
    kept = ["center", "image", "region"]
    return one.join(other.select(*kept, "hit", "energy"), on=kept, suffix="_second").sort(kept)


def _pointing(maps: pl.DataFrame) -> Row:
    """McNemar's test of the hits, clustered where a patient has several maps."""
    first, second, patients = (maps[name].to_numpy() for name in ("hit", "hit_second", "patient"))
    if not len(maps):
        return {}
    if maps["patient"].n_unique() < len(maps):
        test, gap = mcnemar_clustered(first, second, patients), paired_difference_clustered(first, second, patients)
    else:
        test = mcnemar(int((first & ~second).sum()), int((second & ~first).sum()))
        gap = paired_difference(test.only_first, test.only_second, len(maps))
    return {
        "maps": len(maps),
        "patients": maps["patient"].n_unique(),
        "value_first": float(first.mean()),
        "value_second": float(second.mean()),
        **{name: getattr(gap, name) for name in ("difference", "low", "high")},
        "p": test.p,
        "method": f"{test.method}; {gap.method}",
        "flag": "; ".join(dict.fromkeys(filter(None, (test.flag, gap.flag)))),
    }


def _energy(maps: pl.DataFrame) -> Row:
    """Wilcoxon's signed-rank test of the patients' mean energies; maps that are zero everywhere have none."""
    known = maps.filter(pl.col("energy").is_not_nan(), pl.col("energy_second").is_not_nan())
    if not len(known):
        return {}
    # An energy is a number from 0 to 1 per map, as a change of the score is: the same test of patients' means.
    found = compare_stability(
        known["energy"].to_numpy(), known["energy_second"].to_numpy(), known["patient"].to_numpy()
    )
    return {
        "maps": len(known),
        "value_first": found.first,
        "value_second": found.second,
        **{name: getattr(found, name) for name in ("patients", "difference", "low", "high", "p", "method")},
        "flag": SAME if found.flag == SAME_CHANGES else found.flag,
    }
