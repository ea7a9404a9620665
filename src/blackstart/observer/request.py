"""One request on its way, and how what came of it is judged."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple

from blackstart.observer.record import Cause, Outcome
from blackstart.observer.schedule import Kind

PRODUCTS = 499  # numbers 1 … 499 are asked for in turn
OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})

NO_HEADERS: Mapping[bytes, bytes] = {}


class Fate(NamedTuple):
    """What became of a request. ``status``: of HTTP, else 0. ``headers``: names in lower case."""

    outcome: Outcome
    cause: Cause = Cause.NONE
    status: int = 0
    headers: Mapping[bytes, bytes] = NO_HEADERS


class Request:
    """``number`` in the schedule, due at ``intended``; ``sent`` when the observer turned to it (both seconds since the
    origin), ``address`` where it goes. ``left``: its bytes were, or may have been, handed to the network. ``holder``:
    what its transport keeps for it. ``over``: its fate is known. ``key`` of a write in the ledger, "" without one."""

    __slots__ = ("_ended", "address", "holder", "intended", "journey", "key", "kind", "left", "number", "over", "sent")

    keeps_body = False

    def __init__(
        self, number: int, intended: float, kind: Kind, journey: int, ended: Callable[[Request, Fate], None]
    ) -> None:
        self.number = number
        self.intended = intended
        self.kind = kind
        self.journey = journey
        self.sent = float("nan")
        self.address = ""
        self.key = ""
        self.left = False
        self.over = False
        self.holder: object = None
        self._ended = ended

    @property
    def item(self) -> int:
        return 1 + self.number % PRODUCTS

    @property
    def repeats(self) -> bool:
        """Whether it may be sent again when an idle connection turns out to have been closed: reads change nothing."""
        return self.kind is Kind.READ

    def ended(self, fate: Fate) -> None:
        """Its fate, told once; later ones are not heard."""
        if not self.over:
            self.over = True
            self._ended(self, fate)

    def answered(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> None:
        """An HTTP answer has arrived, body and all."""
        self.ended(judged(self.kind, status, headers))

    def broke(self, error: OSError) -> None:
        """There will be no answer."""
        self.ended(unanswered(self.kind, self.left, reason(error, self.left)))


def judged(kind: Kind, status: int, headers: Mapping[bytes, bytes] = NO_HEADERS) -> Fate:
    """2xx and 3xx are ok, for a write only 2xx. A write's 5xx leaves its fate open: a proxy may have given up on it
    after the service had it."""
    if 200 <= status < (300 if kind is Kind.WRITE else 400):
        return Fate(Outcome.OK, Cause.NONE, status, headers)
    if kind is Kind.WRITE and status >= 500:
        return Fate(Outcome.UNKNOWN, Cause.STATUS, status, headers)
    return Fate(Outcome.FAILED, Cause.STATUS, status, headers)


def unanswered(kind: Kind, left: bool, cause: Cause) -> Fate:
    """A write that may have left may have been applied; everything else failed."""
    return Fate(Outcome.UNKNOWN if kind is Kind.WRITE and left else Outcome.FAILED, cause)


def reason(error: OSError, left: bool) -> Cause:
    """Why ``error`` kept a request from its answer. What this machine lacks is the observer's fault."""
    if isinstance(error, ssl.SSLError) and not left:
        return Cause.TLS
    if not left and error.errno in OURS:
        return Cause.UNSENT
    return Cause.BROKEN if left else Cause.REFUSED
