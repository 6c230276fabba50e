"""Where radiographs come from; each source lists files, labels and boxes of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cohorts.sources.class_folders import read_class_folders
from cohorts.sources.folder import read_folder
from cohorts.sources.listing import Listing

SOURCES: dict[str, Callable[[Path], Listing]] = {"labels": read_folder, "class_folders": read_class_folders}
"""By layout: `labels` is a folder with labels.csv, `class_folders` has one sub-folder per class."""
