"""Plays the users: an open loop over a fixed schedule.

Every request is started when it is due, whatever became of those before it, and must be answered within the
time-out counted from when it was due. So a service that hangs is seen as down for the whole time that it hangs.

One alarm serves all: it rings when the next request is due, or the oldest one's time is over. All have the same
time-out, so their deadlines come in the order of the schedule, and a request needs neither a task nor a timer.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.clock import Clock
from blackstart.errors import JournalUnwritable
from blackstart.observer import ledger
from blackstart.observer.alarm import Alarm
from blackstart.observer.ledger import Ledger
from blackstart.observer.record import Cache, Cause, Outcome, Sample
from blackstart.observer.recorder import Recorder
from blackstart.observer.request import Fate, Request, unanswered
from blackstart.observer.resolver import NameNotResolved, Resolver
from blackstart.observer.schedule import Kind, Schedule
from blackstart.observer.transports import Transport

SPARE_REQUESTS = 64
MOST_REQUESTS = 16_000  # under way at once: each may hold a file and a local port
BURST = 50  # overdue requests that are started before answers get a turn
TICK_SECONDS = 0.00025  # requests that are due closer together than this start together

CACHE_WORDS = {b"hit": Cache.HIT, b"miss": Cache.MISS}


@dataclass(frozen=True)
class Site:
    """Where the requests of one journey go, and how. ``ledger``: whether its writes are kept there."""

    journey: str
    resolver: Resolver
    transport: Transport
    ledger: bool


class Client:
    """Runs ``schedule`` against ``sites`` (one for each of its journeys) and gives each request's fate to ``recorder``
    and ``history``.

    ``origin`` is the drill's, on ``clock``'s monotonic time; ``timeout_seconds`` is how long a user waits; ``most``
    requests may be under way at once, and what is due beyond that is not sent.
    """

    def __init__(
        self,
        schedule: Schedule,
        sites: Sequence[Site],
        *,
        timeout_seconds: float,
        drill: str,
        recorder: Recorder,
        history: Ledger,
        clock: Clock,
        origin: float,
        most: int = MOST_REQUESTS,
    ) -> None:
        self._schedule = schedule
        self._sites = sites
        self._timeout = timeout_seconds
        self._drill = drill
        self._recorder = recorder
        self._ledger = history
        self._clock = clock
        self._origin = origin
        self._most = min(most, math.ceil(schedule.rate * timeout_seconds) + SPARE_REQUESTS)
        self._number = 0
        self._due = schedule.intended(0)
        self._busy = 0
        self._pending: deque[Request] = deque()
        self._departing: list[Request] = []
        self._unnamed: dict[Resolver, list[Request]] = {}
        self._lookups: set[asyncio.Task[None]] = set()
        self._turns = [[0, 0] for _ in sites]
        self._playing = True
        self._trouble: JournalUnwritable | None = None

    async def run(self, stop: asyncio.Event) -> float:
        """Until ``stop``, then until the last request's fate is known; returns when the schedule ended.

        JournalUnwritable when the history of writes cannot be kept: then no more are sent.
        """
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        self._alarm = Alarm(loop, self._turn)
        waiting = loop.create_task(stop.wait())
        waiting.add_done_callback(lambda _: self._end())
        try:
            self._turn()
            await self._over
        finally:
            self._alarm.close()
            waiting.cancel()
            for task in self._lookups:
                task.cancel()
            await asyncio.gather(waiting, *self._lookups, return_exceptions=True)
        if self._trouble is not None:
            raise self._trouble
        return self._schedule.intended(self._number)

    def _turn(self) -> None:
        """What the moment asks for: end what has waited too long, begin what is due."""
        now = self._now()
        self._expire(now)
        behind = self._playing and self._begin_due(now)
        self._depart()
        if self._over.done():
            return
        if behind:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._wake(self._now())

    def _wake(self, now: float) -> None:
        moments = [self._due] if self._playing else []
        if self._pending:
            moments.append(self._pending[0].intended + self._timeout)
        if moments:
            self._alarm.after(max(min(moments) - now, TICK_SECONDS))

    def _end(self) -> None:
        """No more requests."""
        self._playing = False
        self._check_over()

    def _check_over(self) -> None:
        if not self._playing and not self._busy and not self._over.done():
            self._over.set_result(None)

    def _expire(self, now: float) -> None:
        pending = self._pending
        while pending and (pending[0].over or pending[0].intended + self._timeout <= now):
            request = pending.popleft()
            if not request.over:
                fate = unanswered(request.kind, request.left, Cause.TIMEOUT)
                self._sites[request.journey].transport.give_up(request)
                request.ended(fate)

    def _begin_due(self, now: float) -> bool:
        """Begin what is due by ``now``, but only a burst of it; whether there is more."""
        for _ in range(BURST):
            if self._due > now:
                return False
            self._begin(self._number, self._due)
            self._number += 1
            self._due = self._schedule.intended(self._number)
        return self._due <= now

    def _begin(self, number: int, due: float) -> None:
        schedule = self._schedule
        request = Request(number, due, schedule.kind(number), schedule.journey(number), self._settle)
        now = self._now()
        full = self._busy >= self._most
        self._busy += 1
        if full or now >= due + self._timeout:
            request.ended(Fate(Outcome.FAILED, Cause.UNSENT))
            return
        request.sent = now
        self._pending.append(request)
        resolver = self._sites[request.journey].resolver
        addresses = resolver.known()
        if addresses:
            self._aim(request, addresses)
        else:
            self._look_up(resolver, request)

    def _aim(self, request: Request, addresses: Sequence[str]) -> None:
        """Choose an address, each in turn for reads and writes of each journey on their own; note what is to leave."""
        site, turns = self._sites[request.journey], self._turns[request.journey]
        request.address = addresses[turns[request.kind] % len(addresses)]
        turns[request.kind] += 1
        if request.kind is Kind.WRITE and site.ledger:
            request.key = ledger.key(self._drill, request.number)
            self._ledger.sending(request.number, request.key, self._now())
        self._departing.append(request)

    def _depart(self) -> None:
        """Let go what is aimed, once the history of it is with the system."""
        departing, self._departing = self._departing, []
        try:
            self._ledger.flush()
        except JournalUnwritable as error:
            self._trouble = self._trouble or error
            for request in departing:
                request.over = True
                self._busy -= 1
            self._end()
            return
        for request in departing:
            self._sites[request.journey].transport.send(request)

    def _look_up(self, resolver: Resolver, request: Request) -> None:
        waiting = self._unnamed.setdefault(resolver, [])
        waiting.append(request)
        if len(waiting) == 1:
            task = asyncio.get_running_loop().create_task(self._name(resolver))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    async def _name(self, resolver: Resolver) -> None:
        """Send what waits for ``resolver``, all at once."""
        addresses: Sequence[str] = ()
        try:
            addresses = await resolver.addresses()
        except NameNotResolved:
            pass
        finally:
            waiting = self._unnamed.pop(resolver)
        for request in waiting:
            if request.over:
                continue
            if addresses:
                self._aim(request, addresses)
            else:
                request.ended(Fate(Outcome.FAILED, Cause.DNS))
        self._depart()

    def _settle(self, request: Request, fate: Fate) -> None:
        ended = self._now()
        if ended >= request.intended + self._timeout and fate.cause is not Cause.UNSENT:
            fate = unanswered(request.kind, request.left, Cause.TIMEOUT)  # nobody waited for that answer
        headers = fate.headers
        region = headers.get(b"x-region", b"").decode("latin-1")
        self._recorder.add(
            Sample(
                request.number,
                request.intended,
                request.sent if fate.cause is not Cause.UNSENT else float("nan"),
                ended,
                request.kind,
                fate.outcome,
                fate.cause,
                fate.status,
                CACHE_WORDS.get(headers.get(b"x-cache", b"").lower(), Cache.NONE),
                region,
                headers.get(b"x-zone", b"").decode("latin-1"),
                headers.get(b"x-pod", b"").decode("latin-1"),
                request.address,
                self._sites[request.journey].journey,
            )
        )
        if request.key:
            self._ledger.ended(request.number, fate.outcome, ended, region)
        self._busy -= 1
        self._check_over()

    def _now(self) -> float:
        return self._clock.monotonic() - self._origin
