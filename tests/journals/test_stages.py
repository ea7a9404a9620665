"""A journal can be read at every moment: after every single write that a real drill makes, whatever was killed then."""

import os
from datetime import UTC, datetime

import pytest

from blackstart.journals import chain, index, manifest
from blackstart.journals import folder as folders
from blackstart.journals.close import close
from blackstart.journals.measure import measure
from blackstart.journals.verdict import judge
from blackstart.reports import html

NOW = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)


class Reader:
    """Reads everything there is, after every so many writes of each file, and after each whole replacement."""

    def __init__(self, root):
        self.root, self.folder = root, None
        self.seen, self.read = {}, 0
        self.busy = False

    def wrote(self, path):
        name = os.path.basename(path)
        count = self.seen[name] = self.seen.get(name, 0) + 1
        if self.folder is None and os.path.exists(os.path.join(os.path.dirname(path), "drill.json")):
            self.folder = self.root / "region-loss" / "20261123T140300Z"
        # The first few of each file, and then ever fewer: the thousandth line is no other case than the ninth.
        if self.folder is not None and not self.busy and (count == 1 or count in (4, 16, 64)):
            self.busy = True
            self.look(name, drawn=count == 1)
            self.busy = False

    def look(self, name="", drawn=False):
        self.read += 1
        measured = measure(self.folder)
        verdict = judge(measured)
        assert measured.damaged == ()
        told = folders.read(self.folder).verdict
        if told is None or told["cut_off"]:
            assert told is None or told["verdict"] == "inconclusive"
        (row,) = index.read(self.root)
        assert row.problem == "" or told is None, row.problem
        # Between the last line of the chain and the manifest, one that was taken away looks the same.
        assert name == "chain.jsonl" or manifest.verify(self.folder).problems == ()
        assert verdict.exit_code is not None
        if drawn:
            html.page(measured, verdict, {})


@pytest.fixture
def reader(monkeypatch, tmp_path):
    """Told of each write of a process, as the system hears of it."""
    found, opened = Reader(tmp_path), {}
    real_open, real_write, real_replace = os.open, os.write, os.replace

    def opens(path, *rest, **more):
        descriptor = real_open(path, *rest, **more)
        opened[descriptor] = os.fspath(path)
        return descriptor

    def writes(descriptor, data):
        done = real_write(descriptor, data)
        path = opened.get(descriptor, "")
        if isinstance(path, str) and path.startswith(str(tmp_path)) and not path.endswith("sqlite"):
            found.wrote(path)
        return done

    def replaces(source, target, **more):
        real_replace(source, target, **more)
        if str(target).startswith(str(tmp_path)):
            found.wrote(os.fspath(target))

    monkeypatch.setattr(os, "open", opens)
    monkeypatch.setattr(os, "write", writes)
    monkeypatch.setattr(os, "replace", replaces)
    return found


def test_a_journal_can_be_read_after_every_write_of_a_drill(planted, tmp_path, reader):
    plan = planted.replace(planted.SMALL, rate=4.0, end=40.0)
    folder = planted.plant(tmp_path, plan)
    chain.add(folder, chain.OPENED, "drill", NOW)
    reader.look()
    chain.add(folder, chain.UNDONE, "drill", NOW)
    reader.look()
    measured, _ = close(folder)
    html.render(folder, measured)
    manifest.write(folder, chain.CLOSED, "drill", NOW)
    reader.look()
    assert manifest.verify(folder).exit_code == 0
    assert {"drill.json", "verdict.json", "observer.json", "samples.bin", "ledger.jsonl", "events.jsonl"} <= {
        *reader.seen
    }
    assert {"chain.jsonl", "manifest.json", "report.html", "restoration.json", "journal.json"} <= {*reader.seen}
    assert reader.read >= 15
