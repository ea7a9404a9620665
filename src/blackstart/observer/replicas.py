"""Reads back the writes of a drill from every region's own database, whatever the service says.

Each is asked the statement of ``[ledger]`` in one snapshot (REPEATABLE READ, read-only), and before and after it
whether it takes writes. All regions at the same time, each in a thread: one that hangs is cut off when its time is
over, and noted as away, as one that refuses.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Timer
from typing import TYPE_CHECKING, Any

from blackstart import redaction
from blackstart.errors import ConfigInvalid
from blackstart.observer.databases import AWAY, NAME, QUESTION, READER, WRITER
from blackstart.observer.jsonl import Appender
from blackstart.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

CONNECT_SECONDS = 2
PAGE_ROWS = 2000
KEY, PLACE, COPIES = "key", "place", "copies"


@dataclass(frozen=True)
class Replicas:
    """``databases``: libpq address by region. ``sql``: see ``settings.Ledger``."""

    databases: Mapping[str, str]
    sql: str
    timeout_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Replicas | None:
        """Those that ``settings`` name; None where the databases are not to be read."""
        if not settings.ledger.sql or not settings.stores.databases:
            return None
        return cls(settings.stores.databases, settings.ledger.sql, settings.ledger.timeout_seconds)

    def record(self, prefix: str, number: int, file: Appender, now: Callable[[], float]) -> None:
        """Append to ``file`` what each database has of the keys that begin with ``prefix``, as check ``number``.

        ``now``: seconds since the origin. Blocking. ConfigInvalid when the statement gives no column ``key``;
        JournalUnwritable.
        """
        with ThreadPoolExecutor(len(self.databases)) as pool:
            readings = [
                pool.submit(_Reading(self, region, prefix, number, file, now).record) for region in self.databases
            ]
        for reading in readings:
            reading.result()


@dataclass(frozen=True)
class _Reading:
    """One database, once."""

    replicas: Replicas
    region: str
    prefix: str
    number: int
    file: Appender
    now: Callable[[], float]

    def record(self) -> None:
        import psycopg

        cut = Event()
        try:
            state, began = self._read(cut)
        except (psycopg.Error, OSError) as error:
            told = redaction.of(self.file.folder).text
            late = f"no answer within {self.replicas.timeout_seconds:g} s"
            said = str(error).strip().splitlines() or [type(error).__name__]
            self._write(state=AWAY, problem=late if cut.is_set() else told(said[0]))
        else:
            if state:
                self._write(state=state, began=began, complete=True)
            else:
                self._write(state=AWAY, problem="it was promoted while it was read")

    def _read(self, cut: Event) -> tuple[str, float]:
        """Its state, "" if that changed meanwhile, and when the snapshot was asked for."""
        import psycopg

        with (
            psycopg.connect(
                self.replicas.databases[self.region], connect_timeout=CONNECT_SECONDS, application_name=NAME
            ) as connection,
            _cut_off(connection, self.replicas.timeout_seconds, cut),
        ):
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            began = self.now()
            before = _state(connection)
            self._pages(connection)
            connection.rollback()
            return (before if _state(connection) == before else ""), began

    def _pages(self, connection: Connection[Any]) -> None:
        with connection.cursor(name="blackstart_ledger") as cursor:
            cursor.execute(self.replicas.sql.encode(), {"prefix": self.prefix})
            names = [column.name for column in cursor.description or ()]
            if KEY not in names:
                raise ConfigInvalid("settings", "ledger.sql", f"gives no column {KEY}, but {', '.join(names)}")
            while rows := cursor.fetchmany(PAGE_ROWS):
                self._write(**_page(names, rows))

    def _write(self, **fields: Any) -> None:
        self.file.write({"check": self.number, "source": self.region, "at": self.now(), **fields})


def _page(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    page: dict[str, Any] = {"keys": [str(key) for key in columns[KEY]]}
    for name, told in ((PLACE, "places"), (COPIES, "copies")):
        if name in columns:
            page[told] = [int(value) for value in columns[name]]
    return page


def _state(connection: Connection[Any]) -> str:
    row = connection.execute(QUESTION).fetchone()
    return READER if row is None or row[0] else WRITER


@contextmanager
def _cut_off(connection: Connection[Any], seconds: float, cut: Event) -> Iterator[None]:
    """After ``seconds`` nobody waits for the server any more, also where it does not answer at all."""

    def end() -> None:
        cut.set()
        with suppress(OSError), socket.socket(fileno=socket.dup(connection.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
