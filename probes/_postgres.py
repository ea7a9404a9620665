"""Questions to PostgreSQL servers, by the address of each. ServiceUnreachable when one does not answer."""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString

from psycopg.sql import SQL, Identifier

from blackstart.changes.postgres import ServerFull, ask, name_of
from blackstart.errors import ConfigInvalid, NotMeasured

POSITION: LiteralString = (
    "SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END::text"
)
REPLAYED: LiteralString = "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() >= %s::pg_lsn"
NEWEST: LiteralString = "SELECT pg_last_xact_replay_timestamp()"
NOW: LiteralString = "SELECT now()"
CONNECTIONS: LiteralString = """
    SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity
    WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
"""


def position(primary: str) -> str:
    """How far the WAL of a writer goes; NotMeasured if it is none."""
    ((standby, found),) = ask(primary, POSITION)[0]
    if standby:
        raise NotMeasured("the lag", f"{name_of(primary)} is a standby itself, not the writer")
    return str(found)


def replayed(standby: str, wanted: str) -> bool:
    """Whether a standby has replayed the WAL up to there; NotMeasured if it is no standby."""
    ((follows, reached),) = ask(standby, (REPLAYED, [wanted]))[0]
    if not follows:
        raise NotMeasured("the lag", f"{name_of(standby)} is no standby")
    return bool(reached)


def behind(primary: str, standby: str) -> float:
    """Seconds that ``standby`` lags, by the writer's clock."""
    if replayed(standby, position(primary)):
        return 0.0
    (((newest,),),) = ask(standby, NEWEST)
    if newest is None:
        raise NotMeasured("the lag", f"{name_of(standby)} has replayed no commit since it started")
    return max(0.0, _now(primary, newest))


def _now(primary: str, since: datetime) -> float:
    (((now,),),) = ask(primary, NOW)
    return float((now - since).total_seconds())


def rows_behind(primary: str, standby: str, table: str, column: str) -> float:
    """By how many seconds the newest ``column`` of ``table`` is older at ``standby``. NotMeasured without rows."""
    if not table or not column:
        raise ConfigInvalid("replication_lag_seconds", "table", "name a table, and a column of it that holds times")
    query = SQL("SELECT max({}) FROM {}").format(Identifier(column), Identifier(*table.split(".")))
    # The standby first: what the writer gets between the two questions makes the lag longer, never shorter.
    (((there,),),) = ask(standby, query)
    (((here,),),) = ask(primary, query)
    if here is None or there is None:
        where = primary if here is None else standby
        raise NotMeasured("the lag", f"{table} of {name_of(where)} has no rows")
    return max(0.0, float((here - there).total_seconds()))


def connections_share(address: str) -> float:
    """Connections that are open, ours not counted, against those that may be."""
    try:
        ((used, most),) = ask(address, CONNECTIONS)[0]
    except ServerFull:
        return 1.0
    return float(used) / float(most)
