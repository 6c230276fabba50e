"""The model of one cell as a folder that stands alone: its replicates, what they expect, and how they decide."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from trainables.bundles.reading import Radiographs
    from trainables.bundles.scoring import Scores

FILE = "bundle.json"
FORMAT = 1
MODEL_FILES = ("model.json", "model.safetensors")

AVERAGE = "mean of the replicates' logits where they have one, else of their scores; of several boxes the highest"


@dataclass(frozen=True)
class Limit:
    """One decision rule with its thresholds, on the scale on which the cell orders images (Bundle.scale)."""

    rule: str
    source: str
    """`reserve`: chosen on the aggregated score; `fold thresholds`: the replicates vote, each by its own."""
    value: float | None
    """Positive is a value that reaches it; infinity calls nobody positive. None: the replicates vote."""
    by_replicate: Mapping[str, float]
    """Thresholds for single replicates, by name."""


@dataclass(frozen=True)
class Replicate:
    """One trained model of the cell."""

    name: str
    """Such as f0-s1: fold 0, seed 1."""
    fold: int
    seed: int
    key: str
    """Of its job in the run store."""
    reserve_auc: float | None
    checksums: Mapping[str, str]
    """sha256 of its files."""
    folder: Path = field(compare=False)


@dataclass(frozen=True)
class Terms:
    """What travels with weights: where they come from and what they may be used for."""

    name: str
    trained_on: str
    license: str
    commercial_use: str
    """yes | no | unknown"""


@dataclass(frozen=True)
class Bundle:
    """All that is needed to score radiographs as one cell of a study does."""

    study: str
    cell: str
    backbone: str
    pretraining: str
    init: str
    arm: Mapping[str, Any]
    """The arm as the study file has it: task, labels, region, margin, …"""
    size: int
    """Longest side of the stored image in pixels; radiographs are decoded and shrunk as when the study took them in."""
    decoding: int
    """Version of the way from file to stored pixels."""
    scale: str
    """`logit` or `score`: what images are ordered by."""
    replicates: tuple[Replicate, ...]
    missing: tuple[str, ...]
    """Planned replicates that are not in it."""
    limits: tuple[Limit, ...]
    terms: tuple[Terms, ...]
    exploratory: bool
    plan_hash: str
    locked_at: str
    code: str
    versions: Mapping[str, str]
    aggregate: str = AVERAGE

    @classmethod
    def read(cls, folder: Path) -> Self:
        """A bundle from its folder; raises StudyError if it is none, of another format, or was changed."""
        path = folder / FILE
        if not path.is_file():
            raise StudyError(f"{path}: there is no such file; `osteogrid bundle` writes such a folder.")
        broken = f"{path}: cut off or changed since it was bundled; copy or write the bundle again."
        try:
            body = dict(json.loads(path.read_text(encoding="utf-8")))
            is_ours, digest = body.pop("format", None) == FORMAT, body.pop("digest", None)
            found = cls(**{**body, **_parts(body, folder)}) if is_ours else None
        except (ValueError, TypeError, KeyError):
            raise StudyError(broken) from None
        if found is None:
            raise StudyError(f"{path}: another format than {FORMAT}, the one of this release; write the bundle again.")
        if found.digest != digest:
            raise StudyError(broken)
        found.check()
        return found

    @property
    def task(self) -> str:
        """classification | detection | radiomics"""
        return str(self.arm["task"])

    @property
    def needs_boxes(self) -> bool:
        """Whether it scores boxes that are given to it, instead of whole radiographs."""
        return self.task == "radiomics" or self.arm.get("region") == "box"

    @property
    def commercial_use(self) -> str:
        """The strictest of what its sources allow; without sources nothing of others stands against it."""
        found = {each.commercial_use for each in self.terms}
        return next((word for word in ("no", "unknown") if word in found), "yes")

    @property
    def best(self) -> Replicate:
        """The replicate with the highest AUC on the reserve; raises StudyError without a reserve."""
        rated = [each for each in self.replicates if each.reserve_auc is not None]
        if not rated:
            raise StudyError(f"Cell {self.cell}: no replicate was measured on a reserve, so none is the best of them.")
        return max(rated, key=lambda each: each.reserve_auc or 0.0)

    @property
    def digest(self) -> str:
        """16 hex digits of what decides scores, decisions and terms; not of when or with which versions it was made."""
        body = self._body()
        kept = {
            name: body[name]
            for name in ("study", "cell", "arm", "size", "decoding", "scale", "replicates", "limits", "terms")
        }
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]

    def check(self) -> None:
        """Raise StudyError unless the files are those that were bundled and this code decodes as then."""
        from cohorts.radiograph import DECODING

        if self.decoding != DECODING:
            raise StudyError(
                f"Bundle of {self.cell}: made when radiographs were decoded in another way (version {self.decoding}, "
                f"now {DECODING}), so scores would differ; use the release that made it, or sweep and bundle again."
            )
        for replicate in self.replicates:
            for name, sha256 in replicate.checksums.items():
                path = replicate.folder / name
                if not path.is_file() or _sha256(path) != sha256:
                    raise StudyError(
                        f"{path}: missing or changed since it was bundled; copy or write the bundle again."
                    )

    def write(self, folder: Path) -> Self:
        """Copy everything into an empty or new folder; returns the bundle that reads from there."""
        if folder.is_file() or (folder.exists() and any(folder.iterdir())):
            raise StudyError(f"{folder}: is not empty; name a new folder for the bundle.")
        for replicate in self.replicates:
            place = _place(folder, replicate.name)
            place.mkdir(parents=True)
            for name in replicate.checksums:
                shutil.copyfile(replicate.folder / name, place / name)
        text = json.dumps({"format": FORMAT, "digest": self.digest, **self._body()}, indent=1, sort_keys=True)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")
        return replace(
            self, replicates=tuple(replace(each, folder=_place(folder, each.name)) for each in self.replicates)
        )

    def predict(
        self, radiographs: Radiographs, *, device: str = "cpu", threads: int = 1, single: bool = False
    ) -> Scores:
        """Score decoded radiographs with all replicates, or with the best one; see scoring.Scores."""
        from trainables.bundles.scoring import score

        return score(self.alone() if single else self, radiographs, device=device, threads=threads)

    def alone(self) -> Self:
        """The best replicate for itself, with the thresholds that it chose on the reserve."""
        best = self.best
        limits = [
            replace(limit, source=f"{limit.source} of {best.name}", value=limit.by_replicate[best.name])
            for limit in self.limits
            if best.name in limit.by_replicate
        ]
        return replace(self, replicates=(best,), limits=tuple(limits))

    def _body(self) -> dict[str, Any]:
        """Plain values; infinity as a word, which JSON lacks."""
        body = {each.name: getattr(self, each.name) for each in fields(self)}
        body["replicates"] = [
            {name: value for name, value in asdict(each).items() if name != "folder"} for each in self.replicates
        ]
        body["limits"] = [
            {**asdict(limit), "value": _word(limit.value), "by_replicate": _words(limit.by_replicate)}
            for limit in self.limits
        ]
        body["terms"] = [asdict(each) for each in self.terms]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in body.items()}


def _parts(body: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {
        "replicates": tuple(Replicate(**each, folder=_place(folder, each["name"])) for each in body["replicates"]),
        "missing": tuple(body["missing"]),
        "limits": tuple(_limits(body["limits"])),
        "terms": tuple(Terms(**each) for each in body["terms"]),
    }


def _limits(rows: list[dict[str, Any]]) -> Iterator[Limit]:
    for row in rows:
        value = None if row["value"] is None else float(row["value"])
        each = {name: float(threshold) for name, threshold in row["by_replicate"].items()}
        yield Limit(**{**row, "value": value, "by_replicate": each})


def _place(folder: Path, replicate: str) -> Path:
    return folder / "replicates" / replicate


def _word(value: float | None) -> float | str | None:
    return "inf" if value == math.inf else value


def _words(values: Mapping[str, float]) -> dict[str, Any]:
    return {name: _word(value) for name, value in values.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
