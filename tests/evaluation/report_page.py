"""A written report as a browser would find it, and its tables as a reader would."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from evaluation.report.display import Entry, Table

PLOTLY = re.compile(r"<script[^>]*>/\*\*\n\* plotly.js v.*?</script>", re.S)


class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(PLOTLY.sub("", html))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name))]

    def count(self, tag: str) -> int:
        return sum(1 for found, _ in self.elements if found == tag)


def headings(table: Table) -> list[str]:
    return [column.text for column in table.columns]


def grouped(table: Table) -> list[str]:
    return [group.heading.text for group in table.groups if group.heading]


def entries(table: Table, row: str, group: int = 0) -> list[Entry]:
    return next(list(found[1:]) for found in table.groups[group].rows if found[0].text == row)
