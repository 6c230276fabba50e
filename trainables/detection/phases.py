"""Which layers are trained in which epochs: an initialization as a sequence of phases."""

from __future__ import annotations

from dataclasses import dataclass

from ultralytics.nn.tasks import DetectionModel

from search_spaces.errors import StudyError
from search_spaces.initialization import PROBE_THEN_TRANSFER, probe_epochs, trained_stages
from trainables.detection.stages import backbone_layers, stage_starts


@dataclass(frozen=True)
class Phase:
    """Epochs in a row with the same trained layers, a warm-up and a schedule of their own."""

    first: int
    """Epochs before it."""
    epochs: int
    frozen: int
    """How many of the first layers are not trained."""
    is_last: bool = True

    @property
    def end(self) -> int:
        """Epochs at its end, counted from the start of the training."""
        return self.first + self.epochs


def phases(init: str, epochs: int, model: DetectionModel) -> list[Phase]:
    """The phases of an initialization, in order; raises StudyError where it cannot be done."""
    if init != PROBE_THEN_TRANSFER:
        return [Phase(0, epochs, frozen_layers(init, model))]
    probe = probe_epochs(epochs)
    return [Phase(0, probe, backbone_layers(model), is_last=False), Phase(probe, epochs - probe, 0)]


def left_over(plan: list[Phase], done: int, until: int) -> list[Phase]:
    """The phases that a training with `done` epochs behind it still has to enter to end after `until`.

    The phase that ends it is always among them: it is entered for its last state even if nothing is left to train.
    """
    reached = [phase for phase in plan if phase.first < until]
    return [phase for phase in reached if phase.end > done] or reached[-1:]


def frozen_layers(init: str, model: DetectionModel) -> int:
    """How many of the first layers are never trained; StudyError for a `partial` with more stages than there are."""
    trained = trained_stages(init)
    if trained is None:
        return 0
    starts = stage_starts(model)
    if trained >= len(starts):
        raise StudyError(
            f"init {init}: the backbone of {model.yaml['yaml_file']} has {len(starts)} stages, so partial_1 to "
            f"partial_{len(starts) - 1} leave some of them frozen; to train all of them, name transfer."
        )
    return starts[-trained] if trained else backbone_layers(model)
