"""The undo log of a team: a DynamoDB table that all its machines reach. What it holds is in ``dynamo_items``.

A fault becomes part of the log in one transaction, together with its number in the register; before that, nobody sees
anything of it. There are no locks to leave behind: what drills hold is read from their open changes, and if anybody
else has recorded a fault since it was read, the register has another version and the transaction does not happen.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from blackstart.changes.dynamo_items import (
    BLOCK,
    DRILL,
    FORMAT,
    REGISTER,
    block_of,
    counts,
    drill_key,
    entries_of,
    fault_key,
    is_fault,
    known_drill,
    lease_key,
    mark_key,
    piece_key,
    pieces,
    stopped,
    told,
)
from blackstart.changes.dynamo_table import MOST_ITEMS, Act, Item, Table, Unmet, check, chunks, delete, put, update
from blackstart.changes.log import Block, Drill, Entry, Fault, Lease, Mark, refuse, refuse_held
from blackstart.changes.model import Change, State, new_id
from blackstart.changes.owner import Owner
from blackstart.errors import DrillStopped, UndoLogUnusable

TRIES, LOOKS = 50, 8
FREE = "attribute_not_exists(pk)"
KNOWN = "attribute_exists(pk)"
NOT_ENDED = f"{KNOWN} AND attribute_not_exists(#ended)"
GOES_ON = f"{NOT_ENDED} AND attribute_not_exists(#stop)"


class DynamoLog:
    """In ``table``, which is reached by the AWS environment."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def url(self) -> str:
        return self._table.url

    @property
    def region(self) -> str:
        return self._table.region

    def begin(self, drill: Drill) -> None:
        with self._reading():
            for _ in range(TRIES):
                register, block, known = self._table.snapshot([REGISTER, BLOCK, drill_key(drill.id)])
                self._register(register)
                refuse(f"starting drill {drill.id}", block_of(block))
                if known or self._try(*_birth(drill), _numbered(drill.id, 0), check(BLOCK, FREE)):
                    return
        raise self._outrun()

    def append(self, drill: Drill, fault: Fault, changes: Sequence[Change]) -> int:
        token = new_id()
        first, *more = pieces(changes)
        written = {"fault": told(fault), "changes": first, "token": token, "pieces": len(more)}
        with self._reading():
            for tries in range(TRIES):
                register, known = self._look(drill, fault, changes)
                if tries == 0:
                    for number, piece in enumerate(more, 1):
                        self._table.write(put(piece_key(drill.id, token, number), {"changes": piece}))
                number = int(register.get(DRILL + drill.id, 0)) + 1
                header = fault_key(drill.id, number)
                if self._try(
                    put(header, written, FREE),
                    _numbered(drill.id, number, register.get("version", 0)),
                    check(BLOCK, FREE),
                    *([check(drill_key(drill.id), GOES_ON)] if known else _birth(drill)),
                ):
                    return number
                found = self._table.get(header)
                if found and found["token"] == token:  # the answer got lost, and what was met is our own
                    return number
        raise self._outrun()

    def mark(self, drill: str, marks: Mapping[str, Mark]) -> None:
        states = {mark.state for mark in marks.values()}
        reason = ""
        for some in chunks(list(marks.items()), MOST_ITEMS - 1):
            acts = [
                put(mark_key(drill, change), {"state": mark.state.value, "note": mark.note}) for change, mark in some
            ]
            if states == {State.VERIFIED}:
                self._table.write(*acts)
            elif not self._try(*acts, check(drill_key(drill), GOES_ON if State.APPLIED in states else NOT_ENDED)):
                reason, listing = self._listing(drill)
                if not self._try(*acts, *listing):
                    self._table.write(*acts)
        if reason and State.APPLIED in states:
            raise DrillStopped(drill, reason)

    def entries(self, drill: str) -> list[Entry]:
        with self._reading():
            return entries_of(drill, self._table.query(DRILL + drill))

    def drills(self) -> list[Drill]:
        with self._reading():
            register = self._register(self._table.get(REGISTER))
            listed = counts(register)
            items = self._table.snapshot([drill_key(drill) for drill in listed])
            found = [
                known_drill(item)
                for drill, item in zip(listed, items, strict=True)
                if not (item and "ended" in item) or self._open(drill, register)
            ]
            return sorted(found, key=lambda drill: (drill.started, drill.id))

    def find(self, drill: str) -> Drill | None:
        with self._reading():
            found = self._table.get(drill_key(drill))
            return known_drill(found) if found else None

    def end(self, drill: str) -> None:
        self._try(update(drill_key(drill), "SET #ended = :yes", KNOWN, {"yes": True}))

    def beat(self, drill: str, holder: Owner) -> bool:
        change = "SET #beats = #beats + :one"
        return self._try(update(lease_key(drill), change, "#holder = :me", {"one": 1, "me": told(holder)}))

    def lease(self, drill: str) -> Lease | None:
        with self._reading():
            found = self._table.get(lease_key(drill))
            return Lease(Owner(**json.loads(found["holder"])), found["beats"]) if found else None

    def take(self, drill: str, holder: Owner, seen: Lease) -> bool:
        taken = Lease(holder, seen.beats + 1)
        values = {"me": told(holder), "next": taken.beats, "holder": told(seen.holder), "beats": seen.beats}
        as_seen = "#holder = :holder AND #beats = :beats"
        if self._try(update(lease_key(drill), "SET #holder = :me, #beats = :next", as_seen, values)):
            return True
        return self.lease(drill) == taken  # the answer got lost, and what was met is our own

    def stop(self, drill: str, reason: str) -> None:
        first = f"{KNOWN} AND attribute_not_exists(#stop)"
        self._try(update(drill_key(drill), "SET #stop = :reason", first, {"reason": reason}))

    def stopping(self, drill: str) -> str:
        return str((self._table.get(drill_key(drill)) or {}).get("stop", ""))

    def block(self, block: Block) -> None:
        self._table.write(put(BLOCK, {"block": told(block)}))

    def unblock(self) -> bool:
        was_on = self._table.get(BLOCK) is not None
        self._table.write(delete(BLOCK))
        return was_on

    def blocked(self) -> Block | None:
        with self._reading():
            return block_of(self._table.get(BLOCK))

    def close(self) -> None:
        self._table.close()

    def _look(self, drill: Drill, fault: Fault, changes: Sequence[Change]) -> tuple[Item, Item | None]:
        """The register and the drill's own item, once nothing stands against the fault."""
        register, block, known = self._table.snapshot([REGISTER, BLOCK, drill_key(drill.id)])
        register = self._register(register)
        refuse(fault.subject, block_of(block), stopped(known))
        others = [other for other in counts(register) if other != drill.id]
        refuse_held(fault, changes, [entry for other in others for entry in self._open(other, register)])
        return register, known

    def _open(self, drill: str, register: Item) -> list[Entry]:
        """The open changes of a drill that ``register`` has. One that has ended, and has none, leaves the register."""
        for tries in range(LOOKS):
            items = self._table.query(DRILL + drill)
            # Items of one transaction may come into sight one after the other.
            if sum(map(is_fault, items)) >= register[DRILL + drill]:
                break
            self._table.wait(tries)
        else:
            raise UndoLogUnusable(self.url, f"the faults of drill {drill} are not all there")
        found = [entry for entry in entries_of(drill, items) if entry.open]
        if not found and any(item["sk"] == "drill" and "ended" in item for item in items):
            seen, names = {"version": register["version"]}, {"#drill": DRILL + drill}
            leave = update(REGISTER, "REMOVE #drill", "#version = :version", seen, names)
            with suppress(UndoLogUnusable):  # who may only read the log leaves that to others
                self._try(leave)
        return found

    def _listing(self, drill: str) -> tuple[str, list[Act]]:
        """Why the drill may go no further, and what puts it back into the register if it has ended: it may have open
        changes again."""
        items = self._table.query(DRILL + drill)
        known = next((item for item in items if item["sk"] == "drill"), None)
        ended = known is not None and "ended" in known
        return stopped(known), [_numbered(drill, sum(map(is_fault, items)))] if ended else []

    def _register(self, found: Item | None) -> Item:
        if found and found["format"] != FORMAT:
            problem = f"it has format {found['format']}, and this Blackstart reads format {FORMAT}"
            raise UndoLogUnusable(self.url, f"{problem}; use the version of Blackstart that wrote it, or another table")
        return found or {}

    def _try(self, *acts: Act) -> bool:
        """Whether all conditions held, and so it was done."""
        try:
            self._table.write(*acts)
        except Unmet:
            return False
        return True

    def _outrun(self) -> UndoLogUnusable:
        return UndoLogUnusable(self.url, f"others wrote to it at the same time, {TRIES} times in a row")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Errors of what the table holds, as a sentence that names it."""
        try:
            yield
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise UndoLogUnusable(self.url, f"it holds something that is not a record: {error}") from error


def _birth(drill: Drill) -> tuple[Act, ...]:
    """What makes a drill known, unless it is."""
    lease = {"holder": told(drill.owner), "beats": 0}
    return put(drill_key(drill.id), {"drill": told(drill)}, FREE), put(lease_key(drill.id), lease)


def _numbered(drill: str, number: int, version: int | None = None) -> Act:
    """The drill has ``number`` faults, if the register still is of ``version``; None: unless it counts them already."""
    values: dict[str, Any] = {"format": FORMAT, "number": number, "one": 1}
    counted, condition = ":number", "attribute_not_exists(#version)"
    if version is None:
        counted, condition = "if_not_exists(#drill, :number)", f"{FREE} OR #format = :format"
    elif version:
        values["version"], condition = version, "#version = :version"
    change = f"SET #format = :format, #drill = {counted} ADD #version :one"
    return update(REGISTER, change, condition, values, {"#drill": DRILL + drill})
