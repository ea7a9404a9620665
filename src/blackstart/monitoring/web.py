"""One GET of a monitoring service, and what may go wrong with it. Blocks; may be used from any thread.

Addresses may hold a name and a password: they go into a header, and into no message.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from blackstart.errors import ServiceUnreachable

if TYPE_CHECKING:
    from urllib.request import OpenerDirector, Request

ANSWER_SECONDS = 5.0
LARGEST_ANSWER = 4 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class Endpoint:
    """A service: ``name`` for sentences ("Prometheus"), and where it is. ``token_file``: read anew for each request."""

    name: str
    url: str
    token_file: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = ANSWER_SECONDS
    largest: int = LARGEST_ANSWER

    def __str__(self) -> str:
        return f"{self.name} at {redacted(self.url)}"

    def get(self, path: str, query: Mapping[str, str], wanted: str) -> bytes:
        """The body of the answer to ``GET path?query``. ServiceUnreachable, about ``wanted``, if there is none."""
        from http.client import HTTPException

        try:
            with _opener().open(self._request(path, query), timeout=self.seconds) as answer:
                body: bytes = answer.read(self.largest + 1)
        except HTTPError as error:
            with error:
                raise self.problem(wanted, f"answered {error.code}: {explained(error.read(self.largest))}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise self.problem(wanted, f"did not answer: {error}") from error
        if len(body) > self.largest:
            raise self.problem(wanted, f"answered more than {self.largest} bytes")
        return body

    def json(self, path: str, query: Mapping[str, str], wanted: str) -> Any:
        """Like get, decoded."""
        try:
            return json.loads(self.get(path, query, wanted))
        except ValueError as error:
            raise self.problem(wanted, "answered without JSON") from error

    def problem(self, wanted: str, problem: str) -> ServiceUnreachable:
        return ServiceUnreachable(wanted, str(self), problem)

    def _request(self, path: str, query: Mapping[str, str]) -> Request:
        from urllib.request import Request

        parts = urlsplit(self.url)
        headers = {"User-Agent": "blackstart", **self.headers}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        if self.token_file:
            headers["Authorization"] = f"Bearer {Path(self.token_file).read_text(encoding='utf-8').strip()}"
        asked = f"?{urlencode(query)}" if query else ""
        return Request(f"{bare(self.url).rstrip('/')}{path}{asked}", headers=headers)


@cache
def _opener() -> OpenerDirector:
    """Loaded when it is first needed: it is slow."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class SameServer(HTTPRedirectHandler):
        """Follows no redirect to another server: it would be given our credentials."""

        def redirect_request(self, req: Request, *rest: Any) -> Request | None:
            *_, newurl = rest
            same = urlsplit(newurl)[:2] == urlsplit(req.full_url)[:2]
            return super().redirect_request(req, *rest) if same else None

    return build_opener(SameServer)


def load() -> None:
    """Do now what the first request would have to do first."""
    _opener()


def bare(url: str) -> str:
    """``url`` without a name and a password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def redacted(url: str) -> str:
    """``url`` for people: dots where it holds a name and a password, and nothing of its query, which may hold a key."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"…@{host}" if "@" in parts.netloc else host
    return urlunsplit(parts._replace(netloc=netloc, query="…" if parts.query else "", fragment=""))


def explained(body: bytes) -> str:
    """The service's own words for an error, else the beginning of what was answered, on one line."""
    try:
        decoded = json.loads(body)
        return str(decoded["error"] if isinstance(decoded, dict) else decoded[:200])
    except (ValueError, KeyError, TypeError):
        return " ".join(body[:200].decode(errors="replace").split()) or "nothing"
