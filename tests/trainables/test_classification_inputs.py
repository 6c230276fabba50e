"""What a network reads: size, margin and channels follow from the arm, the hyperparameters and the architecture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from search_spaces.errors import StudyError
from tests.trainables.classification_jobs import fit_job
from tests.trainables.fakes import FakeRun
from trainables.classification.initialization import card_of, from_scratch, scaled_size
from trainables.classification.model import ModelCard, build
from trainables.sampling import Normalization


@pytest.mark.parametrize(
    ("backbone", "size", "scale", "scaled"),
    [
        ("resnet50", 224, 0.75, 168),
        ("resnet50", 224, 1.25, 280),
        ("inception_v3", 299, 1.0, 299),
        ("inception_v3", 299, 1.25, 376),
        ("resnet50", 16, 0.75, 16),
        ("vit_tiny_patch16_224", 224, 0.75, 160),
    ],
)
def test_a_scaled_input_fits_the_architectures_grid(backbone: str, size: int, scale: float, scaled: int) -> None:
    assert scaled_size(backbone, size, scale) == scaled


@pytest.mark.parametrize(
    ("region", "chosen", "margin"), [("box", {}, 0.2), ("box", {"margin": 0.0}, 0.0), ("image", {}, 0.0)]
)
def test_a_margin_is_the_arms_unless_it_was_tuned(region: str, chosen: dict[str, float], margin: float) -> None:
    assert card_of(fit_job(region=region, hyperparameters=chosen), Normalization()).margin == margin


def test_a_backbones_own_size_is_taken_where_the_arm_names_none() -> None:
    job = fit_job(arm={"image_size": None})

    assert card_of(job, Normalization()).image_size == 160


@pytest.mark.parametrize("normalization", [Normalization(), Normalization((0.1, 0.2, 0.3), (1.0, 1.0, 2.0))])
def test_a_card_with_three_channels_survives_its_file_and_gives_three(
    tmp_path: Path, normalization: Normalization
) -> None:
    card = ModelCard("test_resnet", 32, 1, normalization, "box", 0.2, in_chans=3)

    card.write(tmp_path)

    assert ModelCard.read(tmp_path) == card
    assert card.inputs(torch.rand(2, 1, 8, 8)).shape == (2, 3, 8, 8)


def test_an_architecture_that_cannot_be_built_for_a_size_is_refused_by_its_name() -> None:
    with pytest.raises(StudyError, match=r"image_size: nest_tiny_jx cannot be built for 50 .* own size is 224"):
        build(ModelCard("nest_tiny_jx", 50, 1, Normalization(), "image", 0.0))


def test_the_certificate_names_the_stride_of_live_bottlenecks(tmp_path: Path) -> None:
    card = ModelCard("resnet26", 32, 1, Normalization(), "image", 0.0)

    assert from_scratch(card, fit_job(), FakeRun(tmp_path)).facts()["variant"] == "v1.5"
