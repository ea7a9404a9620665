"""What a load is: how many users, what they ask for and when, and how many processes carry them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from blackstart.scope import Scope

SPARE_DESCRIPTORS = 2000  # what a worker may need beside one connection a user
MOST_PER_WORKER = 20_000  # more users than this in one process would keep each other waiting
LEAST_PER_WORKER = 1_000  # a process costs as much memory as so many users
SOURCES = 8
LEAVE_PER_SECOND = 10_000  # of all users together, at the end


@dataclass(frozen=True)
class Plan:
    """``users`` of the service ``host``:``port``, whose name is asked of ``dns`` (ip:port; "": the system's).

    Each asks for ``path`` (which may hold ``{number}``, a whole number up to ``products``), then thinks for
    ``think_seconds`` (from, to); one that got no answer within ``timeout_seconds`` asks again after ``retry_seconds``
    (from, to), until it gets one. ``users_per_second`` come at first. ``master`` is the URL of a Locust master that is
    there already; "" starts our own. The load ends by itself after ``limit_seconds``.
    """

    users: int
    host: str
    port: int
    path: str
    dns: str = ""
    products: int = 200
    think_seconds: tuple[float, float] = (60.0, 120.0)
    timeout_seconds: float = 5.0
    retry_seconds: tuple[float, float] = (1.0, 5.0)
    users_per_second: float = 100.0
    limit_seconds: float = 900.0
    master: str = ""
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        think, retry = (tuple(map(float, data[name])) for name in ("think_seconds", "retry_seconds"))
        return cls(**{**data, "think_seconds": (think[0], think[1]), "retry_seconds": (retry[0], retry[1])})


def workers(users: int, descriptors: int, processors: int) -> int:
    """How many processes carry ``users``: as many as the file descriptors of each demand, else as processors can use.

    Every user holds one connection. ``descriptors`` is what one process may have; ValueError if that is too little.
    """
    room = min(descriptors - SPARE_DESCRIPTORS, MOST_PER_WORKER)
    if room <= 0:
        raise ValueError(f"a process may have {descriptors} file descriptors and needs {SPARE_DESCRIPTORS} for itself")
    useful = min(processors, math.ceil(users / LEAST_PER_WORKER))
    return max(math.ceil(users / room), useful, 1)


def sources(worker: int) -> tuple[str, ...]:
    """Loopback addresses that ``worker`` connects from on Linux: one address has but 28,000 ports for a server."""
    return tuple(f"127.{100 + worker % 100}.0.{number}" for number in range(1, SOURCES + 1))


def objection(scope: Scope, users: int) -> str | None:
    """Why ``scope`` does not permit so many users, as the end of a sentence; None if it does."""
    if users <= 0:
        return "a load needs at least one user"
    if scope.load_users <= 0:
        return "the scope permits no load; name the largest number of users in load_users"
    if users > scope.load_users:
        return f"{users:,} users are more than the scope permits (load_users = {scope.load_users:,})"
    return None
