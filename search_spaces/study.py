"""A study: one YAML file, read into frozen types before anything is booked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, Discriminator, Field, PositiveInt, Tag, ValidationError, model_validator

from search_spaces.arms import Arm, RadiomicsArm
from search_spaces.errors import StudyError
from search_spaces.explain import explain
from search_spaces.parts import Fraction, Name, Names, Part, all_different
from search_spaces.starting_points import Corpus, DeclaredSource

RESERVED_CENTERS = {"all", "stratified", "external", "reserve", "validation", "train", "pretraining"}
"""Words of the results that a center's name would be mistaken for."""
RESERVED_STUDIES = {"cohorts", "weights", "salt", "mlflow-artifacts", "mlflow.db"}
"""Names in the workspace beside the studies."""


class Phantom(Part):
    """Synthetic radiographs, written as real files where the data folder is still empty."""

    patients: PositiveInt = 60
    """Patients per center."""
    height: Annotated[int, Field(ge=64, le=4096)] = 256
    difficulty: Annotated[float, Field(ge=0, le=1)] = 0.5
    """0: lesions at full contrast and no center shift; 1: faint lesions and strong center effects."""
    prevalence: Fraction = 0.4
    """Share of patients with a malignant lesion; the others are benign and normal in equal parts."""
    seed: int = 0


class Cohort(Part):
    """The hospitals of a study: where models are made, and where they are only tested."""

    data: str
    """Folder with one sub-folder per center, relative to where the command runs."""
    development: Names
    external: Annotated[tuple[Name, ...], AfterValidator(all_different)] = ()
    patient_ids: Literal["per_center", "shared"] = "per_center"
    phantom: Phantom | None = None

    @model_validator(mode="after")
    def _centers_differ(self) -> Self:
        both = set(self.development) & set(self.external)
        if both:
            raise ValueError(f"center {min(both)!r} is both development and external; keep it in one of the two")
        taken = RESERVED_CENTERS & {*self.development, *self.external}
        if taken:
            raise ValueError(
                f"a center may not be called {min(taken)!r}, the word means something here; rename its folder"
            )
        return self

    @property
    def centers(self) -> tuple[str, ...]:
        """All centers, development first."""
        return self.development + self.external


class Preprocessing(Part):
    """What is stored of a radiograph: everything that shapes the pixel store."""

    size: Annotated[int, Field(ge=32, le=4096)] = 512
    """Longest side of the stored image in pixels; smaller images are never enlarged."""


class KFold(Part):
    """Patient-grouped stratified folds; the reserve is set aside before."""

    kind: Literal["kfold"] = "kfold"
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    reserve: Annotated[float, Field(ge=0, lt=0.9)] = 0.2
    seed: int = 0


class Holdout(Part):
    """One training and one validation part; the reserve is set aside before."""

    kind: Literal["holdout"]
    validation: Fraction = 0.2
    reserve: Annotated[float, Field(ge=0, lt=0.9)] = 0.2
    seed: int = 0

    @property
    def folds(self) -> int:
        """A hold-out is one fold."""
        return 1


def _split_kind(value: Any) -> str:
    """The kind a split names; kfold where it names none."""
    return str(value.get("kind", "kfold") if isinstance(value, dict) else value.kind)


Split = Annotated[Annotated[KFold, Tag("kfold")] | Annotated[Holdout, Tag("holdout")], Discriminator(_split_kind)]


class Primary(Part):
    """The contrasts the study was made for; p-values are adjusted within them."""

    metric: Literal["auc"] = "auc"
    on: Literal["external", "reserve"] = "external"
    comparisons: tuple[tuple[str, str], ...] = ()
    """Pairs of pretraining sources, or of cells written arm/backbone-pretraining-init."""
    effects: Annotated[tuple[Literal["payoff", "source", "init"], ...], AfterValidator(all_different)] = ()
    """Named contrasts, averaged over backbones, that join the family."""
    margin: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    """Non-inferiority margin of the AUC."""


class SensitivityAtLeast(Part):
    """The highest threshold whose sensitivity reaches the value."""

    sensitivity: Fraction


class SpecificityAtLeast(Part):
    """The lowest threshold whose specificity reaches the value."""

    specificity: Fraction


Threshold = SensitivityAtLeast | SpecificityAtLeast | Literal["youden"]


class Bootstrap(Part):
    """Resamples of patients, the same for all cells."""

    draws: Annotated[int, Field(ge=100, le=100_000)] = 2000
    seed: Annotated[int, Field(ge=0)] = 0


Attribute = Literal["age", "sex", "view", "device", "lesion_size"]


class Analysis(Part):
    """What will be computed, fixed before an external center is opened."""

    unit: Literal["patient"] = "patient"
    primary: Primary = Primary()
    adjust: Literal["holm", "hommel", "bh"] = "holm"
    """How p-values are adjusted within a family."""
    thresholds: Annotated[tuple[Threshold, ...], AfterValidator(all_different)] = (
        SensitivityAtLeast(sensitivity=0.9),
        SpecificityAtLeast(specificity=0.9),
        "youden",
    )
    mcnemar: Literal["mid-p", "exact", "chi2", "corrected"] = "mid-p"
    """The variant whose p-value is adjusted; clustered where patients have several images."""
    bootstrap: Bootstrap = Bootstrap()
    net_benefit: Annotated[tuple[Fraction, ...], AfterValidator(all_different)] = (0.1, 0.2, 0.3, 0.5)
    """Risks from which one would act, at which net benefits of planned pairs are compared."""
    subgroups: Annotated[tuple[Attribute, ...], AfterValidator(all_different)] = (
        "age",
        "sex",
        "view",
        "device",
        "lesion_size",
    )


class StudySpec(Part):
    """One study file."""

    name: Name
    description: str = ""
    cohort: Cohort
    preprocessing: Preprocessing = Preprocessing()
    split: Split = KFold()
    corpora: dict[Name, Corpus] = Field(default_factory=dict)
    sources: dict[Name, DeclaredSource] = Field(default_factory=dict)
    """Weights files beside those of the catalogue, or the same files under another normalization."""
    weights: str = "weights"
    """Folder of pretrained files: <weights>/<source>/<backbone>.safetensors (or .pth, .pt)."""
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)]
    analysis: Analysis = Analysis()

    @property
    def used_corpora(self) -> tuple[str, ...]:
        """Corpora that some grid names; the others are left alone."""
        named = {source for arm in self.arms if not isinstance(arm, RadiomicsArm) for source in arm.grid.pretraining}
        return tuple(name for name in self.corpora if name in named)

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two arms are called {twice[0]!r}; give one of them another `name`")
        clash = sorted(set(self.corpora) & set(self.cohort.centers))
        if clash:
            raise ValueError(f"{clash[0]!r} is both a corpus and a center; rename the corpus")
        clash = sorted(set(self.corpora) & set(self.sources))
        if clash:
            raise ValueError(f"{clash[0]!r} is both a corpus and one of the sources; rename one of them")
        if self.name in RESERVED_STUDIES:
            raise ValueError(f"a study may not be called {self.name!r}, a folder of the workspace is; rename it")
        return self


class _Words(yaml.SafeLoader):
    """YAML in which only true and false are booleans: `on: external` and `commercial_use: no` are words."""


_Words.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Words.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def load_study(path: Path | str) -> StudySpec:
    """Read a study file; raises StudyError with file, field, value and what is allowed."""
    path = Path(path)
    try:
        raw: Any = yaml.load(path.read_text(encoding="utf-8"), _Words)
    except FileNotFoundError:
        raise StudyError(f"{path}: there is no such study file; the shipped ones are in studies/.") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise StudyError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())}); mend the file.") from None
    if not isinstance(raw, dict):
        raise StudyError(f"{path}: holds {type(raw).__name__}, a study is a mapping with name, cohort and arms.")
    try:
        return StudySpec.model_validate(raw)
    except ValidationError as error:
        raise StudyError(explain(path, raw, error, StudySpec)) from None
