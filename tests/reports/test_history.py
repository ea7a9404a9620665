"""The history: as a page, on the terminal, as JSON, and as an exit code."""

import json
import re
import shutil
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.append(str(Path(__file__).parents[1] / "journals"))
from history_rows import NOW, journal, row, rto

from blackstart.cli import app
from blackstart.journals.coverage import Catalogue, Entry
from blackstart.reports import history, history_json, history_run, history_terminal
from blackstart.reports.history_trends import lines

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'


class Then:
    def now(self):
        return NOW


def entry(system: str, failure: str, *experiments: str, **more) -> Entry:
    return Entry(system=system, failure=failure, experiments=experiments, **more)


CATALOGUE = Catalogue(
    entries=(
        entry("EKS", "zone", "zone-loss"),
        entry("EKS", "pod", "pod-kill"),
        entry("Aurora", "fail-over", "database-failover", every_days=30),
        entry("Aurora", "zone", "torn"),
        entry("DNS", "fail-over", "dns-failover"),
        entry("S3", "data"),
    )
)
ROWS = (
    row(203, experiment="database-failover"),
    row(41, experiment="torn"),
    row(40, experiment="torn", problem="verdict.json: cannot be read (torn)", verdict=""),
    *(rto(10 + place / 10, days=20 - place) for place in range(6)),
    rto(71.2, days=3, reason="Orders came back after 71.2 s."),
    row(2, "inconclusive", "dns-failover", cut_off=True, reason="The drill was cut off before it ended."),
    row(1, experiment="pod-kill", failed_requests=0),
)


def page(rows=ROWS, catalogue=CATALOGUE) -> str:
    return history.page(rows, catalogue, NOW, lambda row: f"x/{row.folder}/report.html")


def text(html: str) -> str:
    """What the page says, without its markup."""
    body = html[html.index("<body>") :]
    return " ".join(re.sub(r"<[^>]*>", " ", body).replace("\u00a0", " ").split())


def shown(rows=ROWS, catalogue=CATALOGUE, **asked) -> str:
    return history_terminal.told(rows, catalogue, NOW, asked.pop("experiment", ""), **asked).plain


def test_the_first_sentence_counts_every_pair_once():
    said = text(page())
    assert (
        "1 of 6 system and failure pairs fails today, 2 are inconclusive, 1 is stale and 1 was never drilled." in said
    )
    assert "2 of 6 are proven within their interval. Next due: EKS, pod, within 89 days. 1 journal is damaged." in said


def test_the_matrix_tells_passed_failed_cut_off_stale_damaged_and_never_apart():
    said = text(page())
    for words in (
        "✓ passed no request failed yesterday",
        "✕ failed Recovery time: 71.2 s, required ≤ 60 s 3 days ago, passed 15 days ago",
        "✓ passed, stale",
        "203 days ago, due every 30 days",
        "? cut off 2 days ago, never passed",
        "? damaged verdict.json: cannot be read (torn) 40 days ago, passed 41 days ago",
        "never drilled no experiment yet",
    ):
        assert words in said


def test_a_change_beyond_noise_is_named_and_the_worst_panel_comes_first():
    said = text(page())
    assert "zone-loss recovery time 71.2 s the last 5, with noise:" in said
    assert lines(ROWS)[0].key == "rto_seconds"
    assert lines(ROWS)[0].marks[-1].met == "missed"
    calm = [rto(10 + place / 10, days=20 - place) for place in range(6)]
    assert "Nothing: the newest drill of every experiment is within the range" in text(page(calm))


def test_every_drill_is_listed_newest_first_with_its_report():
    html = page()
    found = re.findall(r'<tr class="\w*"><td class="when">[^<]*</td><th scope="row"><a href="([^"]*)"', html)
    assert found == [f"x/{each.folder}/report.html" for each in reversed(ROWS)]


def test_without_a_catalogue_the_page_says_what_is_not_known():
    said = text(page(catalogue=None))
    assert "No catalogue says what must be drilled, so what was never drilled is not known." in said
    assert 'id="coverage"' not in page(catalogue=None)
    assert "There is no journal here yet." in text(page((), None))


def test_more_failures_than_fit_become_a_list():
    wide = Catalogue(entries=tuple(entry("EKS", f"failure {number}", "zone-loss") for number in range(12)))
    assert "failure 11" in text(page(catalogue=wide))


def test_markup_in_a_journal_stays_text():
    hostile = {"title": HOSTILE, "reason": HOSTILE, "service": HOSTILE, "environment": HOSTILE}
    rows = (row(1, "failed", HOSTILE, **hostile), row(2, problem=HOSTILE), rto(9, experiment=HOSTILE, service=HOSTILE))
    html = history.page(rows, Catalogue(entries=(entry(HOSTILE, HOSTILE, HOSTILE),)), NOW, lambda row: "")
    assert "<script" not in html
    assert "<img" not in html
    assert "alert(1)" in html


def test_the_page_needs_no_network_and_allows_no_script():
    html = page()
    assert "default-src 'none'; style-src 'sha256-" in html
    assert not re.search(r'(src|href)="(https?:)?//|url\(["\']?http|@import', html)
    assert "<script" not in html
    assert " style=" not in html


def test_ten_thousand_drills_are_a_page_that_can_be_opened():
    rows = [rto(10 + number % 7, days=5000 - number / 2, experiment=f"e{number % 20}") for number in range(4000)]
    began = time.process_time()
    html = page(rows)
    assert time.process_time() - began < 5
    assert len(html) < 2_000_000
    assert "And 3,000 older drills" in text(html)


def test_the_terminal_fits_80_columns_and_says_the_same():
    said = shown()
    assert max(map(len, said.splitlines())) <= 80
    flat = " ".join(said.split())
    assert flat.startswith(
        "1 of 6 system and failure pairs fails today, 2 are inconclusive, 1 is stale and 1 was never"
    )
    assert "✕ zone failed Recovery time: 71.2 s, required ≤ 60 s" in flat
    assert "✕ worse zone-loss: recovery time 71.2 s; the last 5, with noise:" in flat
    assert "verdict.json: cannot be read (torn)" in flat
    assert shown(ascii_only=True).isascii()


def test_one_experiment_shows_each_of_its_numbers_and_all_its_drills():
    rows = [each for each in ROWS if each.experiment == "zone-loss"]
    flat = " ".join(shown(rows, experiment="zone-loss").split())
    assert "recovery time" in flat
    assert flat.count("zone-loss") >= len(rows)
    assert "Drills, newest first" in flat


def test_the_json_tells_everything_and_can_be_read_back():
    told = json.loads(json.dumps(history_json.told(ROWS, CATALOGUE, NOW), allow_nan=False))
    assert [each["state"] for each in told["coverage"]] == [
        "failed", "passed", "stale", "inconclusive", "inconclusive", "never drilled",
    ]  # fmt: skip
    assert len(told["drills"]) == len(ROWS)
    assert told["damaged"][0]["problem"] == "verdict.json: cannot be read (torn)"
    worse = [each for each in told["trends"] if each["reading"] == "worse"]
    assert [(each["experiment"], each["key"]) for each in worse] == [("zone-loss", "rto_seconds")]
    never = history_json.told([rto(9, days=2), rto(None, low=134.0)], None, NOW)
    assert json.loads(json.dumps(never, allow_nan=False))["trends"][0]["newest"] is None


@pytest.mark.parametrize(("verdict", "days", "code"), [("passed", 30, 0), ("failed", 30, 1), ("passed", 10, 1)])
def test_check_ends_with_1_if_what_must_be_drilled_fails_or_is_overdue(tmp_path, capsys, verdict, days, code):
    journal(tmp_path / "journals", verdict=verdict)  # 30 days ago
    catalogue = tmp_path / "c.yaml"
    catalogue.write_text(f"every_days: {days + 0.1}\nentries: [{{system: EKS, failure: zone, experiment: zone-loss}}]")
    asked = history_run.Asked(tmp_path / "journals", check=True, catalogue=catalogue)
    assert history_run.run(asked, Then(), {}) == code
    assert history_run.run(history_run.Asked(tmp_path / "journals", catalogue=catalogue), Then(), {}) == 0
    assert "EKS" in capsys.readouterr().out


def test_the_command_writes_the_page_beside_what_it_says(tmp_path, monkeypatch):
    folder = journal(tmp_path / "journals")
    (folder / "report.html").write_text("a report")
    (tmp_path / "coverage.yaml").write_text("entries: [{system: EKS, failure: zone, experiment: zone-loss}]")
    (tmp_path / "blackstart.toml").write_text('[coverage]\ncatalogue = "coverage.yaml"\n')
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(app, ["history", "--html", "history.html"])
    assert (made.exit_code, made.exception) == (0, None)
    assert "EKS" in made.output
    html = (tmp_path / "history.html").read_text()
    (link,) = set(re.findall(r'href="([^"]*)"', html))
    assert (tmp_path / link).read_text() == "a report"
    told = CliRunner().invoke(app, ["history", "--json", "--experiment", "zone-loss"])
    assert json.loads(told.output)["coverage"][0]["system"] == "EKS"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["journals", "--check"], "nothing says what must be drilled"),
        (
            ["journals", "--catalogue", "missing.yaml"],
            "missing.yaml: the catalogue of what must be drilled cannot be read",
        ),
        (["missing"], "journal missing: the folder: cannot be read"),
        (["journals", "--html", "no/where.html"], "no/where.html: the page cannot be written"),
    ],
)
def test_input_that_cannot_be_used_is_one_sentence(tmp_path, monkeypatch, arguments, said):
    journal(tmp_path / "journals")
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(app, ["history", *arguments])
    assert said in str(made.exception)


def test_the_age_of_a_drill_is_in_whole_days():
    from blackstart.reports.history_words import age, within

    assert [age(NOW - timedelta(hours=hours), NOW) for hours in (-1, 1, 23, 25, 49)] == [
        "today", "today", "today", "yesterday", "2\u00a0days ago",
    ]  # fmt: skip
    assert [within(NOW + timedelta(hours=hours), NOW) for hours in (1, 25, 49)] == [
        "today", "within 2\u00a0days", "within 3\u00a0days",
    ]  # fmt: skip


def test_in_a_browser_nothing_runs_nothing_is_loaded_and_nothing_overflows(tmp_path):
    """Phone and desk, in a real Chromium."""
    sync = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium")
    rows = (*ROWS, row(0.5, "failed", HOSTILE, reason=HOSTILE, service=HOSTILE))
    file = tmp_path / "history.html"
    file.write_text(page(rows))
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=arguments)
        for width in (390, 1280):
            sheet = browser.new_page(viewport={"width": width, "height": 900})
            heard: list[str] = []
            sheet.on("request", lambda request, heard=heard: heard.append(request.url))
            sheet.on("console", lambda message, heard=heard: heard.append(message.text))
            sheet.on("dialog", lambda dialog, heard=heard: heard.append("dialog"))
            sheet.goto(file.as_uri())
            assert heard == [file.as_uri()]
            assert sheet.evaluate("document.documentElement.scrollWidth") <= width
            assert sheet.locator(".square.failed b").first.inner_text().replace("\u00a0", " ") == "✕ failed"
            assert sheet.locator("svg.trend").first.bounding_box()["width"] > 200
            assert sheet.locator(".matrix td.none").first.is_visible() == (width > 640)
            sheet.close()
        browser.close()
