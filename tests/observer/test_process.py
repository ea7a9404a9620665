"""The observer as a process: it outlives a killed drill for a while, and leaves readable files however it ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from blackstart.observer import ledger, process, samples
from blackstart.observer.process import ObserverFailed


def until(told, seconds=10.0):
    end = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def served(planted_at, port, spec, play):
    """``play`` in a thread, in front of a service."""

    async def drill():
        async with planted_at("127.0.0.1", port) as planted:
            return await asyncio.to_thread(play, spec(), planted)

    return asyncio.run(drill())


def test_it_watches_until_it_is_stopped_and_says_when_it_ended(planted_at, port, spec):
    def play(orders, planted):
        (orders.folder / "drill.json").write_text(json.dumps({"origin_monotonic": orders.origin_monotonic}))
        handle = process.start(orders.folder, orders.settings, orders.drill)
        until(lambda: len(samples.read(orders.folder)) > 50)
        assert handle.alive()
        assert os.getsid(handle.pid) == handle.pid
        handle.stop()
        handle.stop()
        assert not handle.alive()
        return orders

    orders = served(planted_at, port, spec, play)
    seen = samples.read(orders.folder)
    assert seen.header.ended is not None
    assert seen.header.origin_monotonic == orders.origin_monotonic
    assert len(seen) == seen.planned(0, seen.header.ended)
    assert all(row.ok for row in seen.rows)
    assert all(write.key.startswith(seen.header.prefix) for write in ledger.read(orders.folder))


def test_killed_it_leaves_a_journal_that_can_be_read(planted_at, port, spec):
    def play(orders, planted):
        handle = process.start(orders.folder, orders.settings, orders.drill, orders.origin_monotonic)
        until(lambda: len(samples.read(orders.folder)) > 30)
        handle.process.kill()
        handle.process.wait()
        with pytest.raises(ObserverFailed, match="had ended by itself"):
            handle.stop()
        return orders

    orders = served(planted_at, port, spec, play)
    seen = samples.read(orders.folder)
    assert seen.header.ended is None
    assert seen.complete_until > 0.2
    assert {write.op for write in ledger.read(orders.folder)} >= {row.number for row in seen.rows if row.kind == 1}


PARENT = """
import json, sys, time
from blackstart.observer import process
from blackstart.observer.spec import Spec
orders = Spec.from_json(json.loads(sys.argv[1]))
handle = process.start(orders.folder, orders.settings, orders.drill, orders.origin_monotonic, grace_seconds=0.7)
print(handle.pid, flush=True)
time.sleep(60)
"""


def test_after_its_drill_was_killed_it_goes_on_for_a_while_and_ends(planted_at, port, spec):
    def play(orders, planted):
        command = [sys.executable, "-c", PARENT, json.dumps(orders.to_json())]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as drill:
            observer = psutil.Process(int(drill.stdout.readline()))
            until(lambda: len(samples.read(orders.folder)) > 10)
            os.kill(drill.pid, signal.SIGKILL)
            drill.wait()
        killed = time.monotonic() - orders.origin_monotonic
        until(lambda: not observer.is_running() or observer.status() == psutil.STATUS_ZOMBIE)
        return orders, killed

    orders, killed = served(planted_at, port, spec, play)
    seen = samples.read(orders.folder)
    assert killed + 0.4 < seen.header.ended < killed + 5


def test_what_keeps_it_from_starting_is_told(spec):
    orders = spec()
    broken = orders.settings.service.model_copy(update={"dns": "nowhere"})
    settings = orders.settings.model_copy(update={"service": broken})
    with pytest.raises(ObserverFailed, match=r"could not start the observer.*nowhere.*is not ip:port"):
        process.start(orders.folder, settings, "drill", orders.origin_monotonic)


def test_a_path_with_unknown_fields_keeps_it_from_starting(spec):
    orders = spec()
    broken = orders.settings.service.model_copy(update={"read_path": "/products/{item}"})
    settings = orders.settings.model_copy(update={"service": broken})
    with pytest.raises(ObserverFailed, match=r"service\.read_path.*may only hold \{number\}"):
        process.start(orders.folder, settings, "drill", orders.origin_monotonic)
