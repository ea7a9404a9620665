import hashlib
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackstart.errors import ConfigInvalid
from blackstart.journals.manifest import canonical
from blackstart.reports.evidence import archive
from blackstart.reports.evidence.verify import verify_archive

HELD = b'{"verdict":"passed"}\n'
JOURNAL = "journals/region-loss/20261123T140300Z"


def digest(data):
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def about(**changed):
    journal = {
        "folder": "region-loss/20261123T140300Z", "drill": "d1", "verdict": "passed", "closed": True, "problems": [],
        "left_out": {"samples.bin": digest(b"samples")},
    }  # fmt: skip
    return {"framework": "soc2", "journals": [{**journal, **changed}]}


def sources(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"at":0.0}\n' * 50)
    sealed = {"verdict.json": HELD, "events.jsonl": file.read_bytes(), "samples.bin": b"samples"}
    own = {"format": 1, "files": {name: digest(data) for name, data in sealed.items()}}
    return {
        f"{JOURNAL}/events.jsonl": file,
        f"{JOURNAL}/verdict.json": HELD,
        f"{JOURNAL}/manifest.json": canonical(own),
        "index.html": b"<!doctype html>",
    }


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "evidence.zip"
    archive.write(path, sources(tmp_path), about())
    return path


def repacked(path, change):
    """The archive with its members, name → bytes, as ``change`` leaves them."""
    with zipfile.ZipFile(path) as pack:
        members = {name: pack.read(name) for name in pack.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as pack:
        for name, data in members.items():
            pack.writestr(name, data)
    return path


def test_the_same_content_is_the_same_archive(tmp_path, packed):
    other = tmp_path / "elsewhere" / "other.zip"
    content = sources(tmp_path)
    assert archive.write(other, dict(reversed(content.items())), about()) == archive.write(packed, content, about())
    assert other.read_bytes() == packed.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_another_archive_of_that_name_is_left_alone(tmp_path, packed):
    before = packed.read_bytes()
    with pytest.raises(ConfigInvalid, match="another file is there and was left alone"):
        archive.write(packed, {"index.html": b"other"}, about())
    assert packed.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(ConfigInvalid, match="cannot be written"):
        archive.write(tmp_path / "x.zip", {"gone": tmp_path / "gone"}, about())
    assert not list(tmp_path.glob(".*"))


def test_an_archive_as_it_was_packed_is_verified(packed):
    found = verify_archive(packed)
    assert found.problems == found.notes == ()
    assert found.exit_code == 0


def test_any_program_can_check_it_with_the_manifest_alone(packed):
    script = (
        "import hashlib, json, sys, zipfile\n"
        "pack = zipfile.ZipFile(sys.argv[1])\n"
        "for name, its in json.loads(pack.read('manifest.json'))['files'].items():\n"
        "    assert hashlib.sha256(pack.read(name)).hexdigest() == its['sha256'], name\n"
    )
    subprocess.run([sys.executable, "-S", "-c", script, packed], check=True, timeout=30)


def changed_verdict(members):
    members[f"{JOURNAL}/verdict.json"] = HELD.replace(b"passed", b"failed")


def changed_with_its_line_in_the_manifest(members):
    changed_verdict(members)
    manifest = json.loads(members["manifest.json"])
    manifest["files"][f"{JOURNAL}/verdict.json"] = digest(members[f"{JOURNAL}/verdict.json"])
    members["manifest.json"] = canonical(manifest)


def without_the_verdict(members):
    del members[f"{JOURNAL}/verdict.json"]
    manifest = json.loads(members["manifest.json"])
    del manifest["files"][f"{JOURNAL}/verdict.json"]
    members["manifest.json"] = canonical(manifest)


def other_samples(members):
    manifest = json.loads(members["manifest.json"])
    manifest["journals"][0]["left_out"]["samples.bin"] = digest(b"others")
    members["manifest.json"] = canonical(manifest)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed_verdict, f"{JOURNAL}/verdict.json was changed"),
        (lambda m: m.update({f"{JOURNAL}/events.jsonl": b""}), "events.jsonl was changed: shorter than 550 bytes"),
        (lambda m: m.update({"index.html": b"<!doctype html>" * 2}), "index.html was changed: longer than 15 bytes"),
        (lambda m: m.pop("index.html"), "index.html is missing"),
        (lambda m: m.update({"more.html": b""}), "more.html is extra: the manifest does not name it"),
        (lambda m: m.update({"../x": b""}), "../x would be unpacked outside of its folder"),
        (lambda m: m.update({"/x": b""}), "/x would be unpacked outside of its folder"),
        (changed_with_its_line_in_the_manifest, "verdict.json is not as the journal’s own manifest has it"),
        (without_the_verdict, "verdict.json is missing: the journal’s own manifest names it"),
        (other_samples, "samples.bin is not as the journal’s own manifest has it"),
    ],
)
def test_what_was_changed_is_named(packed, change, said):
    found = verify_archive(repacked(packed, change))
    assert any(said in problem for problem in found.problems), found
    assert found.exit_code == 1


def test_a_file_that_is_there_twice_is_named(packed):
    with zipfile.ZipFile(packed, "a") as pack, pytest.warns(UserWarning, match="Duplicate"):
        pack.writestr("index.html", b"<!doctype html>")
    assert "index.html is in the archive 2 times" in verify_archive(packed).problems


def test_a_journal_that_was_altered_before_it_was_packed_is_named(tmp_path):
    path = tmp_path / "evidence.zip"
    archive.write(path, sources(tmp_path), about(problems=["samples.bin: changed"]))
    (problem,) = verify_archive(path).problems
    assert problem.endswith("was not as it was sealed when it was packed: samples.bin: changed")


def test_a_journal_that_was_never_closed_is_a_note(tmp_path):
    path = tmp_path / "evidence.zip"
    archive.write(path, {"index.html": b""}, about(closed=False, left_out={}))
    found = verify_archive(path)
    assert found.problems == ()
    assert found.notes == (f"{JOURNAL} was never closed, so nothing shows that it is as it was written",)


def test_who_asks_for_a_signature_is_told_how_not_that_all_is_well(packed):
    with pytest.raises(ConfigInvalid, match=r"--allowed-signers: does not look at archives; check .*\.sig with"):
        verify_archive(packed, signers=Path("allowed"))


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 99])
def test_what_is_no_archive_cannot_be_read(tmp_path, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    assert verify_archive(path).exit_code == 2
    assert verify_archive(tmp_path / "none.zip").exit_code == 2


@pytest.mark.parametrize(
    "manifest", [b"{", b"[]", b"{}", b'{"kind":"evidence","files":{},"format":99}', b"[" * 9999, b"\xff"]
)
def test_a_manifest_that_is_none_cannot_be_read(packed, manifest):
    found = verify_archive(repacked(packed, lambda members: members.update({"manifest.json": manifest})))
    assert found.exit_code == 2
    assert "no archive of evidence" in found.unreadable


@pytest.mark.parametrize(
    "journals", [None, 3, "x", [None, 3, []], [{"folder": 3, "problems": "x", "left_out": [], "closed": "yes"}], [{}]]
)
def test_a_manifest_with_wrong_types_gives_no_traceback(tmp_path, journals):
    path = tmp_path / "evidence.zip"
    archive.write(path, sources(tmp_path), {"journals": journals})
    verify_archive(path)


def test_of_a_file_that_is_longer_than_stated_no_more_is_unpacked(packed):
    """Its end is damaged: who reads as far as that finds another problem."""
    long = random.Random(1).randbytes(4_000_000)
    repacked(packed, lambda members: members.update({"index.html": long}))
    data = packed.read_bytes()
    packed.write_bytes(data.replace(long[-100:], bytes(100)))
    assert "index.html was changed: longer than 15 bytes" in verify_archive(packed).problems


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_a_byte_that_was_flipped_is_noticed_or_meant_nothing(packed, seed):
    chance = random.Random(seed)
    data = bytearray(packed.read_bytes())
    for _ in range(chance.choice((1, 1, 1, 5, 50))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    if chance.random() < 0.2:
        del data[chance.randrange(len(data)) :]
    path = packed.with_name("flipped.zip")
    path.write_bytes(data)
    if verify_archive(path).exit_code == 0:
        with zipfile.ZipFile(path) as one, zipfile.ZipFile(packed) as other:
            assert {name: one.read(name) for name in one.namelist()} == {
                name: other.read(name) for name in other.namelist()
            }


def test_names_in_the_archive_do_not_depend_on_the_machine(packed):
    with zipfile.ZipFile(packed) as pack:
        assert pack.namelist() == [*sorted(pack.namelist()[:-1]), "manifest.json"]
        assert {info.date_time for info in pack.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(Path(name).as_posix() == name for name in pack.namelist())
