"""What every undo log does: the same tests for the file of one machine and for the table of a team."""

from dataclasses import replace
from pathlib import Path

import pytest
from logbook import FAULT, SHARED, SOMEBODY, change, drill, noise

from blackstart.changes.log import Block, Lease, Mark
from blackstart.changes.logs import create, default_url, open_log
from blackstart.changes.model import State
from blackstart.changes.owner import here
from blackstart.errors import ConfigInvalid, DrillStopped, Refused

SCRIPT = str(Path(__file__).parent / "logbook.py")
BLOCK = Block("storm", "ada", "2026-11-23T14:00:00.000Z")
VERIFIED = Mark(State.VERIFIED)


def ids(drills):
    return [found.id for found in drills]


def test_what_is_appended_is_there_whole_for_another_process(log, other):
    first, second = change("subnet-1"), change("subnet-2")
    assert log.append(drill(), FAULT, [first, second]) == 1
    entries = other.entries("drill-1")
    assert [entry.change for entry in entries] == [first, second]
    assert entries[0].fault == FAULT
    assert [entry.state for entry in entries] == [State.PLANNED, State.PLANNED]
    assert other.find("drill-1") == drill()


def test_faults_of_a_drill_are_numbered(log):
    assert log.append(drill(), FAULT, [change("a")]) == 1
    assert log.append(drill(), SHARED, [change("b"), change("c")]) == 2
    assert log.append(drill("drill-2"), FAULT, [change("d", "eu-west-1")]) == 1
    entries = log.entries("drill-1")
    assert [(entry.number, entry.change.target.id) for entry in entries] == [(1, "a"), (2, "b"), (2, "c")]
    assert [entry.fault for entry in entries] == [FAULT, SHARED, SHARED]


def test_a_drill_that_nobody_knows_has_nothing(log):
    assert log.entries("nobody") == []
    assert log.find("nobody") is None
    assert log.lease("nobody") is None
    assert log.stopping("nobody") == ""
    assert not log.beat("nobody", here())
    assert not log.take("nobody", here(), Lease(here(), 0))
    log.stop("nobody", "in vain")
    log.end("nobody")
    log.mark("nobody", {"bs-000000000000": Mark(State.APPLIED)})
    assert (log.find("nobody"), log.entries("nobody"), log.drills()) == (None, [], [])


def test_hundreds_of_changes_and_their_marks_are_kept(log, other):
    changes = [change(f"subnet-{number}", before={"acl": noise(100, number)}) for number in range(250)]
    log.append(drill(), FAULT, changes)
    log.mark("drill-1", {each.id: VERIFIED for each in changes[:-1]})
    found = other.entries("drill-1")
    assert [entry.change for entry in found] == changes
    assert [entry.change.id for entry in found if entry.open] == [changes[-1].id]


def test_the_last_mark_counts_whoever_makes_it(log, other):
    done = change()
    log.append(drill(), FAULT, [done, change("subnet-2")])
    for writer, state in ((log, State.APPLIED), (other, State.UNDONE), (log, State.CONFLICT)):
        writer.mark("drill-1", {done.id: Mark(state, "somebody changed it")})
        entry, untouched = other.entries("drill-1")
        assert (entry.state, entry.note, entry.open) == (state, "somebody changed it", True)
        assert untouched.state is State.PLANNED
    log.mark("drill-1", {done.id: VERIFIED})
    assert (log.entries("drill-1")[0].note, log.entries("drill-1")[0].open) == ("", False)


def test_a_mark_of_another_drill_s_change_does_nothing(log):
    done = change()
    log.append(drill(), FAULT, [done])
    log.begin(drill("drill-2"))
    log.mark("drill-2", {done.id: VERIFIED})
    assert log.entries("drill-1")[0].open


def test_drills_are_listed_until_they_have_ended_and_all_is_verified(log, other):
    first, second = change("a", "us-east-1"), change("b", "eu-west-1")
    log.begin(drill("idle", "3"))
    log.append(drill("ended", "2"), FAULT, [first])
    log.append(drill("verified", "1"), FAULT, [second])
    log.end("ended")
    log.mark("verified", {second.id: VERIFIED})
    assert ids(other.drills()) == ["verified", "ended", "idle"]
    log.end("verified")
    log.end("idle")
    log.mark("ended", {first.id: Mark(State.CONFLICT)})
    assert ids(other.drills()) == ["ended"]
    log.mark("ended", {first.id: VERIFIED})
    assert other.drills() == []
    assert other.find("ended").title == "Lose a zone"
    assert [entry.state for entry in other.entries("ended")] == [State.VERIFIED]


def test_a_change_that_turns_out_to_be_open_brings_its_drill_back(log, other):
    late = change()
    log.append(drill(), FAULT, [late])
    log.mark("drill-1", {late.id: VERIFIED})
    log.end("drill-1")
    assert other.drills() == []
    with pytest.raises(DrillStopped, match="ended by another process"):
        log.mark("drill-1", {late.id: Mark(State.APPLIED)})
    assert ids(other.drills()) == ["drill-1"]
    with pytest.raises(Refused, match="held by drill drill-1"):
        other.append(drill("drill-2"), FAULT, [change()])


def test_a_clock_that_was_stepped_back_changes_only_the_order_of_the_list(log, other):
    log.append(drill("first", "2026-11-23T15:00:00.000Z"), SHARED, [change("a")])
    log.append(drill("second", "2026-11-23T14:00:00.000Z"), SHARED, [change("b")])
    assert ids(other.drills()) == ["second", "first"]
    assert other.append(drill("first"), SHARED, [change("c")]) == 2
    assert [entry.change.target.id for entry in other.entries("first")] == ["a", "c"]
    with pytest.raises(Refused, match="held by drill second"):
        other.append(drill("first"), SHARED, [change("b")])


def test_the_owner_of_a_drill_holds_its_lease_and_beats(log, other):
    log.begin(drill())
    assert other.lease("drill-1") == Lease(here(), 0)
    assert log.beat("drill-1", here())
    assert not other.beat("drill-1", SOMEBODY)
    assert other.lease("drill-1") == Lease(here(), 1)


def test_a_lease_is_taken_only_as_it_was_seen(log, other):
    log.begin(drill())
    seen = other.lease("drill-1")
    log.beat("drill-1", here())
    assert not other.take("drill-1", SOMEBODY, seen)
    assert not other.take("drill-1", SOMEBODY, replace(log.lease("drill-1"), holder=SOMEBODY))
    assert other.take("drill-1", SOMEBODY, other.lease("drill-1"))
    assert not log.beat("drill-1", here())
    assert log.lease("drill-1") == Lease(SOMEBODY, 2)
    assert log.find("drill-1").owner == here()
    log.append(drill(), FAULT, [change()])
    assert log.lease("drill-1") == Lease(SOMEBODY, 2)


def test_a_drill_that_begins_again_is_the_same(log):
    log.begin(drill())
    log.append(drill(), FAULT, [change()])
    log.begin(drill(started="later"))
    assert log.find("drill-1") == drill()
    assert len(log.entries("drill-1")) == 1


def test_a_log_that_was_closed_may_be_closed_again(log):
    log.close()
    log.close()


def test_making_a_log_that_is_there_changes_nothing(url, log):
    log.append(drill(), FAULT, [change()])
    assert f"{url} can be used" in create(url)
    assert len(log.entries("drill-1")) == 1


def test_a_log_says_where_it_is(url, log):
    assert log.url == url
    assert log.region == ("us-east-1" if url.startswith("dynamodb") else "")


def test_without_a_url_the_log_is_this_user_s(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_url().startswith("sqlite:///")
    log = open_log("")
    assert log.url == default_url()
    log.close()


@pytest.mark.parametrize(
    "wrong",
    ["dynamodb://table", "dynamodb://us-east-1/", "dynamodb://us/east/x", "sqlite://relative/path", "/plain/path"],
)
def test_a_url_of_no_log_is_refused(wrong):
    with pytest.raises(ConfigInvalid, match="not the URL of an undo log"):
        open_log(wrong)
