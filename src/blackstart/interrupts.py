"""SIGINT, when it comes too late to matter."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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
