from itertools import pairwise

import pytest
from file_text import FileText

from blackstart.changes.gate import inject
from blackstart.changes.log import Fault, Mark
from blackstart.changes.model import State
from blackstart.changes.reach import Boundary
from blackstart.changes.undo import undo
from blackstart.errors import UndoIncomplete

WRITING = "writing on the files"
FAULT = Fault(WRITING, 1000.0)


def test_after_a_full_apply_everything_is_put_back_and_read_again(desk):
    paths = [desk.file(name) for name in "abc"]
    inject([desk.change(path) for path in paths], desk.gate(), WRITING)
    report = undo("drill-1", desk.reach())
    assert [path.read_text() for path in paths] == ["old"] * 3
    assert desk.states() == ["verified"] * 3
    assert len(report.restored) == len(report.verified) == 3
    assert report.complete
    report.require()


def test_after_half_an_apply_everything_is_put_back(desk):
    half, untouched = desk.file("half"), desk.file("untouched")
    desk.log.append(desk.gate().drill, FAULT, [desk.change(half), desk.change(untouched)])
    half.write_text("new")
    assert undo("drill-1", desk.reach()).complete
    assert (half.read_text(), untouched.read_text()) == ("old", "old")
    assert desk.states() == ["verified"] * 2


def test_after_no_apply_the_target_is_watched_for_a_call_that_comes_late(desk):
    path = desk.file("a")
    desk.log.append(desk.gate().drill, FAULT, [desk.change(path)])
    looks = []

    def arrive(boundary, changes):
        if boundary is Boundary.UNDOING:
            looks.append(desk.clock.monotonic())
            if len(looks) == 2:
                path.write_text("new")  # the call of the drill that died takes effect only now

    assert undo("drill-1", desk.reach(arrive)).complete
    assert path.read_text() == "old"


def test_a_target_that_nothing_reached_is_let_go_after_the_settling_time(desk):
    desk.log.append(desk.gate().drill, FAULT, [desk.change(desk.file("a"))])
    start = desk.clock.monotonic()
    assert undo("drill-1", desk.reach()).complete
    assert 10 <= desk.clock.monotonic() - start < 11


def test_a_second_undo_does_nothing(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    undo("drill-1", desk.reach())
    path.write_text("of today")
    report = undo("drill-1", desk.reach())
    assert (report.restored, report.verified, report.complete) == ((), (), True)
    assert path.read_text() == "of today"


@pytest.mark.parametrize("state", [State.PLANNED, State.APPLIED, State.UNDONE])
def test_an_undo_that_died_at_any_point_is_finished_by_the_next(desk, state):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    desk.log._db.execute("UPDATE changes SET state = ?", (state.value,))
    assert undo("drill-1", desk.reach()).complete
    assert (path.read_text(), desk.states()) == ("old", ["verified"])


def test_what_was_put_back_already_is_not_waited_for(desk):
    desk.log.append(desk.gate().drill, FAULT, [desk.change(desk.file("a"))])
    desk.log._db.execute("UPDATE changes SET state = 'undone'")
    start = desk.clock.monotonic()
    assert undo("drill-1", desk.reach()).complete
    assert desk.clock.monotonic() - start < 1


def test_somebody_elses_change_is_reported_and_kept(desk):
    theirs, ours = desk.file("theirs"), desk.file("ours")
    changes = [desk.change(ours), desk.change(theirs)]
    inject(changes, desk.gate(), WRITING)
    theirs.write_text("by somebody else")
    report = undo("drill-1", desk.reach())
    assert (theirs.read_text(), ours.read_text()) == ("by somebody else", "old")
    assert list(report.conflicts) == [changes[1].id]
    assert desk.states() == ["verified", "conflict"]
    assert "was changed by somebody else: text 'by somebody else'" in desk.log.entries("drill-1")[1].note
    with pytest.raises(UndoIncomplete, match="blackstart recover drill-1"):
        report.require()


def test_a_conflict_that_somebody_resolved_ends_with_the_next_undo(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    path.write_text("by somebody else")
    undo("drill-1", desk.reach())
    path.write_text("old")
    assert undo("drill-1", desk.reach()).complete
    assert desk.states() == ["verified"]


def test_a_target_that_is_gone_is_a_conflict(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    path.unlink()
    (reason,) = undo("drill-1", desk.reach()).conflicts.values()
    assert reason == f"file {path} no longer exists"


def test_steps_and_faults_are_undone_in_reverse_order(desk):
    gate = desk.gate()
    first = [desk.change(desk.file("1a")), desk.change(desk.file("1b"), step=1)]
    second = [desk.change(desk.file("2a"))]
    inject(first, gate, WRITING)
    inject(second, gate, WRITING)
    order = []

    def look(boundary, changes):
        if boundary is Boundary.UNDOING:
            order.extend(changes)

    undo("drill-1", desk.reach(look))
    assert order == [second[0].id, first[1].id, first[0].id]


def test_a_step_that_is_not_back_holds_up_the_earlier_ones_of_its_fault_only(desk):
    gate = desk.gate()
    other, early, late = desk.file("other"), desk.file("early"), desk.file("late")
    inject([desk.change(other)], gate, WRITING)
    changes = [desk.change(early), desk.change(late, step=1)]
    inject(changes, gate, WRITING)
    lid = desk.folder / "late.lid"
    lid.touch()
    report = undo("drill-1", desk.reach(), patience_seconds=5)
    assert (other.read_text(), early.read_text(), late.read_text()) == ("old", "new", "new")
    assert report.remaining == {
        changes[0].id: "a later step has to be put back first",
        changes[1].id: "there is a lid on late",
    }
    lid.unlink()
    assert undo("drill-1", desk.reach()).complete
    assert (early.read_text(), late.read_text()) == ("old", "old")


def test_undo_tries_again_until_it_works(desk):
    path, lid = desk.file("a"), desk.folder / "a.lid"
    inject([desk.change(path)], desk.gate(), WRITING)
    lid.touch()
    tries = []

    def look(boundary, changes):
        if boundary is Boundary.UNDOING:
            tries.append(desk.clock.monotonic())
            if len(tries) == 6:
                lid.unlink()

    assert undo("drill-1", desk.reach(look)).complete
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == sorted(pauses)
    assert len(tries) == 6


def test_only_the_named_faults_are_undone(desk):
    gate = desk.gate()
    first, second = desk.file("first"), desk.file("second")
    inject([desk.change(first)], gate, WRITING)
    inject([desk.change(second)], gate, WRITING)
    undo("drill-1", desk.reach(), faults={1})
    assert (first.read_text(), second.read_text()) == ("old", "new")


def test_a_kind_that_is_not_installed_here_does_not_stop_the_others(desk):
    path, strange = desk.file("a"), desk.file("strange")
    inject([desk.change(path), desk.change(strange)], desk.gate(), WRITING)
    desk.log._db.execute(
        "UPDATE changes SET record = replace(record, 'test.file', 'no.kind') WHERE record LIKE '%strange%'"
    )
    report = undo("drill-1", desk.reach(), patience_seconds=1)
    assert path.read_text() == "old"
    assert "no installed package brings this change kind" in next(iter(report.remaining.values()))


def test_a_log_that_cannot_be_written_does_not_stop_the_undo(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    desk.log._db.execute("PRAGMA query_only = ON")
    report = undo("drill-1", desk.reach())
    assert path.read_text() == "old"
    assert "readonly" in report.log_problem


def test_a_target_that_looks_changed_by_somebody_else_is_looked_at_again(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    path.write_text("as it was long ago")  # a read that lags
    start = desk.clock.monotonic()

    def catch_up(boundary, changes):
        if boundary is Boundary.UNDOING and desk.clock.monotonic() > start:
            path.write_text("new")

    assert undo("drill-1", desk.reach(catch_up)).complete
    assert (path.read_text(), desk.states()) == ("old", ["verified"])


def test_a_target_that_is_not_seen_yet_is_no_conflict(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    path.unlink()
    start = desk.clock.monotonic()

    def appear(boundary, changes):
        if boundary is Boundary.UNDOING and desk.clock.monotonic() > start:
            path.write_text("new")

    assert undo("drill-1", desk.reach(appear)).complete
    assert path.read_text() == "old"


def test_a_known_conflict_is_not_waited_for(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    path.write_text("by somebody else")
    undo("drill-1", desk.reach())
    start = desk.clock.monotonic()
    assert undo("drill-1", desk.reach()).conflicts
    assert desk.clock.monotonic() - start < 1


def test_a_read_that_lags_behind_the_undo_is_waited_for(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    looks = []

    def lag(boundary, changes):
        looks.append(boundary)
        if boundary is Boundary.VERIFYING and looks.count(boundary) < 4:
            path.write_text("new")

    assert undo("drill-1", desk.reach(lag)).complete
    assert (path.read_text(), looks.count(Boundary.VERIFYING)) == ("old", 4)


def test_one_target_that_cannot_be_written_does_not_hold_up_those_of_its_batch(desk, monkeypatch):
    monkeypatch.setattr(FileText, "batch_size", 10)
    paths = [desk.file(name) for name in "abc"]
    changes = [desk.change(path) for path in paths]
    inject(changes, desk.gate(), WRITING)
    (desk.folder / "b.lid").touch()
    report = undo("drill-1", desk.reach(), patience_seconds=30)
    assert [path.read_text() for path in paths] == ["old", "new", "old"]
    assert report.remaining == {changes[1].id: "there is a lid on b"}


def test_a_kind_that_forgets_a_change_leaves_it_open(desk, monkeypatch):
    path = desk.file("a")
    change = desk.change(path)
    inject([change], desk.gate(), WRITING)
    monkeypatch.setattr(FileText, "undo", lambda self, changes, clients: {})
    report = undo("drill-1", desk.reach(), patience_seconds=5)
    assert report.remaining == {change.id: "test.file does not say how it stands"}


def test_while_the_drill_lives_what_it_may_still_apply_is_put_back_but_stays_open(desk):
    planned, applied = desk.file("planned"), desk.file("applied")
    changes = [desk.change(planned), desk.change(applied)]
    desk.log.append(desk.gate().drill, FAULT, changes)
    desk.log.mark("drill-1", {changes[1].id: Mark(State.APPLIED)})
    planned.write_text("new")
    applied.write_text("new")
    report = undo("drill-1", desk.reach(), patience_seconds=60, under_way=True)
    assert (planned.read_text(), applied.read_text()) == ("old", "old")
    assert desk.states() == ["planned", "verified"]
    assert report.remaining == {changes[0].id: "the drill's process may still be applying it"}
    assert undo("drill-1", desk.reach()).complete


def test_an_undo_ends_when_it_is_told_not_to_go_on(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate(), WRITING)
    (desk.folder / "a.lid").touch()
    start = desk.clock.monotonic()
    assert undo("drill-1", desk.reach(), go_on=lambda: False).remaining
    assert desk.clock.monotonic() == start
