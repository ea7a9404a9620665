"""The first page of an archive as Chromium shows it: light, dark and as wide as a phone, with hostile text in it."""

import shutil
import zipfile
from datetime import UTC, datetime

import pytest

from blackstart.reports.evidence import command
from blackstart.reports.evidence.command import Wanted

sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
HOSTILE = '"><script>window.hurt=1</script><img src=x onerror="window.hurt=1">'
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Later:
    def now(self):
        return datetime(2027, 1, 5, tzinfo=UTC)


@pytest.mark.sweep
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_the_first_page_is_accessible_and_quiet_in_a_browser(put, tmp_path):
    put(tmp_path / "journals", 0, lost=0)
    put(tmp_path / "journals", 1, experiment="zone-loss", title=HOSTILE, fault=HOSTILE, service=HOSTILE, lost=3)
    put(tmp_path / "journals", 2, experiment="pod-kill", closed=False)
    archive = tmp_path / "evidence.zip"
    command.run(Wanted("2026-11-01", "2026-11-30", "soc2", tmp_path / "journals", archive), Later())
    with zipfile.ZipFile(archive) as pack:
        pack.extractall(tmp_path / "unpacked")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light")):
            looked_at(browser, (tmp_path / "unpacked" / "index.html").as_uri(), width, scheme)
        browser.close()


def looked_at(browser, address, width, scheme):
    complaints = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: complaints.append(request.url) if request.url != address else None)
    page.goto(address)
    assert page.evaluate("window.hurt === undefined")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    assert complaints == []
    context.close()
