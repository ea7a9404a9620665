"""What happened during a drill, a line each, for people. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blackstart.journals import numbers
from blackstart.journals.story import ChangeStory
from blackstart.observer.events import Event


def described(events: Sequence[Event], changes: Sequence[ChangeStory]) -> list[tuple[float, str]]:
    """(seconds since origin, words) of every event and every transition of a change, in the order of time."""
    told = [(event.at, words(event)) for event in events if not _repeats(event)]
    return sorted([*told, *(line for change in changes for line in _transitions(change))])


def tally(changes: Sequence[ChangeStory]) -> str:
    """How far so many changes are: "and 84 more changes: 82 applied, 2 planned"; "" for none."""
    states = Counter(str(change.state) for change in changes)
    far = ", ".join(f"{numbers.count(states[state])} {state}" for state in sorted(states))
    return f"and {numbers.plural(len(changes), 'more change')}: {far}" if changes else ""


def _repeats(event: Event) -> bool:
    """Whether it only says that something is still as it was."""
    return event.kind in ("alert", "database") and event.fields.get("state") == event.fields.get("before")


def words(event: Event) -> str:
    """One event in plain words; kinds that are not known are shown as they are."""
    told: Mapping[str, Any] = event.fields
    if "reason" in told:
        return f"{event.kind}: {told['reason']} {told.get('message', '')}".rstrip()
    if event.kind == "dns":
        return f"{told.get('name', 'the name')} resolves to {', '.join(map(str, told.get('after', ())))}"
    if event.kind == "database":
        why = f" ({told['problem']})" if told.get("problem") else ""
        state = {"away": "cannot be asked", "writer": "is a writer", "reader": "is a reader"}
        return f"database in {told.get('region', '?')} {state.get(str(told.get('state')), '?')}{why}"
    if event.kind == "alert":
        why = f" ({told['problem']})" if told.get("problem") else ""
        return f"alert {told.get('name', '?')} of {told.get('source', '?')} is {told.get('state', '?')}{why}"
    if event.kind == "lost":
        return f"region {told.get('region', '?')} is taken away"
    if event.kind == "writer":
        return f"database writer in {told.get('region', '?')}"
    if event.kind == "ready":
        return f"{told.get('ready', '?')} of {told.get('desired', '?')} replicas ready in the standby region"
    if event.kind == "phase":
        return f"phase: {told.get('name', '?')}"
    rest = told.get("text") or " ".join(f"{key}={value}" for key, value in told.items())
    return f"{event.kind}: {rest}"


def _transitions(change: ChangeStory) -> Iterator[tuple[float, str]]:
    name = change.summary or change.id
    moments = (
        (change.planned, "planned"),
        (change.applied, "applied"),
        (change.undone, "undone"),
        (change.verified, "verified"),
    )
    yield from ((at, f"{state}: {name}") for at, state in moments if at is not None)
