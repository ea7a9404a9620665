"""Emptying a cache, and waiting until it is warm again: nobody can put back what was in it.

Whether it is warm has to be told from one look, by a process that knows the change and nothing else. So ``before``
holds what the server said when the change was planned: how many keys it had, and its counters of hits and misses. It is
warm once it has nine tenths of those keys, or, of the reads since, nine tenths of the share of hits that it had.

The scope must say ``cold_caches = true``. What a primary forgets, its replicas forget, in other regions too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from blackstart.access import Need
from blackstart.changes.cache_finding import Group
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, new_id
from blackstart.errors import Refused, TargetChanged
from blackstart.scope import Target

if TYPE_CHECKING:
    from blackstart.changes.clients import Clients
    from blackstart.changes.redis_server import Server

ADDRESS, PREFIX, KEYS, RUN, HITS, MISSES, TAKEN = "address", "prefix", "keys", "run", "hits", "misses", "taken"
WARM_SHARE = 0.9
FEWEST_READS = 50
"""Fewer reads say nothing about the share of hits."""


@dataclass(frozen=True)
class Cache:
    """A server, as found. ``state``: in the terms of a change. ``unfit``: why it cannot be emptied, "" if it can."""

    region: str
    state: Mapping[str, Any]
    unfit: str
    group: Group


def find_cache(address: str, region: str, group: Group, prefix: str = "") -> Cache:
    """The server at ``address``, which belongs to ``group``; ServiceUnreachable if it does not answer. Read-only."""
    from blackstart.changes import redis_server

    with redis_server.asked(address, "look into a cache") as server:
        said = server.info()
        return Cache(region, {ADDRESS: address, PREFIX: prefix, **_state(server, said, prefix)}, _unfit(said), group)


def _unfit(said: Mapping[str, Any]) -> str:
    if said.get("cluster_enabled"):
        return "cluster mode is enabled, so it is one shard of several"
    if said.get("role") != "master":
        return "it is a replica, which takes no writes"
    return ""


def plan_emptying(found: Cache, *, step: int = 0, new_change: Callable[[], str] = new_id) -> list[Change]:
    """Everything that the cache holds under the prefix is deleted; no changes if that is nothing. Pure.

    Refused if it is a replica, or in cluster mode.
    """
    state, name = found.state, found.group.name or found.state[ADDRESS]
    if found.unfit:
        raise Refused(f"emptying the cache {name}", found.unfit)
    if not state[KEYS]:
        return []
    what = f"its keys {state[PREFIX]}…" if state[PREFIX] else "all its keys"
    warm = f"nobody: it has to fill again; waits until it is warm, as it was with {state[KEYS]} keys"
    return [
        Change(
            id=new_change(),
            kind=EmptiedCache.name,
            target=Target("cache", name, account=found.group.account, region=found.region, tags=dict(found.group.tags)),
            before=dict(state),
            after={**state, KEYS: 0},
            summary=f"cache {name} at {state[ADDRESS]}: {what} ({state[KEYS]}) deleted",
            undo_summary=warm,
            calls=("redis:SCAN", "redis:UNLINK") if state[PREFIX] else ("redis:FLUSHALL",),
            step=step,
        )
    ]


class EmptiedCache(Healed):
    """A cache that is emptied. It is healed when it is warm again."""

    name: ClassVar[str] = "redis.emptied"
    permissions: ClassVar[tuple[str, ...]] = ("redis:INFO", "redis:SCAN", "redis:UNLINK", "redis:FLUSHALL")
    look_size: ClassVar[int] = 1

    def needs(self, change: Change) -> Sequence[Need]:
        return ()

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        from blackstart.changes import redis_server

        for change in changes:
            before = change.before
            with redis_server.asked(before[ADDRESS], f"empty {change.target}") as server:
                said = server.info()
                if said.get("run_id") != before[RUN]:
                    raise TargetChanged(str(change.target), f"another server answers at {before[ADDRESS]}")
                if _unfit(said):
                    raise TargetChanged(str(change.target), _unfit(said))
                # The service itself may unlink keys, so only a flush tells that it was done before.
                if before[PREFIX] or _taken(said, "") == before[TAKEN]:
                    server.empty(before[PREFIX])

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _outcome(change) for change in changes}


def _outcome(change: Change) -> Outcome:
    from blackstart.changes import redis_server

    before = change.before
    with redis_server.asked(before[ADDRESS], f"see whether {change.target} is warm") as server:
        said = server.info()
        now = _state(server, said, before[PREFIX])
    if now[RUN] == before[RUN] and now[TAKEN] == before[TAKEN]:
        return Outcome(Ending.UNTOUCHED)
    if now[KEYS] >= WARM_SHARE * before[KEYS] or _hits_again(before, now):
        return Outcome(Ending.RESTORED)
    return Outcome(Ending.WAITING, f"{change.target} is cold: it has {now[KEYS]} of the {before[KEYS]} keys of before")


def _hits_again(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """By the counters of the same server; another one has not counted since the same moment."""
    usual = before[HITS] + before[MISSES]
    hits, misses = now[HITS] - before[HITS], now[MISSES] - before[MISSES]
    if now[RUN] != before[RUN] or min(hits, misses) < 0 or hits + misses < FEWEST_READS or not before[HITS]:
        return False
    return bool(hits / (hits + misses) >= WARM_SHARE * before[HITS] / usual)


def _state(server: Server, said: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        KEYS: server.keys(prefix),
        RUN: str(said["run_id"]),
        HITS: int(said["keyspace_hits"]),
        MISSES: int(said["keyspace_misses"]),
        TAKEN: _taken(said, prefix),
    }


def _taken(said: Mapping[str, Any], prefix: str) -> int:
    """How often the server has been told to forget: what tells an emptied cache from one that never was."""
    names = ("unlink",) if prefix else ("flushall", "flushdb")
    return sum(int(said.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in names)
