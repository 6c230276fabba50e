"""How the texts of the paper kit are put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NEEDS_INPUT = "NEEDS INPUT"
"""What a human must write starts with it; nothing is invented in its place."""


@dataclass(frozen=True)
class Section:
    """A part of the methods, found by its key; only facts, or gaps that are named."""

    key: str
    heading: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """As one paragraph."""
        return " ".join(self.sentences)

    @property
    def facts(self) -> str:
        """Without what a human must write."""
        return " ".join(sentence for sentence in self.sentences if NEEDS_INPUT not in sentence)


def section(key: str, heading: str, *sentences: str) -> Section:
    """A part of the sentences that say something."""
    return Section(key, heading, tuple(sentence for sentence in sentences if sentence))


def gap(what: str) -> str:
    """A sentence that a human must write."""
    return f"[{NEEDS_INPUT}: {what}]"


def listed(names: Iterable[object]) -> str:
    """a, b and c."""
    words = [str(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A count with its noun."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def cite(*keys: str) -> str:
    """References as pandoc writes them: [@delong1988; @obuchowski1997]."""
    return f"[{'; '.join(f'@{key}' for key in keys)}]"


def cited(texts: Sequence[str]) -> list[str]:
    """Keys of the references that texts name, sorted."""
    return sorted({key for text in texts for key in re.findall(r"@([a-z]+\d{4}[a-z]?)", text)})
