"""What the reverter's process and `blackstart recover` are made of; how they work is in tests/changes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blackstart.changes.clients import Clients
from blackstart.changes.log import Drill as Logged
from blackstart.changes.mirror import Mirror
from blackstart.changes.owner import here
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.clock import SystemClock
from blackstart.errors import JournalUnreadable
from blackstart.journals import folder
from blackstart.observer.floor import Floor
from blackstart.recovery import _folder, stop_conditions
from blackstart.scope import Alarm, Query, Scope, StopConditions


@pytest.fixture
def reach(tmp_path):
    log, clock = SqliteLog(tmp_path / "undo.sqlite"), SystemClock()
    yield Reach(log, Kinds(), Clients(), clock, Mirror(None, "reverter", clock))
    log.close()


def journal(root: Path, **more) -> Path:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    return folder.create(root, folder.Drill("drill-1", "wait", "a wait", "", started, 0.0, "test", "nothing", **more))


def scope(**stop) -> dict:
    return Scope(environment="test", stop=StopConditions(**stop)).model_dump(mode="json")


def test_the_stop_conditions_are_those_that_the_scope_had_when_the_drill_began(tmp_path, reach):
    alarm, query = Alarm(name="5xx", region="us-east-1"), Query(name="errors", url="http://p.test", query="x", above=1)
    kept = scope(alarms=(alarm,), queries=(query,), availability=0.5, every_seconds=2, patience_seconds=7)
    found = stop_conditions(journal(tmp_path, scope=kept), reach)
    assert [each.name for each in found.all] == [
        "alarm 5xx of us-east-1",
        "query errors",
        "the availability of users",
    ]
    assert isinstance(found.all[-1], Floor)
    assert (found.every_seconds, found.patience_seconds) == (2, 7)


def test_a_scope_without_stop_conditions_has_none(tmp_path, reach):
    assert stop_conditions(journal(tmp_path, scope=scope()), reach).all == ()


@pytest.mark.parametrize("spoilt", ["", "{", '{"format": 1}'])
def test_a_scope_that_cannot_be_read_is_a_condition_that_cannot_answer(tmp_path, reach, spoilt):
    path = journal(tmp_path)
    (path / folder.DRILL).write_text(spoilt)
    (condition,) = stop_conditions(path, reach).all
    with pytest.raises(JournalUnreadable):
        condition.look()


def test_a_scope_of_another_version_is_a_condition_that_cannot_answer(tmp_path, reach):
    path = journal(tmp_path, scope=scope())
    record = json.loads((path / folder.DRILL).read_text())
    record["scope"]["stop"]["vetoes"] = []
    (path / folder.DRILL).write_text(json.dumps(record))
    (condition,) = stop_conditions(path, reach).all
    with pytest.raises(JournalUnreadable, match="vetoes"):
        condition.look()


def test_the_journal_of_another_machine_is_not_mistaken_for_one_of_this(tmp_path):
    path = journal(tmp_path)
    mine = Logged("drill-1", "a wait", here(), "2026-01-01T00:00:00Z", str(path))
    assert _folder(mine) == path
    assert _folder(replace(mine, id="drill-2")) is None
    assert _folder(replace(mine, folder=str(tmp_path / "nowhere"))) is None
    assert _folder(replace(mine, folder="")) is None
    (path / folder.DRILL).write_text("{")
    assert _folder(mine) == path
    assert _folder(replace(mine, owner=replace(here(), host="elsewhere"))) is None
