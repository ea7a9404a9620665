"""However a drill dies, and wherever: afterwards AWS holds what it held before."""

import json
import os
import signal
import subprocess
import sys
import time

import moto_server
import psutil
import pytest
import small

from blackstart.changes.clients import Clients

SAMPLE = ["logged:2", "applied:4", "marking:3", "undoing:3", "verifying:4"]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with moto_server.running(tmp_path_factory.mktemp("moto")) as found:
        yield found


@pytest.fixture(scope="module")
def kept_clients():
    kept = Clients()
    yield kept
    kept.close()


@pytest.fixture
def clients(url, monkeypatch, kept_clients):
    moto_server.forget(url)
    for name, value in moto_server.environ(url).items():
        monkeypatch.setenv(name, value)
    return kept_clients


@pytest.fixture
def world(clients, tmp_path):
    return small.World(clients, tmp_path)


def test_a_drill_that_ends_in_order_leaves_nothing(world):
    done = world.run("drill")
    assert (done.returncode, done.stderr) == (0, "")
    assert world.wait_for_reverter() == "released"
    world.assert_nothing_left()


@pytest.mark.parametrize("at", SAMPLE)
def test_killed_at_any_boundary_the_reverter_leaves_nothing(world, at):
    done = world.run("drill", at)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert world.wait_for_reverter() == "reverted"
    world.assert_nothing_left()
    died, first = (float((world.folder / name).read_text()) for name in ("died", "first-undo"))
    assert 0 < first - died < 2.0, f"the reverter took {first - died:.3f} s to start"


@pytest.mark.parametrize("how", ["group", "SIGINT", "SIGTERM"])
def test_other_deaths_leave_nothing_either(world, how):
    assert world.run("drill", "applied:5", how).returncode != 0
    assert world.wait_for_reverter() == "reverted"
    world.assert_nothing_left()


def test_a_reverter_that_dies_is_followed_by_another_which_looks_after_the_fault(world):
    assert world.run("drill", "marked:6", "reverter-first").returncode == -signal.SIGKILL
    assert world.wait_for_reverter() == "reverted"
    world.assert_nothing_left()


def test_recover_puts_back_what_drill_and_reverter_left(world):
    world.run("drill", "marked:6", "with-reverter")
    assert world.dump() != world.before
    assert json.loads(world.run("recover").stdout) == {"complete": [True]}
    world.assert_nothing_left()


def test_a_recover_that_is_killed_is_finished_by_the_next(world):
    world.run("drill", "marked:6", "with-reverter")
    assert world.run("recover", "undone:3").returncode == -signal.SIGKILL
    assert world.dump() != world.before
    assert json.loads(world.run("recover").stdout) == {"complete": [True]}
    world.assert_nothing_left()


def test_the_reverter_is_deaf_to_the_signals_that_end_drills(world):
    process = subprocess.Popen(
        [sys.executable, small.DRILL, "drill", world.log_url, str(world.folder), "applied:4", "SIGSTOP"],
        start_new_session=True,
    )
    try:
        _signal_reverter(world)
    finally:
        process.kill()
        process.wait()
    assert world.wait_for_reverter() == "reverted"
    world.assert_nothing_left()


def _signal_reverter(world: small.World) -> None:
    for _ in range(600):
        if (world.folder / "died").exists():
            break
        time.sleep(0.05)
    pid = int((world.folder / "reverter.pid").read_text())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    time.sleep(0.3)
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
