"""The application: an address, and what is answered. Everything is read when it is asked for; nothing is changed.

``/`` the history; ``/<journal>/`` a journal, or its running drill; ``/<journal>/report.html`` its report;
``/<journal>/<file>`` a file of it as text, ``?download`` as it is; ``/api/drills`` all drills as JSON;
``/-/live/<journal>/`` what happens, as server-sent events; ``/-/…`` scripts and styles.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from blackstart.clock import Clock
from blackstart.errors import BlackstartError
from blackstart.journals import folder as folders
from blackstart.journals.coverage import Catalogue
from blackstart.web import pages, places
from blackstart.web.guard import Guard, Hosts
from blackstart.web.history import POLICY, History
from blackstart.web.library import Library
from blackstart.web.reporting import Reports
from blackstart.web.watching import Watching

PERIOD_SECONDS = 1.0
STREAMS = 50
ASSETS = {
    "report.css": ("blackstart.reports", "text/css"),
    "web.css": ("blackstart.web", "text/css"),
    "live.js": ("blackstart.web", "text/javascript"),
}


def _never() -> bool:
    return False


@dataclass
class Site:
    """What the pages are made from. ``closing`` says when the server is about to end, so that streams end first."""

    library: Library
    history: History
    reports: Reports
    watching: Watching
    clock: Clock
    closing: Callable[[], bool] = field(default=_never)
    streams: int = 0

    @classmethod
    def of(cls, root: Path, clock: Clock, catalogue: Catalogue | None = None) -> Site:
        """The site of the journals under ``root``; ``catalogue``: what must be drilled, if anybody said so."""
        library = Library(root, clock)
        return cls(library, History(library, catalogue, clock), Reports(), Watching(clock), clock)


class Views:
    """What answers each kind of address. All that reads files does so outside the event loop."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def history(self, request: Request) -> Response:
        site = self._site
        return page(await run_in_threadpool(site.history.page), policy=POLICY)

    async def drills(self, request: Request) -> Response:
        data = await run_in_threadpool(self._site.library.to_json)
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
        return Response(text.encode("utf-8", "replace"), media_type="application/json")

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            raise HTTPException(404)
        package, kind = ASSETS[name]
        return Response(files(package).joinpath(name).read_bytes(), media_type=f"{kind}; charset=utf-8")

    async def icon(self, request: Request) -> Response:
        """There is none; browsers ask all the same."""
        return Response(status_code=204)

    async def journal(self, request: Request) -> Response:
        """A journal's page, its report, or one of its files."""
        path: str = request.path_params["path"]
        if path.endswith("/"):
            return await run_in_threadpool(_overview, self._site, path)
        *parts, name = path.split("/")
        download = "download" in request.query_params
        if name == folders.REPORT and not download:
            return await run_in_threadpool(_report, self._site, tuple(parts))
        return await run_in_threadpool(_file, self._site, tuple(parts), name, download)

    async def live(self, request: Request) -> Response:
        """The stream of what happens in a drill."""
        site, parts = self._site, tuple(request.path_params["path"].rstrip("/").split("/"))
        folder = await run_in_threadpool(places.journal, site.library.root, parts)
        if folder is None:
            raise HTTPException(404)
        if site.streams >= STREAMS:
            told = f"{STREAMS} pages are watching already."
            return page(pages.message("too many", told, "Close some of them."), 503)
        return StreamingResponse(_events(site, folder), media_type="text/event-stream")


def application(site: Site, hosts: Hosts) -> Starlette:
    """What uvicorn serves; ``hosts`` says who may ask."""
    views = Views(site)
    routes = [
        Route("/", views.history),
        Route("/api/drills", views.drills),
        Route("/-/live/{path:path}", views.live),
        Route("/-/{name}", views.asset),
        Route("/favicon.ico", views.icon),
        Route("/{path:path}", views.journal),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={404: _nothing_here, BlackstartError: _unreadable, OSError: _unreadable},
    )


def page(text: str, status: int = 200, policy: str = "") -> Response:
    """``text`` as HTML; what a journal holds that is no text at all becomes question marks."""
    headers = {"content-security-policy": policy} if policy else {}
    return Response(text.encode("utf-8", "replace"), status, headers, "text/html; charset=utf-8")


def _overview(site: Site, path: str) -> Response:
    folder = places.journal(site.library.root, tuple(path.rstrip("/").split("/")))
    if folder is None:
        raise HTTPException(404)
    listed = places.listed(folder)
    try:
        drill = folders.read_drill(folder)
        with site.watching.on(folder):
            now, seen = site.watching.look(folder)
        if seen is not None:
            return page(pages.live(drill, seen, listed, f"/{quote(path)}"))
        return page(pages.over(drill, now, listed))
    except pages.DAMAGE as error:
        return page(pages.damaged(error, listed))


def _report(site: Site, parts: tuple[str, ...]) -> Response:
    folder = places.journal(site.library.root, parts)
    if folder is None:
        raise HTTPException(404)
    try:
        return page(site.reports.page(folder), policy=site.reports.policy)
    except pages.DAMAGE as error:
        return page(pages.message("no report", "This journal does not support a report.", pages.cause(error)), 404)


def _file(site: Site, parts: tuple[str, ...], name: str, download: bool) -> Response:
    if places.journal(site.library.root, (*parts, name)) is not None:
        return RedirectResponse(f"/{quote('/'.join((*parts, name)))}/")
    handle = places.opened(site.library.root, parts, name)
    if handle is None:
        raise HTTPException(404)
    if places.is_text(name) and not download:
        return StreamingResponse(places.content(handle), media_type="text/plain; charset=utf-8")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return StreamingResponse(places.content(handle), headers=headers, media_type="application/octet-stream")


async def _events(site: Site, folder: Path) -> AsyncIterator[bytes]:
    """``scene`` with what changes on the page, each second; ``waiting`` while the journal cannot be read; ``over``."""
    site.streams += 1
    try:
        with site.watching.on(folder):
            while not site.closing():
                kind, data = await run_in_threadpool(_event, site, folder)
                yield f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
                if kind == "over":
                    return
                await site.clock.pause(PERIOD_SECONDS)
    finally:
        site.streams -= 1


def _event(site: Site, folder: Path) -> tuple[str, dict[str, str]]:
    try:
        _, seen = site.watching.look(folder)
        if seen is None:
            return "over", {}
        html = pages.part(folders.read_drill(folder), seen)
        return "scene", {"html": html, "title": pages.live_title(seen)}
    except pages.DAMAGE as error:
        return "waiting", {"problem": pages.cause(error)}


async def _nothing_here(request: Request, error: Exception) -> Response:
    return page(pages.message("not found", "There is no such page, journal or file here."), 404)


async def _unreadable(request: Request, error: Exception) -> Response:
    return page(pages.message("unreadable", "The journals cannot be read.", pages.cause(error)), 503)
