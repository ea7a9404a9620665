"""What ends a drill before its time, with real processes: requests to stop, stop conditions, a log out of reach."""

import os
import signal
import time

from file_drills import wait_until


def test_a_drill_that_is_told_to_stop_is_undone_interrupted_and_over(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill().run_in()
    assert path.read_text() == "new"
    desk.log.stop("drill-1", "alice said so")
    assert drill.await_end() in ("released", "reverted")
    assert (path.read_text(), desk.states(), desk.log.drills()) == ("old", ["verified"], [])
    assert drill.interrupted


def test_a_drill_without_a_fault_ends_as_well(desk, file_drill):
    drill = file_drill().run_in()
    desk.log.stop("drill-1", "alice said so")
    drill.await_end()
    assert drill.interrupted
    assert desk.log.drills() == []


def test_a_drill_that_does_not_listen_is_undone_all_the_same(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill().start("deaf")
    wait_until((desk.folder / "drill-1.in").exists)
    desk.log.stop("drill-1", "alice said so")
    wait_until(lambda: desk.states() == ["verified"])
    assert path.read_text() == "old"
    drill.kill_drill()
    drill.await_end()
    assert desk.log.drills() == []


def test_what_is_applied_after_the_stop_is_put_back_and_held_until_then(desk, file_drill):
    path, slow = desk.file("a.txt"), desk.folder / "a.slow"
    slow.touch()
    drill = file_drill().start()
    wait_until(lambda: desk.states() == ["planned"])
    desk.log.stop("drill-1", "alice said so")
    time.sleep(2)  # longer than the settling time, after which an untouched target would be let go
    assert desk.states() == ["planned"]
    slow.unlink()
    drill.await_end()
    assert (path.read_text(), desk.states()) == ("old", ["verified"])


def test_a_drill_that_is_killed_while_a_stopped_change_is_under_way_leaves_nothing(desk, file_drill):
    path, slow = desk.file("a.txt"), desk.folder / "a.slow"
    slow.touch()
    drill = file_drill().start("deaf")
    wait_until(lambda: desk.states() == ["planned"])
    desk.log.stop("drill-1", "alice said so")
    time.sleep(0.5)
    slow.unlink()
    wait_until(lambda: path.read_text() == "new" or desk.states() == ["verified"])
    drill.kill_drill()
    drill.await_end()
    assert (path.read_text(), desk.states()) == ("old", ["verified"])


def test_a_tripped_condition_ends_the_drill_and_says_so(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill().run_in()
    (desk.folder / "trip").touch()
    drill.await_end()
    assert (path.read_text(), drill.interrupted) == ("old", True)
    assert desk.log.stopping("drill-1") == "alarm orders is in the state ALARM"


def test_a_condition_that_cannot_answer_for_too_long_ends_a_drill_with_a_fault(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill().run_in()
    (desk.folder / "mute").touch()
    drill.await_end()
    assert (path.read_text(), drill.interrupted) == ("old", True)
    assert "alarm orders could not be checked for" in desk.log.stopping("drill-1")
    assert "CloudWatch did not answer" in desk.log.stopping("drill-1")


def test_a_condition_that_cannot_answer_ends_nothing_while_no_fault_is_in(desk, file_drill):
    (desk.folder / "mute").touch()
    drill = file_drill().run_in()
    time.sleep(3)
    assert (desk.log.stopping("drill-1"), drill.interrupted) == ("", False)
    assert [each.id for each in desk.log.drills()] == ["drill-1"]


def test_a_condition_that_never_answers_does_not_keep_the_reverter_from_seeing_the_drill_die(desk, file_drill):
    path = desk.file("a.txt")
    (desk.folder / "sleepy").touch()
    drill = file_drill().run_in()
    drill.kill_drill()
    assert drill.await_end() == "reverted"
    assert (path.read_text(), (desk.folder / "sleepy").exists()) == ("old", True)


def test_a_log_out_of_reach_for_too_long_ends_the_drill_and_is_told_when_it_is_back(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill().start("deaf")
    wait_until((desk.folder / "drill-1.in").exists)
    time.sleep(1)  # the reverter has to have looked since
    (desk.folder / "severed").touch()
    wait_until(lambda: path.read_text() == "old")
    assert desk.states() == ["applied"]
    (desk.folder / "severed").unlink()
    wait_until(lambda: desk.states() == ["verified"])
    wait_until(lambda: "the undo log has not answered for" in desk.log.stopping("drill-1"))
    drill.kill_drill()
    drill.await_end()


def test_a_log_that_is_out_of_reach_for_a_moment_ends_nothing(desk, file_drill):
    path = desk.file("a.txt")
    drill = file_drill().run_in()
    (desk.folder / "severed").touch()
    time.sleep(0.5)
    (desk.folder / "severed").unlink()
    time.sleep(2)
    assert (path.read_text(), drill.interrupted, desk.log.stopping("drill-1")) == ("new", False, "")


def test_the_reverter_keeps_the_lease_up(desk, file_drill):
    drill = file_drill()
    drill.start()
    reverter = drill.pids[1]
    wait_until(lambda: desk.log.lease("drill-1").holder.pid == reverter)
    beats = desk.log.lease("drill-1").beats
    wait_until(lambda: desk.log.lease("drill-1").beats > beats)
    os.kill(reverter, signal.SIGSTOP)
    time.sleep(0.5)
    beats = desk.log.lease("drill-1").beats
    time.sleep(1)
    assert desk.log.lease("drill-1").beats == beats
