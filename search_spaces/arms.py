"""The arms of a study: one task family each, with its labels, grid, tuning budget and replicates."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from search_spaces.hyperparameters import SPACES, as_meant, check, check_names
from search_spaces.initialization import PROBE_THEN_TRANSFER, probe_epochs
from search_spaces.ladder import Robustness, Saliency
from search_spaces.parts import Fraction, Inits, Name, Names, Part, all_different


def _saliency(value: Any) -> Any:
    """`saliency: true` is saliency as it is by default, `false` none."""
    return {} if value is True else None if value is False else value


MaybeSaliency = Annotated[Saliency | None, BeforeValidator(_saliency)]


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
    rungs: tuple[PositiveInt, ...] = ()
    """Epochs after which a batch of trials is thinned (successive halving); empty: every trial runs to its end."""
    keep: Fraction = 0.5
    """Share of a batch that goes on after a rung, at least one trial."""
    search: Names | None = None
    """Hyperparameters to tune; those of hyperparameters.SEARCHED if left out."""
    fixed: Annotated[dict[str, float | str], AfterValidator(as_meant)] = Field(default_factory=dict)
    """Values of hyperparameters that are not tuned; the others keep their defaults."""

    @model_validator(mode="after")
    def _rungs_rise(self) -> Self:
        if list(self.rungs) != sorted(set(self.rungs)) or any(rung >= self.epochs for rung in self.rungs):
            raise ValueError(
                f"rungs {list(self.rungs)} must rise and lie below epochs, {self.epochs}: a trial is judged on the way"
            )
        both = sorted(set(self.search or ()) & set(self.fixed))
        if both:
            raise ValueError(f"{both[0]!r} is both in `search` and in `fixed`; keep it in one of the two")
        return self


class Seeds(Part):
    """The replicates of a cell: folds x seeds."""

    seeds: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(all_different)] = (0,)


class Fit(Seeds):
    """The replicates of a network: folds x seeds, each trained for so many epochs."""

    epochs: PositiveInt = 50
    patience: PositiveInt | None = None
    """Stop after so many epochs without a better validation value; the best epoch is kept either way."""


class Resources(Part):
    """What one training job of the arm occupies on a GPU node; without a GPU every job takes one CPU."""

    gpu: Annotated[float, AfterValidator(_gpu_share)] = 1.0
    """A whole GPU, a half or a quarter: few shapes, so that warm workers are shared."""
    cpus: PositiveInt = 4
    memory_gb: PositiveFloat | None = None
    """A job that holds more main memory is ended and recorded; no limit if left out."""
    hours: PositiveFloat | None = None
    """A job that runs longer is ended and recorded, and goes on from its checkpoint when it is tried again."""


class _Tuned(Part):
    """What arms of networks share: a grid, a tuning budget and replicates."""

    task: Any
    grid: Grid
    tune: Tune = Tune()
    fit: Fit = Fit()

    @model_validator(mode="after")
    def _hyperparameters_exist(self) -> Self:
        if PROBE_THEN_TRANSFER in self.grid.init:
            for epochs in (self.fit.epochs, *((self.tune.epochs,) if self.tune.trials else ())):
                probe_epochs(epochs)
        check_names(self.task, self.tune.search or ())
        check(self.task, self.tune.fixed)
        return self


class ClassificationArm(_Tuned):
    """One network per replicate that reads a region or the whole radiograph."""

    task: Literal["classification"]
    name: Name = "classification"
    labels: Labels
    region: Literal["box", "image"] = "image"
    margin: Annotated[float, Field(ge=0, le=2)] = 0.2
    """Share of the box added on every side; unused for whole images."""
    image_size: Annotated[int, Field(ge=16, le=2048)] | None = None
    """Network input in pixels; the backbone's own size if left out."""
    channels: Literal[1, 3] = 1
    """1: the first layer's color channels are summed; 3: the gray image is repeated."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    """Regions per optimizer step."""
    accumulate: Annotated[int, Field(ge=1, le=64)] = 1
    """Parts in which the gradient of a batch is gathered, where a whole batch does not fit the device."""
    robustness: Robustness | None = None
    """Box perturbations after training; none if left out."""
    saliency: MaybeSaliency = None
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _perturbed_regions_are_boxes(self) -> Self:
        if self.robustness is not None and self.region == "image":
            raise ValueError("robustness perturbs boxes, and whole images have none; take it out or use `region: box`")
        return self

    @model_validator(mode="after")
    def _tuned_margin_has_a_box(self) -> Self:
        searched, entry = "margin" in (self.tune.search or ()), SPACES["classification"]["margin"]
        if (searched or "margin" in self.tune.fixed) and self.region == "image":
            raise ValueError("tune names the margin, and whole images have none; take it out or use `region: box`")
        if searched and self.margin not in entry:
            raise ValueError(f"margin is {self.margin:g}; where it is tuned it must be {entry}, as its range is")
        return self


class DetectionArm(_Tuned):
    """A detector that boxes lesions of the positive labels; the image score is the highest confidence."""

    task: Literal["detection"]
    name: Name = "detection"
    labels: Labels
    negatives: Literal["class", "background"] = "background"
    """Boxes of the negative labels: a second class, or not annotated at all."""
    image_size: Annotated[int, Field(ge=32, le=2048, multiple_of=32)] = 640
    score: Literal["max", "noisy_or"] = "max"
    """Of an image, from the confidences of its boxes of the target class: the highest, or 1 - product(1 - p)."""
    batch_size: Annotated[int, Field(ge=2, le=512)] = 16
    """Images per optimizer step; fewer on tiny data, so that an epoch has some steps."""
    saliency: MaybeSaliency = None
    resources: Resources = Resources()


class RadiomicsArm(Part):
    """mirp features of the box and an ElasticNet logistic regression: the baseline."""

    task: Literal["radiomics"]
    name: Name = "radiomics"
    labels: Labels
    margin: Annotated[float, Field(ge=0, le=2)] = 0.0
    parts: Annotated[int, Field(ge=1, le=1000)] = 4
    """Jobs among which a center's regions are measured, so that they spread over the cluster."""
    fit: Seeds = Seeds()
    robustness: Robustness | None = None
    """Box perturbations after training, each measured anew; none if left out."""
    resources: Resources = Resources(cpus=1)


Arm = Annotated[ClassificationArm | DetectionArm | RadiomicsArm, Field(discriminator="task")]
