"""Batches: every region once, with its own square and its own label."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cohorts.regions import region_table
from tests.trainables.classification_jobs import data
from trainables.classification.augmentation import Augmentation
from trainables.classification.examples import Batches, Examples
from trainables.classification.model import ModelCard
from trainables.sampling import Normalization


def examples(count: int) -> Examples:
    given = data(count)
    card = ModelCard("test_resnet", 16, 1, Normalization(), "box", 0.2)
    return Examples.load(card, region_table(given.images, given.boxes, region="box", margin=0.2), given, "cpu")


def test_shuffled_regions_keep_their_squares_and_labels() -> None:
    few = examples(40)
    assert few.labels is not None
    unchanged = torch.cat(list(few.in_order()))

    shuffled = list(few.shuffled(Augmentation.of_strength(0.0), np.random.default_rng(3), Batches()))

    inputs, labels = (torch.cat(parts) for parts in zip(*shuffled, strict=True))
    order = torch.from_numpy(np.random.default_rng(3).permutation(40))
    torch.testing.assert_close(inputs, unchanged[order])
    assert torch.equal(labels, few.labels[order])


def test_augmented_views_differ_from_epoch_to_epoch() -> None:
    few = examples(4)

    first, second = (
        next(few.shuffled(Augmentation.of_strength(1.0), np.random.default_rng(seed), Batches()))[0] for seed in (1, 2)
    )

    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("size", "count", "sizes"),
    [
        (32, 2, [2]),
        (32, 32, [32]),
        (32, 33, [17, 16]),
        (32, 65, [22, 22, 21]),
        (2, 5, [3, 2]),
        (2, 3, [3]),
        (2, 1, [1]),
    ],
)
def test_no_batch_is_left_with_a_single_region(size: int, count: int, sizes: list[int]) -> None:
    assert [len(part) for part in torch.arange(count).tensor_split(Batches(size).per_epoch(count))] == sizes
