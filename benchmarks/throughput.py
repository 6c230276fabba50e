"""Images per second in training: our jobs, and a plain loop over timm's own data loader on the radiographs as files.

For resnet50 at 224 pixels and yolov5s at 640 on a GPU; on a CPU for small stand-ins. Both ways train the same network
in the same precision with AdamW; timm's loader reads PNG or JPEG with one worker per core, crops and flips. The first
epoch of each is not counted. On a GPU its utilization (share of the time in which a kernel ran) stands beside.
Usage: python benchmarks/throughput.py [images] [epochs]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
import timm
import timm.data
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from search_spaces.arms import ClassificationArm, DetectionArm
from tests.trainables.fakes import FakeRun
from trainables import TASKS
from trainables.data import JobData

DEVICE = "cuda:0" if torch.cuda.is_available() else "cpu"
CLASSIFIER, DETECTOR = (
    (("resnet50", 224), ("yolov5s", 640)) if DEVICE != "cpu" else (("resnet10t", 96), ("yolov5n", 128))
)
STORED = 512
LABELS = {"positive": ["malignant"], "negative": ["benign"]}


class ClockedRun(FakeRun):
    """Notes when each epoch was reported, and writes no checkpoints, which a plain loop does not do either."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, device=DEVICE, threads=os.cpu_count() or 1)
        self.times: list[float] = []

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        """Wait for the device, then note the time."""
        if DEVICE != "cpu":
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    def save_checkpoint(self, epoch: int, write: Callable[[Path], None]) -> None:
        """Nothing."""


@dataclass
class Memory:
    """A store whose images lie in memory."""

    images: dict[str, np.ndarray[Any, Any]]

    def read(self, image: str) -> np.ndarray[Any, Any]:
        """One image, uint16."""
        return self.images[image]


@dataclass
class Utilization:
    """Samples the GPU's utilization while something runs; nothing without a GPU."""

    samples: list[float] = field(default_factory=list)

    def __enter__(self) -> Utilization:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while DEVICE != "cpu" and not self._ended.wait(0.1):
            self.samples.append(float(torch.cuda.utilization()))

    def __str__(self) -> str:
        return f", GPU busy {statistics.mean(self.samples):.0f} %" if self.samples else ""


def main() -> None:
    """Print images per second of every way, and the ratio."""
    count, epochs = (int(value) for value in (*sys.argv[1:3], *("96", "4")[len(sys.argv) - 1 :]))
    name = torch.cuda.get_device_name() if DEVICE != "cpu" else f"{os.cpu_count()} CPU cores"
    print(f"{name}; {count} radiographs of {STORED} x {STORED} pixels, {epochs} epochs")
    data = made(count)
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        ours, half = trained(classification_job(epochs), data, Path(folder) / "ours", count)
        for kind in ("png", "jpg"):
            write_files(data, Path(folder) / kind, kind)
            peer = timm_loop(Path(folder) / kind, epochs, count, half=half)
            print(f"  ratio to timm's loader on {kind}: {ours / peer:.2f}")
        trained(detection_job(epochs), data, Path(folder) / "boxes", count)


def made(count: int) -> JobData:
    """Noise with a bright square of changing place on every second film; four films validate."""
    random = np.random.default_rng(0)
    names = [f"i{number:04d}" for number in range(count + 4)]
    images = {name: random.integers(0, 40000, (STORED, STORED)).astype(np.uint16) for name in names}
    boxes = []
    for number, name in enumerate(names):
        x, y = (int(value) for value in random.integers(0, 380, 2))
        if number % 2:
            images[name][y : y + 100, x : x + 100] = 60000
            boxes.append({"image": name, "box": 0, "x0": x, "y0": y, "x1": x + 100, "y1": y + 100, "target": 0})
    table = pl.DataFrame(
        {"image": names, "patient": names, "center": "a", "height": STORED, "width": STORED}
    ).with_columns(
        label=pl.int_range(pl.len()) % 2,
        role=pl.when(pl.int_range(pl.len()) < count).then(pl.lit("train")).otherwise(pl.lit("validation")),
    )
    frame = pl.DataFrame(boxes).with_columns(pl.col("x0", "y0", "x1", "y1").cast(pl.Float64))
    return JobData(table, frame, {"a": Memory(images)})  # type: ignore[dict-item]


def classification_job(epochs: int) -> dict[str, Any]:
    """A fit from scratch on whole images."""
    backbone, size = CLASSIFIER
    grid = {"backbone": [backbone], "pretraining": ["none"], "init": ["scratch"]}
    arm = ClassificationArm(task="classification", labels=LABELS, image_size=size, channels=1, grid=grid)
    return job(arm.model_dump(mode="json"), backbone, epochs)


def detection_job(epochs: int) -> dict[str, Any]:
    """A detector from scratch."""
    backbone, size = DETECTOR
    grid = {"backbone": [backbone], "pretraining": ["none"], "init": ["scratch"]}
    arm = DetectionArm(task="detection", labels=LABELS, image_size=size, grid=grid)
    return job(arm.model_dump(mode="json"), backbone, epochs)


def job(arm: dict[str, Any], backbone: str, epochs: int) -> dict[str, Any]:
    """The plain payload of a replicate."""
    cell = {"id": "x", "backbone": backbone, "pretraining": "none", "init": "scratch"}
    rest = {"fold": 0, "seed": 0, "trial": None, "hyperparameters": {}, "source": None, "corpus": None}
    needs = {"features": [], "pretrain": None, "fit": None}
    kind = {"key": "k", "kind": "fit", "name": backbone, "task": arm["task"], "epochs": epochs, "until": epochs}
    return {**kind, "pruned": False, "arm": arm, "cell": cell, "needs": needs, **rest}


def trained(job: dict[str, Any], data: JobData, folder: Path, count: int) -> tuple[float, bool]:
    """Images per second of a real job, validation included, without its first epoch; whether it used bfloat16."""
    run = ClockedRun(folder)
    with Utilization() as busy:
        TASKS[job["task"]]().fit(job, data, run)
    rate = count / statistics.median(after - before for before, after in pairwise(run.times))
    facts = run.certificate
    half = bool(facts["pace"]["way"]["bfloat16"]) if "pace" in facts else facts["autocast"] == "bfloat16"
    precision = "bfloat16" if half else "float32"
    print(f"{job['name']} at {job['arm']['image_size']}: {rate:.1f} images/s{busy} ({precision})")
    return rate, half


def write_files(data: JobData, folder: Path, kind: str) -> None:
    """The radiographs as 8-bit files in class folders, as an image folder is read."""
    for row in data.images.filter(pl.col("role") == "train").iter_rows(named=True):
        path = folder / str(row["label"]) / f"{row['image']}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), (data.pixels("a", row["image"]) >> 8).astype(np.uint8))


def timm_loop(folder: Path, epochs: int, count: int, *, half: bool) -> float:
    """Images per second of a plain loop over timm's loader."""
    backbone, size = CLASSIFIER
    model = timm.create_model(backbone, num_classes=1, in_chans=3).to(DEVICE, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    times = [time.perf_counter()]
    with Utilization() as busy:
        loader = timm_loader(folder, size)
        for _ in range(epochs):
            for inputs, labels in batches(loader):
                with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=half):
                    logits = model(inputs.to(memory_format=torch.channels_last))
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0].float(), labels.float())
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
            if DEVICE != "cpu":
                torch.cuda.synchronize()
            times.append(time.perf_counter())
    rate = count / statistics.median([after - before for before, after in pairwise(times)][1:])
    print(f"  {backbone} over timm's loader on {folder.name}: {rate:.1f} images/s{busy}")
    return rate


def timm_loader(folder: Path, size: int) -> Any:
    """timm's loader as its training script builds it, with one worker per core."""
    dataset = timm.data.create_dataset("", str(folder), is_training=True)
    return timm.data.create_loader(
        dataset,
        (3, size, size),
        32,
        is_training=True,
        num_workers=os.cpu_count() or 1,
        use_prefetcher=DEVICE != "cpu",
        device=torch.device(DEVICE),
        persistent_workers=True,
    )


def batches(loader: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Normalized inputs and labels on the device, whether the loader prefetches to it or not."""
    for inputs, labels in loader:
        yield inputs.to(DEVICE).float(), labels.to(DEVICE)


if __name__ == "__main__":
    main()
