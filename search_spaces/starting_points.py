"""What a study says of starting points: corpora that it trains on itself, and weights files of its own."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from search_spaces.parts import CommercialUse, Name, Part, all_different


class PhantomCorpus(Part):
    """Synthetic pretraining images: chest radiographs with boxes, or natural-looking pictures."""

    kind: Literal["chest", "natural"]
    images: PositiveInt = 400
    height: Annotated[int, Field(ge=32, le=4096)] = 96
    seed: int = 0


class Pretrain(Part):
    """How a backbone is trained on a corpus."""

    epochs: PositiveInt = 10
    detection_epochs: PositiveInt | None = None
    """Epochs of a detector's pretraining; as `epochs` if left out."""
    image_size: Annotated[int, Field(ge=16, le=2048)] = 96
    seeds: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(all_different)] = (0,)
    """One pretraining each; the replicates' seeds take them in turn, tuning trials take the first."""


class Corpus(Part):
    """Images on which `pretrain` jobs of this study train backbones."""

    data: str
    """A center-like folder (labels.csv, boxes.csv) or a folder of class folders."""
    layout: Literal["labels", "class_folders"] = "labels"
    limit: PositiveInt | None = None
    """At most so many images, the same number of each class, chosen by seed."""
    phantom: PhantomCorpus | None = None
    seed: int = 0
    """Of the draw of `limit` images."""
    pretrain: Pretrain = Pretrain()
    modality: str = "unknown"
    anatomy: str = "unknown"
    license: str = "unknown"
    commercial_use: CommercialUse = "unknown"
    from_centers: tuple[str, ...] = ()
    """Public sources the corpus was drawn from, so that the leakage check can name them."""


class MeanAndDeviation(Part):
    """Gray values in [0, 1] minus `mean`, divided by `std`: one number for all channels, or three."""

    mean: Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]
    std: Annotated[tuple[PositiveFloat, ...], Field(min_length=1, max_length=3)]

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.mean) != len(self.std) or len(self.mean) == 2:
            raise ValueError(f"mean has {len(self.mean)} numbers and std {len(self.std)}; give one or three of each")
        return self


class DeclaredSource(Part):
    """A source of weights files that the study describes itself; what is left out is as the files' own source says."""

    files: Name | None = None
    """Source whose files are read; the folder <weights>/<this name> if left out."""
    normalization: MeanAndDeviation | Literal["per_image"] | None = None
    modality: str | None = None
    anatomy: str | None = None
    license: str | None = None
    commercial_use: CommercialUse | None = None
