"""What the users of a load saw, beside what the observer measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blackstart.journals import loaded, numbers
from blackstart.journals.loaded import Load
from blackstart.journals.measure import Measured
from blackstart.load.analysis import Held


@dataclass(frozen=True)
class CrowdView:
    """``title`` is "" for a drill without a load. ``rows``: what, as Locust counted it, and as the observer did."""

    title: str = ""
    sentence: str = ""
    rows: Sequence[tuple[str, str, str]] = ()


def load_of(measured: Measured) -> Load | None:
    """The load, lined up with the fault; None without a load or a fault."""
    if measured.load is None or measured.fault_at is None:
        return None
    stopped = [e.at for e in measured.events if e.kind == "load" and e.fields.get("state") == "stopped"]
    ends = [*stopped, measured.undo_at, measured.users.end if measured.users else None]
    known = [at for at in ends if at is not None and at > measured.fault_at]
    return loaded.lined_up(measured.load, measured.fault_at, min(known, default=measured.fault_at))


def facts(measured: Measured) -> Iterator[tuple[str, str]]:
    """For the terminal: a name and some words each."""
    load = load_of(measured)
    if load is None:
        return
    yield "users held", _held_words(load)
    made = f"{numbers.count(load.failures)} of {numbers.plural(load.requests, 'request')} of theirs failed"
    if load.p50 is not None and load.p99 is not None:
        made += f"; median {numbers.latency(load.p50)}, p99 {numbers.latency(load.p99)}"
    yield "load", made
    if load.reconnects is not None:
        yield "reconnects", _reconnect_words(load.reconnects)
    if load.recovery is not None:
        yield "served again", f"{_recovery_words(load)} for users who held connections"


def view(measured: Measured) -> CrowdView:
    """For the page."""
    load = load_of(measured)
    if load is None:
        return CrowdView()
    sentence = (
        "Locust’s users hold a connection each and think between requests: only their next request tells them of a "
        "fault. The observer asks all the time, and drops connections to addresses that have left DNS. Both are right."
    )
    return CrowdView(f"Under load: {numbers.count(load.asked)} users", sentence, tuple(_rows(measured, load)))


def _rows(measured: Measured, load: Load) -> Iterator[tuple[str, str, str]]:
    users = measured.users
    yield "Users held from the fault on", _held_words(load), "–"
    if load.open is not None:
        yield "Connections that they held", _range(load.open), "–"
    planned = users.whole.planned / (users.end - users.start) if users and users.end > users.start else None
    yield "Requests a second, before the fault", _rate(load.rate[0]), _rate(planned)
    yield "Requests a second, from the fault on", _rate(load.rate[1]), _rate(planned)
    before = 1 - users.baseline.share if users and users.baseline else None
    yield "Failed before the fault", _share(load.failed[0]), _share(before)
    since = 1 - users.since_fault.share if users and users.since_fault else None
    yield "Failed from the fault on", _share(load.failed[1]), _share(since)
    latency = users.latency if users else None
    yield "Median", _latency(load.p50), _latency(latency.p50 if latency else None)
    yield "p99", _latency(load.p99), _latency(latency.p99 if latency else None)
    if load.reconnects is not None:
        yield "Connections made again", _reconnect_words(load.reconnects), "–"
    recovery = users.recovery if users else None
    seconds = numbers.seconds(recovery.seconds) if recovery and recovery.seconds is not None else "not measured"
    yield "Served again after", _recovery_words(load), seconds


def _held_words(load: Load) -> str:
    if load.held is None:
        return f"not measured: {load.gap}"
    return f"{_range(load.held)} of {numbers.count(load.asked)} from the fault on"


def _range(held: Held) -> str:
    low, high = numbers.count(held.low), numbers.count(held.high)
    return low if low == high else f"{low}–{high}"


def _reconnect_words(made: tuple[int, int]) -> str:
    return f"{numbers.count(made[0])} after the fault, at most {numbers.count(made[1])} in a second"


def _recovery_words(load: Load) -> str:
    if load.recovery is None:
        return "not measured"
    if load.recovery.seconds is None:
        return "not before the fault was undone"
    return numbers.seconds_with_error(load.recovery.seconds, load.recovery.error_seconds)


def _rate(value: float | None) -> str:
    return "not measured" if value is None else numbers.count(round(value))


def _share(value: float | None) -> str:
    return "not measured" if value is None else numbers.share_percent(value)


def _latency(value: float | None) -> str:
    return "not measured" if value is None else numbers.latency(value)
