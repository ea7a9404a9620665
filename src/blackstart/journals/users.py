"""What users saw during one drill: every number that comes from the samples. Pure; the arithmetic is the observer's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from blackstart.errors import NotMeasured
from blackstart.journals.apart import Apart, apart
from blackstart.journals.effects import effects
from blackstart.observer import analysis, steps
from blackstart.observer.events import POLL_SECONDS, Event
from blackstart.observer.evidence import evidence
from blackstart.observer.lateness import allow_for_outage, allow_for_recovery
from blackstart.observer.samples import Samples
from blackstart.observer.streams import Stream, streams
from blackstart.settings import Observing

Span = tuple[float, float]


@dataclass(frozen=True)
class Users:
    """Times in seconds since the drill's origin, shares 0–1, latencies in seconds. None: ``gaps`` says why.

    ``start`` and ``end`` bound what is known of the requests. ``whole`` counts all of them, ``baseline`` those before
    the fault, ``since_fault`` the rest. ``latency`` leaves the outage out; ``before`` is until the fault, ``after``
    from recovery to undo. ``steps`` sum to the recovery time. ``effects`` are sentences: how the fault showed.
    ``baseline_end`` is the fault, ``until`` where judging recovery ends: at undo, else at the end; None without a
    fault. ``journeys``: each for itself, if there are several. ``outages`` are as the samples have them; ``longest``
    of them, and ``recovery``, allow for the observer's own lateness as well. ``longest_doubt``: why its length cannot
    be relied on, as the end of a sentence; "" if it can.
    """

    samples: Samples
    start: float
    end: float
    whole: analysis.Availability
    trust: analysis.Trust
    outages: Sequence[analysis.Outage] = ()
    baseline: analysis.Availability | None = None
    since_fault: analysis.Availability | None = None
    recovery: analysis.Recovery | None = None
    steps: tuple[steps.Step, ...] = ()
    latency: analysis.Percentiles | None = None
    before: analysis.Percentiles | None = None
    after: analysis.Percentiles | None = None
    dns: analysis.DnsFailover | None = None
    served_before: str | None = None
    served_after: str | None = None
    effects: tuple[str, ...] = ()
    baseline_end: float | None = None
    until: float | None = None
    gaps: Mapping[str, str] = field(default_factory=dict)
    journeys: tuple[Apart, ...] = ()
    longest: analysis.Outage | None = None
    longest_doubt: str = ""

    @property
    def moved(self) -> bool:
        """Whether another region than before the fault served users after recovery."""
        return bool(self.served_before and self.served_after and self.served_before != self.served_after)

    @property
    def still_failing(self) -> analysis.Availability | None:
        """The last window before undo (else the end), if too few requests were ok in it to count as recovered."""
        if self.until is None:
            return None
        header = self.samples.header
        try:
            last = analysis.availability(self.samples, self.until - header.recovery_window_seconds, self.until)
        except NotMeasured:
            return None
        return last if hurt(last) > (1 - header.recovery_share) * last.planned else None

    @property
    def had_outage(self) -> bool:
        """Whether users were hurt for longer than a single request; a recovery time of 0 is no outage."""
        recovery = self.recovery
        return recovery is not None and recovery.hurt_at is not None and recovery.seconds != 0

    @property
    def unserved(self) -> Span | None:
        """The longest stretch after the fault in which no request at all was ok; None if that was under a second."""
        if self.until is None or self.baseline_end is None:
            return None
        longest = analysis.longest_silence(self.samples, self.baseline_end, self.until)
        return longest if longest[1] - longest[0] >= 1 else None

    @property
    def recovered_at(self) -> float | None:
        return self.recovery.at if self.recovery else None


def hurt(availability: analysis.Availability) -> int:
    """Requests whose users were not served: failed ones, and writes whose fate is open."""
    return availability.failed + availability.unknown


def watched(
    samples: Samples, events: Sequence[Event], fault_at: float | None, undo_at: float | None, observing: Observing
) -> Users:
    """Compute everything. NotMeasured if there is not a single request whose fate is known."""
    if not len(samples):
        raise NotMeasured("what users saw", "the observer sent no request")
    start, last = samples.table.intended(np.array([0, -1])).tolist()
    # Requests that were under way when the observer was killed have no record; counting on would favour the others.
    end = samples.complete_until if samples.complete_until > start else last + samples.gap
    every = streams(samples)
    with ThreadPoolExecutor(1) as beside:  # a half of the work, of which numpy does nearly all
        outages = beside.submit(analysis.outages, samples, start, end, every)
        whole, kept = analysis.availability(samples, start, end), analysis.trust(samples, start, end)
        known = Users(samples=samples, start=start, end=end, whole=whole, trust=kept)
        if fault_at is None:
            known = _without_fault(known)
        else:
            recovery, gaps = _recovery(samples, every, (fault_at, undo_at), observing)
            known = _with_fault(known, events, (fault_at, undo_at), recovery, gaps)
        found = outages.result()
    longest, longest_doubt = allow_for_outage(samples, found.longest) if found.longest else (None, "")
    return replace(known, outages=found, longest=longest, longest_doubt=longest_doubt)


def _without_fault(users: Users) -> Users:
    gaps: dict[str, str] = {}
    latency = _percentiles(users, (users.start, users.end), "latency", gaps)
    journeys = apart(users.samples, users.start, users.end, ())
    return replace(users, latency=latency, before=latency, baseline=users.whole, gaps=gaps, journeys=journeys)


def _with_fault(
    users: Users,
    events: Sequence[Event],
    fault: tuple[float, float | None],
    recovery: analysis.Recovery | None,
    gaps: dict[str, str],
) -> Users:
    """``fault``: when it began, and when undoing it did."""
    samples, (fault_at, undo_at) = users.samples, fault
    at = recovery.at if recovery else None
    until = users.end if undo_at is None else min(undo_at, users.end)
    outage = (
        ()
        if recovery and (recovery.hurt_at is None or recovery.seconds == 0)
        else ((fault_at, users.end if at is None else at),)
    )
    before_undo = [event for event in events if event.at <= until]
    calm = fault_at if at is None else at
    return replace(
        users,
        baseline=_availability(users, users.start, fault_at, "baseline", gaps),
        since_fault=_availability(users, fault_at, users.end, "availability since the fault", gaps),
        recovery=recovery,
        steps=_steps(fault_at, recovery, samples, before_undo) if outage else (),
        latency=_percentiles(users, (users.start, users.end), "latency", gaps, outage),
        before=_percentiles(users, (users.start, fault_at), "latency before the fault", gaps),
        after=_percentiles(users, (calm, until), "latency after recovery", gaps) if at is not None else None,
        dns=analysis.dns_failover(events, fault_at),
        served_before=analysis.serving_region(samples, users.start, fault_at),
        served_after=analysis.serving_region(samples, calm, until) if at is not None else None,
        effects=effects(samples, events, fault_at, until, users.end),
        baseline_end=fault_at,
        until=until,
        gaps=gaps,
        journeys=apart(samples, users.start, users.end, outage),
    )


def _availability(
    users: Users, start: float, end: float, name: str, gaps: dict[str, str]
) -> analysis.Availability | None:
    try:
        return analysis.availability(users.samples, start, end)
    except NotMeasured as error:
        gaps[name] = error.why
        return None


def _percentiles(
    users: Users, within: Span, name: str, gaps: dict[str, str], excluding: Sequence[Span] = ()
) -> analysis.Percentiles | None:
    try:
        return analysis.latency(users.samples, *within, excluding)
    except NotMeasured as error:
        gaps[name] = error.why
        return None


def _steps(
    fault_at: float, recovery: analysis.Recovery | None, samples: Samples, events: Sequence[Event]
) -> tuple[steps.Step, ...]:
    if recovery is None or recovery.at is None:
        return ()
    home = samples.header.home_region
    seen = steps.seen(events, samples, fault_at, home)
    watched = steps.watched(events, samples, fault_at, home)
    late = recovery.error_seconds + POLL_SECONDS
    shows = evidence(events, seen)
    rows = steps.split_steps(fault_at, recovery.at, seen, late, watched)
    return tuple(replace(row, evidence=shows.get(row.name, "")) for row in rows)


def _recovery(
    samples: Samples, every: Sequence[Stream], fault: tuple[float, float | None], observing: Observing
) -> tuple[analysis.Recovery | None, dict[str, str]]:
    """The recovery, or why it is not known."""
    share, window = observing.recovery_share, observing.recovery_window_seconds
    (fault_at, undo_at), slowest = fault, observing.recovery_latency_seconds
    try:
        found = analysis.recovery(samples, fault_at, share, window, undo_at, slowest, every)
    except NotMeasured as error:
        return None, {"recovery time": error.why}
    return allow_for_recovery(samples, found, fault_at), {}
