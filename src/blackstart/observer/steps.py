"""The steps of a fail-over, from when each was seen to be done, or was said to be by the platform or an operator. Pure.

- detect: the platform said that the primary is unhealthy
- decide: it said that it fails over
- reroute: the service's name was first given other addresses
- promote: the database's writer was seen in another region, and the platform said so, if it does
- scale: the deployment in the standby region first had all the replicas that it was scaled up to
- warm: the standby region's cache first answered nine of ten reads
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blackstart.observer.events import Event
from blackstart.observer.samples import Cache, Kind, Mask, Outcome, Samples
from blackstart.observer.table import chunks, collect

_SEEN_BY = {"dns": "reroute", "writer": "promote", "ready": "scale"}
STEPS = ("detect", "decide", "reroute", "promote", "scale", "warm")
REST = "serve"  # from the last step seen until users were served again
OPERATOR = "operator"
WARM_SHARE = 0.9
WARM_READS = 50
FIRST_READS = 1 << 12


@dataclass(frozen=True)
class Step:
    """One row of where the time went; ``began`` and ``ended`` in seconds since the origin.

    ``status``: ``inside`` the recovery time: ``seconds`` of it; ``after``: seen only once users were served again
    (``ended`` is when, the rest None); ``absent``: it did not happen, because who would have seen it was looking;
    ``unseen``: not observed; in both everything is None. ``evidence``: what shows that it was done, in a few words.
    """

    name: str
    began: float | None
    ended: float | None
    seconds: float | None
    status: str
    evidence: str = ""


def split_steps(
    fault_at: float,
    recovered_at: float,
    seen: Mapping[str, float],
    error_seconds: float = 0.0,
    watched: Collection[str] = (),
) -> list[Step]:
    """Cut the recovery time at the moments in ``seen`` (step → when it was seen done). Of the others, those in
    ``watched`` did not happen, the rest are not observed.

    Steps come in the order of time; each begins where the one before ended, the first at the fault; what is left
    until ``recovered_at`` is a step of its own, `REST`. Edges are whole microseconds from the fault, so that the
    seconds add up to the recovery time. Then those seen after recovery, then those never seen. A moment before the
    fault shows nothing; one within the recovery's ± ``error_seconds`` counts as at the recovery, because nobody can
    tell which was first.
    """
    known = {name: at for name in STEPS if (at := seen.get(name)) is not None and at >= fault_at}
    known = {name: recovered_at if 0 < at - recovered_at <= error_seconds else at for name, at in known.items()}
    inside = sorted((name for name in known if known[name] <= recovered_at), key=lambda name: known[name])
    after = sorted((name for name in known if known[name] > recovered_at), key=lambda name: known[name])
    edges = [(name, _micros(known[name] - fault_at)) for name in inside]
    edges.append((REST, _micros(recovered_at - fault_at)))
    rows, began = [], 0
    for name, ended in edges:
        rows.append(Step(name, fault_at + began / 1e6, fault_at + ended / 1e6, (ended - began) / 1e6, "inside"))
        began = ended
    rows += [Step(name, None, known[name], None, "after") for name in after]
    missing = [name for name in STEPS if name not in known]
    rows += [Step(name, None, None, None, "absent" if name in watched else "unseen") for name in missing]
    return rows


def _micros(seconds: float) -> int:
    return round(seconds * 1e6)


def seen(events: Sequence[Event], samples: Samples, fault_at: float, home_region: str) -> dict[str, float]:
    """When each step was first seen done after ``fault_at``; a step that was not seen is not in it."""
    found = {
        "detect": _first(events, fault_at, "detect"),
        "decide": _first(events, fault_at, "decide"),
        "reroute": _rerouted(events, fault_at),
        "promote": _promoted(events, samples, fault_at, home_region),
        "scale": _scaled(events, fault_at),
        "warm": _warm(events, samples, fault_at, home_region),
    }
    return {name: at for name, at in found.items() if at is not None}


def watched(events: Sequence[Event], samples: Samples, fault_at: float, home_region: str) -> frozenset[str]:
    """The steps that would have been seen: somebody was looking before the fault, and could look to the end.

    Whether somebody detects or decides is not seen but told, so nobody can say that it did not happen.
    """
    looking = {each.kind for each in events if each.at < fault_at and not _told(each)}
    sees = {str(each.fields["watch"]): bool(each.fields.get("sees")) for each in events if "watch" in each.fields}
    found = {step for kind, step in _SEEN_BY.items() if kind in looking and sees.get(kind, True)}
    databases = {each.fields.get("region"): each.fields.get("state") for each in events if each.kind == "database"}
    if "reader" in {state for region, state in databases.items() if region != home_region}:
        found.add("promote")
    later = samples.between(fault_at, float("inf"))
    if any(_elsewhere(later, part, home_region)[later.cache[part] != Cache.NONE].any() for part in chunks(len(later))):
        found.add("warm")
    return frozenset(found)


def _first(events: Sequence[Event], fault_at: float, kind: str) -> float | None:
    return min((each.at for each in events if each.kind == kind and each.at >= fault_at), default=None)


def _rerouted(events: Sequence[Event], fault_at: float) -> float | None:
    """What users were given counts; the word of somebody who changed a record only where nothing of it was seen."""
    dns = [each for each in events if each.kind == "dns"]
    moments = (
        float(each.fields["first_new"])
        for each in dns
        if not _told(each) and each.fields["last_old"] is not None and each.fields["first_new"] >= fault_at
    )
    shown = min(moments, default=None)
    return _first([each for each in dns if _told(each)], fault_at, "dns") if shown is None else shown


def _promoted(events: Sequence[Event], samples: Samples, fault_at: float, home_region: str) -> float | None:
    """When all who tell of it have: the API may name the new writer before it takes writes, so the platform's own
    word counts as well; but not later than the first write that another region acknowledged."""
    told = _first([each for each in events if _told(each)], fault_at, "writer")
    moved = [each for each in events if not _told(each) and each.fields.get("region") != home_region]
    shown = _first(moved, fault_at, "writer")
    asked = [each for each in moved if each.fields.get("state") == "writer" and each.fields.get("before") != "writer"]
    known = [at for at in (told, shown, _first(asked, fault_at, "database")) if at is not None]
    return min(max(known), _written_elsewhere(samples, fault_at, home_region)) if known else None


def _written_elsewhere(samples: Samples, fault_at: float, home_region: str) -> float:
    later, first = samples.between(fault_at, float("inf")), float("inf")
    for part in chunks(len(later)):
        here = later.table.part(part)
        if here.intended(slice(0, 1))[0] >= first:
            break
        written = _elsewhere(later, part, home_region) & (here.kind == Kind.WRITE)
        first = min(first, float(here.ended(written).min(initial=first)))
    return first


def _elsewhere(samples: Samples, part: slice, home_region: str) -> Mask:
    """Which of these requests another region than home answered."""
    away = np.array([name not in {"", home_region} for name in samples.names("region")])
    answered: Mask = away[samples.region[part]] & (samples.outcome[part] == Outcome.OK)
    return answered


def _scaled(events: Sequence[Event], fault_at: float) -> float | None:
    """All replicas ready, once more are wanted than before the fault; or the platform says so."""
    before = [each for each in events if each.kind == "ready" and "desired" in each.fields and each.at < fault_at]
    usual = max(before, key=lambda each: each.at).fields["desired"] if before else 0
    moments = (
        each.at
        for each in events
        if each.kind == "ready" and each.at >= fault_at and (_told(each) or _grown(each, usual))
    )
    return min(moments, default=None)


def _told(event: Event) -> bool:
    """Whether somebody said so: the platform, or an operator; it was not seen."""
    return "reason" in event.fields or event.fields.get("source") == OPERATOR


def _grown(event: Event, usual: int) -> bool:
    ready, desired = event.fields["ready"], event.fields["desired"]
    return bool(desired > usual and ready >= desired)


def _warm(events: Sequence[Event], samples: Samples, fault_at: float, home_region: str) -> float | None:
    told = _first(events, fault_at, "cache")
    shown = _hits_enough(samples, fault_at, home_region)
    return min((at for at in (told, shown) if at is not None), default=None)


def _hits_enough(samples: Samples, fault_at: float, home_region: str) -> float | None:
    """When `WARM_SHARE` of the last `WARM_READS` cached reads in another region were hits."""
    later = samples.between(fault_at, float("inf"))

    def cached(part: slice) -> NDArray[np.intp]:
        said = _elsewhere(later, part, home_region) & (later.cache[part] != Cache.NONE)
        places: NDArray[np.intp] = np.flatnonzero(said) + part.start
        return places

    places = collect(len(later), cached, np.uint32)
    looked = FIRST_READS
    while True:  # answers come nearly in the order in which they were due, so the first few tell when
        here = places[:looked]
        ended = later.table.ended(here)
        order = np.argsort(ended, kind="stable")
        ended, hits = ended[order], np.cumsum(np.concatenate(([0], later.cache[here][order] == Cache.HIT)))
        enough = np.flatnonzero(hits[WARM_READS:] - hits[:-WARM_READS] >= WARM_SHARE * WARM_READS)
        found = float(ended[enough[0] + WARM_READS - 1]) if len(enough) else None
        rest = later.table.intended(places[looked : looked + 1])
        if not len(rest) or (found is not None and found < rest[0]):
            return found
        looked *= 4
