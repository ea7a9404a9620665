"""The observer's client for hours, in seconds: its clock runs faster, and what it asks answers at once, or never."""

import asyncio

from blackstart.clock import SystemClock
from blackstart.observer.client import Client, Site
from blackstart.observer.ledger import Ledger
from blackstart.observer.record import Header
from blackstart.observer.recorder import Recorder
from blackstart.observer.request import judged
from blackstart.observer.schedule import Schedule

WAIT_SECONDS = 5.0  # of the client's time


class Instant:
    """A transport that answers at once, ``share`` of the requests; the rest never."""

    def __init__(self, share=1.0):
        self.share, self.sent, self.given_up = share, 0, 0

    def send(self, request):
        self.sent += 1
        if self.sent % 100 < 100 * self.share:
            request.left = True
            request.ended(judged(request.kind, 201, {b"x-region": b"us-east-1"}))

    def give_up(self, request):
        self.given_up += 1

    async def keep_only(self, addresses):
        pass

    async def close(self):
        pass


class Here:
    """A resolver that knows the address."""

    def known(self):
        return ("127.0.0.1",)


class Fast(SystemClock):
    """A clock by which ``times`` as much goes by."""

    def __init__(self, times):
        self._times = times

    def monotonic(self):
        return super().monotonic() * self._times


async def played(folder, transport, seconds, look, *, times, rate):
    """Play for ``seconds`` of this world, in which ``times`` as many go by for the client, at ``rate`` requests in each
    of its own; ``look(quarter)`` four times, once everything so far is on disk."""
    clock = Fast(times)
    origin = clock.monotonic()
    schedule = Schedule(0.0, rate, 0.5)
    recorder = Recorder(folder, Header(origin, "", 0.0, rate, WAIT_SECONDS, 0.5))
    history = Ledger(folder, batched=True)
    sites = [Site("users", Here(), transport, ledger=True)]
    client = Client(
        schedule, sites, timeout_seconds=WAIT_SECONDS, drill="d",
        recorder=recorder, history=history, clock=clock, origin=origin,
    )  # fmt: skip
    stop = asyncio.Event()
    running = asyncio.create_task(client.run(stop))
    flushing = asyncio.create_task(_flush(recorder))
    for quarter in range(4):
        await asyncio.sleep(seconds / 4)
        recorder.flush()
        look(quarter)
    flushing.cancel()
    stop.set()
    await asyncio.gather(flushing, return_exceptions=True)
    await running
    history.close()
    recorder.close(1.0)


async def _flush(recorder):
    while True:
        await asyncio.sleep(0.1)
        recorder.flush()
