"""What a drill has restored, from its journal, and how its restored database is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from blackstart import settings
from blackstart.changes.clients import Clients
from blackstart.clock import Clock
from blackstart.errors import ConfigInvalid, NotMeasured, ServiceUnreachable
from blackstart.observer import events, jsonl, ledger
from blackstart.observer.samples import Outcome
from blackstart.probes._watched import JOURNAL_KEY, watched

EVENT = "restored"
CONNECT_SECONDS, QUERY_SECONDS = 3, 30


@dataclass(frozen=True)
class Restoring:
    """One restore that the drill has begun. ``began``: in seconds since the drill's origin; ``target`` and ``before``
    as its change has them; ``took``: how long until it was there, None if that is not known yet."""

    folder: Path
    change: str
    began: float
    target: Mapping[str, Any]
    before: Mapping[str, Any]
    took: float | None


def restoring(configuration: Mapping[str, Any] | None, clock: Clock, kind: str) -> Restoring | None:
    """The last change of ``kind`` that this drill has applied; None if there is none."""
    changes = [change for change in watched(configuration, clock).applied() if change.get("kind") == kind]
    if not changes:
        return None
    folder, change = folder_of(configuration), changes[-1]
    began = min(
        float(line.get("began", line["monotonic"]))
        for line in jsonl.read(folder / events.CHANGES_FILE)
        if line.get("state") == "applied" and line.get("change") == change["id"]
    )
    told = [each for each in events.read(folder) if each.kind == EVENT and each.fields.get("change") == change["id"]]
    took = float(told[0].fields["seconds"]) if told else None
    return Restoring(folder, change["id"], began - events.origin(folder), change["target"], change["before"], took)


def folder_of(configuration: Mapping[str, Any] | None) -> Path:
    """The journal's folder; the configuration is that of a drill."""
    return Path((configuration or {})[JOURNAL_KEY])


def since_origin(found: Restoring, clock: Clock) -> float:
    """Now, in seconds since the drill's origin."""
    return clock.monotonic() - events.origin(found.folder)


def tell(restored: Restoring, seconds: float, clock: Clock) -> None:
    """Note in the journal how long it took, so that everybody who asks later is told the same."""
    log = events.EventLog(restored.folder, clock, events.origin(restored.folder))
    log.add(EVENT, change=restored.change, seconds=round(seconds, 3), target=str(restored.target.get("id", "")))


@contextmanager
def aws(service: str, region: str, wanted: str) -> Iterator[Any]:
    """A client for one question; ServiceUnreachable if AWS does not answer it. ``wanted``: verb phrase."""
    from botocore.exceptions import BotoCoreError, ClientError

    clients = Clients(threads=1, attempts=3)
    try:
        yield clients.aws(service, region)
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnreachable(wanted, f"{service} of {region}", f"answered: {error}") from error
    finally:
        clients.close()


def address(described: Mapping[str, Any], region: str) -> str:
    """How to connect to a restored cluster: as to the database of ``region``, at another place."""
    like = settings.current().stores.databases.get(region, "")
    named = {} if conninfo_to_dict(like).get("dbname") else {"dbname": described.get("DatabaseName") or "postgres"}
    where = {"host": described["Endpoint"], "port": described["Port"], "hostaddr": None}
    return make_conninfo(like, connect_timeout=CONNECT_SECONDS, **where, **named)


def ask(where: str, query: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """All rows of ``query``; psycopg.Error."""
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute(f"SET statement_timeout = '{QUERY_SECONDS}s'")
        return connection.execute(query.encode(), values).fetchall()


@dataclass(frozen=True)
class Loss:
    """What a restored database lacks, of the drill's writes that were acknowledged before the restore began.

    ``seconds``: how long before it the oldest missing one was acknowledged; where none of the drill's writes is in the
    backup, the age of its newest row, if that is more (``by_newest_row``). ``found`` of ``acknowledged`` are there.
    """

    seconds: float
    lost: int
    found: int
    acknowledged: int
    by_newest_row: bool


def loss(writes: Sequence[ledger.Write], keys: frozenset[str], began: float, newest: float | None) -> Loss:
    """Judge ``keys`` of a restored database. ``newest``: age of its newest row at ``began``, in seconds. Pure.

    What was acknowledged after the backup was taken is missing for good: that is what RPO counts. NotMeasured when
    nothing was acknowledged before ``began``, or only that much is known that it is more than can be told.
    """
    what = "what a restore would lose"
    before = [each for each in writes if each.outcome is Outcome.OK and each.at is not None and each.at <= began]
    if not before:
        raise NotMeasured(what, "no write was acknowledged before the restore began")
    result = ledger.check(before, [ledger.ReadBack(1, began, began, keys)])
    seconds = ledger.data_loss(result, began).seconds
    if not result.found:
        if newest is None:
            raise NotMeasured(what, "the backup has none of this drill's writes, and no row that tells how old it is")
        seconds = max(seconds, newest)
    return Loss(seconds, len(result.lost), result.found, result.acknowledged, by_newest_row=not result.found)


def needed(found: Restoring | None, what: str) -> Restoring:
    """NotMeasured if the drill has restored nothing."""
    if found is None:
        raise NotMeasured(what, "this drill has restored nothing")
    return found


def choice(probe: str, name: str, value: str, among: Sequence[str]) -> None:
    """ConfigInvalid unless ``value`` is one of ``among``."""
    if value not in among:
        raise ConfigInvalid(probe, name, f"{value!r} is none; there are {', '.join(among)}")
