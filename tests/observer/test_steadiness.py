"""What the observer holds to, whatever happens around it: its schedule, its memory, its files."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from blackstart.clock import SystemClock
from blackstart.observer import events, process, samples, steadiness
from blackstart.observer.alarm import Alarm
from blackstart.observer.client import Client, Site
from blackstart.observer.ledger import Ledger
from blackstart.observer.observe import observe
from blackstart.observer.record import Cause, Header, Outcome
from blackstart.observer.recorder import Recorder
from blackstart.observer.schedule import Schedule

sys.path.append(str(Path(__file__).parent.parent))
from long_run import Here, Instant, played


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_memory_does_not_grow_with_the_number_of_requests(tmp_path, share):
    held, transport = [], Instant(share)

    def look(quarter):
        held.append((tracemalloc.get_traced_memory()[0], (tmp_path / "samples.bin").stat().st_size // 32))

    tracemalloc.start()
    try:
        asyncio.run(played(tmp_path, transport, 4.0, look, times=20, rate=100))
    finally:
        tracemalloc.stop()
    (early, few), (late, many) = held[1], held[3]
    assert many - few > 2500  # what is under way, or not yet on disk, is some 20 kB, more or less
    assert (late - early) / (many - few) < 8  # bytes a request: a sample alone, kept, would be 32
    assert (transport.given_up > 0) is (share < 1)


def test_what_does_not_fit_under_way_is_not_sent_and_is_told(tmp_path):
    async def drill():
        clock = SystemClock()
        origin = clock.monotonic()
        schedule = Schedule(0.0, 400, 0.0)
        recorder, history = Recorder(tmp_path, Header(origin, "", 0.0, 400, 0.3, 0.0)), Ledger(tmp_path, batched=True)
        transport = Instant(0.0)
        client = Client(
            schedule, [Site("users", Here(), transport, ledger=True)], timeout_seconds=0.3, drill="d", most=20,
            recorder=recorder, history=history, clock=clock, origin=origin,
        )  # fmt: skip
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.4, stop.set)
        recorder.close(await client.run(stop))
        history.close()
        return transport

    transport = asyncio.run(drill())
    seen = samples.read(tmp_path)
    unsent = [row for row in seen.rows if row.cause is Cause.UNSENT]
    assert len(seen) == seen.planned(0, 9)
    assert transport.sent == len(seen) - len(unsent)
    assert len(unsent) > 50
    assert {row.outcome for row in seen.rows} == {Outcome.FAILED}


def test_steps_of_the_wall_clock_do_not_matter(bed):
    class Stepping(SystemClock):
        """The wall clock jumps an hour, back and forth, whenever it is read."""

        def __init__(self):
            self.read = 0

        def now(self):
            self.read += 1
            return super().now() + timedelta(hours=1 if self.read % 2 else -1)

    async def drill():
        async with bed() as b:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(0.5, stop.set)
            await observe(b.spec, stop, Stepping(), lambda: None)
            return samples.read(b.spec.folder)

    seen = asyncio.run(drill())
    assert len(seen) == seen.planned(0, seen.header.ended) > 20
    assert all(0 <= row.latency < 1 and 0 <= row.sent - row.intended < 1 for row in seen.rows)


def lateness(planted_at, port, spec, around):
    """How late an observer sends, sorted, in seconds, while ``around`` is going on."""

    async def drill():
        async with planted_at("127.0.0.1", port):
            return await asyncio.to_thread(watch)

    def watch():
        orders = spec(rate=200)
        handle = process.start(orders.folder, orders.settings, orders.drill, orders.origin_monotonic)
        with around():
            time.sleep(1.2)
        handle.stop()
        return orders.folder

    folder = asyncio.run(drill())
    return folder, sorted(row.sent - row.intended for row in samples.read(folder).rows)


class Hogs:
    """Processes that want all of every processor, and a thread in this process, the drill's, that wants its lock."""

    def __enter__(self):
        self._over = False
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()
        self._all = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * os.cpu_count())]

    def __exit__(self, *error):
        self._over = True
        self._thread.join()
        for each in self._all:
            each.send_signal(signal.SIGKILL)
            each.wait()

    def _spin(self):
        while not self._over:
            pass


def test_hogs_on_the_machine_and_in_the_drill_do_not_hold_it_up_and_it_says_what_it_was_given(planted_at, port, spec):
    folder, late = lateness(planted_at, port, spec, Hogs)
    (told,) = [event.fields for event in events.read(folder) if event.kind == "observer"]
    assert told["processors"] >= 1
    if told["scheduling"] in {"real time", f"nice {steadiness.PRIORITY}"}:
        assert late[len(late) // 2] < 0.02  # without it, it waits its turn for as long as hogs may stay on
    else:
        assert "asked for priority" in told["problem"]


def test_what_the_system_does_not_give_is_said(monkeypatch, tmp_path):
    def refuse(*arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    monkeypatch.setattr(os, "setpriority", refuse)
    told = steadiness.take(tmp_path / "no-autogroup")
    gc.unfreeze()
    assert told["problem"] == f"asked for priority {steadiness.PRIORITY}: Operation not permitted"
    assert (told["pid"], told["scheduling"]) == (os.getpid(), steadiness.scheduling())


def test_an_alarm_rings_close_to_its_time_once_and_not_at_one_that_was_set_before():
    async def drill():
        loop, rung = asyncio.get_running_loop(), []
        clock = SystemClock()
        alarm = Alarm(loop, lambda: rung.append(clock.monotonic()))
        began = clock.monotonic()
        alarm.after(0.01)
        alarm.after(0.03)
        await asyncio.sleep(0.1)
        alarm.after(0.01)
        alarm.close()
        await asyncio.sleep(0.03)
        return [each - began for each in rung]

    takes = [asyncio.run(drill()) for _ in range(3)]
    assert all(len(rung) == 1 and rung[0] >= 0.03 for rung in takes)
    assert min(rung[0] for rung in takes) < 0.05
