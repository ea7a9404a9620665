"""Keeps a database's connections taken for as long as a drill wants that, as a small program of its own.

``python -m blackstart.changes.postgres_holder NAME TOTAL PID`` reads the database's address from its input and opens
connections with the application name NAME until TOTAL are open, others' counted. It tells on its output, as JSON, how
many it got (``held``), whether the server had no more (``full``) and what else went wrong (``problem``). It then
returns, and a child of it holds them, and takes what others give back, until its own are terminated or the process PID
is gone. Once one of them has ended it opens no more: an undo would not end.
"""

from __future__ import annotations

import json
import os
import selectors
import sys
from typing import Any

import psutil
from psycopg import Error
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, ExecStatus, PGconn
from psycopg.pq.abc import PGconn as Connection

from blackstart.changes.owner import Owner, gone, here
from blackstart.changes.postgres_errors import CONNECT_SECONDS, says_full

CHECK_SECONDS = 0.1  # sooner than a client that was cut off has started anew
# Without these, a server goes on holding them for hours when our whole machine is cut off.
KEEPALIVES = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
USED = b"SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL"


class Held:
    """Our connections to ``address``. ``full``: the server had no more when last asked; ``problem``: else what."""

    def __init__(self, address: str, name: str, total: int) -> None:
        wanted = make_conninfo(address, connect_timeout=CONNECT_SECONDS, application_name=name, options=KEEPALIVES)
        self._wanted, self._total = wanted.encode(), total
        self.connections: list[Connection] = []
        self.full, self.problem = False, ""

    def fill(self) -> None:
        """Open as many as are missing, or as can be had."""
        self.full, self.problem = False, ""
        if not self.connections and not self._open():
            return
        for _ in range(self._total - self._used()):
            if not self._open():
                return

    def _open(self) -> bool:
        connection = PGconn.connect(self._wanted)
        if connection.status == ConnStatus.OK:
            self.connections.append(connection)
            return True
        said = connection.error_message.decode(errors="replace").strip()
        self.full = says_full(said)
        self.problem = "" if self.full else said
        connection.finish()
        return False

    def _used(self) -> int:
        """As one of ours sees it; so many that nothing is missing, if it cannot say."""
        answer = self.connections[0].exec_(USED)
        value = answer.get_value(0, 0) if answer.status == ExecStatus.TUPLES_OK else None
        return self._total if value is None else int(value)


def main(name: str, total: int, drill: int) -> None:
    """Open the connections in a child, tell how many there are, and leave it alone."""
    address = sys.stdin.read().strip()
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(write_end)
        with os.fdopen(read_end) as heard:
            sys.stdout.write(heard.read())
        return
    os.close(read_end)
    os.setsid()
    owner, held = here(drill), Held(address, name, total)
    held.fill()
    report: dict[str, Any] = {"held": len(held.connections), "full": held.full, "problem": held.problem}
    with os.fdopen(write_end, "w") as told:
        json.dump(report, told)
    _be_quiet()
    hold(held, owner)


def hold(held: Held, owner: Owner) -> None:
    """Return when all connections have ended, or ``owner`` is gone; then none is left."""
    ended = False
    with selectors.DefaultSelector() as selector:
        while held.connections and not gone(owner):
            if not ended:
                held.fill()
            for connection in held.connections:
                if connection.socket not in selector.get_map():
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
            for key, _ in selector.select(CHECK_SECONDS):
                if not _lives(key.data):
                    ended = True
                    selector.unregister(key.fd)
                    held.connections.remove(key.data)
                    key.data.finish()
    for connection in held.connections:
        connection.finish()


def _lives(connection: Connection) -> bool:
    """Whether what the server said was not its last word: it also tells of settings that were reloaded."""
    try:
        connection.consume_input()
    except Error:
        return False
    return connection.status == ConnStatus.OK


def _be_quiet() -> None:
    """Let go of the pipes on which somebody waits for our end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def end(name: str) -> int:
    """End the holders of ``name`` on this machine; how many there were."""
    ended = 0
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if __name__ in line and name in line:
            try:
                process.terminate()
                ended += 1
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
    return ended


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
