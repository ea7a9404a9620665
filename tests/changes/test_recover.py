"""Who may undo a drill that is not theirs, and when; the drills of other machines are real processes."""

import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from file_drills import wait_until

from blackstart.changes.gate import inject
from blackstart.changes.logs import open_log
from blackstart.changes.owner import here
from blackstart.changes.recover import recover
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, Refused

WRITING = "writing on the files"


@pytest.fixture(params=["sqlite", "dynamo"])
def team(request, desk):
    """A desk whose undo log is the machine's own, or the team's."""
    if request.param == "dynamo":
        own, desk.log = desk.log, open_log(request.getfixturevalue("table_url"))
        yield desk
        desk.log.close()
        desk.log = own
    else:
        yield desk


def dead_owner():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = here(process.pid)
    process.kill()
    process.communicate()
    return owner


def owned(gate, owner):
    return replace(gate, drill=replace(gate.drill, owner=owner))


def recovered(desk, drill=None, **more):
    return recover(desk.log, lambda found: desk.reach(), drill, clock=desk.clock, **more)


def test_the_drills_whose_process_is_gone_are_undone_the_others_left_alone(desk):
    mine, theirs = desk.file("mine"), desk.file("theirs")
    inject([desk.change(mine)], desk.gate("drill-1"), WRITING)
    gate = owned(desk.gate("drill-2"), dead_owner())
    inject([desk.change(theirs, region="eu-west-1")], replace(gate, scope=desk_scope(gate)), WRITING)
    done = recovered(desk)
    assert [report.drill for report in done.reports] == ["drill-2"]
    assert (mine.read_text(), theirs.read_text()) == ("new", "old")
    assert done.left_alone == {"drill-1": f"its process {here().pid} is running"}


def desk_scope(gate):
    return gate.scope.model_copy(update={"regions": ("us-east-1", "eu-west-1")})


def test_a_drill_of_another_machine_is_undone_once_its_lease_has_stood_still(desk):
    path = desk.file("a")
    inject([desk.change(path)], owned(desk.gate(), replace(here(), host="elsewhere")), WRITING)
    start = desk.clock.monotonic()
    assert recovered(desk).complete
    assert desk.clock.monotonic() - start >= 20
    assert (path.read_text(), desk.log.drills()) == ("old", [])


def test_a_drill_of_another_machine_that_beats_is_left_alone(desk):
    path, elsewhere = desk.file("a"), replace(here(), host="elsewhere")
    inject([desk.change(path)], owned(desk.gate(), elsewhere), WRITING)
    sleep = desk.clock.sleep

    def beating(seconds):
        desk.log.beat("drill-1", elsewhere)
        sleep(seconds)

    desk.clock.sleep = beating
    done = recovered(desk)
    assert done.reports == ()
    assert done.left_alone == {"drill-1": f"process {here().pid} on the machine elsewhere looks after it"}
    assert path.read_text() == "new"


def test_a_drill_that_is_named_is_undone_whoever_looks_after_it(desk):
    path = desk.file("a")
    inject([desk.change(path)], owned(desk.gate(), replace(here(), host="elsewhere")), WRITING)
    start = desk.clock.monotonic()
    assert recovered(desk, "drill-1").complete
    assert desk.clock.monotonic() - start < 20
    assert path.read_text() == "old"
    assert "recovered by process" in desk.log.stopping("drill-1")


def test_a_drill_that_was_taken_over_applies_nothing_more(desk):
    gate = owned(desk.gate(), replace(here(), host="elsewhere"))
    inject([desk.change(desk.file("a"))], gate, WRITING)
    recovered(desk)
    late = desk.file("b")
    with pytest.raises(Refused, match="the drill was stopped"):
        inject([desk.change(late)], gate, WRITING)
    assert late.read_text() == "old"


def test_a_drill_that_nobody_knows_is_one_sentence(desk):
    with pytest.raises(ConfigInvalid, match="the undo log knows no such drill"):
        recovered(desk, "drill-9")


def test_whoever_loses_the_race_for_a_lease_leaves_the_drill_alone(desk):
    path, elsewhere = desk.file("a"), replace(here(), host="elsewhere")
    inject([desk.change(path)], owned(desk.gate(), elsewhere), WRITING)
    take = desk.log.take

    def too_late(drill, holder, seen):
        take(drill, replace(elsewhere, pid=7), desk.log.lease(drill))
        return take(drill, holder, replace(seen, beats=-1))

    desk.log.take = too_late
    done = recovered(desk)
    assert (done.reports, path.read_text()) == ((), "new")
    assert done.left_alone == {"drill-1": "process 7 on the machine elsewhere looks after it"}


def test_a_machine_that_died_with_drill_and_reverter_is_recovered_from_here(desk, team, file_drill):
    path = desk.file("a.txt")
    drill = file_drill(host="elsewhere").run_in()
    wait_until(lambda: desk.log.lease("drill-1").holder.pid == drill.pids[1])
    drill.signal(signal.SIGKILL)
    desk.clock = SystemClock()
    assert recovered(desk, lease_seconds=2).complete
    assert (path.read_text(), desk.states(), desk.log.drills()) == ("old", ["verified"], [])


def test_a_machine_that_lives_is_not_disturbed(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill(host="elsewhere").run_in()
    desk.clock = SystemClock()
    assert "on the machine elsewhere looks after it" in recovered(desk, lease_seconds=10).left_alone["drill-1"]
    assert (path.read_text(), drill.interrupted) == ("new", False)


def test_a_machine_that_stood_still_and_wakes_up_finds_that_its_drill_is_over(desk, team, file_drill):
    path = desk.file("a.txt")
    drill = file_drill(host="elsewhere").run_in()
    drill.halt()
    desk.clock = SystemClock()
    assert recovered(desk, lease_seconds=2).complete
    drill.signal(signal.SIGCONT)
    assert drill.await_end() == "taken over"
    assert drill.interrupted
    assert (path.read_text(), desk.states()) == ("old", ["verified"])


@pytest.mark.parametrize("dies", [False, True])
def test_what_a_machine_applies_after_it_was_recovered_is_put_back_there(desk, file_drill, dies):
    path, slow = desk.file("a.txt"), desk.folder / "a.slow"
    slow.touch()
    drill = file_drill(host="elsewhere").start("deaf" if dies else "")
    wait_until(lambda: desk.states() == ["planned"])
    drill.halt()
    desk.clock = SystemClock()
    reach = replace(desk.reach(), settle_seconds=0.5)
    assert recover(desk.log, lambda found: reach, clock=desk.clock, lease_seconds=2).complete
    assert desk.states() == ["verified"]
    if dies:  # the call went out, and neither the drill nor its gate could do anything about it any more
        drill.kill_drill()
        path.write_text("new")
    slow.unlink()
    drill.signal(signal.SIGCONT) if not dies else drill.wake_reverter()
    drill.await_end()
    assert (path.read_text(), desk.states()) == ("old", ["verified"])


def test_of_two_recovers_one_works_and_if_it_dies_the_next_takes_over(desk, team, file_drill):
    path, slow = desk.file("a.txt"), desk.folder / "a.slow"
    drill = file_drill().run_in()
    drill.signal(signal.SIGKILL)
    slow.touch()
    first = drill.recover()
    wait_until(lambda: desk.log.lease("drill-1").holder.pid == first.pid)
    desk.clock = SystemClock()
    assert recovered(desk).left_alone == {"drill-1": f"process {first.pid} looks after it"}
    first.kill()
    first.wait()
    slow.unlink()
    assert recovered(desk).complete
    assert (path.read_text(), desk.log.drills()) == ("old", [])


def test_a_recover_that_loses_its_lease_stops_working(desk):
    path = desk.file("a")
    inject([desk.change(path)], owned(desk.gate(), dead_owner()), WRITING)
    (desk.folder / "a.lid").touch()
    desk.clock = SystemClock()

    def robbed(boundary, changes):
        lease = desk.log.lease("drill-1")
        if lease.holder == here():
            desk.log.take("drill-1", replace(here(), host="elsewhere"), lease)

    done = recover(desk.log, lambda found: desk.reach(robbed), clock=desk.clock)
    assert done.reports == ()
    assert "on the machine elsewhere looks after it" in done.left_alone["drill-1"]
