import json

import pytest

from blackstart.changes.log import Mark
from blackstart.changes.mirror import FILE, Mirror
from blackstart.changes.model import State
from blackstart.testing import FakeClock


@pytest.fixture
def lines(tmp_path):
    return lambda: [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines() if line.strip()]


def test_each_transition_is_a_line(tmp_path, lines):
    mirror = Mirror(tmp_path, "reverter", FakeClock())
    mirror.marked({"bs-1": Mark(State.APPLIED)}, {"bs-1": 999.5})
    mirror.marked({"bs-1": Mark(State.CONFLICT, "changed by somebody else")})
    assert lines() == [
        {
            "at": "2026-01-01T00:00:00.000Z",
            "monotonic": 1000.0,
            "change": "bs-1",
            "state": "applied",
            "note": "",
            "by": "reverter",
            "began": 999.5,
        },
        {
            "at": "2026-01-01T00:00:00.000Z",
            "monotonic": 1000.0,
            "change": "bs-1",
            "state": "conflict",
            "note": "changed by somebody else",
            "by": "reverter",
        },
    ]


def test_half_a_line_of_a_process_that_was_killed_spoils_nothing(tmp_path):
    (tmp_path / FILE).write_bytes(b'{"at": "2026')
    Mirror(tmp_path, "reverter", FakeClock()).marked({"bs-1": Mark(State.UNDONE)})
    half, whole = (tmp_path / FILE).read_text().splitlines()
    assert half == '{"at": "2026'
    assert json.loads(whole)["state"] == "undone"


def test_a_journal_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    Mirror(tmp_path / "gone", "drill", FakeClock()).marked({"bs-1": Mark(State.UNDONE)})
    assert "undoing goes on" in caplog.text


def test_without_a_journal_nothing_is_written(tmp_path):
    Mirror(None, "recover", FakeClock()).marked({"bs-1": Mark(State.UNDONE)})
    assert list(tmp_path.iterdir()) == []
