"""How long a report takes to open and to answer in Chromium."""

from __future__ import annotations

import os
from pathlib import Path

CLICK = """async (chosen) => {
    const start = performance.now();
    document.querySelector(chosen).click();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return (performance.now() - start) / 1000;
}"""
"""Seconds from a click until the browser has shown what it changed."""
SETTLED = 1500
"""Milliseconds between jumping to a table and sorting it."""
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
LARGEST = """() => {
    const count = (table) => table.querySelectorAll('tbody tr').length;
    const tables = [...document.querySelectorAll('[data-sortable]')];
    const largest = tables.reduce((one, other) => (count(other) > count(one) ? other : one));
    largest.scrollIntoView();
    return [largest.id, count(largest)];
}"""


def browse(page: Path) -> dict[str, float]:
    """Seconds until the load event, of the first click that sorts the largest table, and of a change of theme."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        view = browser.new_page(viewport={"width": 1400, "height": 1000})
        view.goto(page.resolve().as_uri(), wait_until="load", timeout=120_000)
        found = {"load event": float(view.evaluate(LOADED))}
        largest, rows = view.evaluate(LARGEST)
        view.locator(f"#{largest} thead button").first.wait_for()
        view.wait_for_timeout(SETTLED)  # figures near the table are drawn when it comes into view
        found["first sort"] = float(view.evaluate(CLICK, f"#{largest} thead th:nth-child(2) button"))
        found["rows sorted"] = float(rows)
        found["theme"] = float(view.evaluate(CLICK, "button.theme"))
        browser.close()
    return found
