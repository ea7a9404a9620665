import json
import subprocess
import sys
from dataclasses import replace

import pytest

from blackstart.changes.gate import inject
from blackstart.changes.owner import here
from blackstart.changes.resolve import accept, force
from blackstart.changes.undo import undo
from blackstart.errors import ConfigInvalid, Refused, ServiceUnreachable

WRITING = "writing on the files"


@pytest.fixture
def conflict(desk):
    """A change whose target somebody else has changed, of a drill that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = here(process.pid)
    process.kill()
    process.communicate()
    gate = desk.gate()
    change = desk.change(desk.file("a"))
    inject([change], replace(gate, drill=replace(gate.drill, owner=owner)), WRITING)
    (desk.folder / "a").write_text("by somebody else")
    undo("drill-1", desk.reach())
    assert desk.states() == ["conflict"]
    return change.id


def forced(desk, change, agreed=lambda change, seen: True):
    return force(desk.log, change, lambda drill: desk.reach(), by="alice", clock=desk.clock, agreed=agreed)


def accepted(desk, change):
    return accept(desk.log, change, lambda drill: desk.reach(), by="alice", clock=desk.clock)


def text(desk):
    return (desk.folder / "a").read_text()


def noted(desk):
    """The last line of the journal's story of the changes."""
    return json.loads((desk.folder / "changes.jsonl").read_text().splitlines()[-1])


def test_forcing_writes_what_was_before_the_drill_whatever_is_there(desk, conflict):
    shown = []
    done = forced(desk, conflict, lambda change, seen: shown.append((change.before, seen)) or True)
    assert (text(desk), desk.states(), desk.log.drills()) == ("old", ["verified"], [])
    assert shown == [({"text": "old"}, {"text": "by somebody else"})]
    assert done.note == "forced back to what it was before the drill, by alice"
    assert (noted(desk)["state"], noted(desk)["note"]) == ("verified", done.note)


def test_accepting_keeps_what_is_there_and_closes_the_change(desk, conflict):
    done = accepted(desk, conflict)
    assert (text(desk), desk.states(), desk.log.drills()) == ("by somebody else", ["verified"], [])
    assert (done.note, noted(desk)["note"]) == ("kept as it is: accepted by alice",) * 2


def test_nothing_is_forced_unless_somebody_says_yes(desk, conflict):
    with pytest.raises(Refused, match="nobody said yes, so it was left as it is"):
        forced(desk, conflict, lambda change, seen: False)
    assert (text(desk), desk.states()) == ("by somebody else", ["conflict"])


def test_a_change_that_is_still_open_can_be_forced_too(desk, conflict):
    desk.log._db.execute("UPDATE changes SET state = 'applied'")
    forced(desk, conflict)
    assert (text(desk), desk.states()) == ("old", ["verified"])


@pytest.mark.parametrize("settle", [forced, accepted])
def test_a_drill_that_runs_is_not_meddled_with(desk, settle):
    change = desk.change(desk.file("a"))
    inject([change], desk.gate(), WRITING)
    with pytest.raises(
        Refused, match=r"is not over \(its process \d+ is running\); end it with `blackstart stop drill-1`"
    ):
        settle(desk, change.id)
    assert (text(desk), desk.states()) == ("new", ["applied"])


@pytest.mark.parametrize("settle", [forced, accepted])
def test_a_change_that_is_not_open_is_one_sentence(desk, conflict, settle):
    accepted(desk, conflict)
    with pytest.raises(ConfigInvalid, match="no such open change"):
        settle(desk, conflict)


def test_a_target_that_is_gone_cannot_be_forced_but_accepted(desk, conflict):
    (desk.folder / "a").unlink()
    with pytest.raises(Refused, match="no longer exists; put it in order by hand"):
        forced(desk, conflict)
    assert desk.states() == ["conflict"]
    accepted(desk, conflict)
    assert desk.states() == ["verified"]


def test_a_kind_that_does_not_write_states_says_so(desk, conflict):
    class Healed:
        name = "test.file"
        permissions = ()

    reach = desk.reach()
    reach.kinds._kinds = {"test.file": Healed()}
    with pytest.raises(Refused, match=r"changes of kind test\.file cannot be forced"):
        force(desk.log, conflict, lambda drill: reach, by="alice", clock=desk.clock, agreed=lambda change, seen: True)
    assert desk.states() == ["conflict"]


def test_what_could_not_be_written_stays_a_conflict(desk, conflict):
    (desk.folder / "a.lid").touch()
    with pytest.raises(ServiceUnreachable, match=r"could not force bs-.*: file .* failed: there is a lid on a"):
        forced(desk, conflict)
    assert (text(desk), desk.states()) == ("by somebody else", ["conflict"])
