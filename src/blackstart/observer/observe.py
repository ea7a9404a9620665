"""The observer's work, put together: client, watcher, samples, ledger. Runs in its own process (see `process`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from blackstart.clock import Clock, iso
from blackstart.errors import ConfigInvalid
from blackstart.kube.reading import Kube
from blackstart.observer import ledger
from blackstart.observer.client import Client
from blackstart.observer.databases import Databases
from blackstart.observer.dialer import Dialer
from blackstart.observer.events import EventLog
from blackstart.observer.recorder import Recorder
from blackstart.observer.resolver import AnswerChange, Resolver
from blackstart.observer.samples import Header
from blackstart.observer.schedule import Schedule
from blackstart.observer.watch import Watcher
from blackstart.settings import Service, Settings

FLUSH_SECONDS = 0.2
LEAD_SECONDS = 0.05  # from when all is ready until the first request is due

logger = logging.getLogger("blackstart.observer")


@dataclass(frozen=True)
class Spec:
    """What an observer is told. ``origin_monotonic`` of the drill, in seconds of the machine's monotonic clock;
    ``grace_seconds``: how long it goes on once the drill's process is gone."""

    folder: Path
    drill: str
    settings: Settings
    origin_monotonic: float
    grace_seconds: float

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder), "settings": self.settings.model_dump(mode="json")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Spec:
        parts = {**data, "folder": Path(data["folder"]), "settings": Settings.model_validate(data["settings"])}
        return cls(**parts)


async def observe(spec: Spec, stop: asyncio.Event, clock: Clock, begun: Callable[[], None]) -> None:
    """Watch until ``stop``, then until the fate of the last request is known. ``begun`` is called before the first.

    ConfigInvalid when the settings cannot be used; OSError when the journal cannot be written.
    """
    check_paths(spec.settings.service)
    log = EventLog(spec.folder, clock, spec.origin_monotonic)
    async with Kube(spec.settings.evidence.kube_context) as kube:
        watcher = Watcher(spec.settings.evidence, log, clock, kube)
        databases = Databases(spec.settings.stores, log, clock)
        await asyncio.gather(watcher.prepare(), databases.prepare())
        looking = [asyncio.create_task(watcher.run()), asyncio.create_task(databases.run())]
        for task in looking:
            task.add_done_callback(lambda task: _told(task, log))
        try:
            await _play(spec, stop, clock, log, begun)
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)


async def _play(spec: Spec, stop: asyncio.Event, clock: Clock, log: EventLog, begun: Callable[[], None]) -> None:
    service, watching = spec.settings.service, spec.settings.observer
    dialer = Dialer(service.host, service.port)
    following = _Following(service.host, spec.origin_monotonic, log, dialer)
    resolver = Resolver(service.host, service.dns, clock.monotonic, following)
    begin = round(clock.monotonic() - spec.origin_monotonic + LEAD_SECONDS, 6)
    schedule = Schedule(begin, watching.rate, watching.write_share)
    recorder = Recorder(spec.folder, _header(spec, schedule, clock))
    history = ledger.Ledger(spec.folder)
    client = Client(
        service,
        schedule,
        timeout_seconds=watching.timeout_seconds,
        drill=spec.drill,
        resolver=resolver,
        dialer=dialer,
        recorder=recorder,
        history=history,
        clock=clock,
        origin=spec.origin_monotonic,
    )
    flushing = asyncio.create_task(_flush(recorder, clock, stop))
    begun()
    try:
        ended = await client.run(stop)
    finally:
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
        recorder.flush()
        history.close()
        await resolver.close()
        await following.done()
        await dialer.close()
    recorder.close(ended)


def _header(spec: Spec, schedule: Schedule, clock: Clock) -> Header:
    service, watching = spec.settings.service, spec.settings.observer
    since_origin = timedelta(seconds=clock.monotonic() - spec.origin_monotonic)
    return Header(
        origin_monotonic=spec.origin_monotonic,
        origin_wall=iso(clock.now() - since_origin),
        begin=schedule.begin,
        rate=schedule.rate,
        timeout_seconds=watching.timeout_seconds,
        write_share=schedule.write_share,
        recovery_share=watching.recovery_share,
        recovery_window_seconds=watching.recovery_window_seconds,
        home_region=service.home_region,
        standby_region=service.standby_region,
        service=service.name,
        drill=spec.drill,
        prefix=ledger.prefix(spec.drill),
    )


async def _flush(recorder: Recorder, clock: Clock, stop: asyncio.Event) -> None:
    """An observer that cannot write measures nothing that lasts: it stops, and the last flush raises the reason."""
    while True:
        await clock.pause(FLUSH_SECONDS)
        try:
            recorder.flush()
        except OSError as error:
            logger.error("the samples cannot be written (%s), so watching ends", error)
            stop.set()
            return


class _Following:
    """Notes each change of the service's addresses and drops connections to those that left."""

    def __init__(self, name: str, origin: float, log: EventLog, dialer: Dialer) -> None:
        self._name = name
        self._origin = origin
        self._log = log
        self._dialer = dialer
        self._dropping: set[asyncio.Task[None]] = set()

    def __call__(self, change: AnswerChange) -> None:
        before, after = change.before, change.after
        self._log.add(
            "dns",
            name=self._name,
            before=list(before.addresses) if before else [],
            after=list(after.addresses),
            last_old=round(before.at - self._origin, 6) if before else None,
            first_new=round(after.at - self._origin, 6),
            ttl=after.ttl if after.ttl != float("inf") else None,
        )
        task = asyncio.create_task(self._dialer.keep_only(after.addresses))
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)

    async def done(self) -> None:
        await asyncio.gather(*self._dropping)


def _told(task: asyncio.Task[None], log: EventLog) -> None:
    """Evidence may fail without taking the measuring with it, but not in silence."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.add("note", text=f"watching for evidence of steps ended: {error!r}")
        logger.error("watching for evidence ended", exc_info=error)


def check_paths(service: Service) -> None:
    """ConfigInvalid when ``read_path`` wants something else than a number."""
    try:
        service.read_path.format(number=1)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigInvalid("settings", "service.read_path", f"may only hold {{number}} ({error!r})") from error
