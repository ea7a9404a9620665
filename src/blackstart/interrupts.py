"""Signals that end a drill: none is lost while it goes on, and one that comes too late does not matter."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """SIGINT and SIGTERM while a drill goes on: raised where they come, as before, and remembered, because what runs
    there (an event loop, a library that catches everything) may swallow what a handler raises."""

    def __init__(self) -> None:
        self.heard = ""
        """The name of the last one, as "SIGINT"; "" if none came."""
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Until `leave`. SIGINT interrupts even where it was ignored, as in what a shell started in the background:
        the reverter asks with it. Only the main thread can listen; elsewhere nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if callable(before) or number == signal.SIGINT:
                self._before[number] = before
                signal.signal(number, self._hear)

    def leave(self) -> None:
        """Put back what was there before, but for what somebody else put there since."""
        for number, before in self._before.items():
            if signal.getsignal(number) == self._hear:
                signal.signal(number, signal.SIG_DFL if before is None else before)
        self._before.clear()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.heard = signal.Signals(number).name
        before = self._before.get(number)
        if callable(before):
            before(number, frame)
        else:
            raise KeyboardInterrupt


@contextmanager
def one_passes() -> Iterator[None]:
    """Swallow the first SIGINT in the block, if this is the main thread: the reverter's, which it sent before it could
    know that the drill ends already, or that of a person who cannot wait. The next one interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def swallow(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, swallow)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
