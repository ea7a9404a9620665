"""The drill's side and the reverter's side, as two processes; how drills are killed is in tests/crash."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart.changes.gate import inject, undo
from blackstart.changes.log import Fault
from blackstart.changes.owner import here
from blackstart.changes.reverter import Reverter
from blackstart.clock import SystemClock
from blackstart.errors import Refused

COMMAND = (sys.executable, str(Path(__file__).parent / "file_drill.py"), "revert")
WRITING = "writing on the files"


@pytest.fixture
def watch(desk):
    found = Reverter(desk.log.url, "drill-1", desk.folder, COMMAND)
    yield found
    found.release(30)


@pytest.fixture
def gate(desk, watch):
    desk.clock = SystemClock()
    return replace(desk.gate(), watch=watch)


@pytest.fixture
def ending(desk):
    return (desk.folder / "ending").read_text


def wait_until(condition, seconds=30):
    for _ in range(seconds * 20):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def test_a_drill_that_ends_in_order_lets_the_reverter_go(desk, gate, watch, ending):
    path = desk.file("a")
    inject([desk.change(path)], gate, WRITING)
    undo("drill-1", gate.reach)
    watch.release(30)
    assert watch.pid is None
    assert ending() == "released"


def test_the_reverter_puts_back_what_the_drill_left(desk, gate, watch, ending):
    path = desk.file("a")
    inject([desk.change(path)], gate, WRITING)
    watch.release(30)
    assert (path.read_text(), ending(), desk.states()) == ("old", "reverted", ["verified"])


def test_a_fault_ends_with_its_duration_though_the_drill_lives(desk, gate, ending):
    short, long = desk.file("short"), desk.file("long")
    inject([desk.change(long)], gate, WRITING, duration_seconds=600)
    inject([desk.change(short)], gate, WRITING, duration_seconds=0.2)
    wait_until(lambda: desk.states() == ["applied", "verified"])
    assert (short.read_text(), long.read_text()) == ("old", "new")


def test_a_conflict_is_left_alone_and_told(desk, gate, watch, ending):
    path = desk.file("a")
    inject([desk.change(path)], gate, WRITING)
    path.write_text("by somebody else")
    watch.release(30)
    assert (path.read_text(), ending(), desk.states()) == ("by somebody else", "incomplete", ["conflict"])


def test_what_cannot_be_put_back_yet_is_tried_until_it_can(desk, gate, watch):
    path = desk.file("a")
    inject([desk.change(path)], gate, WRITING)
    (desk.folder / "a.lid").touch()
    watch.release(0.1)
    assert desk.states() == ["applied"]
    (desk.folder / "a.lid").unlink()
    wait_until(lambda: desk.states() == ["verified"])


def test_a_log_that_was_deleted_does_not_keep_the_reverter_from_what_it_knows(desk, gate, watch, ending):
    path = desk.file("a")
    inject([desk.change(path)], gate, WRITING)
    time.sleep(1.5)  # the reverter looks into the log meanwhile
    desk.log.path.unlink()
    watch.release(30)
    assert (path.read_text(), ending(), watch.pid) == ("old", "incomplete", None)


def test_a_reverter_that_died_is_started_again_before_the_next_fault(desk, gate, watch):
    inject([desk.change(desk.file("a"))], gate, WRITING)
    first = watch.pid
    os.kill(first, 9)
    wait_until(lambda: watch.pid != first)
    inject([desk.change(desk.file("b"))], gate, WRITING)
    assert watch.pid not in (None, first)


def test_a_reverter_that_does_not_come_up_forbids_the_fault(desk):
    path = desk.file("a")
    absent = Reverter(desk.log.url, "drill-1", desk.folder, ("false",))
    with pytest.raises(Refused, match=r"the reverter did not start \(see .*reverter.log\), so nobody would undo it"):
        inject([desk.change(path)], replace(desk.gate(), watch=absent), WRITING)
    absent.release()
    missing = Reverter(desk.log.url, "drill-1", desk.folder, ("/no/such/program",))
    with pytest.raises(Refused, match="could not be started"):
        inject([desk.change(path)], replace(desk.gate(), watch=missing), WRITING)
    missing.release()
    assert (path.read_text(), desk.states()) == ("old", [])


def dead_owner():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = here(process.pid)
    process.kill()
    process.communicate()
    return owner


def test_a_drill_is_known_to_be_gone_though_another_process_holds_its_pipe(desk, gate, watch):
    path = desk.file("a")
    watch.ensure(WRITING)
    desk.log.append(replace(gate.drill, owner=dead_owner()), Fault(WRITING, 0.0), [desk.change(path)])
    path.write_text("new")
    wait_until(lambda: desk.states() == ["verified"])
    assert path.read_text() == "old"
