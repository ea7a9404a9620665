"""The lab's network: one process that carries all TCP links between zones and regions, with delay and cuts.

Admin API, JSON over HTTP on ``host:admin_port``; errors are ``{"error": sentence}`` with status 400, 404 or 409:

- ``GET /healthz`` → 200.
- ``POST /links`` with ``name``, ``target_host``, ``target_port``, and optionally ``listen_host`` (127.0.0.1),
  ``listen_port`` (0: any), ``delay_seconds`` (one way, 0), ``crosses`` (groups of zones, []) and
  ``delivers_last_words`` (false, see ``links_connection``) → 201 ``{"port": n}``.
- ``PUT /links/{name}`` with ``target_host``, ``target_port`` and ``crosses`` → 204; new connections lead there.
- ``DELETE /links/{name}`` → 204; its connections are reset.
- ``GET /links`` → ``{"links": [{…as above, "port": n, "cut": bool, "connections": n}]}``.
- ``PUT /cuts`` with ``zones`` → ``{"zones": […], "cut": [names]}``: exactly these zones are cut off from now on. A link
  is cut while some group that it crosses has all its zones cut. In force when the answer arrives.
"""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blackstart.lab.links_listener import Link, Route, is_cut
from blackstart.lab.parts import Address
from blackstart.lab.serving import answering

DESCRIPTORS = 65536


@dataclass(frozen=True)
class LinkSpec:
    """Where the admin API listens."""

    host: str
    admin_port: int


class _NewLink(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    listen_host: str = "127.0.0.1"
    listen_port: int = Field(default=0, ge=0, lt=65536)
    target_host: str
    target_port: int = Field(gt=0, lt=65536)
    delay_seconds: float = Field(default=0.0, ge=0, le=60)
    crosses: tuple[tuple[str, ...], ...] = ()
    delivers_last_words: bool = False

    def route(self) -> Route:
        return Route(
            name=self.name,
            listen=(self.listen_host, self.listen_port),
            target=(self.target_host, self.target_port),
            delay_seconds=self.delay_seconds,
            crosses=self.crosses,
            delivers_last_words=self.delivers_last_words,
        )


class _Turned(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    target_host: str
    target_port: int = Field(gt=0, lt=65536)
    crosses: tuple[tuple[str, ...], ...] = ()


class _Cuts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    zones: frozenset[str]


class Links:
    """All links by name, and the zones that are cut off."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._zones: frozenset[str] = frozenset()

    def add(self, route: Route) -> Link:
        """Open a link, cut at once if its zones are. KeyError if the name is taken, OSError if the address is."""
        if route.name in self._links:
            raise KeyError(route.name)
        link = Link(route)
        self._links[route.name] = link
        self._apply((link,))
        return link

    def turn(self, name: str, target: Address, crosses: tuple[tuple[str, ...], ...]) -> None:
        """Let new connections over a link lead to ``target``; KeyError if there is none of that name."""
        link = self._links[name]
        link.route = replace(link.route, target=target, crosses=crosses)
        self._apply((link,))

    def remove(self, name: str) -> None:
        """Close a link; KeyError if there is none of that name."""
        self._links.pop(name).close()

    def cut(self, zones: Iterable[str]) -> list[str]:
        """Cut off exactly ``zones``; the names of the links that are cut by it."""
        self._zones = frozenset(zones)
        self._apply(self._links.values())
        return sorted(name for name, link in self._links.items() if link.is_cut)

    def close(self) -> None:
        """Close every link."""
        for name in tuple(self._links):
            self.remove(name)

    def describe(self) -> list[dict[str, Any]]:
        """Every link as JSON."""
        return [
            asdict(link.route) | {"port": link.port, "cut": link.is_cut, "connections": link.connections}
            for link in self._links.values()
        ]

    def _apply(self, links: Iterable[Link]) -> None:
        for link in links:
            if is_cut(link.route.crosses, self._zones):
                link.cut()
            else:
                link.heal()


class _Admin:
    """The HTTP side of ``Links``."""

    def __init__(self, links: Links) -> None:
        self._links = links

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/links", self._list),
                web.post("/links", self._add),
                web.put("/links/{name}", self._turn),
                web.delete("/links/{name}", self._remove),
                web.put("/cuts", self._cut),
            ]
        )
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"healthy": True})

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"links": self._links.describe()})

    async def _add(self, request: web.Request) -> web.Response:
        try:
            wanted = _NewLink.model_validate(await _body(request))
        except ValidationError as error:
            return _refusal(400, f"not opening a link: {_complaint(error)}")
        if not all(wanted.crosses):
            return _refusal(400, f"not opening link {wanted.name}: a group of zones in crosses is empty")
        try:
            link = self._links.add(wanted.route())
        except KeyError:
            return _refusal(409, f"not opening link {wanted.name}: there is one of that name; DELETE it first")
        except OSError as error:
            where = f"{wanted.listen_host}:{wanted.listen_port}"
            return _refusal(409, f"not opening link {wanted.name}: cannot listen on {where}: {error}")
        return web.json_response({"port": link.port}, status=201)

    async def _turn(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            wanted = _Turned.model_validate(await _body(request))
            if not all(wanted.crosses):
                return _refusal(400, f"not turning link {name}: a group of zones in crosses is empty")
            self._links.turn(name, (wanted.target_host, wanted.target_port), wanted.crosses)
        except ValidationError as error:
            return _refusal(400, f"not turning link {name}: {_complaint(error)}")
        except KeyError:
            return _refusal(404, f"not turning link {name}: there is none of that name")
        return web.Response(status=204)

    async def _remove(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            self._links.remove(name)
        except KeyError:
            return _refusal(404, f"not closing link {name}: there is none of that name")
        return web.Response(status=204)

    async def _cut(self, request: web.Request) -> web.Response:
        try:
            wanted = _Cuts.model_validate(await _body(request))
        except ValidationError as error:
            return _refusal(400, f"not cutting: {_complaint(error)}")
        cut = self._links.cut(wanted.zones)
        return web.json_response({"zones": sorted(wanted.zones), "cut": cut})


async def _body(request: web.Request) -> Any:
    """The request's JSON; None, which no model takes, if it is not JSON."""
    try:
        return await request.json()
    except json.JSONDecodeError:
        return None


def _complaint(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where or 'body'}: {first['msg']}"


def _refusal(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)


@asynccontextmanager
async def carrying(spec: LinkSpec) -> AsyncIterator[int]:
    """Carry links inside the block; gives the port of the admin API."""
    links = Links()
    try:
        async with answering(_Admin(links).app(), spec.host, spec.admin_port) as port:
            yield port
    finally:
        links.close()


async def serve(spec: LinkSpec) -> None:
    """Carry links until cancelled. Two file descriptors a connection: takes all that this process may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    with suppress(ValueError, OSError):  # some systems promise more than they grant; then what we have must do
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    async with carrying(spec):
        await asyncio.Event().wait()
