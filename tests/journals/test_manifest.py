"""Checksums: a journal that was closed says so when anything in it is altered, lost or added."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from blackstart.cli import app
from blackstart.journals import chain, manifest, verification
from blackstart.journals import folder as folders

NOW = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)


@pytest.fixture
def closed(planted, tmp_path):
    """A journal that went through all stages and was closed."""
    folder = planted.plant(tmp_path / "journals", planted.SMALL)
    chain.add(folder, chain.OPENED, "drill", NOW)
    folders.append(folder, folders.EVENTS, {"at": 44.0, "kind": "note", "text": "one more"})
    chain.add(folder, chain.UNDONE, "drill", NOW)
    (folder / "report.html").write_text("<p>drilled</p>")
    manifest.write(folder, chain.CLOSED, "drill", NOW)
    return folder


def test_a_closed_journal_is_as_it_was(closed):
    assert manifest.verify(closed) == manifest.Verification((), True)
    assert [link.stage for link in chain.read(closed).links] == ["opened", "undone", "closed"]


def test_the_manifest_is_canonical_so_that_any_tool_can_sign_it(closed):
    text = (closed / "manifest.json").read_bytes()
    assert manifest.canonical(json.loads(text)) == text
    (closed / "manifest.json").write_bytes(json.dumps(json.loads(text)).encode())
    assert manifest.verify(closed).problems == ("manifest.json: is not a manifest (its bytes are not canonical)",)


def flip(path):
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 1
    path.write_bytes(text)


def test_a_flipped_bit_of_any_file_is_named(closed):
    names = sorted(path.name for path in closed.iterdir() if path.name != "report.html")
    for name in names:
        kept = (closed / name).read_bytes()
        flip(closed / name)
        found = manifest.verify(closed)
        assert found.exit_code == 1, name
        assert name == "manifest.json" or any(each.startswith(name) for each in found.problems), (name, found)
        (closed / name).write_bytes(kept)
    assert manifest.verify(closed).exit_code == 0


@pytest.mark.parametrize(("key", "value"), [("at", "2026-11-23T14:11:00.000Z"), ("by", "recover"), ("drill", "0143")])
def test_a_manifest_tells_of_its_drill_what_the_rest_tells(closed, key, value):
    data = json.loads((closed / "manifest.json").read_bytes())
    (closed / "manifest.json").write_bytes(manifest.canonical({**data, key: value}))
    assert manifest.verify(closed).exit_code == 1


def test_missing_extra_cut_and_grown_files_are_named(closed):
    (closed / "verdict.json").unlink()
    (closed / "surprise.txt").write_text("hello")
    (closed / "ledger.jsonl").write_bytes((closed / "ledger.jsonl").read_bytes()[:-3])
    with (closed / "events.jsonl").open("a") as file:
        file.write("{}\n")
    (closed / "link.json").symlink_to("/etc/hostname")
    told = manifest.verify(closed).problems
    assert [problem.partition(":")[0] for problem in told] == [
        "events.jsonl", "ledger.jsonl", "link.json", "surprise.txt", "verdict.json",
    ]  # fmt: skip
    for words in ("has grown by 3 bytes", "cut: ", "not a regular file", "extra: ", "missing"):
        assert any(words in problem for problem in told), words


def test_the_stage_before_which_a_file_was_altered_is_told(closed):
    text = (closed / "changes.jsonl").read_text()
    (closed / "changes.jsonl").write_text(text.replace("subnet-0", "subnet-9"))
    manifest.write(closed, chain.CLOSED, "drill", NOW)  # whoever forges a new manifest has the chain against them
    assert manifest.verify(closed).problems == ("changes.jsonl: changed: it is not what it was at the stage opened",)


def test_a_chain_that_was_rewritten_does_not_fit_its_manifest(closed):
    (closed / "chain.jsonl").unlink()
    chain.add(closed, chain.OPENED, "drill", NOW)
    told = manifest.verify(closed).problems
    assert "chain.jsonl: does not end where manifest.json says" in told
    lines = (closed / "chain.jsonl").read_text()
    (closed / "chain.jsonl").write_text(lines + lines)
    assert "chain.jsonl: line 2 (opened) does not follow the line before it" in manifest.verify(closed).problems


def test_a_journal_whose_manifest_was_taken_away_is_not_merely_open(closed):
    (closed / "manifest.json").unlink()
    found = manifest.verify(closed)
    assert (found.exit_code, found.closed) == (1, False)


def test_reports_may_be_made_anew(closed):
    (closed / "report.html").write_text("<p>another</p>")
    (closed / "report.md").write_text("# new")
    found = manifest.verify(closed)
    assert found.exit_code == 0
    assert [note.partition(":")[0] for note in found.notes] == ["report.html", "report.md"]


def test_a_journal_that_was_never_closed_proves_nothing(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL)
    assert manifest.verify(folder).exit_code == 2
    chain.add(folder, chain.OPENED, "drill", NOW)
    assert manifest.verify(folder).exit_code == 2
    flip(folder / "samples.bin")
    assert manifest.verify(folder).exit_code == 1
    assert manifest.verify(tmp_path / "nowhere").exit_code == 2


def test_a_line_of_the_chain_that_a_killed_writer_left_half_is_no_tampering(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL)
    chain.add(folder, chain.OPENED, "drill", NOW)
    with (folder / "chain.jsonl").open("a") as file:
        file.write('{"stage": "fau')
    assert manifest.verify(folder).exit_code == 2
    manifest.write(folder, chain.RECOVERED, "reverter", NOW)
    assert manifest.verify(folder) == manifest.Verification(
        (), True, ("chain.jsonl: a line was cut off by a writer that was killed",)
    )


def test_closing_anew_after_a_later_recovery_names_what_it_replaces(closed):
    first = manifest.read(closed)
    folders.append(closed, folders.CHANGES, {"state": "verified", "by": "recover"})
    assert manifest.verify(closed).exit_code == 1
    manifest.write(closed, chain.RECOVERED, "recover", NOW)
    second = manifest.read(closed)
    assert manifest.verify(closed).exit_code == 0
    assert second.replaces == (first.sha256,)


def test_a_journal_that_vanished_is_noticed_by_the_one_that_follows_it(planted, closed):
    root = closed.parent.parent
    later = planted.plant(root, planted.SMALL, experiment="other")
    manifest.write(later, chain.CLOSED, "drill", NOW + timedelta(hours=1))
    manifest.write(closed, chain.RECOVERED, "recover", NOW)  # whose earlier manifest the later one knows
    assert {name: each.exit_code for name, each in verification.of_root(root).items()} == {
        f"other/{later.name}": 0, f"region-loss/{closed.name}": 0,
    }  # fmt: skip
    shutil.rmtree(closed)
    told = verification.of_root(root)[f"other/{later.name}"].problems
    assert told == (f"manifest.json: follows the journal region-loss/{closed.name}, which is not here any more",)


def verify(*arguments):
    done = CliRunner().invoke(app, ["journal", "verify", *map(str, arguments)])
    return done.exit_code, done.stdout


def test_the_command_names_what_is_wrong(closed, tmp_path):
    assert verify(closed)[0] == 0
    assert verify(tmp_path / "nothing")[0] == 2
    assert verify(tmp_path)[0] == 2
    flip(closed / "samples.bin")
    code, said = verify(closed)
    assert (code, "samples.bin: changed" in said) == (1, True)
    code, said = verify(closed.parent.parent, "--json")
    assert (code, json.loads(said)[f"region-loss/{closed.name}"]["exit_code"]) == (1, 1)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_a_signature_by_ssh_keygen_is_checked(closed, tmp_path):
    key, signers = tmp_path / "key", tmp_path / "signers"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers.write_text(f"drills@example.org {key.with_suffix('.pub').read_text()}")
    code, said = verify(closed, "--allowed-signers", signers)
    assert (code, "nobody has signed" in said) == (1, True)
    sign = ["ssh-keygen", "-Y", "sign", "-f", key, "-n", "blackstart-journal", closed / "manifest.json"]
    subprocess.run(sign, check=True, capture_output=True)
    code, said = verify(closed, "--allowed-signers", signers)
    assert (code, "signed by drills@example.org" in said) == (0, True)
    manifest.write(closed, chain.RECOVERED, "recover", NOW)
    assert verify(closed, "--allowed-signers", signers)[0] == 1
    signers.write_text("")
    assert "by nobody whom" in verify(closed, "--allowed-signers", signers)[1]
