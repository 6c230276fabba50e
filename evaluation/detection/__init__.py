"""Finding: boxes, average precision and free-response curves."""
