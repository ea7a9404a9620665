"""Follows a list: what is in it, then what happens to it, through lost connections and lost history."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any

from blackstart.clock import Clock
from blackstart.errors import BlackstartError, ServiceUnreachable
from blackstart.kube.listing import GONE, Page, identity
from blackstart.kube.wire import BUSY, FIRST_PAUSE, LONGEST_PAUSE, KubeRefused, Stream

WATCH_SECONDS = 30
"""How long one watch lasts. The next goes on where it ended; a connection that died in silence is noticed by then."""
GOOD_SECONDS = 1.0
"""After a watch that lasted so long the next attempt is made without a pause."""
LOOK_SECONDS = 0.25
AHEAD = 1000
"""How many events may wait for the one who asked for them."""

Event = tuple[str, Any]
Read = Callable[[], Iterator[Page]]
Watch = Callable[[Mapping[str, str]], Stream]


class Follower:
    """Follows what ``read`` lists and ``watch`` streams (it takes a query), in a thread of its own.

    A thread, because a server that has stopped answering must not keep anybody waiting who wants to leave.
    """

    def __init__(self, read: Read, watch: Watch) -> None:
        self._read = read
        self._watch = watch
        self._seen: dict[str, Any] = {}
        self._version = ""
        self._good = False
        self._over = threading.Event()
        self._stream: Stream | None = None
        self._events: Queue[Event | BlackstartError] = Queue(AHEAD)

    def events(self, ended: threading.Event, clock: Clock, wanted: str, cluster: str) -> Iterator[Event]:
        """Until ``ended`` is set. ``wanted`` and ``cluster`` name it in errors."""
        thread = threading.Thread(target=self._run, args=(clock,), name="blackstart-follow", daemon=True)
        thread.start()
        try:
            while not ended.is_set():
                try:
                    event = self._events.get(timeout=LOOK_SECONDS)
                except Empty:
                    if not thread.is_alive() and self._events.empty():
                        raise ServiceUnreachable(wanted, cluster, "was followed no longer") from None
                    continue
                if isinstance(event, BlackstartError):
                    raise event
                yield event
        finally:
            self._over.set()
            self._hang_up()
            thread.join(LOOK_SECONDS)

    def _run(self, clock: Clock) -> None:
        try:
            self._list()
            pause = 0.0
            while not self._over.is_set():
                if self._watched(clock):
                    continue
                pause = 0.0 if self._good else min(max(FIRST_PAUSE, pause * 2), LONGEST_PAUSE)
                if not self._over.wait(pause):
                    self._list_again()
        except BlackstartError as error:
            self._put(error)

    def _list_again(self) -> None:
        """What may pass is left for the next time."""
        try:
            self._list()
        except ServiceUnreachable:
            return
        except KubeRefused as error:
            if not _may_pass(error):
                raise

    def _list(self) -> None:
        """Tell the difference between what was there and what is."""
        there: set[str] = set()
        version = ""
        for page in self._read():
            if page.first:
                there, version = set(), page.version
            for item in page.items:
                there.add(identity(item))
                self._noted("MODIFIED", item)
        self._version = version
        for gone in [each for each in self._seen if each not in there]:
            self._noted("DELETED", self._seen[gone])

    def _watched(self, clock: Clock) -> bool:
        """Whether one watch ended because its time was over: then nothing is lost. An error if it is not allowed."""
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        begun = clock.monotonic()
        try:
            self._stream = self._watch({**query, "resourceVersion": self._version})
            if self._over.is_set():
                return False
            if not all(self._heard(json.loads(line)) for line in lines(self._stream.pieces())):
                return False
        except (OSError, ValueError, LookupError, TypeError, ServiceUnreachable):
            return False
        except KubeRefused as error:
            if not _may_pass(error):
                raise
            return False
        finally:
            self._good = clock.monotonic() - begun >= GOOD_SECONDS
            if self._stream is not None:
                self._stream.close()
                self._stream = None
        return clock.monotonic() - begun >= WATCH_SECONDS - 1

    def _heard(self, event: Mapping[str, Any]) -> bool:
        """Whether the watch is still of use."""
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            return False
        self._version = str(item["metadata"].get("resourceVersion", self._version))
        if kind != "BOOKMARK":
            self._noted(kind, item)
        return True

    def _noted(self, kind: str, item: Any) -> None:
        """Tell of ``item``, unless it is known already."""
        each = identity(item)
        old = self._seen.get(each)
        if kind == "DELETED":
            if self._seen.pop(each, None) is not None:
                self._put((kind, item))
        elif old is None or old["metadata"].get("resourceVersion") != item["metadata"].get("resourceVersion"):
            self._seen[each] = item
            self._put(("ADDED" if old is None else "MODIFIED", item))

    def _put(self, event: Event | BlackstartError) -> None:
        while not self._over.is_set():
            with suppress(Full):
                self._events.put(event, timeout=LOOK_SECONDS)
                return

    def _hang_up(self) -> None:
        """End the watch, also while another thread waits for its next line."""
        stream = self._stream
        if stream is not None:
            stream.hang_up()


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The whole lines of a stream; what follows the last line break was cut off and is nothing."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)


def _may_pass(error: KubeRefused) -> bool:
    return error.status in BUSY or error.status == GONE
