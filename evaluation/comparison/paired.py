"""Sensitivities and specificities of many pairs of decisions on the same cases, at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from evaluation.arrays import Bools, Integers
from evaluation.comparison.cases import Cases
from evaluation.comparison.predictive import AT_ONCE, PredictiveDraws
from evaluation.decisions.mcnemar import CLUSTERED as CLUSTERED_MCNEMAR
from evaluation.decisions.mcnemar import METHODS, discordant_matrix, durkalski, mcnemar_p, per_patient
from evaluation.decisions.paired_rates import CLUSTERED as CLUSTERED_WALD
from evaluation.decisions.paired_rates import TANGO, clustered_interval, tango_interval
from search_spaces.study import Analysis

FEWEST = 10
FEW_PATIENTS = f"fewer than {FEWEST} patients on whom the cells differ: p too bold"
"""Durkalski's test is a normal approximation over such patients."""

Columns = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Decided:
    """Decisions of several models on the same cases, one row each."""

    called: Bools
    cases: Cases

    def compare(
        self, first: Integers, second: Integers, predictive: PredictiveDraws, plan: Analysis
    ) -> Iterator[Columns]:
        """Columns of each metric over the pairs of rows `first` and `second`; first minus second."""
        positive = np.asarray(self.cases.labels == 1)
        yield {"metric": "sensitivity"} | self._rates(self.called, positive, first, second, plan)
        yield {"metric": "specificity"} | self._rates(~self.called, ~positive, first, second, plan)
        yield {"metric": "ppv"} | predictive.ppv.compare(first, second)
        yield {"metric": "npv"} | predictive.npv.compare(first, second)

    def _rates(self, right: Bools, of_class: Bools, first: Integers, second: Integers, plan: Analysis) -> Columns:
        """Shares of right decisions in one class by McNemar and Tango, clustered if patients repeat in the class."""
        rows, places = np.unique(np.concatenate([first, second]), return_inverse=True)
        first, second = places[: first.size], places[first.size :]
        inside, patients = right[np.ix_(rows, of_class)], self.cases.patients[of_class]
        only = discordant_matrix(inside)
        share = inside.mean(axis=1) if patients.size else np.full(rows.size, nan)
        counts: Columns = {
            "value_first": share[first],
            "value_second": share[second],
            "difference": share[first] - share[second],
            "only_first": only[first, second],
            "only_second": only[second, first],
        }
        if np.unique(patients).size < patients.size:
            return counts | _clustered(inside, patients, first, second)
        low, high = tango_interval(counts["only_first"], counts["only_second"], patients.size)
        p = mcnemar_p(counts["only_first"], counts["only_second"], plan.mcnemar)
        tests = {"p": np.where(np.isnan(counts["difference"]), nan, p), "test": METHODS[plan.mcnemar]}
        return counts | tests | {"low": low, "high": high, "interval": TANGO, "flag": ""}


def _clustered(right: Bools, patients: Integers, first: Integers, second: Integers) -> Columns:
    sums, sizes = per_patient(right, patients)
    found, differ = [], []
    for start in range(0, first.size, AT_ONCE):
        gaps = sums[first[start : start + AT_ONCE]] - sums[second[start : start + AT_ONCE]]
        found.append(np.stack([*clustered_interval(gaps, sizes)[1:], durkalski(gaps, sizes)[1]]))
        differ.append(np.count_nonzero(gaps, axis=1))
    low, high, p = np.concatenate(found, axis=1)
    flags = [FEW_PATIENTS if patients < FEWEST else "" for patients in np.concatenate(differ)]
    return {"low": low, "high": high, "interval": CLUSTERED_WALD, "p": p, "test": CLUSTERED_MCNEMAR, "flag": flags}
