"""Ports of one lab: a block below the ephemeral range, so that no outgoing connection takes them.

The first port of a block stays bound as long as the lab lives: that is what keeps a second lab off the block,
whoever runs it.
"""

from __future__ import annotations

import socket

from blackstart.errors import LabError

FIRST, LAST, BLOCK = 16000, 32000, 1000


class Ports:
    """A claimed block; ``admin`` is a listening socket on its first port."""

    def __init__(self, admin: socket.socket) -> None:
        self.admin = admin
        self.start: int = admin.getsockname()[1]
        self._next: int = self.start + 1

    @classmethod
    def claim(cls) -> Ports:
        """Hold the first free block; LabError if there is none."""
        for start in range(FIRST, LAST, BLOCK):
            held = _bound("127.0.0.1", start)
            if held is not None and _listens(held):
                return cls(held)
        raise LabError(
            "reserve ports for the lab",
            f"a port is taken at the start of every block of {BLOCK} between {FIRST} and {LAST}",
            "end a lab (`blackstart lab down`)",
        )

    def take(self, host: str = "127.0.0.1") -> int:
        """A port of the block that is free on ``host`` now; goes round, so a port rests long before it comes again."""
        for _ in range(BLOCK):
            port, self._next = self._next, self._next + 1
            if self._next >= self.start + BLOCK:
                self._next = self.start + 1
            probe = _bound(host, port)
            if probe is not None:
                probe.close()
                return port
        raise LabError("find a free port for the lab", f"all ports from {self.start} to {self.start + BLOCK} are taken")

    def release(self) -> None:
        """Give the block up."""
        self.admin.close()


def _bound(host: str, port: int) -> socket.socket | None:
    """A TCP socket bound to ``host``:``port``, or None if somebody listens there."""
    candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # passes over connections that are only winding down; a port that is listened on is still refused
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        candidate.bind((host, port))
    except OSError:
        candidate.close()
        return None
    return candidate


def _listens(bound: socket.socket) -> bool:
    """Start to listen; False (and closed) if another process was quicker between our bind and now."""
    try:
        bound.listen(64)
    except OSError:
        bound.close()
        return False
    return True
