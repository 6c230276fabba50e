"""The flow of radiographs through the study, as boxes that the template draws: found, kept, used, dealt, tested."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import lines, ordered
from evaluation.report.names import arm_box, sample
from evaluation.report.numbers import plural

ROLES = ("development", "external", "pretraining")
LEFT_OUT = ("other label", "without box")
PARTS = {"reserve": "Reserve", "always trained": "Trained in every fold", "test": "Test"}
"""Where images of an arm end; beside these, the folds."""


@dataclass(frozen=True)
class Box:
    """Radiographs at one point of their way; `lines` say the same of each center, where there are several."""

    title: str
    counts: tuple[str, ...]
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Lane:
    """One role's way down: it starts with a box, loses what is told in `out`, and goes on; `parts` stand at its end."""

    role: str
    start: Box | None
    out: tuple[str, ...]
    kept: Box
    parts: tuple[Box, ...] = ()


@dataclass(frozen=True)
class FlowArm:
    """What one arm takes of the ingested images."""

    arm: str
    box: str
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class Flow:
    """Ingestion of every role, then each arm; `sealed` if arms are not shown for the external centers yet."""

    intake: tuple[Lane, ...]
    arms: tuple[FlowArm, ...]
    sealed: bool


def flow(context: ReportContext) -> Flow:
    """The study's flow; without lanes if nothing has been ingested."""
    frame = context.flow.with_columns(pl.col("arm").fill_null(""))
    arms = [arm for arm in context.arms if (frame["arm"] == arm).any()]
    return Flow(
        intake=tuple(_intake(role, part) for role, part in _by_role(frame.filter(pl.col("arm") == ""))),
        arms=tuple(FlowArm(arm, arm_box(context, arm), _lanes(frame.filter(pl.col("arm") == arm))) for arm in arms),
        sealed=not context.external_open and bool(context.centers("external")),
    )


def _by_role(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for role in ordered(frame["role"], ROLES):
        yield role, frame.filter(pl.col("role") == role)


def _lanes(frame: pl.DataFrame) -> tuple[Lane, ...]:
    return tuple(_of_arm(role, part) for role, part in _by_role(frame))


def _intake(role: str, frame: pl.DataFrame) -> Lane:
    aside = _step(frame, "quarantined").group_by("detail", maintain_order=True).agg(pl.col("images").sum())
    return Lane(
        role,
        _box("Files found", _step(frame, "found"), "file"),
        tuple(f"{plural(count, 'file')} in quarantine: {reason}" for reason, count in aside.rows()),
        _box("Radiographs ingested", _step(frame, "ingested"), "image"),
    )


def _of_arm(role: str, frame: pl.DataFrame) -> Lane:
    out = [(name, _step(frame, name)) for name in LEFT_OUT]
    names = [step for step in ordered(frame["step"], ()) if step in PARTS or step.startswith("fold ")]
    used = _step(frame, "used")
    if role == "external":  # each center is tested by itself
        parts = [_part(name, used.filter(pl.col("center") == name)) for name in ordered(used["center"], ())]
    else:
        parts = [_part(PARTS.get(name, name.capitalize()), _step(frame, name)) for name in names]
    return Lane(
        role,
        None,
        tuple(text for name, part in out if (text := _lost(name, part))),
        _box("Tested by every replicate" if role == "external" else "Used", used, "image", several=role != "external"),
        tuple(parts),
    )


def _lost(name: str, frame: pl.DataFrame) -> str:
    images = int(frame["images"].sum())
    if not images:
        return ""
    details = ", ".join(ordered((word for text in frame["detail"] for word in text.split(", ") if word), ()))
    what = "with another label" if name == "other label" else "without a box"
    return f"{plural(images, 'image')} {what}{f': {details}' if details else ''}"


def _step(frame: pl.DataFrame, step: str) -> pl.DataFrame:
    return frame.filter(pl.col("step") == step)


def _part(title: str, frame: pl.DataFrame) -> Box:
    first, *others = _counts(frame, "image")
    return Box(title, (*first.split(", "), *others))


def _box(title: str, frame: pl.DataFrame, noun: str, *, several: bool = True) -> Box:
    centers = ordered(frame["center"], ())
    shown = centers if several and len(centers) > 1 else []
    of_each = ((name, ", ".join(_counts(frame.filter(pl.col("center") == name), noun)[:1])) for name in shown)
    return Box(title, _counts(frame, noun), tuple(of_each))


def _counts(frame: pl.DataFrame, noun: str) -> tuple[str, ...]:
    """Patients and images, then those of both classes where an arm has chosen."""
    images = plural(int(frame["images"].sum()), noun)
    patients = "" if frame["patients"].null_count() else f"{plural(int(frame['patients'].sum()), 'patient')}, "
    if frame["positive"].null_count():
        return (f"{patients}{images}",)
    return lines(f"{patients}{images}", sample(int(frame["positive"].sum()), int(frame["negative"].sum())))
