"""The observer's work, put together: client, watcher, samples, ledger. Runs in its own process (see `process`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from blackstart.clock import Clock, iso
from blackstart.kube.reading import Kube
from blackstart.monitoring.alerts import Alerts
from blackstart.observer import ledger, steadiness
from blackstart.observer.client import Client
from blackstart.observer.databases import Databases
from blackstart.observer.events import EventLog
from blackstart.observer.record import Header
from blackstart.observer.recorder import Recorder
from blackstart.observer.schedule import Schedule
from blackstart.observer.sites import Sites, described, parts
from blackstart.observer.spec import Spec
from blackstart.observer.watch import Watcher

FLUSH_SECONDS = 0.2
LEAD_SECONDS = 0.05  # from when all is ready until the first request is due

Given = Mapping[str, Any]

logger = logging.getLogger("blackstart.observer")


async def observe(
    spec: Spec, stop: asyncio.Event, clock: Clock, begun: Callable[[], None], steady: Callable[[], Given] = dict
) -> None:
    """Watch until ``stop``, then until the fate of the last request is known. ``begun`` is called before the first;
    ``steady`` before that, once everything is loaded: it says what the system gave this process, for the record.

    ConfigInvalid when the settings cannot be used; OSError when the journal cannot be written.
    """
    log = EventLog(spec.folder, clock, spec.origin_monotonic)
    async with Kube(spec.settings.evidence.kube_context) as kube:
        watcher = Watcher(spec.settings.evidence, log, clock, kube)
        databases = Databases(spec.settings.stores, log, clock)
        alerts = Alerts(spec.settings.monitoring, log, clock)
        sources = (watcher, databases, alerts)
        await asyncio.gather(*(source.prepare() for source in sources))
        looking = [asyncio.create_task(source.run()) for source in sources]
        for task in looking:
            task.add_done_callback(lambda task: _told(task, log))
        try:
            if given := steady():
                log.add("observer", **given)
            await _play(spec, stop, clock, log, begun)
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)


async def _play(spec: Spec, stop: asyncio.Event, clock: Clock, log: EventLog, begun: Callable[[], None]) -> None:
    watching = spec.settings.observer
    sites = Sites(spec.settings, log, clock, spec.origin_monotonic)
    begin = round(clock.monotonic() - spec.origin_monotonic + LEAD_SECONDS, 6)
    schedule = Schedule(begin, watching.rate, watching.write_share, parts(spec.settings))
    recorder = Recorder(spec.folder, _header(spec, schedule, clock))
    history = ledger.Ledger(spec.folder, batched=True)
    client = Client(
        schedule,
        sites.all,
        timeout_seconds=watching.timeout_seconds,
        drill=spec.drill,
        recorder=recorder,
        history=history,
        clock=clock,
        origin=spec.origin_monotonic,
        most=steadiness.most_requests(),
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
        await sites.close()
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
        recovery_latency_seconds=watching.recovery_latency_seconds,
        home_region=service.home_region,
        standby_region=service.standby_region,
        service=service.name,
        drill=spec.drill,
        prefix=ledger.prefix(spec.drill),
        journeys=described(spec.settings),
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


def _told(task: asyncio.Task[None], log: EventLog) -> None:
    """Evidence may fail without taking the measuring with it, but not in silence."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.add("note", text=f"watching for evidence of steps ended: {error!r}")
        logger.error("watching for evidence ended", exc_info=error)
