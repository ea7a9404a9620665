"""Plays the users: an open loop over a fixed schedule.

Every request is started when it is due, whatever became of those before it, and must be answered within the
time-out counted from when it was due. So a service that hangs is seen as down for the whole time that it hangs.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

import aiohttp

from blackstart.clock import Clock
from blackstart.observer import ledger
from blackstart.observer.dialer import Attempt, Dialer, Reply
from blackstart.observer.ledger import Ledger
from blackstart.observer.recorder import Recorder
from blackstart.observer.resolver import NameNotResolved, Resolver
from blackstart.observer.samples import Cache, Cause, Outcome, Sample
from blackstart.observer.schedule import Kind, Schedule
from blackstart.settings import Service

PRODUCTS = 499  # numbers 1 … 499 are asked for in turn
SPARE_REQUESTS = 64
BURST = 50  # overdue requests that are started before answers get a turn

CACHE_WORDS = {"hit": Cache.HIT, "miss": Cache.MISS}


@dataclass
class _Request:
    number: int
    intended: float
    kind: Kind
    sent: float = float("nan")
    address: str = ""

    @property
    def item(self) -> int:
        return 1 + self.number % PRODUCTS


@dataclass(frozen=True)
class _Fate:
    outcome: Outcome
    cause: Cause
    reply: Reply | None = None


class Client:
    """Runs ``schedule`` against ``service`` and gives each request's fate to ``recorder`` and ``ledger``.

    ``origin`` is the drill's, on ``clock``'s monotonic time; ``timeout_seconds`` is how long a user waits.
    """

    def __init__(
        self,
        service: Service,
        schedule: Schedule,
        *,
        timeout_seconds: float,
        drill: str,
        resolver: Resolver,
        dialer: Dialer,
        recorder: Recorder,
        history: Ledger,
        clock: Clock,
        origin: float,
    ) -> None:
        self._service = service
        self._schedule = schedule
        self._timeout = timeout_seconds
        self._drill = drill
        self._resolver = resolver
        self._dialer = dialer
        self._recorder = recorder
        self._ledger = history
        self._clock = clock
        self._origin = origin
        self._most = math.ceil(schedule.rate * timeout_seconds) + SPARE_REQUESTS
        self._busy: set[asyncio.Task[None]] = set()
        self._trouble: BaseException | None = None

    async def run(self, stop: asyncio.Event) -> float:
        """Until ``stop``, then until the last request's fate is known; returns when the schedule ended.

        JournalUnwritable when the history of writes cannot be kept: then no more are sent.
        """
        number = 0
        while not stop.is_set() and self._trouble is None:
            due = self._schedule.intended(number)
            wait = due - self._now()
            if wait > 0:
                await _sleep_until(stop, wait)
                continue
            self._begin(number, due)
            number += 1
            if number % BURST == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*self._busy, return_exceptions=True)
        if self._trouble is not None:
            raise self._trouble
        return self._schedule.intended(number)

    def _begin(self, number: int, due: float) -> None:
        request = _Request(number, due, self._schedule.kind(number))
        if len(self._busy) >= self._most or self._now() >= due + self._timeout:
            self._record(request, _Fate(Outcome.FAILED, Cause.UNSENT))
            return
        task = asyncio.create_task(self._one(request))
        self._busy.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._trouble = self._trouble or task.exception()

    async def _one(self, request: _Request) -> None:
        attempt = Attempt()
        try:
            async with asyncio.timeout(request.intended + self._timeout - self._now()):
                fate = _judged(request.kind, await self._send(request, attempt))
        except TimeoutError:
            fate = _unanswered(request.kind, attempt, Cause.TIMEOUT)
        except NameNotResolved:
            fate = _Fate(Outcome.FAILED, Cause.DNS)
        except (aiohttp.ClientError, OSError):
            fate = _unanswered(request.kind, attempt, Cause.BROKEN if attempt.sent else Cause.REFUSED)
        self._record(request, fate)

    async def _send(self, request: _Request, attempt: Attempt) -> Reply:
        request.sent = self._now()
        addresses = await self._resolver.addresses()
        request.address = addresses[request.number % len(addresses)]
        if request.kind is Kind.READ:
            path = self._service.read_path.format(number=request.item)
            return await self._dialer.send(request.address, "GET", path, attempt)
        key = ledger.key(self._drill, request.number)
        self._ledger.sending(request.number, key, self._now())
        body = {"key": key, "item": request.item, "quantity": 1}
        return await self._dialer.send(request.address, "POST", self._service.write_path, attempt, body)

    def _record(self, request: _Request, fate: _Fate) -> None:
        headers = fate.reply.headers if fate.reply else {}
        ended = self._now()
        self._recorder.add(
            Sample(
                number=request.number,
                intended=request.intended,
                sent=request.sent,
                ended=ended,
                kind=request.kind,
                outcome=fate.outcome,
                cause=fate.cause,
                status=fate.reply.status if fate.reply else 0,
                cache=CACHE_WORDS.get(headers.get("x-cache", "").lower(), Cache.NONE),
                region=headers.get("x-region", ""),
                zone=headers.get("x-zone", ""),
                pod=headers.get("x-pod", ""),
                address=request.address,
            )
        )
        if request.kind is Kind.WRITE and request.address:
            self._ledger.ended(request.number, fate.outcome, ended, headers.get("x-region", ""))

    def _now(self) -> float:
        return self._clock.monotonic() - self._origin


def _judged(kind: Kind, reply: Reply) -> _Fate:
    """2xx and 3xx are ok, for a write only 2xx. A write's 5xx leaves its fate open: a proxy may have given up on it
    after the service had it."""
    if 200 <= reply.status < (300 if kind is Kind.WRITE else 400):
        return _Fate(Outcome.OK, Cause.NONE, reply)
    if kind is Kind.WRITE and reply.status >= 500:
        return _Fate(Outcome.UNKNOWN, Cause.STATUS, reply)
    return _Fate(Outcome.FAILED, Cause.STATUS, reply)


def _unanswered(kind: Kind, attempt: Attempt, cause: Cause) -> _Fate:
    open_fate = kind is Kind.WRITE and attempt.sent
    return _Fate(Outcome.UNKNOWN if open_fate else Outcome.FAILED, cause)


async def _sleep_until(stop: asyncio.Event, seconds: float) -> None:
    """``seconds``, or less when ``stop`` comes."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
