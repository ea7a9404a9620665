import json
import random
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blackstart import cli
from blackstart.errors import ConfigInvalid
from blackstart.reports.evidence import command
from blackstart.reports.evidence.command import Wanted
from blackstart.reports.evidence.verify import verify_archive

MARKUP = "<b>loss</b> of a *zone* | and `more`"


class Later:
    """A clock that stands long after the drills."""

    def now(self):
        return datetime(2027, 1, 5, tzinfo=UTC)


class During(Later):
    def now(self):
        return datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture(scope="session")
def journals(put, tmp_path_factory) -> Path:
    """Five drills in November: one passed, one failed, one in the lab, one cut off, one never closed; one in spring."""
    root = tmp_path_factory.mktemp("evidence") / "journals"
    put(root, 0, lost=0)
    put(root, 1, experiment="zone-loss", fault=MARKUP, title=MARKUP, service=MARKUP, lost=3)
    put(root, 2, experiment="pod-kill", environment="lab", lost=0)
    put(root, 3, experiment="node-loss", cut=True, report="")
    put(root, 4, experiment="cache-failover", closed=False, lost=0)
    put(root, -200, lost=0)
    return root


@pytest.fixture
def wanted(journals, tmp_path):
    def made(**changed):
        usual = {"start": "2026-11-01", "end": "2026-11-30", "framework": "soc2", "journals": journals}
        return Wanted(**{**usual, "output": tmp_path / "evidence.zip", **changed})

    return made


def unpacked(path):
    with zipfile.ZipFile(path) as pack:
        return {name: pack.read(name) for name in pack.namelist()}


def index(path):
    return json.loads(unpacked(path)["index.json"])


def states(path):
    return {each["id"]: each["state"] for each in index(path)["controls"]}


@pytest.fixture(scope="session")
def made(journals, tmp_path_factory):
    """The archive of those drills."""
    path = tmp_path_factory.mktemp("made") / "evidence.zip"
    assert command.run(Wanted("2026-11-01", "2026-11-30", "soc2", journals, path), Later()) == 0
    return path


def test_the_archive_holds_every_drill_of_the_period_and_verifies(made):
    files = unpacked(made)
    drills = {each["experiment"]: each["verdict"] for each in index(made)["drills"]}
    assert drills == {
        "region-loss": "passed", "zone-loss": "failed", "pod-kill": "passed", "node-loss": "inconclusive",
        "cache-failover": "passed",
    }  # fmt: skip
    assert not any("/202605" in name for name in files)
    for name in ("drill.json", "verdict.json", "changes.jsonl", "chain.jsonl", "manifest.json"):
        assert f"journals/region-loss/20261123T140300Z/{name}" in files
    found = verify_archive(made)
    assert found.problems == ()
    assert [note.split()[0] for note in found.notes] == ["journals/cache-failover/20261127T140300Z"]


def test_the_records_of_single_requests_are_left_out_but_named_unless_they_are_wanted(made, wanted):
    manifest = json.loads(unpacked(made)["manifest.json"])
    assert not any("samples.bin" in name or "ledger.jsonl" in name for name in manifest["files"])
    assert {"samples.bin", "ledger.jsonl", "found.jsonl"} <= set(manifest["journals"][0]["left_out"])
    path = wanted(start="2026-11-23", end="2026-11-23", with_samples=True)
    command.run(path, Later())
    assert "journals/region-loss/20261123T140300Z/samples.bin" in unpacked(path.output)
    assert verify_archive(path.output).exit_code == 0


def test_every_drill_has_a_report_even_where_its_journal_has_none(made):
    files = unpacked(made)
    assert "reports/node-loss/20261126T140300Z.html" in files
    for each in index(made)["drills"]:
        assert b"<!doctype html>" in files[each["report"]]


def test_controls_are_supported_only_as_far_as_the_drills_go(made):
    assert states(made) == {
        "A1.2": "in part", "A1.3": "in part", "CC7.2": "no drill", "CC7.5": "in part", "CC9.1": "in part",
    }  # fmt: skip
    because = {each["id"]: each["because"] for each in index(made)["controls"]}
    assert "No drill of the period restored a backup." in because["A1.2"]
    assert any(words.startswith("The newest drill of its kind failed: zone-loss") for words in because["CC9.1"])
    assert any(words.startswith("What cannot be verified proves nothing: cache-failover") for words in because["CC9.1"])


def test_pages_say_what_they_are_not_and_leave_nothing_out(made):
    files = unpacked(made)
    for page in (files["index.html"].decode(), files["index.md"].decode()):
        plain = page.replace("\\", "").replace('<span class="name">', "").replace("</span>", "")
        assert "It is no certificate, no audit and no legal advice." in plain
        assert "Nothing follows for systems, failures and controls that were not drilled." in plain
        for words in ("zone-loss", "✕ failed", "node-loss", "? inconclusive", "CC7.3", "None was handed in."):
            assert words in plain, words


def test_what_a_journal_holds_stays_text(made):
    page = unpacked(made)["index.html"].decode()
    assert "<b>loss</b>" not in page
    assert "&lt;b&gt;loss&lt;/b&gt;" in page
    assert "<script" not in page
    markdown = unpacked(made)["index.md"].decode()
    assert "<b>" not in markdown
    assert r"\<b\>loss\</b\>" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| [")]
    assert rows
    assert all(line.replace(r"\|", "").count("|") == 8 for line in rows)


def test_the_same_journals_give_the_same_archive(made, wanted):
    again = wanted()
    command.run(again, Later())
    assert again.output.read_bytes() == made.read_bytes()


def test_a_period_that_is_not_over_says_so(wanted):
    early = wanted()
    command.run(early, During())
    assert index(early.output)["made_before_its_end"] == "2026-11-25T00:00:00.000Z"
    assert "The period was not over" in unpacked(early.output)["index.html"].decode()


def test_a_journal_that_was_altered_is_found_out(wanted, journals, tmp_path, capsys):
    copy = tmp_path / "journals"
    shutil.copytree(journals / "region-loss" / "20261123T140300Z", copy / "region-loss" / "20261123T140300Z")
    verdict = copy / "region-loss" / "20261123T140300Z" / "verdict.json"
    verdict.write_text(verdict.read_text().replace('"lost_writes": 0', '"lost_writes": 00').replace("00,", "1,"))
    assert command.run(wanted(journals=copy), Later()) == 1
    assert set(states(tmp_path / "evidence.zip").values()) == {"not supported", "no drill"}
    assert "1 of 1 journals cannot be verified and support nothing." in capsys.readouterr().out
    assert verify_archive(tmp_path / "evidence.zip").exit_code == 1


def test_a_journal_that_cannot_be_read_is_in_it_and_proves_nothing(wanted, journals, tmp_path):
    copy = tmp_path / "journals"
    shutil.copytree(journals / "region-loss", copy / "region-loss")
    (copy / "region-loss" / "20261123T140300Z" / "drill.json").write_text("{")
    assert command.run(wanted(journals=copy, start="2026-01-01"), Later()) == 1
    found = {each["folder"]: each for each in index(tmp_path / "evidence.zip")["drills"]}
    broken = found["region-loss/20261123T140300Z"]
    assert broken["started"] == "2026-11-23T14:03:00.250Z"
    assert any("drill.json" in problem for problem in broken["problems"])
    assert len(found) == 2
    assert "supported" not in states(tmp_path / "evidence.zip").values()


HOSTILE = (None, True, -1, 1e308, "\ud800", "<script>", [], {}, [[]], "0001-01-01T00:00:00+14:00", float("nan"))


def test_damaged_journals_are_named_and_the_others_still_count(wanted, journals, tmp_path):
    chance, copy = random.Random(7), tmp_path / "journals" / "region-loss"
    whole = journals / "region-loss" / "20261123T140300Z"
    shutil.copytree(whole, copy / whole.name)
    ignored = shutil.ignore_patterns("samples.bin", "ledger.jsonl", "found.jsonl")
    for number in range(25):
        folder = shutil.copytree(whole, copy / f"20261101T0000{number:02d}Z", ignore=ignored)
        for name in ("drill.json", "verdict.json", "changes.jsonl", "manifest.json"):
            garble(folder / name, chance)
    assert command.run(wanted(journals=copy.parent), Later()) == 1
    problems = {each["folder"]: each["problems"] for each in index(tmp_path / "evidence.zip")["drills"]}
    assert [folder for folder, its in problems.items() if not its] == [f"region-loss/{whole.name}"]
    assert len(problems) == 26
    assert verify_archive(tmp_path / "evidence.zip").exit_code == 1


def garble(path, chance):
    """A line of JSON with hostile values, bits flipped, cut off, or gone."""
    data = bytearray(path.read_bytes())
    how = chance.randrange(4)
    if how == 0:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif how == 1:
        del data[chance.randrange(len(data)) :]
    elif how == 2:
        path.unlink()
        return
    else:
        known = json.loads(data.splitlines()[0] if path.suffix == ".jsonl" else data)
        data[:] = json.dumps({key: chance.choice((known[key], *HOSTILE)) for key in known}).encode()
    path.write_bytes(data)


def test_a_journal_of_which_nobody_knows_when_it_began_is_in_every_archive(wanted, journals, tmp_path):
    copy = tmp_path / "journals" / "region-loss"
    shutil.copytree(journals / "region-loss" / "20261123T140300Z", copy / "20261123T140300Z")
    (copy / "moved").mkdir()
    (copy / "moved" / "drill.json").write_text("{")
    assert command.run(wanted(journals=copy.parent), Later()) == 1
    assert "journals/region-loss/moved/drill.json" in unpacked(tmp_path / "evidence.zip")


def test_check_ends_with_one_unless_all_is_supported(wanted):
    assert command.run(wanted(check=True), Later()) == 1


def test_sign_offs_are_in_it_as_they_were_written(wanted, tmp_path):
    signed = tmp_path / "signed.yaml"
    signed.write_text(
        "sign-offs:\n- role: head of platform engineering\n  at: 2026-12-01T09:00:00Z\n  statement: Read <all>.\n"
        "- role: owner of the service\n  at: 2026-11-23T00:00:00Z\n  statement: Before.\n  drills: [region-loss-0]\n"
    )
    asked = wanted(sign_offs=[signed])
    command.run(asked, Later())
    files = unpacked(asked.output)
    assert files["sign-offs/1-signed.yaml"] == signed.read_bytes()
    assert "Read &lt;all&gt;." in files["index.html"].decode()
    assert "was made before the drill had ended" in files["index.html"].decode()
    assert all(each["signed_off_by"] for each in index(asked.output)["drills"] if each["experiment"] == "region-loss")
    assert not any("owner of the service" in each["signed_off_by"] for each in index(asked.output)["drills"])


def test_nothing_is_written_where_there_is_no_drill(wanted, tmp_path):
    with pytest.raises(ConfigInvalid, match="no drill began in 2025-01-01 to 2025-01-31, so there is nothing"):
        command.run(wanted(start="2025-01-01", end="2025-01-31"), Later())
    with pytest.raises(ConfigInvalid, match="no such folder"):
        command.run(wanted(journals=tmp_path / "none"), Later())
    assert not (tmp_path / "evidence.zip").exists()


def test_the_command_line_gives_json_and_one_sentence_for_what_it_cannot_use(journals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def asked(*arguments):
        return CliRunner().invoke(cli.app, ["evidence", "--journals", str(journals), *arguments])

    good = asked("--from", "2026-11-23", "--to", "2026-11-23", "--framework", "gdpr", "--json")
    assert good.exit_code == 0
    told = json.loads(good.stdout)
    assert told["archive"] == "evidence-gdpr-20261123-20261123.zip"
    assert verify_archive(tmp_path / told["archive"]).exit_code == 0
    bad = asked("--from", "2026-11-23", "--to", "soon", "--framework", "gdpr")
    assert isinstance(bad.exception, ConfigInvalid)
    assert str(bad.exception).startswith("--to: 'soon' is no date; write a day like")
