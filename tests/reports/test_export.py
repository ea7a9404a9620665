"""The report in its other forms: Markdown, JUnit XML, JSON, PDF; and the command that writes them."""

import json
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from blackstart.cli_journals import app
from blackstart.errors import NotPrinted, UnknownFormat
from blackstart.journals import folder as folders
from blackstart.journals.close import close
from blackstart.journals.measure import measure
from blackstart.reports import export, markdown, pdf

HOSTILE = '"><script>alert(1)</script>[x](http://evil.test) # | `@somebody` \u0007 \ud800 <!-- *b*'


@pytest.fixture(scope="module")
def hostile(planted, tmp_path_factory):
    """Half a character included, which a file can only hold as an escape of JSON."""
    folder = planted.plant(tmp_path_factory.mktemp("hostile"), planted.SMALL, rate=10.0)
    drill = json.loads((folder / folders.DRILL).read_text(encoding="utf-8"))
    drill |= {"fault": HOSTILE, "title": HOSTILE, "service": {**drill["service"], "name": HOSTILE}}
    (folder / folders.DRILL).write_text(json.dumps(drill), encoding="utf-8")
    with (folder / folders.EVENTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": 5.0, "kind": HOSTILE, "text": HOSTILE}) + "\n")
    return folder


@pytest.fixture
def small(planted, tmp_path):
    """``small(lost=0)``: a closed journal."""

    def made(**plan):
        folder = planted.plant(tmp_path, planted.SMALL, rate=10.0, **plan)
        close(folder)
        return folder

    return made


def suite(folder):
    """The cases of its JUnit XML: name → "passed", "failure" or "error"; and its properties."""
    told = export.tell(folder)
    root = ElementTree.fromstring(export._clean(export.TEXTS["junit"](told)))
    (found,) = root
    cases = {
        each.get("name"): next((part.tag for part in each if part.tag in ("failure", "error")), "passed")
        for each in found.iter("testcase")
    }
    counted = [list(cases.values()).count(kind) for kind in ("failure", "error")]
    assert [int(found.get("failures")), int(found.get("errors"))] == counted
    assert int(found.get("tests")) == len(cases)
    return cases, {each.get("name"): each.get("value") for each in found.iter("property")}


def test_a_missed_objective_is_a_failure_and_its_neighbours_pass(small):
    cases, properties = suite(small(lost=3))
    assert cases["Lost writes"] == "failure"
    assert cases["Recovery time"] == "passed"
    assert cases["verdict"] == "failure"
    assert cases["everything put back"] == "passed"
    assert properties["exit_code"] == "1"
    assert properties["verdict"] == "failed"


def test_what_is_inconclusive_is_an_error_and_never_a_pass(small):
    cases, properties = suite(small(lost=0, gap=(12.0, 14.0), checked=False))
    assert cases["Lost writes"] == "error"
    assert cases["verdict"] == "error"
    assert properties["exit_code"] == "2"


def test_a_doubt_that_no_objective_knows_of_is_an_error_all_the_same(small):
    cases, _ = suite(small(lost=0, proven=False))
    assert cases.pop("verdict") == "error"
    assert set(cases.values()) == {"passed"}


def test_what_is_left_in_place_is_a_failure_of_its_own(small):
    cases, properties = suite(small(lost=0, left=1))
    assert cases["everything put back"] == "failure"
    assert properties["exit_code"] == "3"


def test_markdown_says_what_the_page_says(region_loss):
    told = export.tell(region_loss)
    text = markdown.document(told.view)
    assert text.startswith("# ✕ FAILED: Orders moved to us-west-2")
    for heading in ("Objectives", "What happened", "Planned, and did not happen", "Compared with the last run"):
        assert f"\n## {heading}\n" in text
    assert "| Lost writes | 3 of" in text.replace("\u00a0", " ")
    assert "█" in text
    assert len(text) < 60_000


def test_markdown_of_a_journal_full_of_markup_stays_text(hostile):
    parser = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"html": True, "linkify": False})
    text = export._clean(markdown.document(export.tell(hostile).view))
    shown = parser.render(text)
    for tag in ("<script", "<a ", "<img", "<!--", "<em>"):
        assert tag not in shown
    assert "alert(1)" in shown
    assert "@somebody" not in shown
    assert "http://evil" not in shown
    assert shown.count("<h1>") == 1


def test_every_form_of_a_hostile_journal_is_well_formed(hostile, tmp_path):
    paths = export.run(hostile, "json,junit,md,html", str(tmp_path / "out"))
    assert [path.name for path in paths] == ["report.html", "report.md", "report.junit.xml", "report.json"]
    ElementTree.parse(paths[2])
    told = json.loads(paths[3].read_text(encoding="utf-8"))
    assert told["format"] == 1
    assert told["verdict"]["verdict"] == "failed"
    assert not (hostile / "report.html").exists()


def test_json_holds_the_verdict_file_and_every_key_is_documented(region_loss):
    told = json.loads(export.TEXTS["json"](export.tell(region_loss)))
    verdict = json.loads((region_loss / folders.VERDICT).read_text(encoding="utf-8"))
    assert told["verdict"] == verdict
    docs = Path(__file__).parents[2] / "docs" / "report.md"
    if docs.is_file():
        text = docs.read_text(encoding="utf-8")
        assert [key for key in told if f"`{key}`" not in text] == []


def test_the_command_writes_into_the_journal_a_folder_a_file_or_the_terminal(region_loss, tmp_path):
    def said(*arguments):
        done = CliRunner().invoke(app, ["report", str(region_loss), *arguments], catch_exceptions=False)
        return done.stdout.strip()

    assert said("--format", "md") == str(region_loss / "report.md")
    assert said("--format", "junit", "--output", str(tmp_path / "a.xml")) == str(tmp_path / "a.xml")
    assert said("--format", "md,json", "--output", str(tmp_path / "new")).splitlines() == [
        str(tmp_path / "new" / "report.md"),
        str(tmp_path / "new" / "report.json"),
    ]
    assert said("--format", "md", "--output", "-").startswith("# ✕ FAILED")


@pytest.mark.parametrize(("formats", "output"), [("docx", ""), ("", ""), ("md,json", "-"), ("pdf", "-")])
def test_a_form_that_there_is_not_is_refused_before_anything_is_read(formats, output, tmp_path):
    with pytest.raises(UnknownFormat, match="choose of"):
        export.run(tmp_path / "nowhere", formats, output)


def program(folder, script):
    """A stand-in for a browser: what it does with the command line is all that matters here."""
    path = folder / "chromium"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return {**os.environ, pdf.VARIABLE: str(path)}


PRINTS = 'for a; do case $a in --print-to-pdf=*) echo %PDF-1.4 > "${a#--print-to-pdf=}";; esac; done'


def test_a_browser_is_asked_to_print_and_what_it_made_is_kept(tmp_path):
    pdf.write(tmp_path / "page.html", tmp_path / "report.pdf", program(tmp_path, PRINTS))
    assert (tmp_path / "report.pdf").read_text() == "%PDF-1.4\n"


@pytest.mark.parametrize(
    ("script", "words"), [("exit 0", "exit code 0"), ("echo no display >&2; exit 1", "no display")]
)
def test_a_browser_that_does_not_print_is_told_with_what_it_said(tmp_path, script, words):
    with pytest.raises(NotPrinted, match=words):
        pdf.write(tmp_path / "page.html", tmp_path / "report.pdf", program(tmp_path, script))


def test_without_a_browser_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "PLACES", ())
    with pytest.raises(NotPrinted, match="apt install chromium"):
        pdf.browser({"PATH": str(tmp_path)})


@pytest.mark.sweep
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_in_a_browser_the_report_is_printed_on_a_few_pages(region_loss, tmp_path):
    (made,) = export.run(region_loss, "pdf", str(tmp_path / "report.pdf"))
    content = made.read_bytes()
    assert content.startswith(b"%PDF")
    assert 2 <= content.count(b"/Type /Page\n") <= 12
    assert measure(region_loss) is not None
