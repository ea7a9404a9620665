"""Reads back which writes of a drill the service still knows, over HTTP, page by page, and beside it the databases.

The page at ``service.ledger_path`` answers ``{"keys": [… in order …], "next": last key or null}``. It is asked where
the service's name points to at that moment, as a client would, so it tells what users would find. It is asked last:
what a database has by then, the service has to have as well.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

from blackstart.clock import Clock, SystemClock
from blackstart.errors import BlackstartError, ConfigInvalid, ServiceUnreachable
from blackstart.observer import events, jsonl
from blackstart.observer.dialer import Attempt, Dialer
from blackstart.observer.ledger import FOUND_FILE, ReadBack
from blackstart.observer.record import read_header
from blackstart.observer.replicas import Replicas
from blackstart.observer.resolver import Resolver
from blackstart.settings import Service

PAGE_SECONDS = 3.0
RETRY_SECONDS = 0.2


def read_back(service: Service, prefix: str, timeout_seconds: float = 30, clock: Clock | None = None) -> set[str]:
    """All keys that begin with ``prefix``. Blocking; a page that fails is asked for again until ``timeout_seconds``
    are over, then ServiceUnreachable."""
    found: set[str] = set()
    asyncio.run(_collect(service, prefix, timeout_seconds, clock or SystemClock(), found.update))
    return found


def record_check(
    folder: Path, service: Service, clock: Clock, timeout_seconds: float = 30, replicas: Replicas | None = None
) -> ReadBack | None:
    """Read back the writes of the drill in ``folder`` and append what was found to its ``found.jsonl``: from
    ``replicas``, then through the service, which is what is returned; None where it has no ``ledger_path``.

    Blocking; the errors of `read_back` and of `Replicas.record`, and those of the journal when it does not say what to
    look for.
    """
    if not service.ledger_path and replicas is None:
        problem = "is empty, and so is ledger.sql, so that no write can be read back"
        raise ConfigInvalid("settings", "service.ledger_path", problem)
    origin, prefix = events.origin(folder), read_header(folder).prefix
    number = 1 + max((int(line["check"]) for line in jsonl.read(folder / FOUND_FILE)), default=0)
    file = jsonl.Appender(folder / FOUND_FILE)

    def now() -> float:
        return round(clock.monotonic() - origin, 6)

    try:
        if replicas is not None:
            replicas.record(prefix, number, file, now)
        if not service.ledger_path:
            return None
        keys: Counter[str] = Counter()

        def keep(page: list[str]) -> None:
            file.write({"check": number, "at": now(), "keys": page})
            keys.update(page)

        began = now()
        asyncio.run(_collect(service, prefix, timeout_seconds, clock, keep))
        ended = now()
        file.write({"check": number, "began": began, "at": ended, "complete": True})
    finally:
        file.close()
    copies = {key: times for key, times in keys.items() if times > 1}
    return ReadBack(number, began, ended, frozenset(keys), copies=copies)


async def _collect(
    service: Service, prefix: str, timeout_seconds: float, clock: Clock, keep: Callable[[list[str]], None]
) -> None:
    resolver = Resolver(service.host, service.dns, clock.monotonic, lambda change: None)
    dialer = Dialer.of(service)
    try:
        async for page in _pages(service, prefix, _Pages(resolver, dialer, clock, clock.monotonic() + timeout_seconds)):
            keep(page)
    finally:
        await resolver.close()
        await dialer.close()


class _Pages:
    """One page at a time, each tried until ``deadline`` (seconds of ``clock``)."""

    def __init__(self, resolver: Resolver, dialer: Dialer, clock: Clock, deadline: float) -> None:
        self._resolver = resolver
        self._dialer = dialer
        self._clock = clock
        self._deadline = deadline

    async def read(self, path: str) -> tuple[list[str], str | None]:
        """The keys of the page at ``path`` and where the next one begins."""
        while True:
            try:
                async with asyncio.timeout(PAGE_SECONDS):
                    return await self._once(path)
            except (OSError, BlackstartError, ValueError, KeyError, TypeError) as error:
                if self._clock.monotonic() >= self._deadline:
                    problem = f"did not answer with a page of keys in time ({error or type(error).__name__})"
                    raise ServiceUnreachable("read the writes back", path, problem) from error
            await self._clock.pause(RETRY_SECONDS)

    async def _once(self, path: str) -> tuple[list[str], str | None]:
        address = (await self._resolver.addresses())[0]
        reply = await self._dialer.send(address, "GET", path, Attempt())
        if reply.status != 200:
            raise ValueError(f"HTTP status {reply.status}")
        page = json.loads(reply.body)
        return [str(each) for each in page["keys"]], page.get("next")


async def _pages(service: Service, prefix: str, pages: _Pages) -> AsyncIterator[list[str]]:
    after: str | None = ""
    while after is not None:
        keys, following = await pages.read(ledger_path(service, prefix, after))
        yield keys
        if following is not None and following <= after:
            raise ServiceUnreachable("read the writes back", service.host, f"repeats the page after {after}")
        after = following


def ledger_path(service: Service, prefix: str, after: str) -> str:
    """The path of one page; ConfigInvalid when the template wants something else than prefix and after."""
    try:
        return service.ledger_path.format(prefix=quote(prefix, safe=""), after=quote(after, safe=""))
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigInvalid(
            "settings", "service.ledger_path", f"may only hold {{prefix}} and {{after}} ({error!r})"
        ) from error
