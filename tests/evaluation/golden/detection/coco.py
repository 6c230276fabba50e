"""Average precision of detections.csv by pycocotools; run in this folder after golden.R, with pycocotools installed."""

from __future__ import annotations

from typing import Any

import polars as pl
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

_BOX = ["x0", "y0", "x1", "y1"]


def annotations(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows by image and coordinates, which is how equal scores are ordered."""
    rows = table.sort("image", *_BOX).iter_rows(named=True)
    return [annotation(number, row) for number, row in enumerate(rows, start=1)]


def annotation(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """One box as COCO writes it."""
    width, height = row["x1"] - row["x0"], row["y1"] - row["y0"]
    return {
        "id": number, "image_id": row["image"], "category_id": 1, "bbox": [row["x0"], row["y0"], width, height],
        "area": width * height, "iscrowd": 0, "score": row.get("score", 1.0),
    }  # fmt: skip


def coco(table: pl.DataFrame) -> COCO:
    """Boxes of images 1 … 30."""
    data = COCO()
    data.dataset = {
        "images": [{"id": image} for image in range(1, 31)],
        "categories": [{"id": 1}],
        "annotations": annotations(table),
    }
    data.createIndex()
    return data


def precision(name: str) -> dict[str, Any]:
    """The first three of COCO's twelve numbers, of one set."""
    detections, targets = (pl.read_csv(f"{part}.csv").filter(set=name) for part in ("detections", "targets"))
    evaluation = COCOeval(coco(targets), coco(detections), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return {"set": name} | dict(zip(("map50_95", "map50", "map75"), evaluation.stats[:3].tolist(), strict=True))


if __name__ == "__main__":
    pl.DataFrame([precision(name) for name in ("distinct", "tied")]).write_csv("coco.csv")
