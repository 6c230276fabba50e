"""Two AUCs that were measured on different patients."""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, hypot, inf, isfinite, nan

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from evaluation.discrimination.areas import CLUSTERED, Area, auc
from evaluation.normal import Z95, two_sided

WELCH = "unpaired DeLong, t with Welch's df"
NORMAL = "unpaired, clustered (Obuchowski), normal"


@dataclass(frozen=True)
class Unpaired:
    """First minus second AUC of different patients, with 95 % interval and two-sided p.

    `statistic` follows t with `df` degrees of freedom; df is infinite where the test is normal.
    """

    first: float
    second: float
    difference: float
    se: float
    low: float
    high: float
    statistic: float
    df: float
    p: float
    method: str
    flag: str = ""


def unpaired_difference(
    labels_first: ArrayLike,
    scores_first: ArrayLike,
    labels_second: ArrayLike,
    scores_second: ArrayLike,
    patients_first: ArrayLike | None = None,
    patients_second: ArrayLike | None = None,
) -> Unpaired:
    """Difference of the AUCs of two independent groups, as pROC's `roc.test(paired = FALSE, method = "delong")`.

    Labels are 1 or 0, one score per case. Raises ValueError as `discrimination.auc` does, and where the groups share a
    patient: the two AUCs are then not independent.
    """
    _check_apart(patients_first, patients_second)
    first = auc(labels_first, scores_first, patients_first)
    second = auc(labels_second, scores_second, patients_second)
    return compared(first, second, np.size(labels_first), np.size(labels_second))


def compared(first: Area, second: Area, n_first: int, n_second: int) -> Unpaired:
    """Difference of two independent areas that rest on `n_first` and `n_second` cases.

    The variances add up. Without repeated patients the test is t with Welch & Satterthwaite's df, n - 1 standing for
    the df of each area (Robin et al. 2011); with them it is normal with Obuchowski's variance (1997). Where the
    variance is zero although the areas differ, the statistic is infinite, p is 0 and the flag says not to trust them.
    """
    gap, se = first.auc - second.auc, hypot(first.se, second.se)
    is_clustered = CLUSTERED in (first.method, second.method)
    df = inf if is_clustered else _welch(first.se**2, second.se**2, n_first, n_second)
    statistic = gap / se if se else copysign(inf, gap) if gap else 0.0
    half = (float(stdtrit(df, 0.975)) if isfinite(df) else Z95) * se
    return Unpaired(
        first=first.auc,
        second=second.auc,
        difference=gap,
        se=se,
        low=gap - half,
        high=gap + half,
        statistic=statistic,
        df=df,
        p=float(2 * stdtr(df, -abs(statistic))) if isfinite(df) else two_sided(statistic),
        method=NORMAL if is_clustered else WELCH,
        flag="; ".join(f"{name}: {one.flag}" for name, one in (("first", first), ("second", second)) if one.flag),
    )


def _check_apart(first: ArrayLike | None, second: ArrayLike | None) -> None:
    if first is None or second is None:
        return
    shared = np.intersect1d(np.asarray(first), np.asarray(second))
    if shared.size:
        raise ValueError(
            f"both groups hold patient {str(shared[0])!r} ({shared.size} are shared); an unpaired comparison needs "
            "different patients"
        )


def _welch(first: float, second: float, n_first: int, n_second: int) -> float:
    if not first + second > 0:
        return nan
    return (first + second) ** 2 / (first**2 / (n_first - 1) + second**2 / (n_second - 1))
