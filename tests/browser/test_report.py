"""The report as a reader meets it in a browser: with a pointer, with keys, in the dark, on a phone, on paper."""

from __future__ import annotations

import re

import pytest

from evaluation.report import write_report
from tests.evaluation.report_example import example

pytestmark = pytest.mark.browser
short = pytest.mark.slow  # in `make test` too
whole = pytest.mark.long

AUCS = "discrimination-classification"
EVERY_DETAIL = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"


@short
def test_the_page_opens_without_a_script_error_and_answers_on_its_first_screen(visit, finished):
    page = visit(finished)

    answer, figure = page.locator(".headline"), page.locator("#effects svg.line").first
    assert "gains over training from scratch" in answer.inner_text()
    assert answer.bounding_box()["y"] < 400
    assert figure.bounding_box()["y"] < 500
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@short
def test_a_click_on_a_heading_sorts_by_the_value_and_a_third_restores_the_order(visit, finished):
    page = visit(finished)
    before = page.column(AUCS, 1)
    heading = page.locator(f"#{AUCS} thead th").nth(1)

    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert page.column(AUCS, 1) == sorted(before, reverse=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert page.column(AUCS, 1) == sorted(before)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    assert page.column(AUCS, 1) == before


@whole
def test_keys_sort_too_and_what_is_missing_stands_last_either_way(visit, finished):
    page = visit(finished)
    button = page.locator(f"#{AUCS} thead th").nth(3).get_by_role("button")

    for _ in range(2):
        button.press("Enter")
        assert page.column(AUCS, 3)[-1] == "–"
    assert page.locator("#said").inner_text() == "Sorted by center_b, ascending"


@whole
def test_sorting_keeps_rows_below_the_heading_of_their_group(visit, finished):
    page = visit(finished)
    cells = page.locator("#budgets tbody").evaluate_all("(all) => all.map((one) => one.rows.length)")

    page.locator("#budgets thead th").nth(4).get_by_role("button").click()

    assert page.locator("#budgets tbody").evaluate_all("(all) => all.map((one) => one.rows.length)") == cells
    assert page.locator("#budgets tbody tr:first-child").evaluate_all(
        "(all) => all.every((row) => row.classList.contains('group'))"
    )


@whole
def test_numbers_are_sorted_as_numbers_whatever_stands_around_them(visit, finished):
    page = visit(finished)
    texts = ["−0.200", "<0.001", "–", "12/20", "∞", "+0.069 (…)"]
    keys = page.evaluate(
        """(texts) => texts.map((text) => {
             const cell = document.createElement("td"); cell.textContent = text; return sortKey(cell, true); })""",
        texts,
    )

    assert keys[:4] == [-0.2, pytest.approx(0.001), None, 12]
    assert keys[1] < 0.001
    assert keys[5] == 0.069


@whole
def test_a_filter_keeps_the_rows_with_all_words_and_counts_them(visit, finished):
    page = visit(finished)
    page.locator("summary", has_text="The same numbers as a table").click()
    everything = page.column("flow-counts", 0)

    page.locator("#flow-counts input").fill("center_b TEST")

    assert page.column("flow-counts", 0) == ["Test"]
    assert page.locator("#flow-counts .filter").inner_text().endswith(f"1 of {len(everything)} rows")
    assert page.locator("#flow-counts tr.group:visible").count() == 1
    page.locator("#flow-counts input").fill("")
    assert page.column("flow-counts", 0) == everything


@whole
def test_pointer_and_keyboard_get_the_numbers_of_each_center_behind_an_effect(visit, finished):
    page = visit(finished)
    tip = page.locator(".tip")

    page.locator("#effects td.graph").first.hover()
    assert re.search(r"External, pooled: \+0\.136 .*\ncenter_b: \+0\.136", tip.inner_text())
    page.mouse.move(0, 0)
    assert tip.is_hidden()
    page.locator("#effects th[scope=row] a").first.focus()
    assert tip.is_visible()
    page.keyboard.press("Escape")
    assert tip.is_hidden()


@whole
def test_figures_are_drawn_when_they_come_near_and_show_values_under_the_pointer(visit, finished):
    page = visit(finished)
    figure = page.locator("#roc figure").first
    assert page.evaluate("window.Plotly") is None

    figure.scroll_into_view_if_needed()
    figure.locator(".main-svg").first.wait_for()
    place = figure.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(place["x"] + place["width"] * 0.5, place["y"] + place["height"] * 0.25)

    figure.locator(".hovertext").first.wait_for()
    assert page.color("#roc .main-svg text", "fill") == page.color("body")


@whole
@pytest.mark.parametrize(("scheme", "button"), [("light", "Dark"), ("dark", "Light")])
def test_the_page_follows_the_system_until_the_reader_chooses_and_remembers_it(visit, finished, scheme, button):
    page = visit(finished, color_scheme=scheme)
    before = page.color("body", "backgroundColor")

    toggle = page.locator(".theme")
    assert toggle.inner_text() == button
    toggle.click()
    chosen = page.color("body", "backgroundColor")
    page.reload()

    assert {before, chosen} == {"rgb(255, 255, 255)", "rgb(20, 23, 26)"}
    assert page.color("body", "backgroundColor") == chosen


@whole
def test_a_browser_that_refuses_storage_still_switches(visit, finished):
    page = visit(finished)
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('refused'); }})"
    )
    page.reload()

    page.locator(".theme").click()

    assert page.color("body", "backgroundColor") == "rgb(20, 23, 26)"


@whole
def test_paper_shows_everything_in_light_colors_and_nothing_to_click(visit, finished, tmp_path):
    page = visit(finished, color_scheme="dark")
    page.locator("summary", has_text="The same numbers as a table").click()
    page.locator("#flow-counts input").fill("nothing like this")
    page.locator("summary", has_text="The same numbers as a table").click()

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")

    assert page.color("body", "backgroundColor") in {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    assert page.locator("nav").is_hidden()
    assert page.locator("details:not([open])").count() == 0
    assert len(page.column("flow-counts", 0)) > 8
    assert page.locator("figure[data-plot]").count() == page.locator("figure[data-drawn] .main-svg:first-child").count()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 3
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@whole
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_on_the_whole_page(visit, finished, scheme):
    page = visit(finished, color_scheme=scheme)
    page.evaluate(EVERY_DETAIL)
    for figure in page.locator("figure[data-plot]").all():
        figure.scroll_into_view_if_needed()

    assert page.faults() == []


@whole
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_but_wide_tables_is_wider_than_the_window(visit, finished, width):
    page = visit(finished, width=width, height=720)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    effects = page.locator("#effects .scroll")
    assert effects.evaluate("(it) => it.scrollWidth <= it.clientWidth")


@whole
def test_a_study_of_which_nothing_ran_opens_and_is_accessible(visit, nothing_ran):
    page = visit(nothing_ran)

    assert page.locator(".headline").inner_text() == "Nothing can be compared yet."
    assert page.faults() == []


@whole
def test_a_sealed_report_draws_the_reserve_and_no_external_center(visit, tmp_path):
    sealed = write_report(example(external_open=False, external_waiting="not finished"), tmp_path)

    page = visit(sealed)

    figure = page.locator("#effects").inner_text()
    assert "Reserve" in figure
    assert "center_b" not in figure


@whole
def test_the_first_key_leads_past_the_navigation_and_a_link_into_a_closed_part_opens_it(visit, finished):
    page = visit(finished)

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.evaluate("location.hash = 'flow-counts'")
    page.locator("#flow-counts").wait_for()
