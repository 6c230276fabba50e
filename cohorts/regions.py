"""Which square of a radiograph a network reads, and where each point of its input lies in the stored image.

Network coordinates run from -1 to 1 in x and y over the input's outer edges. Stored coordinates are pixels whose
first one spans [0, 1), as boxes are written. An affine matrix (2 x 3, float64) takes a network point (u, v, 1) to
the stored point (x, y); arrays of them have shape (..., 2, 3).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Matrices = npt.NDArray[np.float64]

WHOLE_IMAGE = -1
"""The region number of a whole image; boxes have the numbers of boxes.parquet."""


def region_table(
    images: pl.DataFrame, boxes: pl.DataFrame | None, *, region: Literal["box", "image"], margin: float
) -> pl.DataFrame:
    """One row per region, ordered by center, image and region: the image's columns, `region`, square x0, y0, x1, y1.

    "image": the smallest centered square that holds the image, so that its longer side fits and its shape is kept.
    "box": each box, grown by `margin` of its width or height on every side, then the centered square of the longer
    side. Squares may reach beyond the image; what lies outside is filled with the nearest border pixel, because bars
    of a constant would draw an edge whose place tells the detector's format, and so the center.
    """
    if region == "image":
        whole = {"x0": pl.lit(0.0), "y0": pl.lit(0.0), "x1": pl.col("width") * 1.0, "y1": pl.col("height") * 1.0}
        rectangles = images.with_columns(region=pl.lit(WHOLE_IMAGE, pl.Int64), **whole)
        margin = 0.0
    else:
        rectangles = _with_boxes(images, boxes)
    half = pl.max_horizontal(pl.col("x1") - pl.col("x0"), pl.col("y1") - pl.col("y0")) * (0.5 + margin)
    x, y = (pl.col("x0") + pl.col("x1")) / 2, (pl.col("y0") + pl.col("y1")) / 2
    squares = rectangles.with_columns(x0=x - half, y0=y - half, x1=x + half, y1=y + half)
    return squares.sort("center", "image", "region")


def _with_boxes(images: pl.DataFrame, boxes: pl.DataFrame | None) -> pl.DataFrame:
    if boxes is None:
        raise ValueError("Regions of boxes need the boxes table, but the job was given none.")
    bare = images.join(boxes, on="image", how="anti")
    if bare.height:
        raise ValueError(f"{bare.height} of {images.height} images have no box, the first is {bare['image'][0]!r}.")
    flat = boxes.filter((pl.col("x1") <= pl.col("x0")) | (pl.col("y1") <= pl.col("y0")))
    if flat.height:
        raise ValueError(f"Box {flat['box'][0]} of image {flat['image'][0]!r} is empty; x0 < x1 and y0 < y1 must hold.")
    numbered = boxes.select("image", pl.col("box").cast(pl.Int64).alias("region"), "x0", "y0", "x1", "y1")
    return images.join(numbered, on="image", how="inner")


def squares_of(regions: pl.DataFrame) -> Floats:
    """The squares of a region table, shape (n, 4): x0, y0, x1, y1."""
    return regions.select("x0", "y0", "x1", "y1").to_numpy().astype(np.float64)


def crop(squares: Floats) -> Matrices:
    """From the network's input onto squares (..., 4): its edges fall on theirs."""
    x0, y0, x1, y1 = np.moveaxis(np.asarray(squares, np.float64), -1, 0)
    return _matrix((x1 - x0) / 2, 0.0, (x0 + x1) / 2, 0.0, (y1 - y0) / 2, (y0 + y1) / 2)


def shift_and_scale(shift_x: npt.ArrayLike, shift_y: npt.ArrayLike, scale: npt.ArrayLike) -> Matrices:
    """Move the window by a share of its side (right, down), and make it `scale` times as large."""
    return _matrix(scale, 0.0, 2 * np.asarray(shift_x), 0.0, scale, 2 * np.asarray(shift_y))


def rotation(degrees: npt.ArrayLike) -> Matrices:
    """Turn the window clockwise about its center, as seen on the image; its content turns the other way."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return _matrix(cosine, -sine, 0.0, sine, cosine, 0.0)


def flip(mirrored: npt.ArrayLike) -> Matrices:
    """Mirror left and right where `mirrored` is true."""
    return _matrix(np.where(mirrored, -1.0, 1.0), 0.0, 0.0, 0.0, 1.0, 0.0)


def compose(*matrices: Matrices) -> Matrices:
    """One matrix for several; the last one is applied first, as in a product."""
    product = _square(matrices[0])
    for matrix in matrices[1:]:
        product = product @ _square(matrix)
    return np.ascontiguousarray(product[..., :2, :])


def invert(matrices: Matrices) -> Matrices:
    """From stored pixels back to network coordinates."""
    return np.ascontiguousarray(np.linalg.inv(_square(matrices))[..., :2, :], np.float64)


def transform(matrices: Matrices, points: Floats) -> Floats:
    """Points (..., n, 2) through matrices (..., 2, 3)."""
    return points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]


def reduction(side: npt.ArrayLike, size: int) -> npt.NDArray[np.int64]:
    """By which power of two a region's pixels are averaged before sampling, 1 where no more than 2 fall on one.

    Bilinear sampling skips pixels where more than two fall on one of the input's; the average of 2^k x 2^k pixels
    leaves between one and two.
    """
    per_pixel = np.asarray(side, np.float64) / size
    levels = np.where(per_pixel > 2, np.floor(np.log2(np.maximum(per_pixel, 1.0))), 0)
    return np.asarray(2**levels, np.int64)


def _matrix(*entries: npt.ArrayLike) -> Matrices:
    broadcast = np.broadcast_arrays(*(np.asarray(entry, np.float64) for entry in entries))
    return np.stack(broadcast, axis=-1).reshape(*broadcast[0].shape, 2, 3)


def _square(matrices: Matrices) -> Matrices:
    last = np.broadcast_to([0.0, 0.0, 1.0], (*matrices.shape[:-2], 1, 3))
    return np.concatenate([matrices, last], axis=-2)
