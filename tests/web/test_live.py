"""A running drill: as a stream of events, and in a real browser."""

import http.client
import json
import shutil
import sys
from contextlib import contextmanager
from time import monotonic, sleep

import numpy as np
import pytest
from stage import HOST, Hands, asked, played, served

from blackstart.journals import folder as folders
from blackstart.journals.close import close
from blackstart.observer.record import Header, Outcome, Sample
from blackstart.observer.samples import gather
from blackstart.observer.schedule import Kind
from blackstart.web import strips

STAMP = "20261123T140300Z"
ADDRESS = f"/region-loss/{STAMP}/"


@contextmanager
def stream(site, address=ADDRESS):
    """The events of a drill as (kind, data), one after the other."""
    connection = http.client.HTTPConnection(HOST, site.port, timeout=30)
    connection.request("GET", f"/-/live{address}")
    answer = connection.getresponse()

    def events():
        kind = ""
        for line in iter(answer.readline, b""):
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)

    try:
        yield events()
    finally:
        answer.close()
        connection.close()


def until(found, seconds=10.0):
    """Wait for ``found()`` to be true."""
    end = monotonic() + seconds
    while not found():
        assert monotonic() < end
        sleep(0.02)


@pytest.fixture
def hands(planted):
    return Hands(planted, 9.0, tick=0.01)


@pytest.fixture
def folder(planted, whole, tmp_path):
    folder = tmp_path / "region-loss" / STAMP
    played(planted, whole, folder, 9.0)
    return folder


def test_the_stream_follows_the_drill_from_its_start_to_its_verdict(planted, whole, folder, tmp_path, hands):
    with served(tmp_path, hands) as site:
        with stream(site) as events:
            kind, data = next(events)
            assert (kind, "serves users; nothing is broken yet." in data["html"]) == ("scene", True)
            played(planted, whole, folder, 16.0)
            hands.seconds = 16.0
            assert any("Nobody serves users" in data.get("title", "") for _, data in events)
            close(folder, cut_off=True)
            hands.seconds = 17.0
            assert [kind for kind, _ in events][-1] == "over"
        until(lambda: not len(site.site.watching) and not site.site.streams)
        assert "The drill was cut off" in asked(site.port, ADDRESS)[2]


def test_who_goes_away_is_forgotten_and_the_server_ends_with_streams_open(folder, tmp_path, hands):
    with served(tmp_path, hands) as site:
        with stream(site) as one, stream(site) as two:
            next(one), next(two)
            assert (len(site.site.watching), site.site.streams) == (1, 2)
        until(lambda: not len(site.site.watching) and not site.site.streams)
        with stream(site) as events:
            next(events)
            began = monotonic()
            site.server.should_exit = True
            site.thread.join(20)
            assert monotonic() - began < 3, "the stream held the server up until it was cancelled"


def test_a_journal_that_cannot_be_read_at_this_moment_is_waited_for(folder, tmp_path, hands):
    with served(tmp_path, hands) as site, stream(site) as events:
        next(events)
        text = (folder / folders.DRILL).read_text()
        (folder / folders.DRILL).write_text("{")
        hands.seconds += 1
        assert any(kind == "waiting" for kind, _ in events)
        (folder / folders.DRILL).write_text(text)
        hands.seconds += 1
        assert any(kind == "scene" for kind, _ in events)


def test_no_more_than_so_many_may_watch(folder, tmp_path, hands):
    with served(tmp_path, hands) as site:
        site.site.streams = 50
        assert asked(site.port, f"/-/live{ADDRESS}")[0] == 503


def samples(outcomes):
    header = Header(0.0, "", 0.0, 10.0, 2.0, 0.0, home_region="home", standby_region="away")
    rows = [
        Sample(number, number / 10, number / 10, number / 10 + 0.01, Kind.READ, Outcome[name], region=region)
        for number, (name, region) in enumerate(outcomes)
    ]
    return gather(header, rows)


def test_every_request_is_in_one_cell_of_the_strip_and_a_single_failure_is_seen():
    outcomes = [("OK", "home")] * 10_000 + [("FAILED", "")] + [("OK", "away")] * 1999
    drawn = strips.strips(samples(outcomes), 1200.0, 1000.0)
    assert sum(cell.requests for cell in drawn.cells) == 12_000
    assert sum(cell.requests - cell.ok for cell in drawn.cells) == 1
    assert [cell.region for cell in drawn.cells] == ["home"] * 100 + ["away"] * 20
    assert strips.picture(drawn).count('class="failure"') == 1
    assert f'height="{strips.LEAST:g}"' in strips.picture(drawn)
    assert strips.legend(drawn) == [("region-home", "home (home)"), ("region-other", "away")]


def test_what_nobody_knows_is_blank_and_what_nobody_served_is_nobodys():
    drawn = strips.strips(samples([("OK", "home")] * 10 + [("FAILED", "")] * 10), 4.0, None)
    regions = [cell.region for cell in drawn.cells]
    assert {cell.region for cell in drawn.cells[62:]} == {None}
    assert "" in regions
    assert strips.strips(samples([]), 4.0, None) is None
    assert np.isclose(drawn.end, 4.0)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    with playwright.sync_playwright() as started:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        opened = started.chromium.launch(executable_path=chromium, args=flags)
        yield opened
        opened.close()


def opened(browser, address, **options):
    """A page at ``address``, and what its console said."""
    page = browser.new_page(**options)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_default_timeout(8000)
    page.goto(address)
    return page, said


def test_in_a_browser_a_drill_is_followed_to_its_report(browser, whole, folder, tmp_path, hands):
    planted = sys.modules["planted"]
    with served(tmp_path, hands) as site:
        page, said = opened(browser, site.url, viewport={"width": 390, "height": 800})
        page.click("text=loss of region us-east-1 is running")
        page.wait_for_selector("h1:has-text('nothing is broken yet')")
        page.evaluate("document.querySelector('#files').dataset.mark = 'same page'")
        played(planted, whole, folder, 16.0)
        hands.seconds = 16.0
        page.wait_for_selector("h1:has-text('Nobody serves users')")
        assert "Nobody serves users" in page.title()
        assert page.locator("#files").get_attribute("data-mark") == "same page", (
            "it was loaded anew, not brought up to date"
        )
        assert page.locator("svg.strips .failure").count() > 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        hands.seconds = 100.0
        page.wait_for_selector("text=probably killed")
        close(folder, cut_off=True)
        hands.seconds = 101.0
        page.click("text=The report")
        page.wait_for_selector("text=What happened")
        assert page.locator("#readout").inner_text().startswith("Point at the picture"), "its script did not run"
        page.click("text=All drills")
        page.wait_for_selector("text=Drill history")
        assert not said
        page.close()


def test_in_a_browser_nothing_from_a_journal_runs(browser, planted, hostile, tmp_path, hands):
    folder = tmp_path / "h" / STAMP
    shutil.copytree(hostile, folder)
    played(planted, hostile, tmp_path / "l" / STAMP, 16.0)
    hands.seconds = 16.0
    with served(tmp_path, hands) as site:
        script = f"<!-- {site.site.reports.script} -->"
        text = (
            f"<html><head><title>mine</title>{script}</head><body><main><script>document.title='owned'</script></main>"
        )
        (folder / folders.REPORT).write_text(text)
        page, _ = opened(browser, f"{site.url}/h/{STAMP}/report.html")
        assert page.title() == "mine"
        assert page.evaluate("self.origin") == "null"
        for path in ("/", f"/l/{STAMP}/"):
            page.goto(site.url + path)
            page.wait_for_function("document.readyState === 'complete'")
            assert page.title() != "owned"
            assert page.locator("img").count() == 0
            assert "onerror" in page.content()
        page.close()


@pytest.mark.sweep
def test_in_a_browser_a_page_that_hears_nothing_says_so(browser, folder, tmp_path, hands):
    with served(tmp_path, hands) as site:
        page, _ = opened(browser, site.url + ADDRESS)
        page.clock.install()
        page.reload()
        page.wait_for_selector("h1:has-text('nothing is broken yet')")
        site.server.should_exit = True
        site.thread.join(20)
        page.clock.run_for(8000)
        assert "what stands here is as old as that" in page.locator("#connection").inner_text()
        page.close()
