"""The covariance of AUCs over cases against loops in R, and against the variances of single comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.discrimination import clustered, delong
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import placements
from evaluation.readers.covariance import area_covariance
from tests.evaluation.reference import golden


@pytest.mark.parametrize(
    "rows",
    golden("readers/covariances").partition_by("set", "kind", maintain_order=True),
    ids=lambda rows: f"{rows['set'][0]}-{rows['kind'][0]}",
)
def test_covariances_equal_the_loops_written_in_r(rows):
    parts = golden("readers/ratings").filter(set=rows["set"][0]).partition_by("modality", maintain_order=True)
    readers = [column for column in ("r1", "r2", "r3", "r4") if not parts[0][column].is_null().any()]
    placed = [placements(part["truth"], part[reader]) for part in parts for reader in readers]
    clusters = Clusters.of(parts[0]["truth"], parts[0]["patient"]) if rows["kind"][0] == "clustered" else None

    found = area_covariance(placed, clusters)

    assert found[rows["row"], rows["column"]] == pytest.approx(rows["covariance"].to_numpy(), rel=1e-9, abs=1e-15)
    assert found == pytest.approx(found.T)


@pytest.mark.parametrize("per_patient", [1, 3])
def test_a_contrast_of_two_scores_has_the_variance_of_their_paired_comparison(per_patient):
    rng = np.random.default_rng(4)
    labels, patients = rng.integers(0, 2, 90), np.arange(90) // per_patient
    first, second = (placements(labels, rng.normal(size=90) + labels) for _ in range(2))
    clusters = Clusters.of(labels, patients)

    covariance = area_covariance([first, second], clusters)

    gaps = first.positive - second.positive, first.negative - second.negative
    expected = delong.variance(*gaps) if per_patient == 1 else clustered.variance(*gaps, clusters)
    assert covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1] == pytest.approx(expected)


def test_clusters_of_one_case_give_delongs_covariance():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 60)
    placed = [placements(labels, rng.normal(size=60)) for _ in range(3)]

    found = area_covariance(placed, Clusters.of(labels, rng.permutation(60)))

    assert found == pytest.approx(area_covariance(placed))


def test_one_score_has_a_covariance_of_one_by_one():
    assert area_covariance([placements([1, 1, 0, 0], [4, 2, 3, 1])]).shape == (1, 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("labels", [[1, 0, 0, 0], [1, 1, 1, 0]])
def test_one_case_of_a_class_has_no_covariance(labels):
    assert np.isnan(area_covariance([placements(labels, [4, 2, 3, 1])] * 2)).all()


def test_a_class_from_one_patient_has_no_covariance():
    labels = [1, 1, 0, 0]

    found = area_covariance([placements(labels, [4, 2, 3, 1])] * 2, Clusters.of(labels, ["a", "a", "b", "c"]))

    assert np.isnan(found).all()
