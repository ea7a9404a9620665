"""Did the fault show? A fault that nothing felt proves nothing about the platform. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from blackstart.journals import numbers
from blackstart.journals.cold import colder
from blackstart.observer.answers import answers
from blackstart.observer.events import Event
from blackstart.observer.samples import Cause, Outcome, Samples

LEAST_ANSWERS = 3  # expected at the rate before the fault, for silence to mean anything
SURE_ANSWERS = 10  # the same for who looks again and again, and must not take a short silence for an effect
_KINDS = ("region", "zone", "pod")


def effects(samples: Samples, events: Sequence[Event], fault_at: float, until: float, end: float) -> tuple[str, ...]:
    """One sentence for each way in which the fault showed; empty if it did not.

    ``fault_at`` … ``until`` (undo began) is the time in which regions, zones and pods may fall silent; failures count
    to ``end``. Times in seconds since the origin; those in the sentences from the fault.
    """
    after = samples.between(fault_at, until)
    hurt = _failed(samples.between(fault_at, end), fault_at)
    before = samples.between(float("-inf"), fault_at)
    missed = colder(before, after, fault_at)
    return (*hurt, *_silent(samples, after, fault_at), *missed, *_told(events, fault_at, until))


def felt(samples: Samples, fault_at: float, until: float) -> tuple[str, ...]:
    """What users have felt of a fault by ``until``, while it is in place, as sentences; empty as long as nothing."""
    after = samples.between(fault_at, until)
    return (*_failed(after, fault_at), *_silent(samples, after, fault_at, SURE_ANSWERS))


def _failed(samples: Samples, fault_at: float) -> Iterable[str]:
    failed = (samples.outcome != Outcome.OK) & (samples.cause != Cause.UNSENT)
    if failed.any():
        first = numbers.offset(samples.table.intended(np.array([failed.argmax()]))[0] - fault_at)
        count = numbers.count(int(np.count_nonzero(failed)))
        yield f"{count} of {numbers.plural(len(samples), 'request')} failed, the first due at {first}"


def _silent(samples: Samples, after: Samples, fault_at: float, least: int = LEAST_ANSWERS) -> Iterable[str]:
    """Regions, else zones, else pods that answered before the fault and stopped; at ``least`` so many were due."""
    if not len(after):
        return
    before = samples.between(float("-inf"), fault_at)
    # What stopped must be silent for all of the second half: in-flight answers come after the fault, and a pod that
    # answers rarely is not gone; so it must also have been due to answer a few times in that half.
    quiet_from = fault_at + (after.table.intended(np.array([-1]))[0] - fault_at) / 2
    for kind in _KINDS:
        counts = {name: each.requests for name, each in answers(before, kind).items() if name}
        last = {name: each.last for name, each in answers(after, kind).items()}
        due = {each: n / len(before) * len(after) / 2 for each, n in counts.items()}
        gone = sorted(each for each, n in due.items() if n >= least and last.get(each, fault_at) < quiet_from)
        if gone:
            yield from (_stopped(kind, each, counts[each], last.get(each), fault_at) for each in gone[:3])
            if len(gone) > 3:
                yield f"{len(gone) - 3} more {kind}s stopped answering"
            return


def _stopped(kind: str, name: str, answers: int, last: float | None, fault_at: float) -> str:
    when = "from the fault on" if last is None or last < fault_at else f"after {numbers.offset(last - fault_at)}"
    return f"{kind} {name} answered {numbers.plural(answers, 'request')} before the fault and none {when}"


def _told(events: Sequence[Event], fault_at: float, until: float) -> Iterable[str]:
    """Other observations: the database's writer moved, names resolve elsewhere, replicas went missing."""
    later = [event for event in events if fault_at < event.at <= until]
    for event in later:
        when = numbers.offset(event.at - fault_at)
        if event.kind == "dns" and event.fields.get("before"):
            yield f"the service's name moved from {_list(event, 'before')} to {_list(event, 'after')} at {when}"
    known = [
        str(event.fields.get("region", ""))
        for event in events
        if event.kind == "writer" and event.at <= fault_at and event.fields.get("region")
    ]
    for event in later:
        region = str(event.fields.get("region", ""))
        if event.kind == "writer" and known and region and region != known[-1]:
            yield f"the database's writer moved from {known[-1]} to {region} at {numbers.offset(event.at - fault_at)}"
            known.append(region)
    ready = [event for event in events if event.kind == "ready" and isinstance(event.fields.get("ready"), int)]
    least = min((_number(event) for event in ready if fault_at < event.at <= until), default=None)
    usual = max((_number(event) for event in ready if event.at <= fault_at), default=None)
    if least is not None and usual is not None and least < usual:
        yield f"ready replicas fell from {usual} to {least}"


def _number(event: Event) -> int:
    return int(event.fields["ready"])


def _list(event: Event, name: str) -> str:
    value = event.fields.get(name)
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
