"""Radiographs for the report, chosen by rule and not by hand, with where the compared cells look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from orchestrator.plan import Plan
from orchestrator.reporting.published import published
from orchestrator.reporting.results import cells as cells_of
from orchestrator.reporting.results import labels
from orchestrator.reporting.saliency import explained, maps

if TYPE_CHECKING:
    from cohorts.manifest import Center
    from evaluation.comparison.comparing import Comparison
    from evaluation.comparison.panels import Panel

MOST_PARTNERS = 2
"""Cells shown beside the best one."""
_POOLED = "all"

Row = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """An image of the gallery, and the rules that chose it."""

    image: str
    rules: tuple[str, ...]


def chosen(scores: pl.DataFrame) -> list[Choice]:
    """Highest, median and lowest score among positives, and the worst error of each kind; each image once.

    `scores`: image, label (1 or 0), score, called (positive or not, null where no threshold was carried). The worst
    errors are the highest score of a false positive and the lowest of a false negative. Of an even number of positives
    the lower middle one is the median; of equal scores the first by name is the lowest, the last the highest.
    """
    ranked = scores.sort("score", "image")
    positives = ranked.filter(pl.col("label") == 1)["image"].to_list()
    found: list[tuple[str, str]] = []
    if positives:
        middle = positives[(len(positives) - 1) // 2]
        found += [("highest", positives[-1]), ("median", middle), ("lowest", positives[0])]
    alarms = ranked.filter((pl.col("label") == 0) & pl.col("called"))["image"].to_list()
    missed = ranked.filter((pl.col("label") == 1) & ~pl.col("called"))["image"].to_list()
    found += [("false positive", image) for image in alarms[-1:]] + [("false negative", image) for image in missed[:1]]
    images = dict.fromkeys(image for _, image in found)
    return [Choice(image, tuple(rule for rule, other in found if other == image)) for image in images]


def gallery_rows(plan: Plan, comparison: Comparison) -> Iterator[Row]:
    """Rows of context.GALLERY: per arm and image the plain radiograph, then one with the map of each compared cell.

    Images are those of the external centers together, or of the reserve while they are sealed, that the arm's cell
    with the highest AUC on the reserve has a map of. Beside it stand the cells it is compared with in the plan.
    """
    if not explained(plan):
        return
    is_open = plan.external_open
    cohort = plan.workspace.study.cohort
    centers = {name: plan.cohort.centers[name] for name in (cohort.centers if is_open else cohort.development)}
    found = maps(plan, centers, open_external=is_open).maps
    role = "external" if is_open else "reserve"
    for arm in explained(plan):
        if cells := _compared(plan, comparison, arm.name, set(found["cell"])):
            here = found.filter(pl.col("cell").is_in(cells), pl.col("role") == role)
            yield from _of_arm(cells, _scores(plan, comparison, cells, here, role), here, centers)


def _compared(plan: Plan, comparison: Comparison, arm: str, with_maps: set[str]) -> list[str]:
    """The best cell of an arm on the reserve that has maps, then those that primary comparisons hold against it."""
    from evaluation.comparison.primary import primary_pairs

    place = (pl.col("arm") == arm) & (pl.col("role") == "reserve") & (pl.col("center") == _POOLED)
    measured = comparison.performance.filter(place, pl.col("auc").is_not_nan(), pl.col("cell").is_in(list(with_maps)))
    complete = measured.filter("complete")
    ranked = (complete if len(complete) else measured).sort("auc", descending=True, maintain_order=True)["cell"]
    if not len(ranked):
        return []
    best = str(ranked[0])
    pairs = primary_pairs(plan.workspace.study.analysis, cells_of(plan, None))
    partners = [other for pair in pairs if best in pair for other in pair if other != best and other in with_maps]
    return [best, *dict.fromkeys(partners)][: MOST_PARTNERS + 1]


def _scores(plan: Plan, comparison: Comparison, cells: list[str], maps: pl.DataFrame, role: str) -> pl.DataFrame:
    """Scores of the images that a cell has a map of, with what the cell calls them."""
    from evaluation.comparison.pointing import decided

    right = decided(_boards(plan, cells), plan.workspace.study.analysis.thresholds)
    kept = ["cell", "role", "center", "image"]
    scored = comparison.scores.filter(pl.col("cell").is_in(cells), pl.col("role") == role)
    found = scored.join(maps, on=kept, how="semi").join(right, on=kept, how="left")
    return found.with_columns(called=(pl.col("label") == 1) == pl.col("right"))


def _boards(plan: Plan, cells: list[str]) -> list[Panel]:
    """The scores of some cells and of their single models."""
    from evaluation.comparison.aggregation import image_scores, replicate_scores
    from evaluation.comparison.panels import panels

    seal = {"open_external": plan.external_open}
    of_cells = published(plan, "predictions", of=lambda job: job.purpose == "scores" and job.cell in cells, **seal)
    found = replicate_scores(pl.concat(of_cells), labels(plan, **seal), cells_of(plan, None), **seal)
    return list(panels(image_scores(found), found))


def _of_arm(cells: list[str], scores: pl.DataFrame, maps: pl.DataFrame, centers: Mapping[str, Center]) -> Iterator[Row]:
    """Images are chosen by the scores of the first cell."""
    for choice in chosen(scores.filter(pl.col("cell") == cells[0])):
        for place, cell in enumerate(cells):
            mine = scores.filter(pl.col("cell") == cell, pl.col("image") == choice.image)
            for facts in mine.drop("patient", "logit", "replicates", "right").iter_rows(named=True):
                found = maps.filter(pl.col(name) == facts[name] for name in ("cell", "role", "center", "image"))
                drawn = _drawn(centers[facts["center"]], facts["image"], found, is_first=not place)
                yield from (facts | {"rule": "; ".join(choice.rules)} | one for one in drawn)


def _drawn(center: Center, image: str, maps: pl.DataFrame, *, is_first: bool) -> Iterator[Row]:
    from orchestrator.reporting.heatmaps import HeatMap
    from orchestrator.reporting.pictures import MEDIA_TYPE, Film, encoded

    film = Film.of(center.pixels.read(image))
    boxes = center.boxes.filter(pl.col("image") == image).select("x0", "y0", "x1", "y1").to_numpy()
    height, width = film.gray.shape
    about = {"boxes": len(boxes), "media_type": MEDIA_TYPE, "width": width, "height": height}
    found = HeatMap.of(maps, height, width, film.ratio)
    if is_first:
        yield about | {"kind": "plain", "peak": "", "picture": encoded(film.drawn(boxes))}
    peak = found.in_words(boxes * film.ratio)
    yield about | {"kind": "heated", "peak": peak, "picture": encoded(film.drawn(boxes, found.heat))}
