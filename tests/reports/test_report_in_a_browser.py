"""The report as people see it: a real browser, with the page’s own policy in force, light and dark, wide and narrow."""

import shutil
from collections.abc import Iterator

import pytest

from blackstart.journals.close import close
from blackstart.reports.html import render

sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
HOSTILE = '"><script>window.hurt=1</script><img src=x onerror="window.hurt=1"></script>'
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def opened(browser, tmp_path):
    """``opened(folder, width=390, …)``: the page of its report. Whatever it complains of fails the test."""
    contexts, complaints = [], []

    def made(folder, width=1160, **options):
        context = browser.new_context(viewport={"width": width, "height": 1400}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("request", lambda asked: None if asked.url.startswith("file:") else complaints.append(asked.url))
        page.goto(render(folder).as_uri())
        return page

    yield made
    for context in contexts:
        context.close()
    assert complaints == []


def drag(page, start, end):
    """Across the picture that is shown, from one share of its width to another."""
    page.evaluate("document.getElementById('timeline').scrollIntoView()")
    (shown,) = [each for each in page.query_selector_all("#timeline > svg") if each.is_visible()]
    box = shown.bounding_box()
    page.mouse.move(box["x"] + start * box["width"], box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 150, steps=3)
    page.mouse.up()


@pytest.mark.parametrize(("scheme", "width"), [("dark", 390), pytest.param("light", 1160, marks=pytest.mark.sweep)])
def test_in_a_browser_everybody_can_use_the_page(opened, region_loss, scheme, width):
    page = opened(region_loss, width, color_scheme=scheme)
    drag(page, 0.3, 0.6)
    assert page.locator("svg.closer").count() == 1
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_in_a_browser_people_point_at_the_picture_and_look_closer(opened, region_loss):
    page = opened(region_loss)
    readout = page.locator("#readout")
    assert readout.inner_text().startswith("Point at the picture")
    page.focus("#timeline")
    page.keyboard.press("End")
    assert "succeeded, served by us-east-1" in readout.inner_text()
    page.keyboard.press("Escape")
    assert readout.inner_text().startswith("Point at the picture")
    drag(page, 0.3, 0.5)
    state, closer = page.get_by_role("status"), page.locator("svg.closer")
    first = state.inner_text()
    assert first.startswith("Shown closer: ")
    closer.hover()
    assert "of" in readout.inner_text()
    page.get_by_role("button", name="Later").click()
    assert state.inner_text() != first
    page.focus("#timeline")
    page.keyboard.press("0")
    assert closer.count() == page.locator(".brush").count() == 0
    page.keyboard.press("+")
    assert closer.count() == 1
    page.emulate_media(media="print")
    assert not page.locator(".zoom").is_visible()


def test_in_a_browser_without_script_nothing_is_missing(opened, region_loss):
    page = opened(region_loss, java_script_enabled=False)
    assert page.locator("svg.timeline.wide").is_visible()
    assert page.locator("#readout").inner_text().startswith("No failed request is averaged away")
    assert page.locator(".zoom").count() == 0


def test_in_a_browser_a_journal_full_of_markup_runs_nothing(opened, planted, tmp_path):
    named = {"fault": HOSTILE, "service": HOSTILE, "title": HOSTILE, "rate": 10.0}
    folder = planted.plant(tmp_path, planted.SMALL, **named)
    close(folder)
    page = opened(folder)
    drag(page, 0.3, 0.6)
    assert page.evaluate("window.hurt") is None
    assert page.locator("img").count() == 0
    assert HOSTILE.lower() in page.locator(".meta").inner_text().lower()
