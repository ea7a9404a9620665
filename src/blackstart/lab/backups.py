"""Backups of the home region's database, and what is restored from them: real copies, and real servers on them.

Each backup is a base backup of the running server, registered as a snapshot of its cluster with the moment at which it
began: what was committed before is surely in it. The latest time that the cluster can be restored to is the newest of
these moments. A cluster that the AWS API restores becomes a server of its own on a free port, until it is deleted.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.clock import iso
from blackstart.errors import LabError, ServiceUnreachable
from blackstart.lab import binaries, postgres_files
from blackstart.lab import status as labs
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.restores import CLUSTER, SNAPSHOT
from blackstart.lab.base import Base
from blackstart.lab.parts import Address, account
from blackstart.lab.postgres import Postgres, PostgresSpec
from blackstart.lab.topology import LOOPBACK, Topology, url

_log = logging.getLogger("blackstart.lab.backups")
KEPT, WAIT_SECONDS, RETRY_SECONDS = 3, 10.0, 1.0
AUTOMATED = "rds:"
"""How AWS calls the snapshots that it takes by itself."""
NOWHERE: Address = (LOOPBACK, 0)
_TROUBLE = (LabError, ServiceUnreachable, BotoCoreError, ClientError, OSError)


@dataclass(frozen=True)
class Backup:
    """One base backup: the data folder ``data``, with all that was committed before ``began``."""

    snapshot: str
    began: datetime
    data: Path


class Backups:
    """``run`` until cancelled. ``clients`` reach an endpoint that no fault of ours makes silent."""

    def __init__(self, laid: Topology, base: Base, clients: Clients) -> None:
        self._laid = laid
        self._base = base
        self._clients = clients
        self._folder = base.folder / "backups"
        self._account = account()
        self._taken: list[Backup] = []
        self._number = 0
        self._restored: dict[str, Postgres] = {}
        self._in_use = asyncio.Lock()

    async def run(self) -> None:
        self._folder.mkdir(mode=0o711)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take())
            group.create_task(self._follow())

    async def _take(self) -> None:
        while True:
            try:
                await self._take_one()
            except _TROUBLE as error:
                _log.warning("no backup this time: %s", error)
            await self._base.clock.pause(self._laid.config.backups.every_seconds)

    async def _take_one(self) -> None:
        """An automated snapshot; it is told of once it is whole. Old ones go."""
        cluster = self._laid.home.cluster
        snapshot = f"{AUTOMATED}{cluster}-{self._base.clock.now():%Y-%m-%d-%H-%M-%S}"
        async with self._in_use:
            taken = await self._copy(snapshot)
            await self._call("create_db_cluster_snapshot", snapshot, DBClusterIdentifier=cluster)
            told = {"SnapshotCreateTime": iso(taken.began), "SnapshotType": "automated"}
            await self._tell(SNAPSHOT, snapshot, told)
            await self._tell(CLUSTER, cluster, {"LatestRestorableTime": iso(taken.began)})
            automated = [each for each in self._taken if each.snapshot.startswith(AUTOMATED)]
            for old in automated[:-KEPT]:
                await self._call("delete_db_cluster_snapshot", old.snapshot)
                await self._forget(old)

    async def _copy(self, snapshot: str) -> Backup:
        """A copy of the running server for ``snapshot``, now."""
        self._number += 1
        began, folder = self._base.clock.now(), self._folder / str(self._number)
        try:
            await self._server("backup", folder, NOWHERE).base_backup(self._laid.home.database_endpoint)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._taken.append(Backup(snapshot, began, folder / "data"))
        return self._taken[-1]

    async def _call(self, operation: str, snapshot: str, **more: str) -> None:
        call = getattr(self._clients("rds", self._laid.home.region), operation)
        await asyncio.to_thread(partial(call, DBClusterSnapshotIdentifier=snapshot, **more))

    async def _forget(self, old: Backup) -> None:
        self._taken.remove(old)
        await self._tell(SNAPSHOT, old.snapshot, None)
        await asyncio.to_thread(shutil.rmtree, old.data.parent, True)

    async def _follow(self) -> None:
        """Start what was restored, and end what is deleted."""
        seq = 0
        while True:
            try:
                await self._reconcile()
                seq = await self._changed(seq)
            except _TROUBLE as error:
                _log.warning("%s; trying again", error)
                await self._base.clock.pause(RETRY_SECONDS)

    async def _reconcile(self) -> None:
        home = self._laid.home.region
        await self._follow_snapshots()
        wanted = {each["cluster"]: each for each in (await self._ask("GET", "/restores"))["restores"]}
        if not wanted and not self._restored:
            return
        described = await asyncio.to_thread(self._clients("rds", home).describe_db_clusters)
        there = {item["DBClusterIdentifier"] for item in described["DBClusters"]}
        for name in [name for name in (*wanted, *self._restored) if name not in there]:
            server = self._restored.pop(name, None)
            if server is not None:
                server.kill()
                await asyncio.to_thread(shutil.rmtree, server.spec.folder, True)
            await self._tell(CLUSTER, name, None)
        for name, restore in wanted.items():
            if name in there and name not in self._restored:
                self._restored[name] = await self._start(name, restore["snapshot"])

    async def _follow_snapshots(self) -> None:
        """A snapshot that somebody else takes of the cluster gets its copy now, and loses it when it is deleted."""
        rds = self._clients("rds", self._laid.home.region)
        async with self._in_use:
            listed = await asyncio.to_thread(
                partial(rds.describe_db_cluster_snapshots, DBClusterIdentifier=self._laid.home.cluster)
            )
            there = {item["DBClusterSnapshotIdentifier"] for item in listed["DBClusterSnapshots"]}
            for new in sorted(there - {each.snapshot for each in self._taken}):
                await self._copy(new)
            for old in [each for each in self._taken if each.snapshot not in there]:
                await self._forget(old)

    async def _start(self, name: str, snapshot: str) -> Postgres:
        """A server on the backup of ``snapshot``, or of the latest time."""
        address = (LOOPBACK, self._base.ports.take())
        server = self._server(name, self._folder / name, address)
        async with self._in_use:
            backup = next((each for each in reversed(self._taken) if snapshot in ("", each.snapshot)), None)
            if backup is None:
                raise LabError(f"restore {name}", f"there is no backup of snapshot {snapshot or 'the latest time'}")
            folder = server.spec.folder
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            postgres_files.give(folder, self._account)
            await asyncio.to_thread(postgres_files.copy, backup.data, folder / "data", self._account)
        await server.start()
        where = {"Status": "available", "Endpoint": address[0], "ReaderEndpoint": address[0], "Port": address[1]}
        await self._tell(CLUSTER, name, where)
        _log.info("%s answers at %s:%d", name, *address)
        return server

    def _server(self, name: str, folder: Path, address: Address) -> Postgres:
        programs = binaries.within_reach(binaries.postgres_bin(), self._account, labs.cache())
        return Postgres(PostgresSpec(name, folder, address, programs, self._account), self._base.processes)

    async def _changed(self, seq: int) -> int:
        """Wait for a change of RDS after the ``seq``-th of all; the number of the last one."""
        while True:
            told = await self._ask("GET", f"/changes?since={seq}&wait={WAIT_SECONDS:g}")
            seq = int(told["seq"])
            if any(change[1] == "rds" for change in told["services"]):
                return seq

    async def _tell(self, kind: str, name: str, fields: dict[str, Any] | None) -> None:
        told = {"region": self._laid.home.region, "kind": kind, "id": name, "fields": fields}
        await self._ask("POST", "/facts", told)

    async def _ask(self, verb: str, path: str, body: object = None) -> Any:
        where = url(self._laid.aws_admin) + path
        timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS + 5)
        try:
            async with self._base.session.request(verb, where, json=body, timeout=timeout) as answer:
                return await answer.json()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ServiceUnreachable("follow restores", where, f"did not answer ({error!r})") from error
