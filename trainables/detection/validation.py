"""What a detector finds on films: boxes after suppression, and one score per image."""

from __future__ import annotations

from typing import Any

import torch
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils import nms

from evaluation.discrimination.delong import placements
from trainables.detection.scores import Score, image_score

FLOOR = 0.001
"""Confidences below it are no detection; an image without any scores 0."""
OVERLAP = 0.7
"""Of two boxes of one class that overlap more (IoU), the less confident is dropped."""
MOST = 100
"""Boxes kept per image, the most confident."""


def suppress(output: Any) -> list[torch.Tensor]:
    """Rows of x0, y0, x1, y1, confidence, class per image, most confident first, in pixels of the input."""
    # A time limit would silently drop the boxes of the last images on a busy machine.
    found: list[torch.Tensor] = nms.non_max_suppression(
        output, FLOOR, OVERLAP, multi_label=True, max_det=MOST, max_time_img=float("inf")
    )
    return found


class FilmValidator(DetectionValidator):
    """Ultralytics' validation, keeping the image scores on the way."""

    def __init__(self, score: Score, *args: Any, **options: Any) -> None:
        self.score = score
        super().__init__(*args, **options)

    def init_metrics(self, model: torch.nn.Module) -> None:
        """Forget the scores of the epoch before."""
        super().init_metrics(model)
        self.scores: dict[str, float] = {}

    def postprocess(self, preds: Any) -> list[dict[str, torch.Tensor]]:
        """The same suppression as in prediction."""
        return [{"bboxes": x[:, :4], "conf": x[:, 4], "cls": x[:, 5], "extra": x[:, 6:]} for x in suppress(preds)]

    def update_metrics(self, preds: list[dict[str, torch.Tensor]], batch: dict[str, Any]) -> None:
        """Also note each image's score."""
        for image, found in zip(batch["im_file"], preds, strict=True):
            self.scores[image] = image_score(found["conf"], found["cls"], self.score)
        super().update_metrics(preds, batch)

    def image_auc(self) -> float | None:
        """AUC of the image scores of the validation just made; None unless both classes are there."""
        films = self.dataloader.dataset.films
        labels = [film.label for film in films]
        if len(set(labels)) < 2:
            return None
        return placements(labels, [self.scores[film.image] for film in films]).auc
