"""One alarm, good to some tens of microseconds: event loops' own timers are good to a millisecond.

On Linux it is a timer of the kernel that the loop waits for like for a socket, so waiting costs no processor time.
Elsewhere it is the loop's own timer.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import sys
from collections.abc import Callable

CLOCK_MONOTONIC = 1
FLAGS = os.O_NONBLOCK | os.O_CLOEXEC  # what TFD_NONBLOCK and TFD_CLOEXEC are
SETTING = struct.Struct("@llll")  # struct itimerspec: interval and value, each seconds and nanoseconds
LEAST_NANOSECONDS = 1000  # 0 would disarm it


class Alarm:
    """Calls ``ring`` once for each `after`, unless it was set anew before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._setting = ctypes.create_string_buffer(SETTING.size)
        self._kernel = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self._descriptor = self._kernel.timerfd_create(CLOCK_MONOTONIC, FLAGS) if self._kernel else -1
        if self._descriptor >= 0:
            loop.add_reader(self._descriptor, self._rang)

    def after(self, seconds: float) -> None:
        """Ring in ``seconds``, and not at the time that was set before."""
        if self._kernel is None or self._descriptor < 0:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(max(0.0, seconds), self._ring)
            return
        nanoseconds = max(LEAST_NANOSECONDS, int(seconds * 1e9))
        SETTING.pack_into(self._setting, 0, 0, 0, nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000)
        self._kernel.timerfd_settime(self._descriptor, 0, self._setting, None)

    def close(self) -> None:
        """Never ring again."""
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _rang(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return  # it was set anew between ringing and being heard
        self._ring()
