"""Which cells a plan's primary comparisons mean."""

from __future__ import annotations

import polars as pl
import pytest

from evaluation.comparison.primary import primary_pairs
from search_spaces.errors import StudyError
from search_spaces.study import Analysis, Primary
from tests.evaluation.study_example import CHEST, IMAGENET, SCRATCH, cells


def pairs(*comparisons, known=None):
    return primary_pairs(Analysis(primary=Primary(comparisons=comparisons)), cells() if known is None else known)


def test_sources_mean_every_arm_backbone_and_init_that_both_have():
    ids = [f"{arm}/{backbone}-{source}-{init}" for arm, backbone, source, init in (
        ("x", "r", "imagenet", "transfer"), ("x", "r", "imagenet", "frozen"), ("x", "r", "chest", "frozen"),
        ("x", "r", "chest", "transfer"), ("x", "s", "chest", "transfer"), ("y", "r", "imagenet", "transfer"),
        ("y", "r", "chest", "transfer"),
    )]  # fmt: skip
    rows = [(cell, *cell.replace("/", "-").split("-"), False) for cell in ids]
    known = pl.DataFrame(rows, schema=["cell", "arm", "backbone", "pretraining", "init", "exploratory"], orient="row")

    assert pairs(("chest", "imagenet"), known=known) == [
        ("x/r-chest-frozen", "x/r-imagenet-frozen"),
        ("x/r-chest-transfer", "x/r-imagenet-transfer"),
        ("y/r-chest-transfer", "y/r-imagenet-transfer"),
    ]


def test_cells_are_taken_by_their_ids():
    assert pairs((SCRATCH, CHEST)) == [(SCRATCH, CHEST)]


def test_a_pair_named_twice_counts_once():
    assert pairs(("chest", "imagenet"), (CHEST, IMAGENET)) == [(CHEST, IMAGENET)]


@pytest.mark.parametrize(
    ("comparison", "problem"),
    [
        (
            ("radimagenet", "imagenet"),
            r"'radimagenet' is no pretraining source .* chest, imagenet, none\. Did you mean",
        ),
        (("classification/resnet18-ches-transfer", CHEST), r"is no cell of this study.*Did you mean"),
        (("chest", "none"), r"no backbone has both 'chest' and 'none' with the same init"),
        ((IMAGENET, "chest"), r"mixes a cell and a pretraining source"),
        (("chest", "chest"), r"'chest' is compared with itself"),
    ],
)
def test_a_comparison_that_names_nothing_is_refused(comparison, problem):
    with pytest.raises(StudyError, match=problem):
        pairs(comparison)
