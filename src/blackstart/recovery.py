"""What `blackstart recover`, `stop` and the reverter's process do: the undo, and the journal's end with it."""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from blackstart import redaction, settings
from blackstart.changes import recover, resolve, reverter, stop
from blackstart.changes.conditions import Condition, conditions
from blackstart.changes.leftovers import Residue
from blackstart.changes.log import Block, Drill, UndoLog
from blackstart.changes.logs import open_log
from blackstart.changes.lookout import Conditions
from blackstart.changes.reach import Reach, open_reach
from blackstart.clock import Clock, SystemClock, iso
from blackstart.errors import BlackstartError, ConfigInvalid, JournalUnreadable
from blackstart.journal_settings import Archive
from blackstart.journals import folder, restoring
from blackstart.scope import Scope

LAST_LOOK_SECONDS = 30.0


def log_url(environ: Mapping[str, str] = os.environ) -> str:
    """The undo log in force; without a configuration, this user's."""
    return settings.undo_log(environ)


def me() -> str:
    """Who runs this command, for people."""
    try:
        return f"{getpass.getuser()} on {platform.node()}"
    except (KeyError, OSError):  # a container need not know the user's name
        return f"user {os.getuid()} on {platform.node()}"


@contextmanager
def _log() -> Iterator[UndoLog]:
    log = open_log(log_url())
    try:
        yield log
    finally:
        log.close()


def put_back(drill: str = "", clock: Clock | None = None) -> recover.Recovery:
    """Undo the drills that nobody looks after, or the one that is named, and close their journals."""
    clock = clock or SystemClock()
    with _log() as log:
        done = recover.recover(log, partial(_reach, log, clock), drill or None, clock=clock)
        return replace(done, residue=_conclude(log, [report.drill for report in done.reports], clock))


def end(
    drill: str, reason: str, progress: stop.Progress, *, block: bool = False, clock: Clock | None = None
) -> recover.Recovery:
    """Stop every drill, or the one that is named, and have it undone; ``block``: and let no other one begin."""
    clock, by = clock or SystemClock(), me()
    told = f"{by} ran `blackstart stop`" + (f": {reason}" if reason else "")
    with _log() as log:
        if block:
            log.block(Block(reason or "everything was stopped", by, iso(clock.now())))
        taken = []

        def reach_of(found: Drill) -> Reach:
            taken.append(found.id)
            return _reach(log, clock, found)

        done = stop.stop(log, reach_of, told, drill or None, clock=clock, progress=progress)
        return replace(done, residue=_conclude(log, taken, clock))  # the others' own processes conclude them


def settle(change: str, agreed: resolve.Agreed | None, clock: Clock | None = None) -> resolve.Settled:
    """Resolve a conflict by hand: write back the state from before if ``agreed`` says so, or, without, keep what is."""
    clock = clock or SystemClock()
    with _log() as log:
        reach_of = partial(_reach, log, clock)
        if agreed is None:
            done = resolve.accept(log, change, reach_of, by=me(), clock=clock)
        else:
            done = resolve.force(log, change, reach_of, by=me(), clock=clock, agreed=agreed)
        _conclude(log, [done.drill], clock)
        return done


def _reach(log: UndoLog, clock: Clock, drill: Drill) -> Reach:
    return open_reach(log, _folder(drill), "recover", clock)


def _folder(drill: Drill) -> Path | None:
    """The drill's journal, if it is here: another machine may have a folder of the same name."""
    path = Path(drill.folder)
    if not drill.folder or not path.is_dir():
        return None
    try:
        return path if folder.read_drill(path).drill == drill.id else None
    except JournalUnreadable:
        return path if drill.owner.host == platform.node() else None


def _conclude(log: UndoLog, drills: Iterable[str], clock: Clock) -> dict[str, Residue]:
    """Look for residue of each, and end its journal if that is here."""
    residue = {}
    for found in filter(None, map(log.find, drills)):
        journal = _folder(found)
        proof = restoring.record(found.id, journal, _reach(log, clock, found), "recover")
        if proof is not None:
            residue[found.id] = proof.residue
        if journal is not None:
            conclude(journal)
            _seal(journal, "recover", clock)
    return residue


def _seal(journal: Path, by: str, clock: Clock) -> None:
    """Close the journal anew; what was written meanwhile is in it."""
    from blackstart.journals import archiving, chain, sealing

    try:
        wanted = settings.current().archive
    except ConfigInvalid:  # what puts things back needs no configuration
        wanted = Archive()
    sealing.wait_until_still(journal, clock)
    archiving.conclude(journal, chain.RECOVERED, by, clock, wanted)
    _tell(journal, clock)


def _tell(journal: Path, clock: Clock) -> None:
    """Whoever is told of drills is told how this one ended; a configuration that is not there names nobody."""
    from blackstart.publish import tell

    with suppress(BlackstartError):
        tell.ended(journal, settings.current().publish, clock)


def revert(log: str, drill: str, journal: Path, pipe: int, ready: int) -> None:
    """The reverter's process, from its first line to its last."""
    redaction.guard_stderr(journal)  # it is reverter.log
    clock = SystemClock()
    opened = open_log(log)
    reach = open_reach(opened, journal, "reverter", clock)
    prove = partial(restoring.record, drill, journal, reach, "reverter")
    done = partial(_on_done, journal, clock, prove)
    reverter.run(drill, reach, pipe, ready, done, conditions=stop_conditions(journal, reach))
    opened.close()


def stop_conditions(journal: Path, reach: Reach) -> Conditions:
    """The stop conditions that the scope had when the drill began. A scope that cannot be read any more is one that
    cannot answer."""
    try:
        kept = folder.read_drill(journal).scope
        wanted = Scope.model_validate(kept).stop if kept else None
    except (JournalUnreadable, ValidationError) as error:
        problem = JournalUnreadable(str(journal), folder.DRILL, str(error))
        return Conditions((Condition("the drill's scope", partial(_unreadable, problem)),))
    if wanted is None:
        return Conditions()
    found: list[Any] = list(conditions(wanted, reach.clients))
    if wanted.availability is not None:
        from blackstart.observer.floor import Floor

        found.append(Floor(journal, reach.clock, wanted.availability, wanted.seconds))
    return Conditions(tuple(found), wanted.every_seconds, wanted.patience_seconds)


def _unreadable(problem: JournalUnreadable) -> str | None:
    raise problem


def _on_done(journal: Path, clock: Clock, prove: Callable[[], object], ending: reverter.Ending) -> None:
    if ending is reverter.Ending.RELEASED:
        return
    conclude(journal, prove)
    _wait_for_observer(journal, clock)
    conclude(journal)
    _seal(journal, "reverter", clock)


def _wait_for_observer(journal: Path, clock: Clock) -> None:
    """The observer of a drill that is gone watches users a little longer; its last samples belong in the report."""
    from blackstart.observer import samples

    deadline = clock.monotonic() + LAST_LOOK_SECONDS
    while clock.monotonic() < deadline:
        try:
            if samples.read(journal).header.ended is not None:
                return
        except BlackstartError:
            return
        clock.sleep(0.5)


def conclude(journal: Path, prove: Callable[[], object] | None = None) -> None:
    """Judge and report what is on disk, after ``prove`` has added whether everything is put back; a journal that cannot
    be read any more does not stop a recovery."""
    # Loaded only here: what puts things back must start at once.
    from blackstart.journals import close
    from blackstart.reports import html

    try:
        if prove is not None:
            prove()
        verdict = folder.read(journal).verdict
        cut_off = verdict is None or bool(verdict.get("cut_off", True))
        close.close(journal, cut_off=cut_off)
        html.render(journal)
    except BlackstartError:
        return


def describe(done: recover.Recovery) -> str:
    """``put_back`` and ``end`` for people."""
    lines = []
    for report in done.reports:
        lines.append(f"{report.drill}: {len(report.verified)} changes read back as before the drill")
        lines += [f"  conflict, left alone: {change}: {why}" for change, why in report.conflicts.items()]
        lines += [
            f"    settle it with `blackstart recover --force {change}` or `blackstart recover --accept {change}`"
            for change in report.conflicts
        ]
        lines += [f"  not put back yet: {change}: {why}" for change, why in report.remaining.items()]
        lines += _residue(done.residue.get(report.drill, Residue()))
    lines += [f"{drill}: left alone: {who}; name it to undo it all the same" for drill, who in done.left_alone.items()]
    return "\n".join(lines) or "nothing to put back"


def _residue(residue: Residue) -> Iterator[str]:
    for found in residue.found:
        held = f", which drill {found.drill} holds" if found.drill else ""
        yield f"  residue: {found}, of change {found.change} ({found.whose}){held}"
    for problem in residue.problems:
        yield f"  whether residue is left is not known: {problem}"
    if residue.looked and not residue.found:
        yield f"  no residue in {', '.join(residue.looked)}"


def as_json(done: recover.Recovery) -> dict[str, Any]:
    """``put_back`` and ``end`` for machines."""
    reports = [
        {
            "drill": report.drill,
            "verified": list(report.verified),
            "restored": list(report.restored),
            "conflicts": dict(report.conflicts),
            "remaining": dict(report.remaining),
            "log_problem": report.log_problem,
        }
        for report in done.reports
    ]
    residue = {drill: asdict(found) for drill, found in done.residue.items()}
    return {"reports": reports, "left_alone": done.left_alone, "residue": residue}
