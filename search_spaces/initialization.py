"""What `init` means."""

from __future__ import annotations

import re

from search_spaces.errors import StudyError, nearest

SCRATCH = "scratch"
PROBE_THEN_TRANSFER = "probe_then_transfer"

PROBE_SHARE = 0.3
"""Of all epochs, in which probe_then_transfer trains as frozen."""

INITIALIZATIONS: dict[str, str] = {
    SCRATCH: "random weights, all layers trained",
    "transfer": "the source's weights, all layers trained",
    "frozen": "the source's weights, the backbone not trained: for a classifier only the new head is (linear probe)",
    "partial_<k>": "the source's weights, the last k stages of the backbone trained and those before them not",
    PROBE_THEN_TRANSFER: "the source's weights, first as frozen, then as transfer (Kumar et al., 2022, LP-FT)",
}

_PARTIAL = re.compile(r"partial_([1-9])")


def why_unknown(init: str) -> str | None:
    """Reason why a word is no init, None if it is one."""
    if init in INITIALIZATIONS and "<" not in init:
        return None
    if _PARTIAL.fullmatch(init):
        return None
    known = ("scratch", "transfer", "frozen", "partial_1", PROBE_THEN_TRANSFER)
    hint = " partial says how many of the last stages are trained, as partial_1 to partial_9." * init.startswith("part")
    return f"{init!r} is no init.{hint or nearest(init, known)} Allowed: {', '.join(INITIALIZATIONS)}"


def trained_stages(init: str) -> int | None:
    """How many of a backbone's last stages are trained all along: 0 if frozen, None for all of them."""
    if init == "frozen":
        return 0
    partial = _PARTIAL.fullmatch(init)
    return int(partial.group(1)) if partial else None


def probe_epochs(epochs: int) -> int:
    """How many epochs of probe_then_transfer are the probe; raises StudyError where there is no room for both."""
    if epochs < 2:
        raise StudyError(f"init {PROBE_THEN_TRANSFER} with {epochs} epoch: it has two phases; train at least 2 epochs.")
    return max(1, round(PROBE_SHARE * epochs))


def why_invalid(pretraining: str, init: str) -> str | None:
    """Reason why a source and an init cannot go together, None if they can."""
    if pretraining == "none" and init != SCRATCH:
        return f"{init} needs pretrained weights"
    if pretraining != "none" and init == SCRATCH:
        return "scratch starts from nothing; it is run once, as none x scratch"
    return None
