"""A study of 60 cells on five centers as its jobs would publish it: networks, detectors, perturbed boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl
from scipy.special import expit

from evaluation.comparison.comparing import CELLS, Further
from evaluation.comparison.localization import LESIONS
from evaluation.tables import DETECTIONS, PREDICTIONS
from search_spaces.ladder import Robustness, Variant
from search_spaces.study import Analysis, Primary

CLASSIFICATION, DETECTION = "classification", "detection"
NETWORKS = ("resnet50", "inception_v3", "densenet121", "convnext_tiny")
DETECTORS = ("yolov5s", "yolov8s")
SOURCES = ("imagenet", "radimagenet", "chest", "hand", "knee", "spine")
DEVELOPMENT, EXTERNAL = "center_a", ("center_b", "center_c", "center_d", "center_e")
LADDER = Robustness(shift=(0.05, 0.1, 0.2), scale=(0.8, 1.2), aspect=(0.8, 1.25), draws=3, images=200)
PREVALENCE, SKILL, PAYOFF, RESERVE = 0.4, 1.2, 0.3, 0.2
SIDE = 1024.0
"""Pixels of a radiograph's side."""


@dataclass(frozen=True, eq=False)
class Large:
    """What `compare` takes, and the cells with what the report says of them."""

    predictions: pl.DataFrame
    labels: pl.DataFrame
    cells: pl.DataFrame
    plan: Analysis
    further: Further


def large(images: int = 2000, folds: int = 3, *, cells: int = 60, seed: int = 0) -> Large:
    """`images` per center; the development center splits them into a reserve and folds, each predicted by its fold.

    Every network predicts the original, and a subset of the images 13 times with other boxes; detectors draw boxes.
    """
    random = np.random.default_rng(seed)
    known = _cells(folds, cells)
    places = list(_places(random, images, folds))
    truth = pl.concat(places)
    rows = known.select("cell", "arm", "pretraining")
    replicates = rows.join(pl.DataFrame({"fold": range(folds), "seed": [0] * folds}), how="cross")
    originals = pl.concat([_scores(random, replicates, place) for place in places])
    networks = replicates.filter(pl.col("arm") == CLASSIFICATION)
    perturbed = [_perturbed(random, originals, networks, place) for place in places]
    lesions = _lesions(random, truth)
    return Large(
        predictions=pl.concat([originals, *perturbed]).select(list(PREDICTIONS)),
        labels=pl.concat([truth.select(pl.lit(arm).alias("arm"), "center", "image", "label") for arm in _arms(known)]),
        cells=known,
        plan=Analysis(primary=Primary(comparisons=(("radimagenet", "imagenet"), ("chest", "imagenet")))),
        further=Further(
            attributes=_attributes(random, truth),
            detections=_detections(random, originals, known, lesions),
            lesions=lesions,
            variants=pl.DataFrame([variant.to_dict() for variant in LADDER.variants()]).rename({"id": "variant"}),
        ),
    )


def _cells(folds: int, count: int) -> pl.DataFrame:
    starts = [("none", "scratch"), *product(SOURCES, ("transfer", "frozen"))]
    networks = [(CLASSIFICATION, *cell) for cell in product(NETWORKS, starts)]
    detectors = [
        (DETECTION, *cell) for cell in product(DETECTORS, [starts[0], *((s, "transfer") for s in SOURCES[:3])])
    ]
    most = max(0, count - len(detectors))
    rows = [
        (f"{arm}/{backbone}-{source}-{init}", arm, arm, backbone, source, init, folds, False, _box(arm))
        for arm, backbone, (source, init) in [*networks[:most], *detectors]
    ]
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def _box(arm: str) -> str:
    return "given" if arm == CLASSIFICATION else "not given"


def _arms(cells: pl.DataFrame) -> list[str]:
    return cells["arm"].unique(maintain_order=True).to_list()


def _places(random: np.random.Generator, images: int, folds: int) -> Iterator[pl.DataFrame]:
    """Per role and center: center, image, patient, label, fold (that of validation images), role.

    One patient in nine has two images, of one label.
    """
    for center in (DEVELOPMENT, *EXTERNAL):
        count = round(images * 0.9)
        patients = np.sort(np.concatenate((np.arange(count), random.choice(count, images - count, replace=False))))
        labels = (random.random(count) < PREVALENCE)[patients]
        frame = pl.DataFrame(
            {
                "center": center,
                "image": [f"{center}-{number:05}" for number in range(images)],
                "patient": [f"{center}-p{patient:05}" for patient in patients],
                "label": labels.astype(np.int64),
                "fold": patients % folds,
            }
        )
        if center != DEVELOPMENT:
            yield frame.with_columns(role=pl.lit("external"))
            continue
        kept = pl.Series(patients % round(1 / RESERVE) == 0)
        yield frame.filter(kept).with_columns(role=pl.lit("reserve"))
        yield frame.filter(~kept).with_columns(role=pl.lit("validation"))


def _scores(random: np.random.Generator, replicates: pl.DataFrame, place: pl.DataFrame) -> pl.DataFrame:
    """Logits share a part per image, one per cell and image, and have one of their own per replicate."""
    of_image = 0.8 * random.normal(size=place.height)
    parts = []
    for (_, _, source), part in replicates.group_by("cell", "arm", "pretraining", maintain_order=True):
        skill = SKILL + PAYOFF * (source == SOURCES[1]) + 0.1 * random.normal()
        of_cell = of_image + 0.5 * random.normal(size=place.height) + skill * place["label"].to_numpy()
        for fold in part["fold"]:
            own = of_cell + 0.5 * random.normal(size=place.height) + 0.1 * random.normal() - SKILL / 2
            row = place.with_columns(cell=pl.lit(part["cell"][0]), trained=pl.lit(fold), logit=pl.Series(own))
            parts.append(row.filter((pl.col("role") != "validation") | (pl.col("fold") == fold)))
    return _published(pl.concat(parts).drop("fold").rename({"trained": "fold"}), "original", "")


def _published(rows: pl.DataFrame, variant: str, purpose: str) -> pl.DataFrame:
    fit = pl.format("fit {} {}", "cell", "fold")
    return rows.select(
        pl.format("{} {} {}", fit, "center", pl.lit(purpose)).alias("key"),
        fit.alias("fit_key"),
        "cell",
        pl.col("fold").cast(pl.Int64),
        pl.lit(0, pl.Int64).alias("seed"),
        "center",
        "patient",
        "image",
        pl.lit(-1, pl.Int64).alias("region"),
        "role",
        pl.lit(variant).alias("variant"),
        (1 / (1 + (-pl.col("logit")).exp())).alias("score"),
        "logit",
    )


def _perturbed(
    random: np.random.Generator, originals: pl.DataFrame, networks: pl.DataFrame, place: pl.DataFrame
) -> pl.DataFrame:
    """The ladder on the first images of a place, but for validation, which is not perturbed."""
    if place["role"][0] == "validation":
        return originals.clear()
    some = place.head(LADDER.images or place.height).select("image")
    rows = originals.join(networks.select("cell", "fold"), on=["cell", "fold"]).join(some, on="image")
    moved = (
        rows.with_columns(logit=pl.col("logit") + pl.Series(_strength(variant) * random.normal(size=rows.height)))
        for variant in LADDER.variants()
    )
    named = zip(moved, LADDER.variants(), strict=True)
    return pl.concat([_published(frame, variant.id, "perturbed") for frame, variant in named])


def _strength(variant: Variant) -> float:
    """How far logits move: further with boxes that are moved further."""
    return 0.1 + (variant.magnitude if variant.kind == "shift" else abs(1 - variant.magnitude))


def _lesions(random: np.random.Generator, truth: pl.DataFrame) -> pl.DataFrame:
    """One box per positive image."""
    positive = truth.filter(pl.col("label") == 1).select(pl.lit(DETECTION).alias("arm"), "center", "image")
    corner, size = (
        random.uniform(0, SIDE / 2, (2, positive.height)),
        random.uniform(100, SIDE / 3, (2, positive.height)),
    )
    boxes = dict(zip(("x0", "y0", "x1", "y1"), (*corner, *(corner + size)), strict=True))
    return positive.with_columns(**{name: pl.Series(values) for name, values in boxes.items()}).select(list(LESIONS))


def _detections(
    random: np.random.Generator, originals: pl.DataFrame, cells: pl.DataFrame, lesions: pl.DataFrame
) -> pl.DataFrame:
    """Where the score says so the lesion with some error, and on every fourth image a box somewhere."""
    detectors = cells.filter(pl.col("arm") == DETECTION)["cell"]
    drawn = originals.filter(pl.col("cell").is_in(detectors.implode()))
    found = drawn.join(lesions.drop("arm"), on=["center", "image"]).filter(pl.col("score") > 0.2)
    error = random.normal(0, 20, (4, found.height))
    names = ("x0", "y0", "x1", "y1")
    found = found.with_columns(pl.col(name) + pl.Series(off) for name, off in zip(names, error, strict=True))
    wrong = drawn.filter(pl.Series(random.random(drawn.height) < 0.25))
    corner = random.uniform(0, SIDE * 0.75, (2, wrong.height))
    boxes = dict(zip(names, (*corner, *(corner + 100)), strict=True))
    score = pl.Series(expit(random.normal(-1.5, 1, wrong.height)))
    wrong = wrong.with_columns(score=score, **{name: pl.Series(values) for name, values in boxes.items()})
    table = pl.concat([frame.select(*(c for c in DETECTIONS if c != "class")) for frame in (found, wrong)])
    return table.with_columns(pl.lit(0, pl.Int64).alias("class")).select(list(DETECTIONS))


def _attributes(random: np.random.Generator, truth: pl.DataFrame) -> pl.DataFrame:
    count = truth.height
    return truth.select("center", "image").with_columns(
        age=pl.Series(random.uniform(5, 85, count)),
        sex=pl.Series(random.choice(["F", "M"], count)),
        view=pl.Series(random.choice(["AP", "lateral"], count)),
        lesion_size=pl.when(truth["label"] == 1).then(pl.Series(random.uniform(10, 120, count))).otherwise(None),
    )
