"""Whether one AUC is not worse than another by more than a margin."""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, inf, isfinite

from scipy.special import ndtr

from evaluation.discrimination.areas import Difference


@dataclass(frozen=True)
class NonInferiority:
    """The first score against the second: difference, its lower bound (one-sided 97.5 %) and the one-sided p.

    `non_inferior` is false where the bound is NaN: it was not shown.
    """

    difference: float
    margin: float
    low: float
    z: float
    p: float
    non_inferior: bool
    method: str
    flag: str = ""


def non_inferiority(found: Difference, margin: float) -> NonInferiority:
    """Test of "first is worse than second by `margin` or more" at a one-sided 2.5 % (Liu et al. 2006).

    z = (difference + margin) / se; `margin` is in units of the AUC. NaN standard errors give NaN; a standard error of
    zero gives an infinite z and keeps the flag of the difference. Raises ValueError unless margin is finite and > 0.
    """
    if not (isfinite(margin) and margin > 0):
        raise ValueError(f"the margin must be a finite number > 0 in units of the AUC, got {margin!r}")
    gap = found.difference + margin
    z = gap / found.se if found.se else copysign(inf, gap) if gap else 0.0
    return NonInferiority(
        difference=found.difference,
        margin=margin,
        low=found.low,
        z=z,
        p=float(ndtr(-z)),
        non_inferior=found.low > -margin,
        method=f"{found.method}, one-sided normal",
        flag=found.flag,
    )
