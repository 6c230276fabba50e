"""A folder of class folders: each sub-folder's name is the label of the images in it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from cohorts.sources.listing import BOXES, ROWS, Listing, image_files
from search_spaces.errors import StudyError


def read_class_folders(folder: Path) -> Listing:
    """Every image is its own patient; images that lie beside the class folders are refused."""
    if not folder.is_dir():
        raise StudyError(f"{folder}: there is no such folder; name a folder that holds one sub-folder per class.")
    files = image_files(folder)
    loose = [file for file in files if "/" not in file]
    if loose:
        raise StudyError(
            f"{folder / loose[0]}: lies beside the class folders ({len(loose)} such files), every image must lie in "
            "the folder of its class; move it there, or use `layout: labels` with a labels.csv."
        )
    if not files:
        raise StudyError(f"{folder}: holds no images (.dcm, .png, .jpg, .jpeg) in class folders; check the path.")
    labels = [file.split("/", 1)[0] for file in files]
    nothing = [None] * len(files)
    columns = {"file": files, "patient_id": files, "label": labels, "view": nothing, "age": nothing, "sex": nothing}
    return Listing(folder, pl.DataFrame(columns, schema=ROWS), pl.DataFrame(schema=BOXES))
