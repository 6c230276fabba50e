"""The arms of a study: one task family each, with its labels, grid, tuning budget and replicates."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from search_spaces.parts import Inits, Name, Names, Part, all_different


def _gpu_share(share: float) -> float:
    if share not in {1.0, 0.5, 0.25}:
        raise ValueError(f"a job takes 1, 0.5 or 0.25 of a GPU, not {share:g}")
    return share


class Labels(Part):
    """Which labels of labels.csv count as positive and negative; all others are left out and counted."""

    positive: Names
    negative: Names

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        both = set(self.positive) & set(self.negative)
        if both:
            raise ValueError(f"label {min(both)!r} is both positive and negative")
        return self


class Grid(Part):
    """The axes whose product is an arm's cells."""

    backbone: Names
    pretraining: Names
    init: Inits


class Tune(Part):
    """Hyperparameter search: the same budget for every cell of the arm."""

    trials: Annotated[int, Field(ge=0, le=1000)] = 16
    epochs: PositiveInt = 20
    parallel: PositiveInt = 4
    """Trials asked at a time; part of the recipe, because the sampler learns between batches."""


class Seeds(Part):
    """The replicates of a cell: folds x seeds."""

    seeds: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(all_different)] = (0,)


class Fit(Seeds):
    """The replicates of a network: folds x seeds, each trained for so many epochs."""

    epochs: PositiveInt = 50


class Resources(Part):
    """What one training job of the arm occupies on a GPU node; without a GPU every job takes one CPU."""

    gpu: Annotated[float, AfterValidator(_gpu_share)] = 1.0
    """A whole GPU, a half or a quarter: few shapes, so that warm workers are shared."""
    cpus: PositiveInt = 4


class ClassificationArm(Part):
    """One network per replicate that reads a region or the whole radiograph."""

    task: Literal["classification"]
    name: Name = "classification"
    labels: Labels
    region: Literal["box", "image"] = "image"
    margin: Annotated[float, Field(ge=0, le=2)] = 0.2
    """Share of the box added on every side; unused for whole images."""
    image_size: Annotated[int, Field(ge=16, le=2048)] | None = None
    """Network input in pixels; the backbone's own size if left out."""
    grid: Grid
    tune: Tune = Tune()
    fit: Fit = Fit()
    resources: Resources = Resources()


class DetectionArm(Part):
    """A detector that boxes lesions of the positive labels; the image score is the highest confidence."""

    task: Literal["detection"]
    name: Name = "detection"
    labels: Labels
    negatives: Literal["class", "background"] = "background"
    """Boxes of the negative labels: a second class, or not annotated at all."""
    image_size: Annotated[int, Field(ge=32, le=2048, multiple_of=32)] = 640
    grid: Grid
    tune: Tune = Tune()
    fit: Fit = Fit()
    resources: Resources = Resources()


class RadiomicsArm(Part):
    """mirp features of the box and an ElasticNet logistic regression: the baseline."""

    task: Literal["radiomics"]
    name: Name = "radiomics"
    labels: Labels
    margin: Annotated[float, Field(ge=0, le=2)] = 0.0
    fit: Seeds = Seeds()
    resources: Resources = Resources(cpus=1)


Arm = Annotated[ClassificationArm | DetectionArm | RadiomicsArm, Field(discriminator="task")]
