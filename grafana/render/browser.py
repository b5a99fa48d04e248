"""A headless Chromium that opens dashboards, by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from playwright.sync_api import Page, sync_playwright

from grafana.render.faults import Seen

PATIENCE_MS = 90_000
LOOK_EVERY_MS = 500
QUIET_LOOKS = 6
"""How often in a row nothing may be loading until all is taken as drawn: a panel begins a while after it is in view."""
PANEL = '[data-testid^="data-testid Panel header"]'
LOADING = '[aria-label="Panel loading bar"], button:has-text("Cancel"), :text("Computing layout")'
"""While anything is asked for, the button to ask again says Cancel."""
CLOSED_ROW = 'button[aria-label="Expand row"]'
# What a panel shows, and which of its headers are wider than their place.
PANELS = """panels => panels.map(panel => ({
  title: panel.dataset.testid.replace('data-testid Panel header ', ''),
  text: panel.innerText,
  failed: !!panel.querySelector('[data-testid*="Panel status error"]'),
  cut: [...panel.querySelectorAll('h2, h2 *, [role=columnheader] *')]
    .filter(e => getComputedStyle(e).textOverflow === 'ellipsis' && e.scrollWidth > e.clientWidth)
    .map(e => e.innerText),
}))"""
# Also of what is not in view, and so not drawn.
PLACE = ".react-grid-item"
BOTTOM = "places => Math.max(...places.map(place => place.getBoundingClientRect().bottom))"


@contextmanager
def browser(program: str | None, headers: dict[str, str]) -> Iterator[Page]:
    """A page of a browser: of the program that is given, else of the one that Playwright has installed."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = chromium.new_page(extra_http_headers=headers)
        page.set_default_timeout(PATIENCE_MS)
        yield page
        chromium.close()


def look_at(page: Page, address: str, width: int, picture: Path) -> list[Seen]:
    """Opens a dashboard with all its rows, takes a picture of the whole of it, and says what its panels show."""
    page.set_viewport_size({"width": width, "height": 1000})
    page.goto(address)
    page.wait_for_selector(PANEL)
    _show_all(page, width)
    while closed := page.query_selector(CLOSED_ROW):
        closed.click()
        _show_all(page, width)
    page.screenshot(path=picture)
    return [Seen(**panel) for panel in page.eval_on_selector_all(PANEL, PANELS)]


def _show_all(page: Page, width: int) -> None:
    """Panels that are not in view are not drawn: the window grows until all are."""
    height = 0
    while (needed := int(page.eval_on_selector_all(PLACE, BOTTOM)) + 40) > height:
        height = needed
        page.set_viewport_size({"width": width, "height": height})
        _settle(page)


def _settle(page: Page) -> None:
    quiet = 0
    deadline = monotonic() + PATIENCE_MS / 1000
    while quiet < QUIET_LOOKS and monotonic() < deadline:
        page.wait_for_timeout(LOOK_EVERY_MS)
        quiet = 0 if page.query_selector(LOADING) else quiet + 1
