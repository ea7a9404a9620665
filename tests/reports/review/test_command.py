"""`blackstart review`, from files to files."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid
from blackstart.journals.close import close
from blackstart.journals.index import Row
from blackstart.reports.review import failures, known
from blackstart.reports.review.command import Options, examine, print_schema, run
from blackstart.reports.review.draft import draft
from blackstart.reports.review.markdown import page, text
from blackstart.settings import Objectives

EXAMPLE = Path(__file__).parents[3] / "docs" / "incident.yaml"
CHAOS = Path(sys.executable).parent / "chaos"


class Later(SystemClock):
    """After what the planted journals and the incidents here tell of."""

    def now(self) -> datetime:
        return datetime(2026, 12, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def journals(planted, tmp_path_factory):
    """A region loss that passed, and one without a verdict that can be read."""
    root = tmp_path_factory.mktemp("review") / "journals"
    close(planted.plant(root, planted.SMALL, lost=0))
    broken = root / "region-loss" / "20261101T000000Z"
    broken.mkdir()
    (broken / "verdict.json").write_text('{"format": 1, "verd')
    return root


@pytest.fixture
def file(tmp_path):
    """The example, a day after the planted drill of 23 November."""
    path = tmp_path / "incident.yaml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace("2026-11-20", "2026-11-24"), encoding="utf-8")
    return path


def review(file, journals, **options):
    return run(file, Options(journals, **options), Later())


def test_a_review_and_a_draft_are_written_beside_the_incident(file, journals, capsys):
    assert review(file, journals) == 1
    told = capsys.readouterr().out
    folder = file.parent / "INC-17"
    assert sorted(path.name for path in folder.iterdir()) == ["regression-INC-17.yaml", "review.md"]
    written = (folder / "review.md").read_text(encoding="utf-8")
    assert "**Felt less in the drill.**" in written
    assert "Had this failure been drilled? | By 1\u00a0drill (1 passed), the newest 12\u00a0hours before" in written
    assert "Journal region-loss/20261101T000000Z cannot be placed: drill.json: no such file" in written
    assert "1 of this failure, 0 near it, of 2\u00a0journals" in told
    assert max(len(line) for line in told.splitlines() if "review  " not in line and "regression  " not in line) <= 80


def test_the_draft_passes_chaos_validate(file, journals, tmp_path):
    review(file, journals, output=tmp_path / "out")
    checked = subprocess.run(
        [CHAOS, "--no-version-check", "validate", "regression-INC-17.yaml"],
        cwd=tmp_path / "out", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.sweep
@pytest.mark.parametrize(("kind", "way"), [(f.kind, way) for f in failures.FAILURES for way in (f.ways or [None])])
def test_the_draft_of_every_failure_passes_chaos_validate(incident, shipped, tmp_path, kind, way):
    path = tmp_path / "draft.yaml"
    path.write_text(draft(incident(failure=kind, way=way), shipped, Objectives()).text, encoding="utf-8")
    command = [CHAOS, "--no-version-check", "validate", path]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_draft_names_its_drills_of_the_same_failure(file, journals):
    review(file, journals)
    data = yaml.safe_load((file.parent / "INC-17" / "regression-INC-17.yaml").read_text(encoding="utf-8"))
    kind = failures.of("region")
    assert "whole" in (failures.ways(kind, "regression-INC-17", tuple(data["tags"])) or ())


def test_drills_of_a_draft_cover_the_failure_from_then_on(file, journals, planted, tmp_path, capsys):
    """Its file may be gone, or elsewhere: what the drill kept of it tells what it was about."""
    review(file, journals)
    data = yaml.safe_load((file.parent / "INC-17" / "regression-INC-17.yaml").read_text(encoding="utf-8"))
    root = tmp_path / "journals"
    tagged = {"status": "completed", "deviated": False, "experiment": data}
    close(planted.plant(root, planted.SMALL, experiment="regression-INC-17", toolkit=tagged))
    killed = planted.plant(root, planted.SMALL, experiment="regression-INC-17", toolkit=None)
    assert not (killed / "journal.json").exists()
    close(planted.plant(root, planted.SMALL, experiment="something-else", toolkit={"experiment": {"tags": "x"}}))
    capsys.readouterr()
    assert review(file, root, output=tmp_path / "again") == 1
    assert "2 of this failure, 0 near it, of 3\u00a0journals" in capsys.readouterr().out


def test_what_somebody_edited_is_not_overwritten(file, journals, tmp_path):
    review(file, journals)
    review(file, journals)  # the same again is no harm
    edited = file.parent / "INC-17" / "review.md"
    edited.write_text("what we learnt", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match=r"review\.md: is there already and says something else, so nothing"):
        review(file, journals)
    assert edited.read_text(encoding="utf-8") == "what we learnt"
    review(file, journals, force=True)
    assert edited.read_text(encoding="utf-8").startswith("# Review of INC-17")


def test_json_for_machines(file, journals, capsys):
    assert review(file, journals, as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((file.parent / "INC-17" / "review.json").read_text(encoding="utf-8"))
    assert found["gap"] is True
    assert found["findings"][0]["cause"] == "felt less in the drill"
    assert found["hypotheses"][0]["objective"] == "rto_seconds"
    assert found["compared"]["lost_writes"]["incident"] == 212
    assert found["drills"][0]["journal"] == "region-loss/20261123T140300Z"
    assert found["regression"]["source"] == "region-loss"
    assert [each["journal"] for each in found["not_counted"]["damaged"]] == ["region-loss/20261101T000000Z"]


def test_no_journals_is_an_error_and_not_an_answer(file, tmp_path):
    with pytest.raises(ConfigInvalid, match="no such folder of journals, so nobody can say what was drilled"):
        review(file, tmp_path / "jurnals")
    assert not (file.parent / "INC-17").exists()


def test_without_an_incident_it_says_what_it_needs(journals):
    with pytest.raises(ConfigInvalid, match="needs the file of an incident; --schema"):
        review(None, journals)


def test_a_folder_that_cannot_be_written_is_named(file, journals, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigInvalid, match=r"taken: the review could not be written \(File exists\)"):
        review(file, journals, output=tmp_path / "taken")


def test_the_schema_is_printed(capsys):
    assert print_schema() == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Incident"


HOSTILE = "<script>alert(1)</script> | a `b` *c* _d_ [e](javascript:f) ![g](h) &lt; # i\n\n# j\n\n- k\x1b[2J ~~l~~"


def test_markup_in_incidents_and_journals_stays_text(incident, drill):
    row = replace(drill(verdict="failed", drill=HOSTILE, reason=HOSTILE, folder=HOSTILE), service="orders")
    damaged = Row(folder=HOSTILE, problem=HOSTILE)
    told = incident(
        title=HOSTILE, where=HOSTILE[:90], symptoms=[HOSTILE, "# x", "1. y", "- z", "a\n---\nb"], systems=[HOSTILE],
        actions=[{"what": HOSTILE, "by": HOSTILE[:90]}],
    )  # fmt: skip
    found = page(examine(told, (row, damaged), Objectives(), known.shipped()))
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(found)
    inner = [child for token in tokens for child in (token.children or [])]
    kinds = {token.type for token in [*tokens, *inner]}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "s_open", "em_open", "hr", "code_block"}
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert [heading for heading in headings if heading.startswith("Review of")] == headings[:1]
    assert len(headings) == 8
    columns = {len(line.replace("\\|", "").split("|")) for line in found.splitlines() if line.startswith("| ")}
    assert columns <= {4, 5, 8, 11}
    assert "\x1b" not in found
    shown = "".join(child.content for child in inner if child.type == "text")
    assert "<script>alert(1)</script>" in shown


@pytest.mark.parametrize(
    "raw", [HOSTILE, "plain", "a_b", "snake_case_name", "# x", "12. y", "+ z", "= q", "a\\b", "$x$", ""]
)
def test_text_shows_what_it_was(raw):
    rendered = MarkdownIt("commonmark").parseInline(text(raw))[0].children or []
    assert "".join(child.content for child in rendered) == " ".join(
        "".join(each if each.isprintable() else " " for each in raw).split()
    )
