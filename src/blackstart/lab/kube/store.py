"""Objects in memory, one counter of versions, and a history of what happened to them.

Every write gets the next version, so history is an array without gaps. A record is never changed once stored:
readers, watches and snapshots share it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from blackstart.lab.kube.status import expired

Object = dict[str, Any]

HISTORY_LENGTH = 20_000
HISTORY_SECONDS = 120.0


class Key(NamedTuple):
    """``namespace`` is "" outside namespaces."""

    namespace: str
    name: str


class Record:
    """One version of one object."""

    __slots__ = ("_encoded", "object", "version")

    def __init__(self, version: int, obj: Object) -> None:
        self.version = version
        self.object = obj
        self._encoded: bytes | None = None

    def encoded(self) -> bytes:
        """The object as JSON; kept, for it is read far more often than it changes."""
        if self._encoded is None:
            self._encoded = encode(self.object)
        return self._encoded

    def copy(self) -> Object:
        """The object, free to be changed."""
        copied: Object = json.loads(self.encoded())
        return copied


@dataclass(frozen=True, slots=True)
class Event:
    """``type`` is ADDED, MODIFIED or DELETED; ``seconds`` the monotonic time of it; ``previous`` None if added."""

    type: str
    resource: str
    key: Key
    record: Record
    previous: Record | None
    seconds: float


class Store:
    """``monotonic`` gives seconds and decides how long history is kept."""

    def __init__(
        self, monotonic: Callable[[], float], length: int = HISTORY_LENGTH, seconds: float = HISTORY_SECONDS
    ) -> None:
        self.version = 1
        self._monotonic = monotonic
        self._length = length
        self._seconds = seconds
        self._objects: dict[str, dict[Key, Record]] = {}
        self._history: deque[Event] = deque()
        # dicts without values: sets that keep their order
        self._owned: dict[str, dict[tuple[str, Key], None]] = {}
        self._waiting: list[asyncio.Future[None]] = []

    def get(self, resource: str, key: Key) -> Record | None:
        return self._objects.get(resource, {}).get(key)

    def records(self, resource: str, namespace: str = "") -> list[Record]:
        """All objects of ``resource`` (in ``namespace``, if given), in no order."""
        held = self._objects.get(resource, {})
        if not namespace:
            return list(held.values())
        return [record for key, record in held.items() if key.namespace == namespace]

    def dependents(self, uid: str) -> list[tuple[str, Key]]:
        """Resource and key of every object that names ``uid`` as an owner, oldest first."""
        return list(self._owned.get(uid, ()))

    def put(self, resource: str, key: Key, obj: Object) -> Record:
        """Add or replace; sets ``metadata.resourceVersion``. ``obj`` belongs to the store afterwards."""
        held = self._objects.setdefault(resource, {})
        previous = held.get(key)
        record = self._next(obj)
        held[key] = record
        self._index(resource, key, previous, record)
        self._tell("MODIFIED" if previous else "ADDED", resource, key, record, previous)
        return record

    def remove(self, resource: str, key: Key) -> Record:
        """The last state, with the version of its removal; KeyError if there is no such object."""
        previous = self._objects[resource].pop(key)
        record = self._next(previous.object | {"metadata": dict(previous.object["metadata"])})
        self._index(resource, key, previous, None)
        self._tell("DELETED", resource, key, record, previous)
        return record

    def snapshot(self, resource: str, version: int) -> dict[Key, Record]:
        """The objects of ``resource`` as they were at ``version``; ApiError 410 if history does not reach back."""
        held = dict(self._objects.get(resource, {}))
        for event in reversed(self.since(version)):
            if event.resource != resource:
                continue
            if event.previous is None:
                held.pop(event.key, None)
            else:
                held[event.key] = event.previous
        return held

    def since(self, version: int) -> list[Event]:
        """What happened after ``version``, oldest first; ApiError 410 if that is no longer (or not yet) known."""
        oldest = self.version - len(self._history)
        if not oldest <= version <= self.version:
            raise expired(f"too old resource version: {version} ({self.version})")
        return list(islice(self._history, version - oldest, None))

    def forget(self) -> None:
        """Drop the history: what happened until now can no longer be watched."""
        self._history.clear()

    async def wait(self, version: int, seconds: float | None = None) -> bool:
        """Return when something happened after ``version`` (True), or after ``seconds`` (False)."""
        if self.version != version:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            if future in self._waiting:
                self._waiting.remove(future)
        return True

    def _next(self, obj: Object) -> Record:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        return Record(self.version, obj)

    def _tell(self, kind: str, resource: str, key: Key, record: Record, previous: Record | None) -> None:
        now = self._monotonic()
        self._history.append(Event(kind, resource, key, record, previous, now))
        while len(self._history) > self._length or now - self._history[0].seconds > self._seconds:
            self._history.popleft()
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def _index(self, resource: str, key: Key, before: Record | None, after: Record | None) -> None:
        old, new = _owners(before), _owners(after)
        for uid in old - new:
            self._owned[uid].pop((resource, key), None)
            if not self._owned[uid]:
                del self._owned[uid]
        for uid in new - old:
            self._owned.setdefault(uid, {})[resource, key] = None


def _owners(record: Record | None) -> set[str]:
    references: Iterable[Object] = record.object["metadata"].get("ownerReferences") or () if record else ()
    return {reference["uid"] for reference in references}


def encode(obj: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(obj, separators=(",", ":")).encode()
