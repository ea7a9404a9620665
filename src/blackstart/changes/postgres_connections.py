"""Holding connections to a PostgreSQL database until others find none left.

They are real connections, idle, whose application name is the change's id: so any process can tell them apart and end
them. Slots that are reserved for superusers are never taken. A program of our own holds them, and takes what others
give back; it ends with the drill's process, and with them.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, LiteralString

from blackstart.access import Need
from blackstart.changes import postgres, postgres_holder
from blackstart.changes.clients import Clients
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, new_id
from blackstart.changes.postgres import Database, ServerFull, ask, find_database
from blackstart.errors import NotYet, Refused, ServiceUnreachable

ADDRESS, HELD, TOTAL = "address", "held", "total"
HOLDER = (sys.executable, "-m", postgres_holder.__name__)
OPEN_SECONDS = 120.0
ROOM: LiteralString = """
    SELECT current_setting('max_connections')::int,
           current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true), '0')::int
           + coalesce(current_setting('rds.rds_superuser_reserved_connections', true), '0')::int,
           (SELECT count(*) FROM pg_stat_activity
            WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND pid <> pg_backend_pid())::int,
           (SELECT min(most) FROM (SELECT rolconnlimit AS most FROM pg_roles WHERE rolname = current_user
                                   UNION SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS l
            WHERE most >= 0)
"""
COUNT: LiteralString = "SELECT count(*)::int FROM pg_stat_activity WHERE application_name = %s"
END: LiteralString = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"


@dataclass(frozen=True)
class Room:
    """The connections of a database: ``most`` may be open, the last ``reserved`` by superusers alone; ``used`` are.

    ``limit`` is what the role or the database may have, if less.
    """

    database: Database
    most: int
    reserved: int
    used: int
    limit: int | None


def find_room(clients: Clients, addresses: Mapping[str, str], region: str) -> Room:
    """How many connections the database of ``region`` has and may have. Read-only."""
    database = find_database(clients, addresses, region)
    (((most, reserved, used, limit),),) = ask(database.address, ROOM)
    return Room(database, most, reserved, used, limit)


def plan_connections(
    found: Room, share: float, *, step: int = 0, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """As many connections are held as make ``share`` (0–1) of all, with those that are open now. Pure.

    Reserved ones stay free. Refused if so many are open already, or our own role may not have that many.
    """
    name = found.database.name
    subject = f"exhausting the connections of database {name}"
    if not 0 < share <= 1:
        raise Refused(subject, f"{share:g} is not a share between 0 and 1")
    wanted = min(math.floor(share * found.most), found.most - found.reserved)
    count = wanted - found.used
    if count <= 0:
        raise Refused(subject, f"{found.used} of {found.most} are open already, which is as many as are wanted")
    if found.limit is not None and count > found.limit:
        raise Refused(subject, f"it would take {count}, and {found.limit} are what our role or the database may have")
    address = {ADDRESS: found.database.address}
    return [
        Change(
            id=new_change(),
            kind=HeldConnections.name,
            target=found.database.target,
            before={**address, HELD: 0},
            after={**address, HELD: count, TOTAL: wanted},
            summary=f"database {name}: {count} connections held, so that {wanted} of {found.most} are taken "
            f"({found.reserved} are reserved)",
            undo_summary="terminating them; they end, too, when the drill's process does",
            calls=("postgres:connect",),
            step=step,
        )
    ]


class HeldConnections:
    """Connections that nobody uses and nobody else can have, so many that ``total`` are taken whoever comes and goes.

    Who holds them goes on by itself, so they need not be there all at once."""

    name: ClassVar[str] = "postgres.connections"
    permissions: ClassVar[tuple[str, ...]] = ("postgres:connect", "postgres:pg_terminate_backend")
    batch_size: ClassVar[int] = 1
    look_size: ClassVar[int] = 1
    at_once: ClassVar[int] = 1
    joined: ClassVar[bool] = False
    restores: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        return ()  # the database knows our role, IAM does not

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            if not _held(change):
                _hold(change)

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _released(change) for change in changes}

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _outcome(change, _held(change)) for change in changes}


def _held(change: Change) -> int:
    ((row,),) = ask(change.before[ADDRESS], (COUNT, [change.id]))
    return int(row[0])


def _hold(change: Change) -> None:
    done = subprocess.run(
        [*HOLDER, change.id, str(change.after[TOTAL]), str(os.getpid())],
        input=change.before[ADDRESS],
        capture_output=True,
        text=True,
        timeout=OPEN_SECONDS,
        check=False,
        start_new_session=True,
    )
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        report = {"held": 0, "full": False, "problem": done.stderr.strip()[-300:] or "no answer"}
    if report["problem"]:
        raise ServiceUnreachable("hold connections", postgres.name_of(change.before[ADDRESS]), report["problem"])
    if not report["held"] and not report["full"]:
        raise NotYet(str(change.target), "not letting anybody connect")


def _released(change: Change) -> Outcome:
    """The holder is ended, too: the address may lead to another server by now, while the old one still has them."""
    try:
        ((*ended,),) = ask(change.before[ADDRESS], (END, [change.id]))
    except ServerFull:
        # We got none ourselves. Whatever process held them ends, and then there are some.
        if not postgres_holder.end(change.id):
            raise
        return Outcome(Ending.RESTORED)
    here = postgres_holder.end(change.id)
    return Outcome(Ending.RESTORED if ended or here else Ending.UNTOUCHED)


def _outcome(change: Change, held: int) -> Outcome:
    if held:
        return Outcome(Ending.PENDING, f"{change.target} still has {held} connections of the drill")
    return Outcome(Ending.UNTOUCHED)
