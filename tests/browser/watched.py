"""A page that notes what a reader would not see: errors in its console, and requests to a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Watched:
    """A visited page with everything that went wrong on it; other attributes are those of playwright's page."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.troubles: list[str] = []
        page.on("console", lambda said: said.type in {"error", "warning"} and self.troubles.append(said.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: request.url.startswith("file:") or self._asked(request.url))
        page.goto(address)

    def _asked(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            self.troubles.append(f"request: {url[:100]}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def color(self, selector: str, name: str = "color") -> str:
        """A color as the browser draws it: rgb(…)."""
        return str(self.page.eval_on_selector(selector, f"(it) => getComputedStyle(it).{name}"))

    def column(self, table: str, number: int) -> list[str]:
        """First lines of the cells in a column of the table that has this id, in the order shown."""
        script = (
            "(rows, n) => rows.filter((row) => row.checkVisibility()).map((row) => row.cells[n].firstChild.textContent)"
        )
        return list(self.page.eval_on_selector_all(f"#{table} tbody tr:not(.group)", script, number))

    def faults(self) -> Sequence[str]:
        """Serious and critical faults that axe-core finds, with the first element of each; drawings count as images."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page, context={"exclude": [[".plot"]]}).response["violations"]
        grave = [fault for fault in found if fault["impact"] in {"serious", "critical"}]
        return [f"{fault['id']}: {fault['nodes'][0]['html'][:200]}" for fault in grave]
