"""One drill from its first line on disk to its last: what the control does, without the toolkit.

``begin`` opens the journal and starts the observer and the reverter. ``end`` undoes what is left, checks the ledger a
last time, stops both and closes the journal.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from blackstart import experiment, settings
from blackstart.changes.clients import Clients
from blackstart.changes.gate import Gate, UndoReport, inject, open_gate, undo
from blackstart.changes.keeping import Keeper, Keeping
from blackstart.changes.model import Change
from blackstart.changes.registry import Kinds
from blackstart.clock import Clock
from blackstart.errors import BlackstartError, JournalUnwritable, Refused, UndoLogUnusable
from blackstart.interrupts import Interrupts, one_passes
from blackstart.journals import archiving, calls_source, chain, close, folder, monitored, restoring, watching
from blackstart.journals.measure import Measured
from blackstart.journals.verdict import Verdict
from blackstart.load.process import LoadHandle
from blackstart.observer import ledger, process, readback
from blackstart.observer.events import EventLog
from blackstart.observer.replicas import Replicas
from blackstart.observer.samples import Outcome
from blackstart.publish import tell
from blackstart.reports import html
from blackstart.settings import Settings
from blackstart.source import Source, record_of

JOURNAL_KEY = "blackstart_journal"
DRILL_KEY = "blackstart_drill"
SEED_VARIABLE = "BLACKSTART_SEED"
AFTER_UNDO_SECONDS = 3.0
COMPLETED, INTERRUPTED = "completed", "interrupted"  # as the toolkit says it


@runtime_checkable
class OpenDrill(Protocol):
    """What an action is given: the way to look at the world, and the one way to change it.

    A drill that runs, or one that is only planned: then ``clients`` can only read, and ``inject`` only takes down.
    """

    @property
    def clients(self) -> Clients: ...

    @property
    def kinds(self) -> Kinds: ...

    @property
    def random(self) -> random.Random: ...

    def inject(
        self,
        changes: Sequence[Change],
        subject: str,
        *,
        duration_seconds: float | None = None,
        nothing: str = "",
        region_drill: bool = False,
    ) -> None:
        """As ``changes.gate.inject``."""
        ...

    def keep(self, keeper: Keeper, subject: str, *, duration_seconds: float) -> None:
        """Have ``keeper`` keep up the fault that was injected as ``subject``, for so long or until the drill is undone.

        Returns at once. Should it end before its time, the drill cannot pass.
        """
        ...

    def note(self, kind: str, **fields: Any) -> None:
        """Add an event to the journal, seen now; ``observer.events`` says which kinds there are. A drill that is only
        planned has nothing to tell."""
        ...


@dataclass
class RunningDrill:
    """A drill that is going on in this process. ``observer`` is None until it has started."""

    id: str
    journal: Path
    settings: Settings
    gate: Gate
    events: EventLog
    random: random.Random
    clock: Clock
    observer: process.ObserverHandle | None = None
    load: LoadHandle | None = None
    ending: bool = False
    interrupts: Interrupts = field(default_factory=Interrupts)
    kept: list[Keeping] = field(default_factory=list)
    one_fault: threading.Lock = field(default_factory=threading.Lock)

    @property
    def clients(self) -> Clients:
        return self.gate.reach.clients

    @property
    def kinds(self) -> Kinds:
        return self.gate.reach.kinds

    def inject(
        self,
        changes: Sequence[Change],
        subject: str,
        *,
        duration_seconds: float | None = None,
        nothing: str = "",
        region_drill: bool = False,
    ) -> None:
        with self.one_fault:
            inject(
                changes,
                self.gate,
                subject,
                duration_seconds=duration_seconds,
                nothing=nothing,
                region_drill=region_drill,
            )
        chain.note(self.journal, chain.FAULT, "drill", self.clock)
        if region_drill:
            (most, _), *_ = Counter(change.target.region for change in changes).most_common(1)
            _tell(self, "lost", region=most)

    def keep(self, keeper: Keeper, subject: str, *, duration_seconds: float) -> None:
        def again(changes: Sequence[Change], seconds: float) -> None:
            self.inject(changes, subject, duration_seconds=seconds)

        def lapsed(reason: str) -> None:
            _tell(self, "lapse", reason=f"{subject}: {reason}")

        keeping = Keeping(keeper, duration_seconds, self.clock, again, lapsed)
        self.kept.append(keeping)
        keeping.start()

    def note(self, kind: str, **fields: Any) -> None:
        _tell(self, kind, **fields)

    def rest(self) -> None:
        """Let no fault be kept up any more; returns when nothing of it is under way."""
        for keeping in self.kept:
            keeping.end()
        late = [keeping for keeping in self.kept if not keeping.join()]
        if late:
            _tell(self, "lapse", reason="a fault was still being kept up when it was undone")
        self.kept.clear()

    def must_end(self) -> str:
        """Why this drill was told to stop, when that is first known; "" if it was not, and from then on, because what
        puts it in order (``ending``) must go on. A log that does not answer is the reverter's care."""
        if self.ending:
            return ""
        reason = self.interrupts.heard
        with contextlib.suppress(UndoLogUnusable):
            reason = self.gate.reach.log.stopping(self.id) or reason
        self.ending = bool(reason)
        return reason


def opened(configuration: Mapping[str, Any] | None, subject: str) -> OpenDrill:
    """The drill that actions act in; Refused without one, because nothing would be measured or undone."""
    drill = (configuration or {}).get(DRILL_KEY)
    if not isinstance(drill, OpenDrill):
        raise Refused(subject, "no drill is open; add the control blackstart.control to the experiment")
    return drill


def of(configuration: Mapping[str, Any] | None, subject: str) -> RunningDrill:
    """The drill that the control opened, which really runs; Refused without one."""
    drill = (configuration or {}).get(DRILL_KEY)
    if not isinstance(drill, RunningDrill):
        raise Refused(subject, "no drill is open; add the control blackstart.control to the experiment")
    return drill


def begin(source: Source, fault: str, clock: Clock, seed: int, environ: Mapping[str, str] = os.environ) -> RunningDrill:
    """Check the experiment and the settings, open the journal, start reverter and observer.

    ``fault`` says in a few words what will be lost. ConfigInvalid, UndoLogUnusable, or Refused while the kill switch is
    on, before anything was started;
    ServiceUnreachable, with the journal closed, if the observer could not start.
    """
    in_force = settings.current(environ)
    extension = experiment.check(source.data, source.file or "experiment")
    record = record_of(source, extension, in_force, clock, fault=fault, seed=seed)
    journal = folder.create(Path(in_force.journals).absolute(), record)
    close.open_verdict(journal)
    chain.note(journal, chain.OPENED, "drill", clock)
    try:
        who = in_force.scope, record.drill, record.title, journal
        gate = open_gate(*who, log_url=in_force.undo_log, archive_region=in_force.archive.region, clock=clock)
    except BlackstartError:
        shutil.rmtree(journal, ignore_errors=True)  # nothing began, so there is nothing to read
        raise
    events = EventLog(journal, clock, record.origin_monotonic)
    drill = RunningDrill(record.drill, journal, in_force, gate, events, random.Random(seed), clock)
    try:
        drill.interrupts.listen()
        drill.observer = process.start(journal, in_force, record.drill, record.origin_monotonic)
    except BlackstartError as error:
        _tell(drill, "note", text=str(error))
        end(drill, None)
        raise
    tell.begun(journal, in_force.publish, clock)
    return drill


def end(drill: RunningDrill, toolkit: Mapping[str, Any] | None) -> tuple[Measured, Verdict]:
    """Put back what is left, watch users a little longer, judge, report, and close the journal.

    ``toolkit`` is Chaos Toolkit's own journal, which does not know of an interrupt that an activity swallowed. The
    first interrupt meanwhile is late news and passes; another one leaves the rest to the reverter.
    """
    drill.interrupts.leave()
    if toolkit is not None and drill.interrupts.heard:
        toolkit = {**toolkit, "status": INTERRUPTED}
    with one_passes():
        try:
            outcome = _end(drill, toolkit)
        finally:
            drill.gate.close()
        archiving.conclude(drill.journal, chain.CLOSED, "drill", drill.clock, drill.settings.archive)
        tell.ended(drill.journal, drill.settings.publish, drill.clock, outcome)
        return outcome


def _end(drill: RunningDrill, toolkit: Mapping[str, Any] | None) -> tuple[Measured, Verdict]:
    if drill.load is not None:  # the experiment did not end it itself
        _tell(drill, "load", state="stopped", problem=drill.load.close())
    report = undo_all(drill)
    reason = drill.gate.reach.log.stopping(drill.id)
    if reason:
        _tell(drill, "stop", reason=reason)
    restoring.record(drill.id, drill.journal, drill.gate.reach, "drill")
    chain.note(drill.journal, chain.UNDONE, "drill", drill.clock)
    if report.verified or report.restored or drill.gate.reach.log.entries(drill.id):
        drill.clock.sleep(AFTER_UNDO_SECONDS)
    if drill.observer is not None:
        if not reason and (toolkit or {}).get("status") == COMPLETED:
            watching.homecoming(drill.journal, drill.clock)
        drill.observer.stop()  # before the last check, so that no write comes after it
        _check_ledger(drill)
    calls_source.ask(drill.journal, drill.settings.evidence.calls_url, drill.settings.service.home_region, drill.clock)
    monitored.record(drill.journal, drill.settings.monitoring, drill.clock)
    if toolkit is not None:
        folder.write_json(drill.journal / folder.TOOLKIT, toolkit)
    measured, verdict = close.close(drill.journal)
    html.render(drill.journal, measured)
    return measured, verdict


def _check_ledger(drill: RunningDrill) -> None:
    """Read back what was acknowledged, if anything was; why that failed becomes a note in the journal."""
    if not any(write.outcome is Outcome.OK for write in ledger.read(drill.journal)):
        return
    try:
        replicas = Replicas.of(drill.settings)
        readback.record_check(drill.journal, drill.settings.service, drill.clock, replicas=replicas)
    except BlackstartError as error:
        _tell(drill, "note", text=str(error))


def _tell(drill: RunningDrill, kind: str, **fields: Any) -> None:
    """An event for the journal; a journal that cannot be written must not keep anything from being put back."""
    with contextlib.suppress(JournalUnwritable):
        drill.events.add(kind, **fields)


def undo_all(drill: RunningDrill) -> UndoReport:
    """Undo every change of this drill that is not proven to be undone, and keep none up."""
    drill.rest()
    if any(entry.open for entry in drill.gate.reach.log.entries(drill.id)):
        _tell(drill, "phase", name="undo")
    return undo(drill.id, drill.gate.reach)


def undo_faults(drill: RunningDrill, numbers: Sequence[int], patience_seconds: float) -> list[UndoReport]:
    """Undo the faults with these numbers, one after the other in this order; UndoIncomplete if one is not put back
    ``patience_seconds`` after its turn came, with the later ones as they are. None of them may be kept up."""
    if numbers:
        _tell(drill, "phase", name="undo")
    reports = []
    for number in numbers:
        reports.append(undo(drill.id, drill.gate.reach, faults=(number,), patience_seconds=patience_seconds))
        reports[-1].require()
    return reports
