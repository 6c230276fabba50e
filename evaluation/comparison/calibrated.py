"""Calibration of every cell on every center, as it is and after recalibration on the reserve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
import polars as pl
from scipy.special import logit

from evaluation.arrays import Floats
from evaluation.calibration.measures import Calibration, attainable_points, calibration, logits_of
from evaluation.calibration.recalibration import Isotonic, Platt, isotonic, platt
from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import POOLED, Panel
from evaluation.tables import CONFIDENCE_FLOOR

RAW, PLATT, ISOTONIC = "none", "Platt", "isotonic"
_ESTIMATES = ("slope", "intercept", "calibration_in_the_large", "observed_expected")

CALIBRATION: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "recalibration": pl.String(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "brier": pl.Float64(),
    "brier_scaled": pl.Float64(),
    **{f"{name}{bound}": pl.Float64() for name in _ESTIMATES for bound in ("", "_low", "_high")},
    "ici": pl.Float64(),
    "e50": pl.Float64(),
    "e90": pl.Float64(),
    "smoother": pl.String(),
    "spiegelhalter_z": pl.Float64(),
    "spiegelhalter_p": pl.Float64(),
    "at_floor": pl.Int64(),
    "floor_sensitivity": pl.Float64(),
    "floor_specificity": pl.Float64(),
    "method": pl.String(),
    "flag": pl.String(),
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Recalibrations:
    """Maps of a cell fitted on the whole reserve, by name; none where there is no reserve with both classes."""

    maps: Mapping[str, Platt | Isotonic] = field(default_factory=dict)

    @classmethod
    def of(cls, boards: list[Panel], cell: str) -> Recalibrations:
        """Fitted on the aggregated score of all development centers' reserved patients."""
        reserve = next((one for one in boards if one.role == "reserve" and one.center == POOLED), None)
        if reserve is None or cell not in reserve.scores or reserve.cases(cell).one_class:
            return cls()
        cases = reserve.cases(cell)
        values, _ = log_odds(reserve, cell, cases)
        return cls({PLATT: platt(cases.labels, values), ISOTONIC: isotonic(cases.labels, values)})

    def flag(self, name: str) -> str:
        """What is to be known about a map: a slope below 0 turns the order of the images around."""
        found = self.maps.get(name)
        return f"{name}: {found.flag}" if found is not None and found.flag else ""

    def risks(self, panel: Panel, cell: str, cases: Cases) -> dict[str, Floats]:
        """Raw probabilities and, outside the reserve, recalibrated ones; maps that could not be fitted are left out."""
        found = {RAW: panel.risks(cell, cases)}
        if panel.role != "external":
            return found
        values, _ = log_odds(panel, cell, cases)
        mapped = {name: one.apply(values) for name, one in self.maps.items()}
        return found | {name: risks for name, risks in mapped.items() if not np.isnan(risks).any()}


def log_odds(panel: Panel, cell: str, cases: Cases) -> tuple[Floats, int]:
    """Log odds of the cell's scores, and how many images entered at the confidence floor because nothing was found."""
    scores = panel.score(cell, cases)
    if cell in panel.logits:
        return scores, 0
    return logits_of(scores, np.full(scores.size, nan), CONFIDENCE_FLOOR)


def odds_of(risks: Floats) -> Floats:
    """Log odds of recalibrated risks; isotonic maps reach 0 and 1, whose infinite odds are flagged."""
    with np.errstate(divide="ignore"):
        return np.asarray(logit(risks), dtype=np.float64)


def calibrations(boards: list[Panel], recalibrations: Mapping[str, Recalibrations]) -> pl.DataFrame:
    """Brier score, slope, intercept, O:E, ICI and Spiegelhalter's test (CALIBRATION), raw and recalibrated.

    Recalibration is fitted on the reserve and judged on external centers only. Images in which a detector found nothing
    enter at the confidence floor; `at_floor` counts them, and `floor_sensitivity` with `floor_specificity` is the last
    operating point before everyone is called positive.
    """
    rows = [row for cell, maps in recalibrations.items() for row in _cell(boards, cell, maps)]
    return pl.DataFrame(rows, schema=CALIBRATION, orient="row")


def _cell(boards: list[Panel], cell: str, maps: Recalibrations) -> Iterator[Row]:
    for panel in boards:
        if cell not in panel.scores or panel.role == "validation" or panel.cases(cell).one_class:
            continue
        cases = panel.cases(cell)
        values, at_floor = log_odds(panel, cell, cases)
        floor = _floor(panel, cell, cases, at_floor)
        for name, risks in maps.risks(panel, cell, cases).items():
            odds = values if name == RAW else odds_of(risks)
            # Loess does not exist where most images tie, as they do where a detector finds nothing.
            smoother = "loess" if cell in panel.logits else "lowess"
            found = calibration(cases.labels, odds, _patients(cases), smoother)
            flag = "; ".join(filter(None, [found.flag, maps.flag(name)]))
            yield _row(panel, cell, name) | _numbers(found) | floor | {"flag": flag}


def _row(panel: Panel, cell: str, name: str) -> Row:
    return {
        "arm": panel.arms[cell],
        "cell": cell,
        "role": panel.role,
        "center": panel.center,
        "recalibration": name,
    }


def _numbers(found: Calibration) -> Row:
    plain = ("n_positive", "n_negative", "brier", "brier_scaled", "ici", "e50", "e90", "smoother", "method", "flag")
    row = {name: getattr(found, name) for name in (*plain, "spiegelhalter_z", "spiegelhalter_p")}
    for name in _ESTIMATES:
        estimate = getattr(found, name)
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row


def _floor(panel: Panel, cell: str, cases: Cases, at_floor: int) -> Row:
    if not at_floor:
        return {"at_floor": 0, "floor_sensitivity": nan, "floor_specificity": nan}
    last = attainable_points(cases.labels, panel.risks(cell, cases), CONFIDENCE_FLOOR).last
    return {
        "at_floor": at_floor,
        "floor_sensitivity": last.sensitivity.value,
        "floor_specificity": last.specificity.value,
    }


def _patients(cases: Cases) -> Any:
    return cases.patients if cases.clusters.repeat else None
