from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import timm
import torch

from cohorts.laying import in_stored_pixels
from tests.trainables.bundles.making import make_bundle
from tests.trainables.classification_jobs import Store
from trainables.bundles.reading import BOXES
from trainables.classification.model import ModelCard, read_model
from trainables.classification.saliency import (
    NoMapError,
    evidence,
    last_spatial_layer,
    mean_maps,
)
from trainables.data import JobData
from trainables.sampling import Normalization

HEIGHT, WIDTH = 96, 64


class BrightOrDark(torch.nn.Module):
    """A network whose evidence is known: bright cells speak for the positive class, dark ones against it."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.cells = torch.nn.Conv2d(channels, 2, kernel_size=4, stride=4)
        self.act = torch.nn.ReLU(inplace=True)
        self.pool = torch.nn.AdaptiveAvgPool2d(1)
        self.head = torch.nn.Linear(2, 1)
        with torch.no_grad():
            self.cells.weight[0], self.cells.weight[1] = 1 / 16 / channels, -1 / 16 / channels
            self.cells.bias.fill_(-1.0)
            self.head.weight[:] = torch.tensor([[1.0, -1.0]])

    def forward_features(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.act(self.cells(inputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.forward_features(inputs)).flatten(1))


def film(bright: tuple[int, int, int, int], dark: tuple[int, int, int, int]) -> np.ndarray:
    pixels = np.full((HEIGHT, WIDTH), 30000, np.uint16)
    for (x0, y0, x1, y1), value in ((bright, 65535), (dark, 0)):
        pixels[y0:y1, x0:x1] = value
    return pixels


def data(pixels: np.ndarray, box: tuple[int, int, int, int] | None = None) -> JobData:
    images = pl.DataFrame({"image": ["film"], "center": ["a"], "height": [HEIGHT], "width": [WIDTH]})
    boxes = None if box is None else pl.DataFrame([("film", 0, *box)], schema=BOXES, orient="row")
    return JobData(images, boxes, {"a": Store({"film": pixels})})  # type: ignore[dict-item]


def card(region: str, margin: float = 0.0, channels: int = 1) -> ModelCard:
    return ModelCard("none", 32, 1, Normalization(), region, margin, channels)  # type: ignore[arg-type]


def peak(laid: np.ndarray) -> tuple[int, int]:
    """x, y of the strongest evidence."""
    y, x = np.unravel_index(laid.argmax(), laid.shape)
    return int(x), int(y)


def inside(point: tuple[int, int], box: tuple[int, int, int, int]) -> bool:
    return box[0] <= point[0] < box[2] and box[1] <= point[1] < box[3]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("corner", [(8, 12, 20, 24), (44, 12, 56, 24), (8, 72, 20, 84), (44, 72, 56, 84)])
def test_the_map_of_a_film_that_is_not_square_peaks_on_the_bright_patch(corner, channels):
    opposite = (WIDTH - corner[2], HEIGHT - corner[3], WIDTH - corner[0], HEIGHT - corner[1])

    found = evidence(BrightOrDark(channels), card("image", channels=channels), data(film(corner, opposite)), "cpu")
    laid = found.on("film", HEIGHT, WIDTH)

    assert laid.shape == (HEIGHT, WIDTH)
    assert inside(peak(laid), corner)
    assert found.maps.min() == laid.min() == 0
    assert not laid[opposite[1] : opposite[3], opposite[0] : opposite[2]].any(), "evidence against is not shown"


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_the_map_of_a_crop_is_laid_where_the_crop_was_and_nowhere_else(margin):
    box, patch = (8, 40, 40, 64), (10, 54, 18, 62)
    pixels = film(patch, (26, 42, 34, 50))

    found = evidence(BrightOrDark(), card("box", margin), data(pixels, box), "cpu")
    laid = found.on("film", HEIGHT, WIDTH)

    half = 16 * (1 + 2 * margin)  # of the square of the longer side, 32
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    outside = (np.abs(x - 24) > half) | (np.abs(y - 52) > half)
    assert inside(peak(laid), patch)
    assert outside.any()
    assert not laid[outside].any()


def test_the_highest_evidence_counts_where_regions_overlap():
    pixels = film((10, 54, 18, 62), (0, 0, 4, 4))
    both = data(pixels, (8, 40, 40, 64))
    assert both.boxes is not None
    twice = pl.concat([both.boxes, both.boxes.with_columns(box=pl.lit(1, pl.Int64), y0=pl.lit(8.0), y1=pl.lit(80.0))])

    found = evidence(BrightOrDark(), card("box"), JobData(both.images, twice, both.stores), "cpu")

    assert len(found.maps) == 2
    single = [in_stored_pixels(found.maps[n], np.array(found.regions.select("x0", "y0", "x1", "y1").row(n)), 96, 64)
              for n in range(2)]  # fmt: skip
    np.testing.assert_array_equal(found.on("film", HEIGHT, WIDTH), np.maximum(*single))


def test_the_map_of_a_cell_is_the_mean_over_its_replicates(tmp_path):
    folders = [each.folder for each in make_bundle(tmp_path, region="image").replicates]
    films = data(film((10, 54, 18, 62), (40, 8, 60, 20)))

    laid = mean_maps(folders, films, "cpu")["film"]

    each = [evidence(*read_model(folder, "cpu"), films, "cpu").on("film", HEIGHT, WIDTH) for folder in folders]
    assert all(one.max() > 0 for one in each)
    np.testing.assert_allclose(laid, (each[0] + each[1]) / 2, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet", "test_convnext", "test_nfnet"])
def test_the_last_layer_with_places_is_found_in_any_convolutional_network(backbone):
    model = timm.create_model(backbone, num_classes=1, in_chans=1).eval()
    shapes = []

    layer = last_spatial_layer(model, torch.zeros(1, 1, 160, 160))
    layer.register_forward_hook(lambda *given: shapes.append(given[2].shape))
    features = model.forward_features(torch.zeros(1, 1, 160, 160))

    assert shapes == [features.shape]
    assert tuple(features.shape[-2:]) == (5, 5)


def test_where_the_last_stage_is_too_coarse_the_last_fine_one_is_taken():
    model = timm.create_model("test_resnet", num_classes=1, in_chans=1).eval()

    # At 64 pixels the last stage has 2 x 2 places, whose middles all lie in the middle of an image.
    assert model.forward_features(torch.zeros(1, 1, 64, 64)).shape[-1] == 2
    assert last_spatial_layer(model, torch.zeros(1, 1, 64, 64)) is model.layer3


def test_where_the_last_layer_has_one_place_the_one_before_is_taken():
    model = timm.create_model("test_resnet", num_classes=1, in_chans=1).eval()

    # At 32 pixels the last stage has a single place, which would say nothing about where.
    assert model.forward_features(torch.zeros(1, 1, 32, 32)).shape[-1] == 1
    assert last_spatial_layer(model, torch.zeros(1, 1, 32, 32)) is not model.layer4


@pytest.mark.parametrize("backbone", ["test_vit", "test_mambaout"])
def test_networks_without_maps_per_channel_get_a_reason_instead_of_a_map(backbone):
    model = timm.create_model(backbone, num_classes=1, in_chans=1).eval()

    with pytest.raises(NoMapError, match="there is no Grad-CAM"):
        last_spatial_layer(model, torch.zeros(1, 1, 160, 160))
