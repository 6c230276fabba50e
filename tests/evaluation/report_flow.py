"""How the radiographs of the small study went: rows of the flow, in the order that the orchestrator gives them."""

from __future__ import annotations

from collections.abc import Iterator

CENTERS = (("center_a", "development", 407, 0), ("center_b", "external", 81, 2), ("center_c", "external", 101, 0))
CHOSEN = {"center_a": (199, 208), "center_b": (25, 40), "center_c": (35, 50)}
"""Positive and negative images."""


def rows() -> Iterator[tuple[object, ...]]:
    for center, role, images, aside in CENTERS:
        yield (None, center, role, "found", "", None, images + aside, None, None)
        if aside:
            yield (None, center, role, "quarantined", "not a radiograph: SOP class CT", None, aside, None, None)
        yield (None, center, role, "ingested", "", images - 31, images, None, None)
    for center, role, images, _ in CENTERS:
        positive, negative = CHOSEN[center]
        other = images - positive - negative
        yield ("classification", center, role, "other label", "normal" if other else "", other, other, None, None)
        yield ("classification", center, role, "used", "", images - other, images - other, positive, negative)
        if role == "external":
            yield ("classification", center, role, "test", "", images - other, images - other, positive, negative)
    for part, positive, negative in (("reserve", 12, 20), ("fold 0", 94, 94), ("fold 1", 93, 94)):
        images = positive + negative
        yield ("classification", "center_a", "development", part, "", images, images, positive, negative)
