"""Intervals of proportions, and whether a printed proportion can be one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import nan
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from evaluation.arrays import Floats, Integers
from evaluation.normal import Z95


class Proportion(NamedTuple):
    """k of n with its 95 % interval; all NaN where n is 0."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Attainability:
    """The counts of `total` that a printed proportion can stand for, if it was rounded and if it was cut off.

    "truncated" means only cutting off explains it, "unattainable" that no count does.
    """

    printed: str
    total: int
    rounded: tuple[int, ...]
    truncated: tuple[int, ...]
    verdict: Literal["rounded", "truncated", "unattainable"]


def clopper_pearson(successes: int, total: int) -> Proportion:
    """Exact 95 % interval of a proportion (Clopper & Pearson 1934), equal to R's `binom.test`.

    It takes the cases as independent: several images of one patient make it too narrow.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"successes must lie between 0 and total, got {successes} of {total}")
    if total == 0:
        return Proportion(nan, nan, nan)
    failures = total - successes
    low = float(betaincinv(successes, failures + 1, 0.025)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 0.975)) if failures else 1.0
    return Proportion(successes / total, low, high)


def wilson(successes: int, total: int) -> Proportion:
    """Score 95 % interval of a proportion (Wilson 1927), equal to R's `prop.test(correct = FALSE)`.

    It is shorter than Clopper & Pearson's and may cover less than 95 %. It takes the cases as independent.
    """
    low, high = wilson_intervals([successes], [total])
    return Proportion(successes / total if total else nan, float(low[0]), float(high[0]))


def clopper_pearson_intervals(successes: ArrayLike, totals: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper ends of `clopper_pearson` for equally long vectors of counts; NaN where a total is 0."""
    found, of = _counts(successes, totals)
    failures = of - found
    low = np.where(found > 0, betaincinv(np.maximum(found, 1), failures + 1, 0.025), 0.0)
    high = np.where(failures > 0, betaincinv(found + 1, np.maximum(failures, 1), 0.975), 1.0)
    return np.where(of > 0, low, nan), np.where(of > 0, high, nan)


def wilson_intervals(successes: ArrayLike, totals: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper ends of `wilson` for equally long vectors of counts; NaN where a total is 0."""
    found, of = _counts(successes, totals)
    n = np.where(of > 0, of, nan)
    share, widening = found / n, Z95**2 / n
    center = (share + widening / 2) / (1 + widening)
    half = Z95 * np.sqrt((share * (1 - share) + widening / 4) / n) / (1 + widening)
    # At 0 of n and n of n one end is 0 or 1 exactly; rounding would miss it by an ulp.
    low = np.where(found == 0, 0.0, center - half)
    high = np.where(found == of, 1.0, center + half)
    return np.where(of > 0, low, nan), np.where(of > 0, high, nan)


def attainable(printed: str, total: int) -> Attainability:
    """Whether a printed proportion such as ".798" is some count of `total`, rounded to its digits or cut off.

    Exact integer arithmetic. A count that lies halfway fits if rounding half up or half to even prints it so. Raises
    ValueError unless `printed` is a decimal from 0 to 1 with digits after the point and total is at least 1.
    """
    if total < 1:
        raise ValueError(f"total must be at least 1, got {total}")
    number, unit = _parse(printed)
    rounded = tuple(k for k in _near(number, unit, total) if _rounds_to(number, 2 * (k * unit - number * total), total))
    truncated = tuple(k for k in _near(number, unit, total) if 0 <= k * unit - number * total < total)
    verdict: Literal["rounded", "truncated", "unattainable"] = (
        "rounded" if rounded else "truncated" if truncated else "unattainable"
    )
    return Attainability(printed, total, rounded, truncated, verdict)


def _counts(successes: ArrayLike, totals: ArrayLike) -> tuple[Integers, Integers]:
    found, of = np.asarray(successes), np.asarray(totals)
    if found.shape != of.shape or found.ndim != 1:
        raise ValueError(f"successes and totals must be equally long vectors, got {found.shape} and {of.shape}")
    whole = (found == np.floor(found)) & (of == np.floor(of))
    wrong = ~(whole & (found >= 0) & (found <= of))
    if wrong.any():
        raise ValueError(
            f"successes must be whole numbers between 0 and total, got {found[wrong][0]} of {of[wrong][0]}"
        )
    return found.astype(np.int64), of.astype(np.int64)


def _parse(printed: str) -> tuple[int, int]:
    """The digits as a whole number, and how many of them make 1."""
    matched = re.fullmatch(r"([01]?)\.([0-9]+)", printed.strip())
    number = int("".join(matched.groups())) if matched else -1
    unit = 10 ** len(matched.group(2)) if matched else 0
    if not 0 <= number <= unit:
        raise ValueError(f"a printed proportion is a decimal from 0 to 1 such as '.798' or '0.903', got {printed!r}")
    return number, unit


def _near(number: int, unit: int, total: int) -> range:
    """Counts whose share is within one unit of the last digit."""
    return range(max(0, (number - 1) * total // unit), min(total, (number + 1) * total // unit + 1) + 1)


def _rounds_to(number: int, twice_off: int, total: int) -> bool:
    """Half a unit above is rounded down only to an even number; half a unit below is rounded up by half up."""
    return -total <= twice_off < total or (twice_off == total and number % 2 == 0)
