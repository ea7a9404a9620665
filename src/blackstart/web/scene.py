"""A drill that is not over, in words: the same facts as the terminal's live view. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blackstart.journals import numbers
from blackstart.reports import snapshot as words
from blackstart.reports.events import described, tally
from blackstart.reports.snapshot import Snapshot
from blackstart.web import strips
from blackstart.web.standing import Stage

HAPPENINGS = 40
ONE_BY_ONE = 20
LATEST = 10_000  # requests, among which is the one that ended last
OTHERS = ("reverter", "recover")


@dataclass(frozen=True)
class Scene:
    """``word`` heads the page, ``headline`` is its sentence; ``bad``: users are hurt at this moment.

    ``warning``: what speaks against all being well with the drill itself, "" for nothing; ``ways_out``, what can be
    done, each as words and a command. ``strips`` None before the first request. ``happenings``, newest first, are
    (since the fault, UTC, words).
    """

    word: str
    bad: bool
    headline: str
    warning: str
    ways_out: tuple[tuple[str, str], ...]
    title: str
    clock: str
    served_by: str
    succeeding: str
    median: str
    steps: tuple[str, ...]
    undo: str
    strips: strips.Strips | None
    happenings: tuple[tuple[str, str, str], ...]


def scene(seen: Snapshot, stage: Stage) -> Scene:
    """``seen`` at one moment, of a drill that runs, or at the last that is known of one that has gone silent."""
    if stage is Stage.SILENT:
        seen = replace(seen, now=_last(seen))
    serving = words.serving(seen)
    drill = seen.drill
    return Scene(
        word=str(stage),
        bad=serving == "nobody" and stage is Stage.RUNNING,
        headline=_silence(seen) if stage is Stage.SILENT else _headline(seen, serving),
        warning=_warning(seen, stage),
        ways_out=_ways_out(drill.drill) if stage is Stage.SILENT else (),
        title=" · ".join(part for part in (str(drill.service.get("name", "")), drill.fault, drill.title) if part),
        clock=words.clock_line(seen),
        served_by=serving or "not known yet",
        succeeding=words.success_words(seen),
        median=words.median_words(seen),
        steps=tuple(words.step_words(seen)),
        undo=words.undo_words(seen),
        strips=strips.strips(seen.samples, seen.now, seen.fault_at) if seen.samples is not None else None,
        happenings=_happenings(seen),
    )


def _headline(seen: Snapshot, serving: str) -> str:
    fault_at = seen.fault_at
    who = {"": "It is not known yet who serves users", "nobody": "Nobody serves users"}.get(
        serving, f"{serving} serves users"
    )
    if fault_at is None:
        return f"{who}; nothing is broken yet."
    after = f"{numbers.seconds(max(seen.now - fault_at, 0.0))} after the fault"
    undone = seen.changes and not any(change.left for change in seen.changes)
    return f"{who}, {after}; everything is put back." if undone else f"{who}, {after}."


def _silence(seen: Snapshot) -> str:
    moment = seen.drill.at(seen.now)
    return f"Nothing is known after {numbers.clock_time(moment)} on {numbers.day(moment)}, and there is no verdict."


def _last(seen: Snapshot) -> float:
    """When the last that is known of a drill happened, in seconds since its origin."""
    known = [event.at for event in seen.events]
    known += [
        at for change in seen.changes for at in (change.planned, change.applied, change.verified) if at is not None
    ]
    if seen.samples is not None and len(seen.samples):
        known.append(float(seen.samples.part(slice(-LATEST, None)).ended.max()))
    return max(known, default=0.0)


def _warning(seen: Snapshot, stage: Stage) -> str:
    if stage is Stage.SILENT:
        left = sum(change.left for change in seen.changes)
        place = f"{numbers.plural(left, 'change')} may still be in place. " if left else ""
        return f"The drill was probably killed. {place}What stands here is the last that it wrote."
    if any(change.by in OTHERS for change in seen.changes):
        return "The reverter puts back what was changed: the drill’s own process is gone, or its fault was out of time."
    stopped = next((event for event in seen.events if event.kind == "stop"), None)
    return f"The drill is being stopped: {stopped.fields.get('reason') or '?'}" if stopped else ""


def _ways_out(drill: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Does anybody look after it?", "blackstart status"),
        ("To put back what it changed:", f"blackstart recover {drill}"),
    )


def _happenings(seen: Snapshot) -> tuple[tuple[str, str, str], ...]:
    fault_at = seen.fault_at
    told = described(seen.events, seen.changes[:ONE_BY_ONE])
    more = tally(seen.changes[ONE_BY_ONE:])
    lines = [*told, *([(seen.now, more)] if more else [])]
    return tuple(
        (
            numbers.offset(at - fault_at) if fault_at is not None else "",
            numbers.clock_time(seen.drill.at(at)),
            line,
        )
        for at, line in reversed(lines[-HAPPENINGS:])
    )
