"""What stands before every page: who may ask, what may be asked, and what a browser may do with the answer.

Only GET and HEAD, so nothing can be changed. The Host header has to name this machine: a web page elsewhere whose name
was pointed at 127.0.0.1 (DNS rebinding) could read the journals otherwise. No answer may load or run anything from
elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


@dataclass(frozen=True)
class Hosts:
    """``host``: what the server was told to listen on. Where that is not loopback, any address may be named: an address
    in a Host header was typed by somebody, and no DNS was asked."""

    host: str

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or _loopback(self.host)

    def allow(self, header: str) -> bool:
        """Whether a request with this Host header may be answered."""
        found = _HOST.fullmatch(header)
        if found is None:
            return False
        name = found.group(1).strip("[]").lower()
        if name in ("localhost", self.host.lower()):
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self.loopback


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            return  # no page speaks WebSocket, and there is nothing to do at the start or the end
        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, careful)

    def _refused(self, scope: Scope) -> PlainTextResponse | None:
        if scope["method"] not in ("GET", "HEAD"):
            told = "Journals can only be read here: GET and HEAD, nothing else.\n"
            return PlainTextResponse(told, 405, headers={"allow": "GET, HEAD"})
        named = Headers(scope=scope).getlist("host")
        if len(named) != 1 or not self._hosts.allow(named[0]):
            own = "localhost" if self._hosts.loopback else "an IP address"
            told = (
                f"Ask for {own} or {self._hosts.host}: a request with any other Host header may come from elsewhere.\n"
            )
            return PlainTextResponse(told, 421)
        return None
