"""The references that a text cites, out of all that osteogrid knows."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from orchestrator.paper.words import cited


def bibliography(texts: Sequence[str]) -> str:
    """BibTeX of what is cited, in the order of the keys; a key without an entry is our own mistake."""
    return "\n".join(_entries()[key] for key in cited(texts))


@functools.cache
def _entries() -> dict[str, str]:
    written = Path(__file__).with_name("references.bib").read_text(encoding="utf-8")
    entries = [f"@{entry}" for entry in f"\n{written}".split("\n@")[1:]]
    return {entry.split("{", 1)[1].split(",", 1)[0]: f"{entry.rstrip()}\n" for entry in entries}
