"""Where each journey goes: its target, who resolves that target's name, and the transport that asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from blackstart.clock import Clock
from blackstart.errors import ConfigInvalid
from blackstart.journeys import HTTP, USERS, Journey, split
from blackstart.observer.client import Site
from blackstart.observer.dialer import authority
from blackstart.observer.events import EventLog
from blackstart.observer.record import JourneyInfo
from blackstart.observer.resolver import AnswerChange, Resolver
from blackstart.observer.schedule import Part
from blackstart.observer.transports import Transport, http, http1, http2_lanes, postgres, redis, tcp
from blackstart.observer.transports.tls import HTTP_1, HTTP_2, Tls
from blackstart.settings import Settings


@dataclass(frozen=True)
class Target:
    """``host`` and ``port`` are what is connected to; ``address``: the connection string of a database, or ""."""

    host: str
    port: int
    address: str = ""

    @property
    def label(self) -> str:
        return authority(self.host, self.port)


def played(settings: Settings) -> tuple[Journey, ...]:
    """The journeys in force: those of the settings, else one made of the service. Pure."""
    service = settings.service
    usual = Journey(
        name=USERS, share=1, protocol=service.protocol, tls=service.tls, ca_file=service.ca_file
    )  # fmt: skip
    return settings.journeys or (usual,)


def write_share(journey: Journey, settings: Settings) -> float:
    """How much of ``journey`` writes, 0–1. Pure."""
    usual = settings.observer.write_share if journey.protocol in HTTP else 0.0
    return usual if journey.write_share is None else journey.write_share


def parts(settings: Settings) -> tuple[Part, ...]:
    """What the schedule has to know of the journeys. Pure."""
    return tuple(Part(each.share, write_share(each, settings)) for each in played(settings))


def described(settings: Settings) -> tuple[JourneyInfo, ...]:
    """What the header of the samples says of the journeys. ConfigInvalid when a target cannot be used."""
    kinds = {0.0: "read", 1.0: "write"}
    return tuple(
        JourneyInfo(
            each.name, each.share, each.protocol, kinds.get(write_share(each, settings)), target(each, settings).label
        )
        for each in played(settings)
    )


def target(journey: Journey, settings: Settings) -> Target:
    """What ``journey`` connects to; ConfigInvalid when that cannot be told."""
    stores = {"postgresql": settings.stores.databases, "redis": settings.stores.caches}.get(journey.protocol, {})
    address = stores.get(journey.target, "")
    try:
        if address:
            found = postgres.place(address) if journey.protocol == "postgresql" else redis.place(address)
            return Target(*found, address)
        if journey.target:
            return Target(*split(journey.target))
    except ValueError as error:
        raise ConfigInvalid("settings", f"journeys.{journey.name}.target", str(error)) from error
    return Target(settings.service.host, settings.service.port)


class Sites:
    """Everything that the client asks. What is learnt of names and certificates goes to ``log``.

    ConfigInvalid when the settings cannot be used. To be made inside a running loop.
    """

    def __init__(self, settings: Settings, log: EventLog, clock: Clock, origin: float) -> None:
        self._settings = settings
        self._log = log
        self._clock = clock
        self._origin = origin
        self._names: dict[str, tuple[Resolver, Following]] = {}
        self.all = tuple(self._site(journey) for journey in played(settings))

    async def close(self) -> None:
        """Let go of everything."""
        for resolver, following in self._names.values():
            await resolver.close()
            await following.done()
        for site in self.all:
            await site.transport.close()

    def _site(self, journey: Journey) -> Site:
        aim = target(journey, self._settings)
        transport = self._transport(journey, aim)
        resolver, following = self._named(aim.host)
        following.transports.append(transport)
        return Site(journey.name, resolver, transport, ledger=journey.protocol in HTTP)

    def _named(self, host: str) -> tuple[Resolver, Following]:
        if host not in self._names:
            service = self._settings.service
            kind = "dns" if host == service.host else "address"
            following = Following(kind, host, self._origin, self._log)
            self._names[host] = Resolver(host, service.dns, self._clock.monotonic, following), following
        return self._names[host]

    def _transport(self, journey: Journey, aim: Target) -> Transport:
        if journey.protocol in HTTP:
            return self._http(journey, aim)
        secured = self._tls(journey, aim, ()) if journey.tls and journey.protocol != "postgresql" else None
        statements = (journey.read, journey.write)
        if journey.protocol == "postgresql":
            return postgres.transport(
                aim.address or f"host={aim.host}", aim.port, statements, journey.tls, journey.ca_file
            )
        if journey.protocol == "redis":
            return redis.transport(aim.address, aim.port, statements, secured)
        return tcp.transport(aim.port, statements, journey.expect, secured)

    def _http(self, journey: Journey, aim: Target) -> Transport:
        service = self._settings.service
        read, write = journey.read or service.read_path, journey.write or service.write_path
        messages = http.Messages(aim.label, read, write)
        second = journey.protocol == "http/2"
        secured = self._tls(journey, aim, HTTP_2 if second else HTTP_1) if journey.tls else None
        if second:
            return http.Http2(messages, http2_lanes.Pool(aim.port, aim.label, secured))
        return http.Http1(messages, http1.Pool(aim.port, secured))

    def _tls(self, journey: Journey, aim: Target, protocols: Iterable[str]) -> Tls:
        def note(**fields: object) -> None:
            self._log.add("tls", journey=journey.name, **fields)

        return Tls(aim.host, journey.ca_file, tuple(protocols), note)


class Following:
    """Notes each change of a target's addresses and drops connections to those that left."""

    def __init__(self, kind: str, name: str, origin: float, log: EventLog) -> None:
        self.transports: list[Transport] = []
        self._kind = kind
        self._name = name
        self._origin = origin
        self._log = log
        self._dropping: set[asyncio.Task[None]] = set()

    def __call__(self, change: AnswerChange) -> None:
        before, after = change.before, change.after
        self._log.add(
            self._kind,
            name=self._name,
            before=list(before.addresses) if before else [],
            after=list(after.addresses),
            last_old=round(before.at - self._origin, 6) if before else None,
            first_new=round(after.at - self._origin, 6),
            ttl=after.ttl if after.ttl != float("inf") else None,
        )
        for transport in self.transports:
            task = asyncio.create_task(transport.keep_only(after.addresses))
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    async def done(self) -> None:
        """Until what was begun is done."""
        await asyncio.gather(*self._dropping)
