"""One HTTP request to one whom ``[publish]`` names: time limit, retries, and no secret in any message. Blocks."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from blackstart.clock import Clock
from blackstart.errors import NotTold
from blackstart.monitoring.web import bare, explained

if TYPE_CHECKING:
    from urllib.error import HTTPError
    from urllib.request import OpenerDirector, Request

WAITS = (0.5, 1.5)  # seconds before the second and the third try
LARGEST_ANSWER = 64 * 1024  # bytes
NOT_TAKEN = (429, 503)
"""Answers that say that nothing was done with the request."""
PASSING = (*NOT_TAKEN, 500, 502, 504)


@dataclass(frozen=True)
class Limits:
    """Seconds. ``request``: for one try of one request; ``everything``: until all have been told, side by side."""

    request: float = 5.0
    everything: float = 10.0


@dataclass(frozen=True)
class Sender:
    """Sends to one: ``to`` is what sentences call it. ``deadline``: on ``clock``, when it must be over.

    ``secrets`` are left out of every message, also where the other side says them.
    """

    to: str
    clock: Clock
    deadline: float
    limits: Limits = Limits()
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] = MappingProxyType({}),
        body: bytes | None = None,
        *,
        again: bool = True,
    ) -> bytes:
        """The body of a good answer; NotTold if there is none in time. ``again``: it may be repeated although the
        first may have been taken."""
        for wait in (*WAITS, None):
            try:
                return self._once(method, url, body, headers)
            except _Passing as error:
                pause = max(wait or 0.0, error.after)
                late = self.clock.monotonic() + pause >= self.deadline
                if wait is None or late or not (again or error.not_taken):
                    raise self.problem(str(error)) from error
                self.clock.sleep(pause)
        raise self.problem("no try was left")

    def problem(self, problem: str) -> NotTold:
        """What went wrong, in one line and without secrets."""
        text = " ".join(problem.split())
        for secret in sorted(filter(None, self.secrets), key=len, reverse=True):
            text = text.replace(secret, "…")
        return NotTold(self.to, text)

    def _once(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError

        left = self.deadline - self.clock.monotonic()
        if left <= 0:
            raise self.problem("there was no time left")
        try:
            with _opener().open(_request(method, url, body, headers), timeout=min(self.limits.request, left)) as answer:
                found: bytes = answer.read(LARGEST_ANSWER)
        except HTTPError as error:
            raise self._refused(error) from error
        except URLError as error:  # it was not sent as a whole
            raise _Passing(f"it cannot be reached ({error.reason})", not_taken=True) from error
        except (OSError, HTTPException) as error:
            raise _Passing(f"it did not answer ({error or type(error).__name__})") from error
        except ValueError as error:
            raise self.problem(f"its address cannot be used ({error})") from error
        return found

    def _refused(self, error: HTTPError) -> Exception:
        from http.client import HTTPException

        with error:
            try:
                said = explained(error.read(LARGEST_ANSWER))
            except (OSError, HTTPException):
                said = "nothing more"
        problem = f"it answered {error.code}: {said}"
        if error.code not in PASSING:
            return self.problem(problem)
        after = error.headers.get("Retry-After", "") if error.headers else ""
        return _Passing(problem, error.code in NOT_TAKEN, float(after) if after.isascii() and after.isdigit() else 0.0)


class _Passing(Exception):
    """May be gone at the next try. ``not_taken``: nothing was done with the request; ``after``: wait so long, in s."""

    def __init__(self, problem: str, not_taken: bool = False, after: float = 0.0) -> None:
        super().__init__(problem)
        self.not_taken, self.after = not_taken, after


def _request(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Request:
    from urllib.request import Request

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http:// or https:// address")
    sent = {"User-Agent": "blackstart", **headers}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        sent["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Request(bare(url), data=body, headers=sent, method=method)


def _opener() -> OpenerDirector:
    """One that follows no redirect: a redirected POST becomes a GET, and its server would get our credentials."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Nowhere(HTTPRedirectHandler):
        def redirect_request(self, req: Request, *rest: object) -> None:
            return None

    return build_opener(Nowhere)


def secret(to: str, file: str, variable: str, environ: Mapping[str, str] = os.environ) -> str:
    """What the file or the environment variable holds, "" if neither is named; NotTold if it cannot be used."""
    if not file and not variable:
        return ""
    try:
        found = (Path(file).read_text(encoding="utf-8") if file else environ.get(variable, "")).strip()
    except (OSError, ValueError) as error:
        raise NotTold(to, f"its secret cannot be read ({file}: {error})") from error
    place = file or f"the environment variable {variable}"
    if not found:
        raise NotTold(to, f"its secret cannot be read ({place} holds nothing)")
    if not found.isprintable():
        raise NotTold(to, f"its secret cannot be used ({place} holds more than one line of text)")
    return found


def bearer(token: str) -> dict[str, str]:
    """The header that a token goes into."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def secrets_in(url: str) -> tuple[str, ...]:
    """What of an address no message may show beside what `redacted` hides: its password, as written and as meant."""
    password = urlsplit(url).password
    return (password, unquote(password)) if password else ()
