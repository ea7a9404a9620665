"""Everything a verdict and a report need to know about one drill, read from its folder into one frozen value.

A journal of a killed drill measures as far as it goes; what it cannot say is None, with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from blackstart.changes.leftovers import Found, Whose
from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.journals import calls, loaded, restoration, toolkit
from blackstart.journals import folder as folders
from blackstart.journals.calls import LostCalls
from blackstart.journals.data import Data, accounted
from blackstart.journals.failback import Failback, failback
from blackstart.journals.folder import Drill, Journal
from blackstart.journals.monitored import Monitored, monitored
from blackstart.journals.restoration import Restoration
from blackstart.journals.story import ChangeStory, stories
from blackstart.journals.users import Users, watched
from blackstart.load import record
from blackstart.monitoring import alerts, detection
from blackstart.observer import ledger, samples
from blackstart.observer.events import Event
from blackstart.observer.record import is_number
from blackstart.observer.writers import Writers, writers
from blackstart.settings import Objectives, Observing, Service

Json = Any
Table = TypeVar("Table", bound=BaseModel)


@dataclass(frozen=True)
class Measured:
    """One drill. All times in seconds since its origin.

    ``fault_at`` is just before the first change was applied that takes something away, ``undo_at`` when putting back
    began; None if that never happened. ``users`` is None where ``no_users`` says why. ``restoration`` is None if nobody
    proved it. ``calls`` is None if no region was lost, ``monitored`` if no monitoring was asked. ``damaged`` names what
    could not be read.
    """

    folder: Path
    drill: Drill
    service: Service
    observing: Observing
    objectives: Objectives
    cut_off: bool
    toolkit: toolkit.ToolkitRun
    changes: tuple[ChangeStory, ...]
    events: tuple[Event, ...]
    fault_at: float | None
    undo_at: float | None
    users: Users | None
    no_users: str
    data: Data
    restoration: Restoration | None = None
    writers: Writers = field(default_factory=Writers)
    failback: Failback = field(default_factory=lambda: Failback("nothing was undone"))
    calls: LostCalls | None = None
    load: record.Loaded | None = None
    monitored: Monitored | None = None
    damaged: tuple[str, ...] = ()

    @property
    def leftovers(self) -> tuple[ChangeStory, ...]:
        """Changes that are not proven to be undone."""
        return tuple(change for change in self.changes if change.left)

    @property
    def residue(self) -> tuple[Found, ...]:
        """What of this drill was found although its change is undone; that of a leftover is in place with it."""
        left = {change.id for change in self.leftovers}
        ours = self.restoration.of(Whose.OURS) if self.restoration else ()
        return tuple(found for found in ours if found.change not in left)

    @property
    def lapses(self) -> tuple[str, ...]:
        """Why faults were not kept up for as long as they were meant to be."""
        return tuple(str(event.fields.get("reason") or "?") for event in self.events if event.kind == "lapse")

    @property
    def stopped(self) -> str:
        """Who or what ended the drill before its time, and why; "" if nobody did."""
        return next((str(event.fields.get("reason") or "?") for event in self.events if event.kind == "stop"), "")

    @property
    def undone_at(self) -> float | None:
        """When the last change was undone; None while one is not."""
        undone = [change.undone if change.undone is not None else change.verified for change in self.changes]
        known = [at for at in undone if at is not None]
        return max(known) if known and len(known) == len(undone) else None

    def wall(self, at: float) -> datetime:
        """The moment ``at`` as wall time."""
        return self.drill.at(at)


def measure(folder: Path, cut_off: bool | None = None) -> Measured:
    """Read ``folder``. ``cut_off`` None: as its verdict.json says (true when there is none).

    JournalUnreadable only when drill.json does not say what was run, and with what settings.
    """
    journal = folders.read(folder)
    drill, damaged = journal.drill, list(journal.damaged)
    if cut_off is None:
        cut_off = journal.verdict is None or bool(journal.verdict.get("cut_off", True))
    events = read_events(journal, damaged)
    changes = stories(journal.changes, drill.origin_monotonic)
    fault_at = min((each.began for each in changes if each.began is not None and not each.harmless), default=None)
    undo_at = _undo_at(changes, events, fault_at)
    observing = _table(folder, "observing", Observing, drill.observing)
    see = partial(watched, events=events, fault_at=fault_at, undo_at=undo_at, observing=observing)
    users, no_users = _users(folder, see, damaged)
    data = _data(folder, fault_at, users.recovered_at if users else None, undo_at, damaged)
    return Measured(
        folder=folder,
        drill=drill,
        service=_table(folder, "service", Service, drill.service),
        observing=observing,
        objectives=_table(folder, "objectives", Objectives, drill.objectives),
        cut_off=cut_off,
        toolkit=toolkit.read(journal.toolkit),
        changes=changes,
        events=events,
        fault_at=fault_at,
        undo_at=undo_at,
        users=users,
        no_users=no_users,
        data=data,
        restoration=restoration.parse(journal.restoration, damaged),
        writers=writers(events, data.writes),
        failback=failback(users, data, events, undo_at),
        load=loaded.read(folder, damaged),
        calls=_calls(journal, users, events, changes, cut_off),
        monitored=monitored(journal.monitoring, events, users, drill, (fault_at, _end(users, events)), damaged),
        damaged=tuple(damaged),
    )


def _table(folder: Path, name: str, table: type[Table], data: Mapping[str, Json]) -> Table:
    try:
        return table.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        raise JournalUnreadable(str(folder), folders.DRILL, f"{where}: {first['msg']}") from error


def read_events(journal: Journal, damaged: list[str]) -> tuple[Event, ...]:
    """Lines that lack a time, a kind, or what their kind needs, are counted as damage."""
    events: list[Event] = []
    bad = 0
    for line in journal.events:
        at, kind = line.get("at"), line.get("kind")
        if is_number(at) and isinstance(kind, str) and _whole(kind, line):
            events.append(Event(float(at), kind, {k: v for k, v in line.items() if k not in ("at", "kind")}))
        else:
            bad += 1
    if bad:
        damaged.append(f"{folders.EVENTS}: {bad} lines that are no events")
    return tuple(sorted(events, key=lambda event: event.at))


def _whole(kind: str, line: Mapping[str, Json]) -> bool:
    if kind == "database":
        named = all(isinstance(line.get(name), str) for name in ("region", "state"))
        last = line.get("last")
        return named and is_number(line.get("asked")) and (last is None or is_number(last))
    if kind == alerts.KIND:
        return detection.whole(line)
    if kind == "dns" and "reason" not in line:
        last_old = line.get("last_old")
        lists = isinstance(line.get("before"), list) and isinstance(line.get("after"), list)
        times = all(is_number(line.get(name)) for name in ("first_new", "ttl"))
        return lists and times and "last_old" in line and (last_old is None or is_number(last_old))
    if kind == "ready" and "reason" not in line:
        return all(isinstance(line.get(name), int) for name in ("ready", "desired"))
    return True


def _end(users: Users | None, events: tuple[Event, ...]) -> float:
    """Until when was watched."""
    return users.end if users else max((event.at for event in events), default=0.0)


def _undo_at(changes: tuple[ChangeStory, ...], events: tuple[Event, ...], fault_at: float | None) -> float | None:
    """When putting back began: the drill's own word for it, else the first change that was undone."""
    if fault_at is None:
        return None
    said = [e.at for e in events if e.kind == "phase" and e.fields.get("name") == "undo" and e.at >= fault_at]
    seen = [change.undone for change in changes if change.undone is not None and change.made]
    return min([*said, *seen], default=None)


def _users(folder: Path, see: Callable[[samples.Samples], Users], damaged: list[str]) -> tuple[Users | None, str]:
    try:
        return see(samples.read(folder)), ""
    except NotMeasured as error:
        return None, error.why
    except JournalUnreadable as error:
        damaged.append(f"{error.file}: {error.problem}")
        return None, f"the samples cannot be read ({error.file}: {error.problem})"


def _calls(
    journal: Journal,
    users: Users | None,
    events: Sequence[Event],
    changes: Sequence[ChangeStory],
    cut_off: bool,
) -> LostCalls | None:
    if users is None or users.baseline_end is None:
        return None
    region = calls.lost_region(events, changes)
    if not region:
        return None
    ended = next(at for at in (users.recovered_at, users.until, users.end) if at is not None)
    fault_at = users.baseline_end
    began = calls.lost_at(events, fault_at)
    origin, span = journal.drill.origin_monotonic, (began, max(ended, began))
    return calls.lost_calls(journal.calls, origin, region, span, fault_at=fault_at, cut_off=cut_off)


def _data(
    folder: Path, fault_at: float | None, recovered_at: float | None, undo_at: float | None, damaged: list[str]
) -> Data:
    try:
        writes = ledger.read(folder)
        found = ledger.read_checks(folder, writes)
        return accounted(writes, found.complete, fault_at, recovered_at, undo_at, unread=found.unread)
    except JournalUnreadable as error:
        damaged.append(f"{error.file}: {error.problem}")
        return Data(gap=f"the ledger cannot be read ({error.file}: {error.problem})")
