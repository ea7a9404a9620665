"""Watches: the present, then every change, as one JSON line each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from blackstart.lab.kube import rendering
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.listing import Filter, chosen
from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.request import Query, Route, flag, number
from blackstart.lab.kube.status import ApiError, bad_request
from blackstart.lab.kube.store import Event, Record, encode

BOOKMARK_SECONDS = 10.0
_LONGEST_SECONDS = 3600
_INITIAL_END = "k8s.io/initial-events-end"


class Watch:
    """One watch of ``route``; ``accept`` decides whether its objects are tables. ApiError 400 for a wrong query."""

    def __init__(self, cluster: Cluster, route: Route, query: Query, accept: str) -> None:
        self._cluster = cluster
        self._route = route
        self._wanted: Filter | None = chosen(route, query)
        self._accept = accept
        self._tables = rendering.wants_table(accept)
        self._include = query.get("includeObject", "Metadata")
        self._described = False
        self._bookmarks = flag(query, "allowWatchBookmarks")
        self._seconds = number(query, "timeoutSeconds") or _LONGEST_SECONDS
        self._initial = flag(query, "sendInitialEvents")
        if self._initial and query.get("resourceVersionMatch") != "NotOlderThan":
            raise bad_request("sendInitialEvents needs resourceVersionMatch=NotOlderThan")
        self._start = number(query, "resourceVersion") or 0

    async def lines(self) -> AsyncIterator[bytes]:
        """Chunks of whole lines, until the time is over; the last one is an ERROR event if history is lost."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        version = self._start
        if self._initial or not version:
            version = self._cluster.store.version
            yield b"".join(self._present(version))
        marked = loop.time()
        while True:
            try:
                lines, version = list(self._news(version)), self._cluster.store.version
            except ApiError as error:
                yield _line("ERROR", encode(error.to_status()))
                return
            now = loop.time()
            if self._bookmarks and (now - marked >= BOOKMARK_SECONDS or now >= end):
                lines.append(self._bookmark(version))
                marked = now
            if lines:
                yield b"".join(lines)
            if now >= end:
                return
            wait = min(end, marked + BOOKMARK_SECONDS if self._bookmarks else end) - now
            await self._cluster.store.wait(version, max(0.0, wait))

    def _present(self, version: int) -> list[bytes]:
        records = self._cluster.store.records(self._route.resource.store_key, self._route.namespace)
        shown = [record for record in records if self._shows(record)]
        lines = [self._shown("ADDED", record) for record in shown]
        if self._initial:
            lines.append(self._bookmark(version, {_INITIAL_END: "true"}))
        return lines

    def _shows(self, record: Record) -> bool:
        return self._wanted is None or self._wanted(record.object)

    def _news(self, version: int) -> list[bytes]:
        found = []
        for event in self._cluster.store.since(version):
            if event.resource != self._route.resource.store_key:
                continue
            if self._route.namespace and event.key.namespace != self._route.namespace:
                continue
            if kind := self._kind(event):
                found.append(self._shown(kind, event.record))
        return found

    def _kind(self, event: Event) -> str:
        """What ``event`` is to somebody who sees only what the selectors let through; "" if it is nothing."""
        before = event.previous is not None and self._shows(event.previous)
        after = event.type != "DELETED" and self._shows(event.record)
        if after:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else ""

    def _shown(self, kind: str, record: Record) -> bytes:
        if not self._tables:
            return _line(kind, rendering.asked_for(self._route.resource, record, self._accept))
        metadata = {"resourceVersion": str(record.version)}
        head, self._described = not self._described, True
        now = self._cluster.timestamp()
        return _line(
            kind,
            encode(
                rendering.table(self._route.resource, [record], metadata, now=now, include=self._include, head=head)
            ),
        )

    def _bookmark(self, version: int, annotations: Object | None = None) -> bytes:
        metadata: Object = {"resourceVersion": str(version)}
        if annotations:
            metadata["annotations"] = annotations
        resource = self._route.resource
        if self._tables:
            return _line(
                "BOOKMARK", encode(rendering.table(resource, [], metadata, now="", include="None", head=False))
            )
        return _line(
            "BOOKMARK", encode({"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})
        )


def _line(kind: str, obj: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + obj + b"}\n"
