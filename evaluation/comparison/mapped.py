"""The heat maps of a cell, one per region of an image, against the boxes of its radiologists."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import Any

import numpy as np
import polars as pl

from evaluation.arrays import Bools, Floats, Integers
from evaluation.robustness.heat import finer, unpacked
from evaluation.robustness.saliency import Saliency, saliency

MARKS: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "center": pl.String(),
    "image": pl.String(),
    "height": pl.Int64(),
    "width": pl.Int64(),
    **dict.fromkeys(("x0", "y0", "x1", "y1"), pl.Float64()),
}
"""One row per box of an image on which an arm's maps are judged: the stored image's size, and the box in its pixels."""
MEASURES = ("energy", "iou_15", "iou_25", "iou_50", "iou_same_area")
MAPPED: dict[str, pl.DataType] = {
    **dict.fromkeys(("arm", "cell", "role", "center", "patient", "image"), pl.String()),
    "region": pl.Int64(),
    "hit": pl.Boolean(),
    "chance": pl.Float64(),
    "chance_pointing": pl.Float64(),
    **dict.fromkeys(MEASURES, pl.Float64()),
    "randomized": pl.Float64(),
    "replicates": pl.Int64(),
    "grid": pl.String(),
}
GRID = 96
"""Places on a side of the grid that is laid over what a network saw of an image."""

_MAP = ("role", "center", "patient", "image", "region")
_SQUARE = ["x0", "y0", "x1", "y1"]


def mapped(maps: pl.DataFrame, marks: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """One row per cell and map (MAPPED) of the images that `marks` has boxes of.

    `maps`: tables.SALIENCY. A cell's map of a region is the mean of its replicates' maps, as its logit is the mean of
    theirs. It is judged within the window that the networks saw of the image, so `chance` is the share of that window
    which the boxes cover. The maximum lies in the middle of a cell of the map, so `chance_pointing` is the share of
    those middles that lie in a box. Every window is brought to GRID x GRID places, bilinear between the cells of the
    map, and a box to the nearest of them, one at least.
    """
    wanted = maps.join(cells.select("cell", "arm"), on="cell").join(marks, on=["arm", "center", "image"], how="semi")
    parts = wanted.partition_by("cell", as_dict=True)
    rows = [row for cell in cells["cell"] if (cell,) in parts for row in _of_cell(parts[cell,], marks)]
    return pl.DataFrame(rows, schema=MAPPED, orient="row")


def _of_cell(maps: pl.DataFrame, marks: pl.DataFrame) -> Iterator[dict[str, Any]]:
    places = maps.select(_MAP).unique().sort(_MAP).with_row_index("place")
    placed = maps.join(places, on=_MAP, maintain_order="left")  # sums in one order: the same bits each time
    regions = placed.group_by("arm", "cell", *_MAP, "place", maintain_order=True).agg(
        pl.col(*_SQUARE).first(),
        pl.col("randomized").mean(),
        replicates=pl.len().cast(pl.Int64),
        shapes=pl.struct("rows", "columns").unique(maintain_order=True),
        grid=pl.format("{} × {}", pl.col("rows").max(), pl.col("columns").max()),
    )
    regions = regions.join(
        marks.select("arm", "center", "image", "height", "width").unique(), on=["arm", "center", "image"]
    )
    regions = regions.sort("place")
    windows = _windows(regions)
    heats, within = _on_windows(placed, regions.select(_SQUARE).to_numpy(), windows)
    boxes = {
        key: part.select(_SQUARE).to_numpy()
        for key, part in marks.partition_by("arm", "center", "image", as_dict=True).items()
    }
    for row, heat, inner, window in zip(regions.iter_rows(named=True), heats, within, windows, strict=True):
        marked = boxes[row["arm"], row["center"], row["image"]]
        inside = _on_grid(marked, window)
        if len(inside):
            found = saliency(heat, inside, inner)
            yield {name: row[name] for name in MAPPED if name in row} | {
                **_numbers(found, row["randomized"]),
                "chance_pointing": _chance(row, marked, window),
            }


def _windows(regions: pl.DataFrame) -> Floats:
    """What the networks saw of each image: the part of their square that lies in it, x0, y0, x1, y1."""
    low = [pl.max_horizontal(name, 0.0) for name in ("x0", "y0")]
    high = [pl.min_horizontal("x1", pl.col("width") * 1.0), pl.min_horizontal("y1", pl.col("height") * 1.0)]
    return regions.select(*low, high[0].alias("x1"), high[1].alias("y1")).to_numpy()


def _on_windows(placed: pl.DataFrame, squares: Floats, windows: Floats) -> tuple[Floats, Bools]:
    """Sums over replicates (places, GRID, GRID), and where the middles of the maps' outer cells enclose them."""
    at_x, at_y = (_shares(squares[:, axis::2], windows[:, axis::2]) for axis in (0, 1))
    total = np.zeros((len(squares), GRID, GRID))
    within = np.ones(total.shape, bool)
    for (rows, columns), part in placed.partition_by("rows", "columns", as_dict=True).items():
        places, sums = _sums(part, int(rows), int(columns))
        total[places] += finer(sums, at_y[places], at_x[places])
        within[places] &= _between(at_y[places], int(rows))[:, :, None] & _between(at_x[places], int(columns))[:, None]
    return total, within


def _shares(square: Floats, window: Floats) -> Floats:
    """Where the window's places lie in the square, as shares of its side: (regions, GRID)."""
    start, end = ((window - square[:, :1]) / (square[:, 1:] - square[:, :1])).T
    return np.asarray(start[:, None] + (end - start)[:, None] * (np.arange(GRID) + 0.5) / GRID)


def _between(shares: Floats, cells: int) -> Bools:
    """Which places lie between the middles of the first and the last cell, to half a step of the grid."""
    step = shares[:, 1:2] - shares[:, :1]
    return np.asarray(np.abs(shares - 0.5) <= 0.5 - 0.5 / cells + step / 2)


def _sums(maps: pl.DataFrame, rows: int, columns: int) -> tuple[Integers, Floats]:
    """Places, and the sum of their replicates' maps."""
    places, index = np.unique(maps["place"].to_numpy(), return_inverse=True)
    heats = unpacked(maps["heat"].to_list(), maps["highest"].to_numpy(), rows, columns)
    sums = np.zeros((places.size, rows, columns))
    np.add.at(sums, index, heats)
    return places, sums


def _on_grid(boxes: Floats, window: Floats) -> Floats:
    """The boxes of an image in the places of its window, whole numbers; those outside of it are left out."""
    low, high = np.tile(window[:2], 2), np.tile(window[2:], 2)
    cut = np.clip(boxes, low, high)
    cut = cut[(cut[:, 0] < cut[:, 2]) & (cut[:, 1] < cut[:, 3])]
    grid = (cut - low) / (high - low) * GRID
    first = np.minimum(np.round(grid[:, :2]), GRID - 1)
    return np.hstack([first, np.maximum(np.round(grid[:, 2:]), first + 1)])


def _chance(row: dict[str, Any], boxes: Floats, window: Floats) -> float:
    """Of the middles of the maps' cells that lie in the window, the share that lies in a box; mean over the shapes."""
    shares = []
    for shape in row["shapes"]:
        x = row["x0"] + (row["x1"] - row["x0"]) * (np.arange(shape["columns"]) + 0.5) / shape["columns"]
        y = row["y0"] + (row["y1"] - row["y0"]) * (np.arange(shape["rows"]) + 0.5) / shape["rows"]
        seen, hit = (np.logical_or.reduce([_holds(box, x, y) for box in some]) for some in (window[None], boxes))
        shares.append((hit & seen).sum() / max(seen.sum(), 1))
    return float(np.mean(shares))


def _holds(box: Floats, x: Floats, y: Floats) -> Bools:
    """Which points (y, x) a box holds."""
    return np.asarray(((box[1] <= y) & (y < box[3]))[:, None] & ((box[0] <= x) & (x < box[2])))


def _numbers(found: Saliency, randomized: float | None) -> dict[str, Any]:
    measured = {name: getattr(found, name) for name in ("hit", "chance", *MEASURES)}
    return measured | {"randomized": nan if randomized is None else randomized}
