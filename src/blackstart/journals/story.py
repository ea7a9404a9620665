"""The story of each change of a drill, put together from the transitions in ``changes.jsonl``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from blackstart.changes.model import State
from blackstart.observer.events import takes_nothing

Json = Any


@dataclass(frozen=True)
class ChangeStory:
    """One change from plan to proof. Times in seconds since the drill's origin, None where it did not get that far.

    ``began`` is just before the call that applied it, ``applied`` just after. ``note`` is what was said last (how it
    was verified, or what is in the way); ``by`` who made the last transition: drill, reverter or recover.
    ``before`` and ``after`` are the state to restore and the state that was made. ``harmless``: it takes nothing away.
    """

    id: str
    kind: str = ""
    target: str = ""
    zone: str = ""
    summary: str = ""
    undo_summary: str = ""
    before: Json = None
    after: Json = None
    state: str = State.PLANNED
    planned: float | None = None
    began: float | None = None
    applied: float | None = None
    undone: float | None = None
    verified: float | None = None
    note: str = ""
    by: str = ""
    harmless: bool = False

    @property
    def left(self) -> bool:
        """Whether something of it may still be in place: only ``verified`` proves that nothing is."""
        return self.state != State.VERIFIED

    @property
    def made(self) -> bool:
        """Whether it may have been applied at all: a call began, or nobody knows because the writer was killed."""
        return self.began is not None or self.applied is not None


def stories(lines: Sequence[Mapping[str, Json]], origin: float) -> tuple[ChangeStory, ...]:
    """Fold transitions, oldest first, into one story a change, in the order of their plans."""
    found: dict[str, ChangeStory] = {}
    for line in lines:
        change, state = line.get("change"), line.get("state")
        if not isinstance(change, str) or state not in list(State):
            continue
        story = found.get(change, ChangeStory(id=change))
        found[change] = _next(story, line, State(state), origin)
    return tuple(found.values())


def _next(story: ChangeStory, line: Mapping[str, Json], state: State, origin: float) -> ChangeStory:
    at = _seconds(line.get("monotonic"), origin)
    story = replace(story, state=state, note=str(line.get("note") or ""), by=str(line.get("by") or ""))
    if state is State.PLANNED:
        record = line.get("record")
        return replace(_described(story, record if isinstance(record, dict) else {}), planned=at)
    if state is State.APPLIED:
        began = _seconds(line.get("began"), origin)
        return replace(story, applied=at, began=at if began is None else began)
    if state is State.UNDONE:
        return replace(story, undone=at)
    return replace(story, verified=at) if state is State.VERIFIED else story


def _described(story: ChangeStory, record: Mapping[str, Json]) -> ChangeStory:
    target = record.get("target")
    named = target if isinstance(target, dict) else {}
    return replace(
        story,
        kind=str(record.get("kind", "")),
        target=f"{named.get('kind', '')} {named.get('id', '')}".strip(),
        zone=str(named.get("zone", "")),
        summary=str(record.get("summary", "")),
        undo_summary=str(record.get("undo_summary", "")),
        before=record.get("before"),
        after=record.get("after"),
        harmless=takes_nothing(record),
    )


def _seconds(monotonic: Json, origin: float) -> float | None:
    return float(monotonic) - origin if isinstance(monotonic, int | float) else None
