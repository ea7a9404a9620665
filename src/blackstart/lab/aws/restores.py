"""Database restores, which ministack does not have for clusters, and what only the lab's backups know of RDS.

A restore makes an empty cluster and is remembered; whoever follows ``Restores.wanted`` brings the data. What is really
so (where a restored database answers, when a backup was really taken) is told as ``facts`` and put into the answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree

from aiohttp import web

from blackstart.lab.aws import proxy

FROM_SNAPSHOT, TO_POINT_IN_TIME = "RestoreDBClusterFromSnapshot", "RestoreDBClusterToPointInTime"
CLUSTER, SNAPSHOT, MEMBER = "DBCluster", "DBClusterSnapshot", "GlobalClusterMember"
NAMES = {CLUSTER: "DBClusterIdentifier", SNAPSHOT: "DBClusterSnapshotIdentifier", MEMBER: "DBClusterArn"}
CREATING = {"Status": "creating"}
_RDS = "http://rds.amazonaws.com/doc/2014-10-31/"
_VERSION = "2014-10-31"
_SOURCES = ("SnapshotIdentifier", "SourceDBClusterIdentifier", "UseLatestRestorableTime", "RestoreType")
_ACCOUNT = {"MasterUsername": "shop", "MasterUserPassword": "not-a-secret"}
Ask = Callable[[bytes], Awaitable[proxy.Answer]]
"""Sends a body to the emulator, as if the client had."""


@dataclass(frozen=True)
class Restore:
    """A cluster that was made by a restore. ``snapshot`` "": of ``source`` as it was at the latest time."""

    region: str
    cluster: str
    source: str
    snapshot: str


class Restores:
    """Of one router, in memory."""

    def __init__(self) -> None:
        self._wanted: dict[tuple[str, str], Restore] = {}
        self._facts: dict[tuple[str, str, str], dict[str, str]] = {}

    def wanted(self) -> list[dict[str, str]]:
        """Every restore that was made and not forgotten."""
        return [asdict(restore) for restore in self._wanted.values()]

    def tell(self, told: Mapping[str, Any]) -> None:
        """``fields`` of the ``kind`` (CLUSTER, SNAPSHOT, MEMBER) ``id`` in ``region``; None: forget it, it is gone."""
        key = (str(told["region"]), str(told["kind"]), str(told["id"]))
        if told["fields"] is None:
            self._facts.pop(key, None)
            self._wanted.pop((key[0], key[2]), None)
        else:
            self._facts.setdefault(key, {}).update({str(name): str(value) for name, value in told["fields"].items()})

    def routes(self) -> list[web.RouteDef]:
        """``GET /restores`` for ``wanted``, ``POST /facts`` for ``tell``."""

        async def wanted(_request: web.Request) -> web.Response:
            return web.json_response({"restores": self.wanted()})

        async def tell(request: web.Request) -> web.Response:
            self.tell(await request.json())
            return web.json_response({})

        return [web.get("/restores", wanted), web.post("/facts", tell)]

    async def restore(self, operation: str, region: str, body: bytes, ask: Ask) -> proxy.Answer:
        """Carry out FROM_SNAPSHOT or TO_POINT_IN_TIME as far as the API is concerned."""
        given = dict(parse_qsl(body.decode(), keep_blank_values=True))
        source = given.get("SourceDBClusterIdentifier", "")
        snapshot = given.get("SnapshotIdentifier", "")
        kind, name = (SNAPSHOT, snapshot) if operation == FROM_SNAPSHOT else (CLUSTER, source)
        found = await ask(_query(f"Describe{kind}s", {NAMES[kind]: name}))
        if found.status != HTTPStatus.OK or not isinstance(found, proxy.Whole):
            return found
        described = ElementTree.fromstring(found.body)
        source, engine = _text(described, "DBClusterIdentifier"), _text(described, "Engine")
        kept = {key: value for key, value in given.items() if key not in (*_SOURCES, "Action", "Version", "Engine")}
        made = await ask(_query("CreateDBCluster", kept | _ACCOUNT | {"Engine": engine}))
        if made.status != HTTPStatus.OK or not isinstance(made, proxy.Whole):
            return made
        cluster = given["DBClusterIdentifier"]
        self._wanted[region, cluster] = Restore(region, cluster, source, snapshot)
        self.tell({"region": region, "kind": CLUSTER, "id": cluster, "fields": CREATING})
        body = made.body.replace(b"CreateDBCluster", operation.encode())
        return self.corrected(region, proxy.Whole(made.status, made.headers, body))

    def corrected(self, region: str, answer: proxy.Answer) -> proxy.Answer:
        """``answer`` of RDS in ``region``, with the facts that are known of what it describes."""
        known = {key[1:]: facts for key, facts in self._facts.items() if key[0] == region}
        if not known or not isinstance(answer, proxy.Whole) or answer.status != HTTPStatus.OK:
            return answer
        document = ElementTree.fromstring(answer.body)
        for kind, name in NAMES.items():
            for item in document.iter(f"{{{_namespace(document)}}}{kind}"):
                for field, value in known.get((kind, _text(item, name)), {}).items():
                    _put(item, field, value)
        ElementTree.register_namespace("", _namespace(document))
        return proxy.Whole(answer.status, answer.headers, ElementTree.tostring(document, encoding="utf-8"))


def _query(action: str, parameters: Mapping[str, str]) -> bytes:
    return urlencode({"Action": action, "Version": _VERSION, **parameters}).encode()


def _namespace(item: ElementTree.Element) -> str:
    return item.tag[1:].partition("}")[0] if item.tag.startswith("{") else _RDS


def _text(item: ElementTree.Element, name: str) -> str:
    return next((each.text or "" for each in item.iter(f"{{{_namespace(item)}}}{name}")), "")


def _put(item: ElementTree.Element, name: str, value: str) -> None:
    tag = f"{{{_namespace(item)}}}{name}"
    found = item.find(tag)
    (ElementTree.SubElement(item, tag) if found is None else found).text = value
