"""A smaller corpus: the same number of images of each class."""

from __future__ import annotations

import numpy as np
import polars as pl

from cohorts.sources.listing import Listing
from search_spaces.errors import StudyError


def limit_classes(listing: Listing, limit: int | None, seed: int) -> Listing:
    """At most `limit` images, equally many of each label; unchanged where that is no limit or no images are over."""
    if limit is None or listing.rows.height <= limit:
        return listing
    classes = listing.rows["label"].unique().sort().to_list()
    smallest = int(listing.rows["label"].value_counts()["count"].min())  # type: ignore[arg-type]
    each = min(limit // len(classes), smallest)
    if each < 1:
        raise StudyError(
            f"{listing.folder}: `limit` is {limit}, but there are {len(classes)} classes; "
            f"allowed is at least {len(classes)}, one image of each; raise it or leave it out."
        )
    generator = np.random.default_rng(seed)
    chosen: set[str] = set()
    for label in classes:
        files = listing.rows.filter(pl.col("label") == label)["file"].sort().to_list()
        chosen.update(generator.choice(files, each, replace=False).tolist())
    kept = pl.col("file").is_in(list(chosen))
    return Listing(listing.folder, listing.rows.filter(kept), listing.boxes.filter(kept))
