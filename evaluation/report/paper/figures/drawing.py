"""A printed figure before it is numbered: its drawing, its title, and the caption that explains it."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """One figure; `id` names its files, `csv` the report's table that holds its numbers."""

    id: str
    title: str
    caption: str
    csv: str
    figure: Figure
