"""Small pictures of radiographs for the page: plain, or with a heat map, and with the boxes of the radiologists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from cohorts.laying import Map

LONGEST_SIDE = 320
"""Pixels; smaller radiographs are enlarged, so that lines stay thin beside them."""
MOST_BYTES = 15_000
MEDIA_TYPE = "image/webp"
OPACITY = 0.75
"""Of the heat where it is highest; it fades out with the heat."""

_QUALITIES = (80, 65, 50, 35, 20)
_BOX, _AROUND = (255, 255, 255), (0, 0, 0)

Boxes = npt.NDArray[np.float64]
Drawn = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Film:
    """A radiograph in 8 bits, LONGEST_SIDE pixels long; `ratio` of its pixels lie on the side of a stored one."""

    gray: Drawn
    ratio: float

    @classmethod
    def of(cls, stored: npt.NDArray[Any]) -> Self:
        """Of stored pixels (height, width), uint16."""
        ratio = LONGEST_SIDE / max(stored.shape)
        height, width = (max(1, round(side * ratio)) for side in stored.shape)
        how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        resized = cv2.resize((stored // 257).astype(np.uint8), (width, height), interpolation=how)
        return cls(np.asarray(resized, np.uint8), ratio)

    def drawn(self, boxes: Boxes, heat: Map | None = None) -> Drawn:
        """The picture (height, width, 3) with outlines of boxes (n, 4) in stored pixels, and a map of its own size.

        Colors are viridis, whose order is also seen in gray and without color vision; a map is scaled by its highest
        value, as maps of two networks have no scale in common.
        """
        made = np.ascontiguousarray(np.stack([self.gray] * 3, axis=-1))
        if heat is not None and heat.max() > 0:
            made = _heated(made, heat / heat.max())
        for box in boxes * self.ratio:
            _outline(made, box)
        return made


def encoded(drawn: Drawn) -> bytes:
    """As WebP, of the best quality that stays below MOST_BYTES, or else the smallest."""
    content = b""
    for quality in _QUALITIES:
        content = cv2.imencode(".webp", drawn, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(content) <= MOST_BYTES:
            break
    return content


def _heated(drawn: Drawn, share: Map) -> Drawn:
    colors = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    opacity = OPACITY * share[..., np.newaxis]
    return np.asarray((drawn * (1 - opacity) + colors * opacity).round(), np.uint8)


def _outline(drawn: Drawn, box: Boxes) -> None:
    """White in a dark rim, so that it is seen on bone, on the background and on any heat; both around the box."""
    for color, away in ((_BOX, 1), (_AROUND, 2)):
        first, last = (round(box[0]) - away, round(box[1]) - away), (round(box[2]) - 1 + away, round(box[3]) - 1 + away)
        cv2.rectangle(drawn, first, last, color, 1)
