import os
import subprocess
import sys
from dataclasses import replace

import pytest

from blackstart.changes.owner import gone, here, interrupt


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_this_process_is_not_gone():
    assert here().pid == os.getpid()
    assert gone(here()) is False


def test_a_process_that_ended_is_gone(child):
    owner = here(child.pid)
    assert gone(owner) is False
    child.kill()
    child.wait()
    assert gone(owner) is True


def test_a_process_that_nobody_has_waited_for_is_gone(child):
    owner = here(child.pid)
    os.kill(child.pid, 9)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert gone(owner) is True


def test_another_process_with_the_same_id_is_not_the_owner():
    assert gone(replace(here(), created=here().created - 1)) is True


def test_nothing_lives_through_a_restart_of_the_machine():
    assert gone(replace(here(), boot="another")) is True


def test_nobody_can_know_about_another_machine():
    assert gone(replace(here(), host="elsewhere")) is None


def test_a_process_of_this_machine_is_interrupted_and_no_other():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    owner = here(process.pid)
    assert not interrupt(replace(owner, host="elsewhere"))
    assert not interrupt(replace(owner, created=owner.created - 1))
    assert not interrupt(here())
    assert process.poll() is None
    assert interrupt(owner)
    process.communicate()
    assert not interrupt(owner)
