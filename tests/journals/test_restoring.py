"""What is written down as proof, by whom, and that nothing stands in the way of an undo for its sake."""

import json

import pytest

from blackstart.changes.clients import Clients
from blackstart.changes.leftovers import Residue
from blackstart.changes.log import Drill, Fault, Mark
from blackstart.changes.mirror import Mirror
from blackstart.changes.model import Change, State
from blackstart.changes.owner import here
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.changes.resolve import ACCEPTED
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.journals import folder as folders
from blackstart.journals.restoration import parse
from blackstart.journals.restoring import record
from blackstart.scope import Target
from blackstart.testing import FakeClock

DRILL = Drill("drill-1", "a test", here(), "2026-01-01T00:00:00Z", "")


@pytest.fixture
def reach(tmp_path):
    log, clock = SqliteLog(tmp_path / "undo.sqlite"), FakeClock()
    yield Reach(log, Kinds(), Clients(), clock, Mirror(None, "drill", clock))
    log.close()


def changed(reach, *marks):
    """As if a drill had inverted so many health checks, which carry no tag, and got so far with each."""
    changes = [
        Change(f"bs-{number}", "route53.health_check", Target("health check", str(number)), {}, {}, "", "")
        for number in range(len(marks))
    ]
    reach.log.append(DRILL, Fault("a test", 1000.0), changes)
    reach.log.mark("drill-1", {change.id: mark for change, mark in zip(changes, marks, strict=True)})


def test_a_drill_that_changed_nothing_needs_no_proof(reach, tmp_path):
    assert record("drill-1", tmp_path, reach, "drill") is None
    assert not (tmp_path / folders.RESTORATION).exists()


def test_the_proof_says_how_far_each_change_got_and_who_looked(reach, tmp_path):
    accepted = Mark(State.VERIFIED, f"{ACCEPTED}: accepted by ann")
    changed(reach, Mark(State.VERIFIED), accepted, Mark(State.CONFLICT, "it is green"), Mark(State.APPLIED))
    proof = record("drill-1", tmp_path, reach, "reverter")
    assert (proof.by, proof.at, proof.changes, proof.verified) == ("reverter", "2026-01-01T00:00:00.000Z", 4, 2)
    assert (proof.accepted, proof.conflicts, proof.remaining) == (("bs-1",), {"bs-2": "it is green"}, {"bs-3": ""})


def test_what_was_written_is_what_is_read(reach, tmp_path):
    changed(reach, Mark(State.VERIFIED))
    proof, damaged = record("drill-1", tmp_path, reach, "drill"), []
    assert parse(json.loads((tmp_path / folders.RESTORATION).read_text()), damaged) == proof
    assert damaged == []


def test_an_undo_log_that_is_gone_is_no_proof_but_no_error(reach, tmp_path):
    changed(reach, Mark(State.VERIFIED))
    reach.log.path.unlink()
    proof = record("drill-1", tmp_path, reach, "reverter")
    assert (proof.changes, proof.verified) == (None, None)
    assert "it has been deleted" in proof.residue.problems[0]


def test_a_journal_that_cannot_be_written_stops_nothing(reach, tmp_path, caplog):
    changed(reach, Mark(State.VERIFIED))
    assert record("drill-1", tmp_path / "no such folder", reach, "drill").verified == 1
    assert "could not write" in caplog.text


def test_without_a_journal_the_proof_is_still_told(reach):
    changed(reach, Mark(State.VERIFIED))
    assert record("drill-1", None, reach, "recover").residue == Residue()


@pytest.mark.parametrize("data", [{}, {"at": "then", "by": "drill", "changes": "many", "verified": 1}])
def test_a_proof_that_says_something_else_is_damage(data):
    damaged = []
    assert parse(data, damaged) is None
    assert damaged[0].startswith("restoration.json: ")
