"""Every architecture of the installed timm with its published input, as CSV on standard output.

`python -m trainables.catalogue > search_spaces/timm_models.csv` after timm was raised: `plan` reads names from that
file because importing timm takes seconds.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator

import timm
from timm.models import get_pretrained_cfg

COLUMNS = ("name", "input_size", "mean", "std")


def rows() -> Iterator[tuple[str, int, str, str]]:
    """Name, pixels on a side, mean and standard deviation of pixels in [0, 1]; sorted by name."""
    for name in sorted(timm.list_models()):
        published = get_pretrained_cfg(name)
        if published is None:
            continue  # a package registered an architecture of its own
        mean, std = (" ".join(f"{number:g}" for number in values) for values in (published.mean, published.std))
        yield name, max(published.input_size[1:]), mean, std


if __name__ == "__main__":
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows())
