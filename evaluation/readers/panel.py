"""The readings that can be compared: every reader, every modality, the same cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from evaluation.arrays import Bools, Floats
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import Placements, placements
from evaluation.readers.loading import RATINGS, REQUIRED, check_readings
from evaluation.tables import check
from search_spaces.errors import StudyError, nearest


@dataclass(frozen=True, eq=False)
class Panel:
    """Ratings as modalities x readers x cases, the reference modality last; labels are True for a positive case."""

    readers: tuple[str, ...]
    modalities: tuple[str, ...]
    ratings: Floats
    labels: Bools
    clusters: Clusters | None
    flag: str

    @property
    def n_positive(self) -> int:
        """Positive cases that every reader read in every modality."""
        return int(np.count_nonzero(self.labels))

    @property
    def n_negative(self) -> int:
        """Negative cases that every reader read in every modality."""
        return self.labels.size - self.n_positive

    def placements(self, modality: int, reader: int) -> Placements:
        """Placement values of one reader in one modality; with one class there are none and the AUC is NaN."""
        if not self.n_positive or not self.n_negative:
            return Placements(np.nan, np.empty(0), np.empty(0))
        return placements(self.labels, self.ratings[modality, reader])


def panel_of(
    ratings: pl.DataFrame, truth: pl.DataFrame | Mapping[str, int] | None, reference_modality: str | None
) -> Panel:
    """Join the truth, leave out incomplete cases and put the ratings in order, or StudyError."""
    readings = _with_truth(_checked(ratings), truth)
    readers = tuple(readings["reader"].unique().sort())
    modalities = _ordered(readings["modality"].unique(maintain_order=True).to_list(), reference_modality)
    complete = readings.filter(pl.len().over("case") == len(readers) * len(modalities))
    if complete.is_empty():
        gaps = _gaps(readings, readers, modalities)
        raise StudyError(f"No case was read by every reader in every modality; readings lack for {gaps}. Add them.")
    order = pl.col("modality").replace_strict(modalities, range(len(modalities)), return_dtype=pl.Int64)
    ranked = complete.sort(order, "reader", "case")
    values = ranked["rating"].to_numpy().reshape(len(modalities), len(readers), -1)
    cases = ranked.head(values.shape[2])
    labels = cases["truth"].to_numpy()
    clusters = Clusters.of(labels, cases["patient"].to_numpy()) if "patient" in cases.columns else None
    return Panel(readers, modalities, values, labels == 1, clusters, _flag(readings, complete, readers, modalities))


def _checked(ratings: pl.DataFrame) -> pl.DataFrame:
    schema = {column: kind for column, kind in RATINGS.items() if column in REQUIRED or column in ratings.columns}
    readings = check(ratings, schema, "ratings")
    if not readings["rating"].is_finite().all():
        number = readings.filter(~pl.col("rating").is_finite())["rating"][0]
        raise StudyError(f"Table 'ratings' holds rating {number}; it must be a finite number, leave the row out.")
    check_readings(readings.with_row_index("row", offset=1), "Table 'ratings'")
    return readings


def _with_truth(readings: pl.DataFrame, truth: pl.DataFrame | Mapping[str, int] | None) -> pl.DataFrame:
    if truth is None:
        if "truth" not in readings.columns:
            raise StudyError("The ratings have no column 'truth'; add it, or give the truth of each case beside them.")
        known = readings.select("case", "truth").unique()
    else:
        known = _truth_table(truth)
    readings = readings.drop("truth", strict=False).join(known, on="case", how="left", maintain_order="left")
    unknown = readings.filter(pl.col("truth").is_null())["case"].unique(maintain_order=True)
    if len(unknown):
        raise StudyError(f"{len(unknown)} cases have no truth, the first is {unknown[0]!r}; give each 1 or 0.")
    other = readings.filter(~pl.col("truth").is_in([0, 1]))
    if other.height:
        raise StudyError(f"The truth of case {other['case'][0]!r} is {other['truth'][0]}; it must be 1 or 0.")
    return readings


def _truth_table(truth: pl.DataFrame | Mapping[str, int]) -> pl.DataFrame:
    if isinstance(truth, Mapping):
        truth = pl.DataFrame({"case": list(truth), "truth": [int(value) for value in truth.values()]})
    known = check(truth, {"case": pl.String(), "truth": pl.Int64()}, "truth")
    twice = known.filter(known["case"].is_duplicated())
    if twice.height:
        raise StudyError(f"Table 'truth' holds case {twice['case'][0]!r} more than once; a case has one truth.")
    return known


def _ordered(modalities: list[str], reference: str | None) -> tuple[str, ...]:
    """The reference last, so that first minus second is the change from it."""
    last = modalities[0] if reference is None else reference
    if last not in modalities:
        known = ", ".join(map(repr, modalities))
        raise StudyError(
            f"No rating is in reference modality {last!r}; the ratings name {known}.{nearest(last, modalities)}"
        )
    return (*(name for name in modalities if name != last), last)


def _flag(readings: pl.DataFrame, complete: pl.DataFrame, readers: tuple[str, ...], modalities: tuple[str, ...]) -> str:
    cases, kept = readings["case"].n_unique(), complete["case"].n_unique()
    if cases == kept:
        return ""
    return f"{cases - kept} of {cases} cases left out, not read by {_gaps(readings, readers, modalities)}"


def _gaps(readings: pl.DataFrame, readers: tuple[str, ...], modalities: tuple[str, ...]) -> str:
    """Who lacks how many readings: "B in 'aided' (3)"."""
    cases = readings["case"].n_unique()
    lacking = {
        (reader, modality): cases - readings.filter(reader=reader, modality=modality).height
        for reader in readers
        for modality in modalities
    }
    return ", ".join(f"{reader} in {modality!r} ({count})" for (reader, modality), count in lacking.items() if count)
