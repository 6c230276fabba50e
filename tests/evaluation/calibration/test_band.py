"""The band around a calibration curve, against R's loess and by its rules."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.calibration.band import _weights, calibration_band
from evaluation.calibration.curve import calibration_curve

RANDOM = np.random.default_rng(3)
LOGITS = RANDOM.normal(0, 1.5, 120)
LABELS = (RANDOM.random(120) < 1 / (1 + np.exp(-LOGITS))).astype(int)
# fmt: off
PREDICTED = np.array([
    0.2655, 0.3721, 0.5729, 0.9082, 0.2017, 0.8984, 0.9447, 0.6608, 0.6291, 0.0618, 0.206, 0.1766, 0.687, 0.3841,
    0.7698, 0.4977, 0.7176, 0.9919, 0.38, 0.7774, 0.9347, 0.2121, 0.6517, 0.1256, 0.2672, 0.3861, 0.0134, 0.3824,
    0.8697, 0.3403, 0.4821, 0.5996, 0.4935, 0.1862, 0.8274, 0.6685, 0.7942, 0.1079, 0.7237, 0.4113,
])
# fmt: on


@pytest.mark.parametrize(
    ("at", "expected"),
    [(0.0134, 0.6733977917), (0.3, 0.2804459425), (0.5, 0.3409745339), (0.9, 0.3258395948)],
)
def test_the_weights_of_the_smoother_are_those_of_loess(at: float, expected: float) -> None:
    # R 4.2.2: predict(loess(y ~ p, span = .75, degree = 2, control = loess.control(surface = "direct")),
    #   data.frame(p = at), se = TRUE), se.fit / residual.scale
    weights = _weights(PREDICTED, at, 0.75, 2)

    assert np.linalg.norm(weights) == pytest.approx(expected, rel=1e-9)
    assert (weights.sum(), weights @ PREDICTED) == (pytest.approx(1), pytest.approx(at))


def test_the_band_surrounds_the_curve_and_stays_within_shares() -> None:
    band = calibration_band(LABELS, LOGITS, np.arange(120))

    curve = calibration_curve(LABELS, LOGITS, points=31)

    assert band.observed == pytest.approx(curve.observed)
    assert np.all((band.low <= np.clip(band.observed, 0, 1)) & (np.clip(band.observed, 0, 1) <= band.high))
    assert (band.low.min() >= 0, band.high.max() <= 1) == (True, True)


@pytest.mark.parametrize("smoother", ["loess", "lowess"])
def test_showing_every_radiograph_twice_makes_no_band_narrower(smoother: str) -> None:
    once = calibration_band(LABELS, LOGITS, np.arange(120), smoother)

    twice = calibration_band(np.repeat(LABELS, 2), np.repeat(LOGITS, 2), np.repeat(np.arange(120), 2), smoother)

    assert twice.high - twice.low == pytest.approx(once.high - once.low, abs=0.01)


def test_a_constant_score_has_neither_curve_nor_band() -> None:
    band = calibration_band(LABELS, np.zeros(120), np.arange(120))

    assert (band.flag, np.isnan(band.low).all(), np.isnan(band.observed).all()) == ("constant score", True, True)
