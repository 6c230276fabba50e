"""A marked box from pixels of its file to pixels of the stored image."""

from __future__ import annotations

Corners = tuple[float, float, float, float]
"""x0, y0, x1, y1, half open."""
Size = tuple[int, int]
"""Width and height."""

TOLERANCE = 1.0
"""Pixels by which a box may overlap the edge of its image: rounding of other programs; it is clipped."""


def in_stored_pixels(box: Corners, of_file: Size, stored: Size) -> Corners | None:
    """The box on the stored image, clipped to it; None if it leaves its image by a pixel or lies beside it."""
    (left, top, right, bottom), (width, height) = box, of_file
    inside = min(left, top) > -TOLERANCE and right < width + TOLERANCE and bottom < height + TOLERANCE
    if not inside or left >= width or top >= height or right <= 0 or bottom <= 0:
        return None
    across, down = stored[0] / width, stored[1] / height
    return max(left, 0) * across, max(top, 0) * down, min(right, width) * across, min(bottom, height) * down
