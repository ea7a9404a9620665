import signal
from dataclasses import replace

import pytest
from file_drills import wait_until

from blackstart.changes.gate import inject
from blackstart.changes.owner import here
from blackstart.changes.stop import stop
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, Refused

WRITING = "writing on the files"


def stopped(desk, drill=None, **more):
    said = []
    done = stop(
        desk.log,
        lambda found: desk.reach(),
        "alice ran `blackstart stop`",
        drill,
        clock=desk.clock,
        progress=lambda which, what: said.append(f"{which}: {what}"),
        **more,
    )
    return done, said


def test_a_drill_that_runs_is_ended_and_undone_by_its_own_reverter(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill().run_in()
    desk.clock = SystemClock()
    done, said = stopped(desk)
    assert done.complete
    assert [len(report.verified) for report in done.reports] == [1]
    assert (path.read_text(), desk.log.drills(), drill.interrupted) == ("old", [], True)
    assert any("is ending it" in each for each in said)
    assert drill.await_end() in ("released", "reverted")


def test_every_drill_that_runs_is_ended_or_just_the_one_that_is_named(desk, file_drill):
    first, second = file_drill("drill-1").run_in(), file_drill("drill-2").run_in()
    desk.clock = SystemClock()
    stopped(desk, "drill-1")
    assert [each.id for each in desk.log.drills()] == ["drill-2"]
    assert (first.interrupted, second.interrupted) == (True, False)
    stopped(desk)
    assert (desk.log.drills(), second.interrupted) == ([], True)


def test_a_drill_of_a_machine_that_died_is_undone_from_here(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill(host="elsewhere").run_in()
    wait_until(lambda: desk.log.lease("drill-1").holder.pid == drill.pids[1])
    drill.signal(signal.SIGKILL)
    desk.clock = SystemClock()
    done, said = stopped(desk, lease_seconds=2)
    assert done.complete
    assert (path.read_text(), desk.log.drills()) == ("old", [])
    assert said[-1] == "drill-1: nobody looks after it any more, so it is undone from here"


def test_a_drill_whose_reverter_died_is_interrupted_and_undone_from_here(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill().run_in()
    reverter = drill.pids[1]
    wait_until(lambda: desk.log.lease("drill-1").holder.pid == reverter)
    drill.kill_reverter()
    desk.clock = SystemClock()
    done, _ = stopped(desk)
    assert done.complete
    assert (path.read_text(), desk.log.drills(), drill.interrupted) == ("old", [], True)


def test_a_drill_that_cannot_be_undone_in_time_is_named_with_its_reason(desk):
    path = desk.file("a")
    change = desk.change(path)
    inject([change], gate_elsewhere(desk), WRITING)
    (desk.folder / "a.lid").touch()
    done, _ = stopped(desk, patience_seconds=5)
    assert not done.complete
    assert list(done.reports[0].remaining) == [change.id]


def test_a_conflict_is_reported_and_ends_the_wait(desk):
    path = desk.file("a")
    change = desk.change(path)
    inject([change], gate_elsewhere(desk), WRITING)
    path.write_text("by somebody else")
    done, _ = stopped(desk)
    assert list(done.reports[0].conflicts) == [change.id]
    assert path.read_text() == "by somebody else"


def gate_elsewhere(desk):
    gate = desk.gate()
    return replace(gate, drill=replace(gate.drill, owner=replace(here(), host="elsewhere")))


def test_what_was_told_to_stop_takes_no_more_faults(desk):
    gate = gate_elsewhere(desk)
    inject([desk.change(desk.file("a"))], gate, WRITING)
    stopped(desk)
    late = desk.file("b")
    with pytest.raises(Refused, match="alice ran `blackstart stop`"):
        inject([desk.change(late)], gate, WRITING)
    assert late.read_text() == "old"


def test_with_nothing_running_there_is_nothing_to_do(desk):
    done, said = stopped(desk)
    assert (done.reports, done.complete, said) == ((), True, [])


def test_a_drill_that_nobody_knows_is_one_sentence(desk):
    with pytest.raises(ConfigInvalid, match="the undo log knows no such drill"):
        stopped(desk, "drill-9")
