"""Calibration curves of every cell: smoothed with a band, in groups with intervals, and how the scores are spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan

import numpy as np
import polars as pl

from evaluation.arrays import Floats
from evaluation.calibration.band import METHOD, calibration_band
from evaluation.calibration.curve import NAMES, grouped
from evaluation.comparison.calibrated import RAW, Recalibrations, log_odds, odds_of
from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import Panel

CALIBRATION_CURVES: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "recalibration": pl.String(),
    "part": pl.String(),  # curve | group | histogram
    "predicted": pl.Float64(),
    "observed": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n": pl.Int64(),
    "n_positive": pl.Int64(),
    "method": pl.String(),
    "flag": pl.String(),
}
BINS = 20
"""Bins of the histogram, equally wide between 0 and 1."""
GROUPS = "deciles, Clopper-Pearson"

Columns = dict[str, object]


def calibration_curves(boards: Sequence[Panel], recalibrations: Mapping[str, Recalibrations]) -> pl.DataFrame:
    """What is drawn of each cell's calibration (CALIBRATION_CURVES), pooled centers only.

    `curve`: smoothed share of positives with its pointwise band, `n` all images. `group`: images between deciles of the
    prediction, with an interval that takes images as independent. `histogram`: images per bin of the prediction as it
    is, `predicted` its middle.
    """
    frames = [
        frame
        for cell, maps in recalibrations.items()
        for panel in boards
        if panel.pooled and panel.role != "validation" and cell in panel.scores and not panel.cases(cell).one_class
        for frame in _cell(panel, cell, panel.cases(cell), maps)
    ]
    return pl.concat([pl.DataFrame(schema=CALIBRATION_CURVES), *frames])


def _cell(panel: Panel, cell: str, cases: Cases, maps: Recalibrations) -> Iterator[pl.DataFrame]:
    values, _ = log_odds(panel, cell, cases)
    smoother = "loess" if cell in panel.logits else "lowess"
    for name, risks in maps.risks(panel, cell, cases).items():
        odds = values if name == RAW else odds_of(risks)
        parts = [_curve(cases, odds, smoother), _groups(cases, risks)]
        parts += [_histogram(cases, risks)] if name == RAW else []
        where: Columns = {"arm": panel.arms[cell], "cell": cell, "role": panel.role, "center": panel.center}
        yield from (_framed(where | {"recalibration": name} | part) for part in parts)


def _curve(cases: Cases, odds: Floats, smoother: str) -> Columns:
    found = calibration_band(cases.labels, odds, cases.patients, smoother)
    return {
        "part": "curve",
        "predicted": found.predicted,
        "observed": found.observed,
        "low": found.low,
        "high": found.high,
        "n": cases.labels.size,
        "n_positive": cases.n_positive,
        "method": f"{NAMES[smoother]}, {METHOD}",
        "flag": found.flag,
    }


def _groups(cases: Cases, risks: Floats) -> Columns:
    columns = zip(*grouped(cases.labels == 1, risks), strict=True)
    named = dict(zip(("predicted", "observed", "low", "high", "n", "n_positive"), columns, strict=True))
    return {"part": "group", **{name: list(values) for name, values in named.items()}, "method": GROUPS, "flag": ""}


def _histogram(cases: Cases, risks: Floats) -> Columns:
    edges = np.linspace(0, 1, BINS + 1)
    every, positive = (np.histogram(part, edges)[0] for part in (risks, risks[cases.labels == 1]))
    middles = (edges[:-1] + edges[1:]) / 2
    empty = {"observed": nan, "low": nan, "high": nan, "flag": ""}
    return {"part": "histogram", "predicted": middles, "n": every, "n_positive": positive, "method": "counts", **empty}


def _framed(columns: Columns) -> pl.DataFrame:
    sizes = {len(values) for values in columns.values() if isinstance(values, (list, np.ndarray))}
    size = sizes.pop()
    spread = {
        name: columns[name] if isinstance(columns[name], (list, np.ndarray)) else [columns[name]] * size
        for name in CALIBRATION_CURVES
    }
    return pl.DataFrame(spread, schema=CALIBRATION_CURVES)
