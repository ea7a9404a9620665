"""Plans for the scenes beside the outages of a timeline, and what is true of them. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

from truth_bed import Planted, Seen
from truth_judge import quantile
from truth_plan import ERROR, FORGET, HOLE, LATE, LIE, QUIET, REFUSE, SLOW, STALL, Plan, Trouble, Turn, flapping

from blackstart.observer import analysis, ledger
from blackstart.observer.samples import Kind, Outcome

TWO = ("127.0.0.2", "127.0.0.3")
LONG_STALL = (6.0, 16.0, 22.0)  # began, ended, looked at until


def long_stall(mode: str) -> Plan:
    """10 s out of 22 in which nothing is answered: then all at once (stall), or never (hole)."""
    began, ended, until = LONG_STALL
    return Plan(7, until + 1, (Trouble(began, ended, mode),))


def long_stall_span(seen: Seen) -> tuple[float, float]:
    """The 22 seconds, in seconds since the origin."""
    began, _, until = LONG_STALL
    first = seen.truth.planted[0].began - began
    return first, first + until


def names(seed: int, times: int = 6) -> Plan:
    """The address in DNS dies; some time later DNS tells the other; the first comes back; and the other way round."""
    chance, at, here = random.Random(seed), 2.0, 0
    troubles, turns = [], [Turn(0.0, TWO[:1])]
    for _ in range(times):
        turn = at + chance.uniform(0.2, 1.2)
        troubles.append(Trouble(round(at, 6), round(turn + 1.6, 6), REFUSE, TWO[here]))
        here = 1 - here
        turns.append(Turn(round(turn, 6), (TWO[here],)))
        at = turn + 1.6 + chance.uniform(1.0, 1.5)
    return Plan(seed, at, tuple(troubles), TWO, turns=tuple(turns))


@dataclass(frozen=True)
class NameError:
    """Seconds, measured minus true: when DNS fail-over was complete for this client, and the recovery time; None: not
    measured. ``covered``: the truth lies inside the recovery time's error bar."""

    failover: float | None
    rto: float | None
    covered: bool | None


def name_errors(seen: Seen) -> list[NameError]:
    """For each change of DNS. The truth: when the DNS server first told this client the new address."""
    found = []
    planted, share, window = seen.truth.planted, seen.observing.recovery_share, 0.3
    for place, each in enumerate(planted):
        new = seen.plan.turns[place + 1].addresses
        told = next((at for at, addresses in seen.truth.names if addresses == new and at > each.began), None)
        until = planted[place + 1].began - 0.02 if place + 1 < len(planted) else seen.samples.complete_until
        if told is None:
            continue
        failover = analysis.dns_failover(seen.events, each.began)
        around = seen.samples.between(each.began - 0.5, until)
        recovery = analysis.recovery(around, each.began, share, window, until)
        rto = None if recovery.at is None else recovery.at - told
        covered = None if rto is None else abs(rto) <= recovery.error_seconds + each.slack
        found.append(NameError(None if failover is None else failover.at - told, rto, covered))
    return found


MIXED = {"errors": 0.3, "slow": 0.05}


def mixed(seed: int) -> Plan:
    """Error shares, half-broken zones, flapping and a slow tail, one after the other, at two addresses."""
    troubles = (
        Trouble(1, 7, ERROR, share=MIXED["errors"]),
        Trouble(9, 15, HOLE, TWO[1]),
        Trouble(17, 23, REFUSE, TWO[1]),
        *flapping(25, 12, 0.11, 0.07),
        Trouble(30, 38, SLOW, share=MIXED["slow"], delay=0.25),
    )
    return Plan(seed, 39, troubles, TWO, turns=(Turn(0, TWO),), ttl=60)


@dataclass(frozen=True)
class Compared:
    """One figure: measured and true, in its own unit."""

    what: str
    measured: float
    true: float

    @property
    def error(self) -> float:
        return self.measured - self.true


def mixed_figures(seen: Seen) -> list[Compared]:
    """Availability in percent, times in milliseconds. ``truth_plan.mixed``'s order of troubles."""
    samples, planted = seen.samples, seen.truth.planted
    errors, hole, refused, flaps, slow = planted[0], planted[1], planted[2], planted[3:-1], planted[-1]
    asked = seen.truth.between(errors.began, errors.ended)
    served = sum(each.status < 400 for each in asked) / len(asked)
    found = [_available(seen, "30 % of requests fail", errors, served)]
    for zone, what in ((hole, "one of two zones hangs"), (refused, "one of two zones refuses")):
        found.append(_available(seen, what, zone, 0.5))
        found += [_available(seen, f"{what}: {kind.name.lower()}s", zone, 0.5, kind) for kind in Kind]
    fault, until = flaps[0].began, slow.began - 0.1
    recovery = analysis.recovery(samples.between(fault - 1, until), fault, 0.99, 1.0, until)
    measured = float("nan") if recovery.seconds is None else recovery.seconds
    found.append(Compared("flapping: recovery time", 1000 * measured, 1000 * (flaps[-1].ended - fault)))
    took = [each.ended - each.arrived for each in seen.truth.between(slow.began, slow.ended) if each.status]
    latency = analysis.latency(samples, slow.began, slow.ended)
    for percent, told in ((50, latency.p50), (95, latency.p95), (99, latency.p99)):
        found.append(Compared(f"a slow tail: p{percent}", 1000 * told, 1000 * quantile(took, percent)))
    return found


def _available(seen: Seen, what: str, trouble: Planted, true: float, kind: Kind | None = None) -> Compared:
    samples = seen.samples if kind is None else seen.samples.of(kind)
    rows = samples.between(trouble.began, trouble.ended)
    ok = sum(row.ok for row in rows.rows)
    return Compared(f"availability, {what}", 100 * ok / max(len(rows), 1), 100 * true)


LATE_SECONDS = 3.0


def writes(seed: int, seconds: float = 20.0) -> Plan:
    """Stretches in which a part of the writes is dropped, not acknowledged, refused though applied, late, and so on."""
    modes = [FORGET, QUIET, ERROR, LIE, HOLE, STALL, REFUSE]
    each = seconds / (2 * len(modes) + 2)
    troubles = [
        Trouble(each * (2 * place + 1), each * (2 * place + 2), mode, share=1.0 if mode in (REFUSE, STALL) else 0.5)
        for place, mode in enumerate(modes)
    ]
    late = Trouble(seconds - 0.8, seconds, LATE, share=0.5, delay=LATE_SECONDS)
    return Plan(seed, seconds + 0.2, (*troubles, late))


@dataclass(frozen=True)
class Class:
    """Writes of one class: how many we said, how many there truly were, and how many only one of the two names."""

    name: str
    measured: int
    true: int
    wrong: int


def write_classes(seen: Seen) -> list[Class]:
    """The ledger's classes against the server's own books. An answer that the server gave and that did not come in
    time is not acknowledged: nobody heard it."""
    result, truth = ledger.check(seen.writes, seen.reads), seen.truth
    heard = {write.key for write in seen.writes if write.outcome is Outcome.OK}
    refused = {write.key for write in seen.writes if write.outcome is Outcome.FAILED}
    sent = {write.key for write in seen.writes}
    last, first = seen.reads[-1], seen.reads[0]
    readable = {key for key, at in truth.stored.items() if at <= last.began}
    late = {key for key in heard & readable if truth.stored[key] > first.ended}
    pairs = {
        "acknowledged by nobody": (heard - set(truth.acknowledged), set()),
        "lost": ({each.write.key for each in result.lost}, (heard & set(truth.acknowledged)) - readable),
        "recovered": ({each.key for each in result.recovered}, readable - heard - refused),
        "unknown": ({each.key for each in result.unknown}, sent - heard - refused - readable),
        "unexpected": (set(result.unexpected), readable & refused),
    }
    found = [Class(name, len(ours), len(true), len(ours ^ true)) for name, (ours, true) in pairs.items()]
    return [*found, Class("late", result.late, len(late), abs(result.late - len(late)))]
