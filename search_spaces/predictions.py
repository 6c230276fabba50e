"""The jobs that follow a training: scores, scores of perturbed boxes, saliency; and the features radiomics needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from search_spaces.arms import Arm, RadiomicsArm
from search_spaces.job import Job, Purpose, key_of
from search_spaces.ladder import Robustness, Saliency
from search_spaces.pretraining import NONE
from search_spaces.recipes import Fingerprints, region_inputs, reserve_recipe
from search_spaces.study import StudySpec

Recipe = dict[str, Any]
FEWEST_BOXES = 40
"""That a part of perturbed boxes holds, about."""


@dataclass(frozen=True)
class Measured:
    """The features jobs of an arm, by purpose and center; none for networks, which read the pixels themselves."""

    by_center: dict[tuple[Purpose, str], tuple[Job, ...]]

    @classmethod
    def of(cls, study: StudySpec, arm: Arm, prints: Fingerprints) -> Measured:
        """Each center in parts, shared by whatever needs radiomics features of it."""
        if not isinstance(arm, RadiomicsArm):
            return cls({})
        return cls(
            {
                (purpose, center): tuple(_features(study, arm, purpose, center, prints, how))
                for center in study.cohort.centers
                for purpose, how in _purposes(study, arm, center)
            }
        )

    @property
    def jobs(self) -> Iterator[Job]:
        """All of them."""
        return (job for jobs in self.by_center.values() for job in jobs)

    def keys(self, purpose: Purpose, *centers: str) -> tuple[str, ...]:
        """Those of some centers."""
        return tuple(job.key for center in centers for job in self.by_center.get((purpose, center), ()))


def predictions(study: StudySpec, arm: Arm, fit: Job, measured: Measured, prints: Fingerprints) -> Iterator[Job]:
    """What one replicate predicts: every center for each purpose of the arm."""
    for center in study.cohort.centers:
        for purpose, how in _purposes(study, arm, center):
            recipe = {**how, "input": region_inputs(arm, center, prints)}
            yield _predict(study, fit, center, purpose, measured.keys(purpose, center), recipe)


def _purposes(study: StudySpec, arm: Arm, center: str) -> Iterator[tuple[Purpose, Recipe]]:
    """Each purpose with what its recipe holds. Only the reserve of development centers is perturbed and mapped."""
    yield "scores", {"variants": ["original"]}
    if center in study.cohort.development and not study.split.reserve:
        return
    robustness: Robustness | None = getattr(arm, "robustness", None)
    if robustness is not None:
        variants = [variant.id for variant in robustness.variants()]
        yield "perturbed", {"variants": variants, **_some(study, robustness.images)}
    saliency: Saliency | None = getattr(arm, "saliency", None)
    if saliency is not None:
        yield "saliency", {"saliency": {"sanity": saliency.sanity}, **_some(study, saliency.images)}


def _some(study: StudySpec, images: int | None) -> Recipe:
    """Which images: so many per center; the name of the study is the seed of that choice and of all draws."""
    return {"images": images, "drawn_for": study.name}


def _features(
    study: StudySpec, arm: RadiomicsArm, purpose: Purpose, center: str, prints: Fingerprints, how: Recipe
) -> Iterator[Job]:
    own, parts = _own(study, purpose, center, prints, how), _parts(arm, how)
    for part in range(parts):
        inputs = {"margin": arm.margin, "input": region_inputs(arm, center, prints), "part": [part, parts]}
        recipe = {"kind": "features", **inputs, **own}
        yield Job(
            key=key_of(recipe),
            kind="features",
            name="-".join(("features", center, *_suffix(purpose), *_part(part, parts))),
            task=arm.task,
            arm=arm.name,
            cell=None,
            backbone="elasticnet",
            pretraining=NONE,
            init="scratch",
            epochs=0,
            center=center,
            purpose=purpose,
            recipe=recipe,
        )


def _parts(arm: RadiomicsArm, how: Recipe) -> int:
    """Those of the arm, and fewer where some images only are measured: starting a job costs as much as ten boxes."""
    if how.get("images") is None:
        return arm.parts
    boxes: int = how["images"] * len(how["variants"])
    return max(1, min(arm.parts, boxes // FEWEST_BOXES))


def _own(study: StudySpec, purpose: Purpose, center: str, prints: Fingerprints, how: Recipe) -> Recipe:
    """What features of images as they are do not depend on: variants, and which patients are the reserve."""
    if purpose == "scores":
        return {}
    return {**how, **reserve_recipe(study, prints)} if center in study.cohort.development else how


def _predict(study: StudySpec, fit: Job, center: str, purpose: Purpose, features: tuple[str, ...], how: Recipe) -> Job:
    recipe = {"kind": "predict", "fit": fit.key, **how}
    return Job(
        **{
            **vars(fit),
            "key": key_of(recipe),
            "kind": "predict",
            "name": "-".join((fit.name, center, *_suffix(purpose))),
            "epochs": 0,
            "needs": (fit.key, *features),
            "trials": (),
            "center": center,
            "purpose": purpose,
            "sealed": center in study.cohort.external,
            "recipe": recipe,
        }
    )


def _suffix(purpose: Purpose) -> tuple[str, ...]:
    return () if purpose == "scores" else (purpose,)


def _part(part: int, parts: int) -> tuple[str, ...]:
    return (f"{part + 1}of{parts}",) if parts > 1 else ()
