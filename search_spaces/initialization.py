"""What `init` means."""

from __future__ import annotations

INITIALIZATIONS: dict[str, str] = {
    "scratch": "random weights, all layers trained",
    "transfer": "the source's weights, all layers trained",
    "frozen": "the source's weights, the backbone not trained: for a classifier only the new head is (linear probe)",
}


def why_invalid(pretraining: str, init: str) -> str | None:
    """Reason why a source and an init cannot go together, None if they can."""
    if pretraining == "none" and init != "scratch":
        return f"{init} needs pretrained weights"
    if pretraining != "none" and init == "scratch":
        return "scratch starts from nothing; it is run once, as none x scratch"
    return None
