"""Real users against a real server, and that none is ever left behind."""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import psutil
import pytest

from blackstart.clock import SystemClock
from blackstart.errors import MissingPart
from blackstart.load import analysis, process, record
from blackstart.load.plan import Plan

CLOCK = SystemClock()
USERS = 20
needs_locust = pytest.mark.skipif(find_spec("locust") is None, reason="Locust is not installed")
OWNER = """
import json, sys, time
from pathlib import Path
from blackstart.load import process
from blackstart.load.plan import Plan
handle = process.start(Path(sys.argv[1]), Plan.from_json(json.loads(sys.argv[2])), 0.0)
print(handle.pid, flush=True)
time.sleep(600)
"""


def plan_of(server, **more):
    given = {
        "users_per_second": 100.0,
        "think_seconds": (0.3, 0.6),
        "timeout_seconds": 2.0,
        "retry_seconds": (0.1, 0.3),
    }
    return Plan(USERS, "127.0.0.1", server.port, "/products/{number}", **(given | more))


def until(true, seconds=60.0):
    ends = CLOCK.monotonic() + seconds
    while not true():
        assert CLOCK.monotonic() < ends
        CLOCK.sleep(0.05)


@needs_locust
def test_users_hold_their_connections_make_new_ones_when_those_break_and_end_with_the_load(tmp_path, server):
    load = process.start(tmp_path, plan_of(server), origin=CLOCK.monotonic())
    try:
        load.wait_for_users(CLOCK, lambda: None)
        until(lambda: len(server.sources) >= USERS)
        children = psutil.Process(load.pid).children(recursive=True)
        assert len(children) == 2
        before = len(server.sources)
        CLOCK.sleep(1.5)
        assert before == len(server.sources) == USERS  # nobody needed another one
        server.drop()
        until(lambda: len(server.sources) >= 2 * USERS)
        until(lambda: record.read(tmp_path).points[-1].requests > 2 * USERS)
    finally:
        load.stop()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    found = record.read(tmp_path)
    assert found.ended == ""
    assert analysis.users_held(found, found.points[-1].at - 1.0, found.points[-1].at).high == USERS
    assert sum(second.connected for second in found.summary.seconds) >= 2 * USERS
    assert found.summary.requests >= found.summary.failures
    if sys.platform == "linux":
        assert len(set(server.sources)) > 1  # or ports would run out


@needs_locust
@pytest.mark.parametrize("killed", ["the drill", pytest.param("the supervisor", marks=pytest.mark.sweep)])
def test_a_load_dies_with_whoever_started_it(tmp_path, server, killed):
    told = json.dumps(plan_of(server).to_json())
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), told], stdout=subprocess.PIPE)
    supervisor = int(owner.stdout.readline())
    try:
        until(lambda: server.sources)
        left = psutil.Process(supervisor).children(recursive=True)
        assert len(left) == 2
        os.kill(owner.pid if killed == "the drill" else supervisor, signal.SIGKILL)
        assert psutil.wait_procs(left, timeout=30)[1] == []
        until(lambda: not psutil.pid_exists(supervisor) or psutil.Process(supervisor).status() == psutil.STATUS_ZOMBIE)
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()


@needs_locust
@pytest.mark.sweep
def test_a_load_that_lost_a_process_ends_and_says_so(tmp_path, server):
    load = process.start(tmp_path, plan_of(server), origin=CLOCK.monotonic())
    until(lambda: server.sources)
    children = psutil.Process(load.pid).children(recursive=True)
    next(child for child in children if "--worker" in child.cmdline()).kill()
    load.process.wait(30)
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert "worker 0 ended" in record.read(tmp_path).ended
    with pytest.raises(process.LoadFailed, match="worker 0 ended"):
        load.stop()


def test_without_locust_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    with pytest.raises(MissingPart, match=r'pip install "chaostoolkit-blackstart\[load\]"'):
        process.start(tmp_path, Plan(1, "127.0.0.1", 1, "/"), origin=0.0)
    assert not (tmp_path / process.LOG_FILE).exists()
