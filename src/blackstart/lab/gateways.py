"""The Envoys: one gateway a region, in front of its pods, and one edge in front of both."""

from __future__ import annotations

import asyncio
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from blackstart.lab import binaries, envoy
from blackstart.lab.base import Base
from blackstart.lab.catalog import Catalog, Entry
from blackstart.lab.kubelet import Endpoints
from blackstart.lab.parts import Address
from blackstart.lab.topology import LOOPBACK, SERVICE_HOST, RegionParts, Topology, url
from blackstart.lab.waiting import until_healthy

READY_PATH, ASK_SECONDS = "/ready", 1.0
ENTRANCES_EACH = 2
"""Entrances that one Envoy serves: at two, it needs as many file descriptors as an entrance does."""


class Gateways:
    """Starts the Envoys, and tells the gateways where the pods are."""

    def __init__(self, laid: Topology, base: Base, catalog: Catalog) -> None:
        self._laid = laid
        self._base = base
        self._pods: dict[str, Endpoints] = {}
        self._closed: dict[str, frozenset[str]] = {}
        self._more: dict[str, list[str]] = {}
        self.admins: dict[str, Address] = {}
        self._written: dict[str, tuple[Endpoints, frozenset[str]]] = {}
        for parts in laid.regions():
            catalog.add(f"gateway-{parts.region}", Entry("envoy", parts.gateway, parts.region))
        catalog.add("edge", Entry("envoy", laid.edge))

    async def start(self) -> None:
        """All of them, ready to take connections."""
        laid, base = self._laid, self._base
        async with asyncio.TaskGroup() as group:
            for parts in laid.regions():
                name = f"gateway-{parts.region}"
                config = envoy.gateway(
                    self._folder(name), name=name, listen=parts.gateway_listener, admin=parts.gateway_admin
                )
                group.create_task(self._run(name, config, parts.gateway_admin))
                doors_of = self._doors(parts)
                # Together they ask a pod no more often than one alone: being asked costs it as much as a request.
                check_seconds = envoy.CHECK_SECONDS * (1 + len(doors_of))
                for number, doors in enumerate(doors_of, 1):
                    name, admin = f"gateway-{parts.region}-{number}", (LOOPBACK, base.ports.take())
                    self._more.setdefault(parts.region, []).append(name)
                    config = envoy.gateway(
                        self._folder(name),
                        name=name,
                        listen=doors[0],
                        admin=admin,
                        also=doors[1:],
                        check_seconds=check_seconds,
                    )
                    group.create_task(self._run(name, config, admin))
            config = envoy.edge(
                self._folder("edge"),
                name="edge",
                listen=laid.edge,
                admin=laid.edge_admin,
                origin=(SERVICE_HOST, laid.home.gateway[1]),
                resolver=laid.dns,
            )
            group.create_task(self._run("edge", config, laid.edge_admin))

    async def _run(self, name: str, config: Path, admin: Address) -> None:
        base, self.admins[name] = self._base, admin
        started = base.processes(name, envoy.command(binaries.envoy(), config), cwd=config.parent)
        await until_healthy(base.session, url(admin) + READY_PATH, started, base.processes.log(name), base.clock)

    def _doors(self, parts: RegionParts) -> list[tuple[Address, ...]]:
        """Where further Envoys of a region listen, behind its entrances."""
        doors = [entrance.way.target for entrance in parts.entrances]
        return [tuple(doors[first : first + ENTRANCES_EACH]) for first in range(0, len(doors), ENTRANCES_EACH)]

    def _folder(self, name: str) -> Path:
        return self._base.folder / name

    def route(self, region: str, endpoints: Endpoints) -> None:
        """The pods of ``region`` are at ``endpoints`` from now on."""
        self._pods[region] = endpoints
        self._write(region)

    def close(self, region: str, zones: frozenset[str]) -> None:
        """Exactly ``zones`` of ``region`` get no new requests from now on."""
        self._closed[region] = zones
        self._write(region)

    def _write(self, region: str) -> None:
        wanted = self._pods.get(region, {}), self._closed.get(region, frozenset())
        if self._written.get(region) != wanted:
            for name in (f"gateway-{region}", *self._more.get(region, ())):
                envoy.write_endpoints(self._folder(name), *wanted)
            self._written[region] = wanted

    async def resolved(self, address: str) -> bool:
        """Whether the service's name leads to ``address`` now."""
        question = dns.message.make_query(SERVICE_HOST, dns.rdatatype.A)
        host, port = self._laid.dns
        try:
            answer = await dns.asyncquery.udp(question, host, timeout=ASK_SECONDS, port=port)
        except (dns.exception.DNSException, OSError):
            return False
        return any(str(record) == address for found in answer.answer for record in found)
