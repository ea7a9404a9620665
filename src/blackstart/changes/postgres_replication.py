"""Pausing the replication of a self-managed PostgreSQL standby: it is told to follow nobody, so WAL stops arriving.

Pausing the replay would lose nothing on promotion. The setting is overridden by ALTER SYSTEM, in postgresql.auto.conf,
whose former entry undo puts back. That file is copied by pg_rewind and by a base backup, so the override may turn up
on another server of the same database after a fail-over: undo looks there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, LiteralString

from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Literal

from blackstart.access import Need
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.model import Change, Json, new_id
from blackstart.changes.postgres import Database, ask, find_database, name_of
from blackstart.errors import NotYet, Refused, ServiceUnreachable

ADDRESS, OVERRIDE, SERVERS, OVERRIDES = "address", "override", "servers", "overrides"
NOBODY = ""
"""The override that pauses."""
SILENT = "does not answer"
OLDEST = 150000  # who is no superuser may be allowed to alter one setting
CALL, PATIENCE_SECONDS = "postgres:ALTER SYSTEM", 30.0

OVERRIDDEN: LiteralString = """
    SELECT CASE WHEN sourcefile LIKE '%postgresql.auto.conf' THEN setting END
    FROM pg_settings WHERE name = 'primary_conninfo'
"""
RECEIVING: LiteralString = "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver)"
FITNESS: LiteralString = """
    SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
           EXISTS (SELECT FROM pg_stat_wal_receiver),
           coalesce((SELECT setting FROM pg_settings WHERE name = 'restore_command'), ''),
           pg_has_role('pg_read_all_settings', 'MEMBER')
"""
RIGHTS: LiteralString = """
    SELECT has_parameter_privilege('primary_conninfo', 'ALTER SYSTEM')
           AND has_function_privilege('pg_reload_conf()', 'EXECUTE')
"""
PAUSE: LiteralString = "ALTER SYSTEM SET primary_conninfo = ''"
RESET: LiteralString = "ALTER SYSTEM RESET primary_conninfo"
RELOAD: LiteralString = "SELECT pg_reload_conf()"


@dataclass(frozen=True)
class Standby:
    """A server that follows another one. ``unfit``: why its replication cannot be paused, as the end of a sentence.

    ``override``: its entry in postgresql.auto.conf, None without one; ``others``: the same, by address, of the other
    servers that answered.
    """

    database: Database
    unfit: str
    override: str | None
    others: Mapping[str, str | None]


def find_standby(clients: Clients, addresses: Mapping[str, str], region: str) -> Standby:
    """The database of ``region``, and what those of other regions have. Read-only; Refused if it is not named."""
    database = find_database(clients, addresses, region)
    unfit = _unfit(database)
    override = None if unfit else _overridden(database.address)
    others = {}
    for address in addresses.values():
        if address != database.address and not unfit:
            try:
                others[address] = _overridden(address)
            except ServiceUnreachable:
                continue  # what it has is nothing that this drill did
    return Standby(database, unfit, override, others)


def _unfit(database: Database) -> str:
    if database.aurora:
        return "it is Aurora, whose storage replicates by itself and cannot be paused"
    ((version, standby, receiving, restores, reads),) = ask(database.address, FITNESS)[0]
    if version < OLDEST:
        return "it is older than PostgreSQL 15"
    if not standby:
        return "it follows nobody, because it is a primary"
    if not reads:
        return "our role may not read its settings (grant it pg_monitor)"
    if restores:
        return "it would go on with the archive (restore_command is set)"
    if not receiving:
        return "nothing is replicated to it now"
    (((allowed,),),) = ask(database.address, RIGHTS)
    grants = "ALTER SYSTEM ON PARAMETER primary_conninfo, and EXECUTE ON FUNCTION pg_reload_conf()"
    return "" if allowed else f"our role may not do it (grant it {grants})"


def _overridden(address: str) -> str | None:
    (rows,) = ask(address, OVERRIDDEN)
    return None if not rows or rows[0][0] is None else str(rows[0][0])


def plan_pause(found: Standby, *, step: int = 0, new_change: Callable[[], str] = new_id) -> list[Change]:
    """WAL stops arriving. Pure. Refused if it cannot be paused, or what is to be put back may not be written down."""
    name = found.database.name
    subject = f"pausing the replication to database {name}"
    if found.unfit:
        raise Refused(subject, found.unfit)
    if found.override and conninfo_to_dict(found.override).get("password"):
        raise Refused(
            subject, "its primary_conninfo holds a password, which has no place in an undo log; use a passfile"
        )
    before = {found.database.address: found.override, **found.others}
    context: dict[str, Json] = {
        ADDRESS: found.database.address,
        # An override that was there already is nobody else's copy of ours.
        SERVERS: {address: override for address, override in before.items() if override != NOBODY},
    }
    return [
        Change(
            id=new_change(),
            kind=PausedReplication.name,
            target=found.database.target,
            before={**context, OVERRIDE: found.override},
            after={**context, OVERRIDE: NOBODY},
            summary=f"database {name}: follows nobody, so that WAL stops arriving",
            undo_summary="letting it follow its primary again; what the primary still has of the WAL is caught up on",
            calls=(CALL,),
            step=step,
        )
    ]


class PausedReplication(CompareAndRestore):
    """Whom a standby follows, where that is overridden."""

    name: ClassVar[str] = "postgres.replication"
    permissions: ClassVar[tuple[str, ...]] = (CALL, "postgres:pg_reload_conf")

    def needs(self, change: Change) -> Sequence[Need]:
        return ()  # the database knows our role, IAM does not

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        """Returns when nothing arrives any more."""
        super().apply(changes, clients)
        for change in changes:
            (((receiving,),),) = ask(change.before[ADDRESS], RECEIVING)
            if receiving:
                raise NotYet(str(change.target), "receiving WAL", PATIENCE_SECONDS, begun=True)

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: _seen(change) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            change, overrides = item.change, item.seen[OVERRIDES]
            if item.fields[OVERRIDE] == NOBODY:
                ask(change.before[ADDRESS], PAUSE, RELOAD)
                continue
            for address, override in overrides.items():
                # Forced, the standby gets back what it had, whatever is there.
                forced = (
                    address == change.before[ADDRESS] and override != change.before[OVERRIDE] and override != SILENT
                )
                if override == NOBODY or forced:
                    former = change.before[SERVERS].get(address)
                    reset = (
                        RESET
                        if former is None
                        else SQL("ALTER SYSTEM SET primary_conninfo = {}").format(Literal(former))
                    )
                    ask(address, reset, RELOAD)


def _seen(change: Change) -> Seen:
    """Paused as long as any server carries the override, also one that got it from this one."""
    address, before = change.before[ADDRESS], change.before[OVERRIDE]
    overrides: dict[str, str | None] = {address: _overridden(address)}
    for other in change.before[SERVERS]:
        if other != address:
            try:
                overrides[other] = _overridden(other)
            except ServiceUnreachable:
                overrides[other] = SILENT
    own = overrides[address]
    if own == before and NOBODY in overrides.values():
        own = NOBODY
    silent = [name_of(other) for other, override in overrides.items() if override == SILENT]
    if own == before and silent:
        return Unsettled(f"following again, but {', '.join(silent)} does not answer and may have its settings")
    return {**change.before, OVERRIDE: own, OVERRIDES: overrides}
