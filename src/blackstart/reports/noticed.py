"""The report's part about monitoring: what it saw, and whether anybody was told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blackstart.journals import numbers
from blackstart.journals.measure import Measured
from blackstart.journals.monitored import Monitored
from blackstart.journals.noticed import added_up, sentence, share, words
from blackstart.monitoring.compare import Trouble, not_served, worst
from blackstart.monitoring.detection import Detection, Outcome
from blackstart.monitoring.model import Point, Signal
from blackstart.reports import figure_monitoring as figure
from blackstart.reports.figure_monitoring import AlertBar, Compared
from blackstart.reports.trust import Line

GLYPHS = {Outcome.FIRED: "✓", Outcome.SILENT: "✕", Outcome.SUPPRESSED: "✕"}


@dataclass(frozen=True)
class SignalRow:
    """One number of monitoring, or what users saw, in the same terms."""

    name: str
    source: str
    every: str
    before: str
    worst: str
    trouble: str
    down: str
    blind: str


@dataclass(frozen=True)
class NoticedView:
    """What the template prints; nothing if ``title`` is empty."""

    title: str = ""
    sentence: str = ""
    wide_svg: str = ""
    narrow_svg: str = ""
    alerts: Sequence[Line] = ()
    signals: Sequence[SignalRow] = ()


def view(measured: Measured) -> NoticedView:
    """Of a drill in which monitoring was asked."""
    seen, fault_at = measured.monitored, measured.fault_at
    if seen is None or fault_at is None:
        return NoticedView()
    wide, narrow = _figures(measured, seen, fault_at)
    return NoticedView(
        title="What monitoring saw",
        sentence=told(seen, fault_at),
        wide_svg=wide,
        narrow_svg=narrow,
        alerts=[Line(each.name, _said(each, fault_at), GLYPHS.get(each.outcome, "?")) for each in seen.alerts],
        signals=_rows(seen, fault_at),
    )


def told(seen: Monitored, fault_at: float) -> str:
    """What was seen, and how soon somebody was told."""
    first = seen.noticed
    if not seen.alerts:
        noticed = "No alert is expected to fire, so nothing says after how long anybody would have noticed."
    elif first is not None and first.fired is not None:
        noticed = f"The first alert fired {numbers.seconds(first.fired - fault_at)} after the fault."
    elif any(each.outcome in (Outcome.UNKNOWN, Outcome.BEFORE) for each in seen.alerts):
        noticed = "Whether an alert fired is not known."
    else:
        noticed = "Nobody was told: no alert fired after the fault."
    lost = f"What monitoring saw is not in this journal: {seen.no_record}." if seen.no_record else ""
    return " ".join(part for part in (sentence(seen), added_up(seen), noticed, lost) if part)


def facts(measured: Measured) -> list[tuple[str, str]]:
    """For the terminal: name and words."""
    seen, fault_at = measured.monitored, measured.fault_at
    if seen is None or fault_at is None:
        return []
    return [("monitoring", told(seen, fault_at))]


def _figures(measured: Measured, seen: Monitored, fault_at: float) -> tuple[str, str]:
    users = measured.users
    if users is None or not (seen.seen or seen.alerts):
        return "", ""
    first = seen.first
    points = not_served(first.signal) if first else ()
    start, end = users.start - fault_at, users.end - fault_at
    picture = Compared(
        start=start,
        end=end,
        users=_within(seen.points, fault_at, (start, end)),
        seen=_within(points, fault_at, (start, end)),
        seen_name=f"monitoring: {first.signal.name}" if first else "monitoring is asked for no share of requests",
        alerts=[_bar(each, fault_at) for each in seen.alerts],
        description=told(seen, fault_at),
        undone_from=None if measured.undo_at is None else measured.undo_at - fault_at,
    )
    return figure.draw(picture, figure.WIDE), figure.draw(picture, figure.NARROW)


def _within(points: Sequence[Point], fault_at: float, span: tuple[float, float]) -> list[Point]:
    """Moved so that 0 is the fault, and cut to ``span``."""
    moved = (replace(p, start=max(p.start - fault_at, span[0]), end=min(p.end - fault_at, span[1])) for p in points)
    return [point for point in moved if point.end > point.start]


def _said(alert: Detection, fault_at: float) -> str:
    return words(alert, fault_at).removeprefix(f"{alert.name} ")


def _bar(alert: Detection, fault_at: float) -> AlertBar:
    if alert.fired is None:
        return AlertBar(alert.name, (), _said(alert, fault_at))
    stretches = ((alert.fired, alert.resolved), *alert.again)
    moved = [(began - fault_at, None if ended is None else ended - fault_at) for began, ended in stretches]
    until = moved[0][1]
    after = f"fired {numbers.offset(alert.fired - fault_at)}"
    ended = "" if until is None else f", ended {numbers.offset(until)}"
    return AlertBar(alert.name, moved, after + ended)


def _rows(seen: Monitored, fault_at: float) -> list[SignalRow]:
    troubles = {each.signal.name: each.trouble for each in seen.seen}
    rows = []
    if seen.users is not None:
        before, highest = worst(seen.points, fault_at)
        row = SignalRow(
            "users", "the observer", "1\u00a0s", _shown("failed", before), _shown("failed", highest), "", "", ""
        )
        rows.append(_with_trouble(row, seen.users))
    for signal in seen.record.signals if seen.record else ():
        rows.append(_row(signal, troubles.get(signal.name), fault_at))
    return rows


def _row(signal: Signal, found: Trouble | None, fault_at: float) -> SignalRow:
    every = numbers.seconds_goal(signal.resolution_seconds)
    if signal.problem:
        return SignalRow(signal.name, f"{signal.source}: {signal.problem}", every, "–", "–", "–", "–", "–")
    points = not_served(signal) if signal.means == "served" else signal.points
    before, after = worst(points, fault_at, lowest=signal.means == "error_budget")
    shown = (_shown(signal.means, before), _shown(signal.means, after))
    row = SignalRow(signal.name, signal.source, every, *shown, "–", "–", "–")
    return row if found is None else _with_trouble(row, found)


def _with_trouble(row: SignalRow, found: Trouble) -> SignalRow:
    return replace(
        row,
        trouble=numbers.seconds_with_error(found.seconds, found.error_seconds) if found.seconds else "none",
        down=numbers.seconds(found.down_seconds),
        blind=numbers.seconds(found.blind_seconds) if found.blind_seconds else "–",
    )


def _shown(means: str, value: float | None) -> str:
    if value is None:
        return "–"
    if means == "latency":
        return numbers.latency(value)
    return f"{numbers.share_percent(value)} left" if means == "error_budget" else share(value)
