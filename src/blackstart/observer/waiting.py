"""Answers about a drill that is going on: waits until the samples can say what is asked. Blocking."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from blackstart.clock import Clock
from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.observer import analysis, events, jsonl, ledger, readback
from blackstart.observer.ledger import Write
from blackstart.observer.replicas import Replicas
from blackstart.observer.samples import Outcome, Samples, Tail
from blackstart.settings import Service

POLL_SECONDS = 0.25
SILENT_SECONDS = 3.0  # beyond the time-out of requests, an observer that writes nothing has ended
DRILL_FILE = "drill.json"
CALLS_FILE = "calls.jsonl"
Shows = Callable[[Samples, float, float], object]
"""Whether (something true) the effect of a fault shows in samples, from the fault until another moment."""


class Watched:
    """What is known of the drill whose journal is ``folder``. Times in seconds since its origin."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._tail = Tail(folder)
        self._origin = events.origin(folder)

    def now(self) -> float:
        return self._clock.monotonic() - self._origin

    def samples(self) -> Samples:
        """What is on disk by now; NotMeasured when the observer has fallen silent, so that nothing old is taken for
        how it is now."""
        samples = self._tail.samples()
        silent = self.now() - samples.complete_until
        if samples.header.ended is None and silent > samples.header.timeout_seconds + SILENT_SECONDS:
            raise NotMeasured("the service", f"the observer has not written anything for {silent:.1f} s")
        return samples

    def last(self, seconds: float) -> tuple[Samples, float, float]:
        """Samples, and the last ``seconds`` of which everything is known; waits until there are that many.

        With 0, all since the fault, or since the start when there is none. NotMeasured when there is nothing.
        """
        for samples in self.looks():
            end = samples.complete_until
            if seconds <= 0:
                fault = events.fault_at(self._folder)
                return samples, samples.header.begin if fault is None else fault, end
            if end - samples.header.begin >= seconds:
                return samples, end - seconds, end
            if samples.header.ended is not None:
                break
        raise NotMeasured("the service", f"it was watched for less than {seconds:g} s")

    def fault_at(self) -> float:
        """When the fault began; NotMeasured when no change has been applied."""
        fault = events.fault_at(self._folder)
        if fault is None:
            raise NotMeasured("what the fault did", "no change has been applied in this drill")
        return fault

    def recovered(self, limit_seconds: float, settle_seconds: float, shows: Shows) -> float | None:
        """Seconds from the fault to sustained recovery, waiting for it at most ``limit_seconds`` from the fault; None
        when users were not served again by then.

        Judged a recovery window after the last change was applied at the earliest, and only once ``shows`` sees the
        fault's effect, for which there are ``settle_seconds`` from that change.
        """
        fault, applied = self.fault_at(), self._last_applied()
        begun, settled = max(applied, fault), False
        for samples in self.looks():
            header, known = samples.header, samples.complete_until
            window = header.recovery_window_seconds
            settled = settled or known >= begun + settle_seconds or bool(shows(samples, fault, known))
            if known >= begun + window and settled:
                slowest = header.recovery_latency_seconds
                found = analysis.recovery(samples, fault, header.recovery_share, window, slowest=slowest)
                if found.seconds is not None:
                    return found.seconds if found.seconds <= limit_seconds else None
            if header.ended is not None or (settled and known >= fault + limit_seconds + window):
                return None
        return None

    def dns_failover(self, limit_seconds: float) -> analysis.DnsFailover:
        """The first change of the service's addresses after the fault, waiting for it at most ``limit_seconds`` from
        the fault; NotMeasured when there was none."""
        fault = self.fault_at()
        while True:
            found = analysis.dns_failover(events.read(self._folder), fault)
            if found is not None:
                return found
            if self.now() >= fault + limit_seconds:
                raise NotMeasured("DNS fail-over", "the service's name has kept its addresses since the fault")
            self._clock.sleep(POLL_SECONDS)

    def ledger(self, checks: int, pause_seconds: float, replicas: Replicas | None = None) -> ledger.LedgerResult:
        """Read the writes back ``checks`` times, ``pause_seconds`` apart, and judge them; 0: judge by the reads there
        are. Reads from before the fault do not count."""
        for number in range(checks):
            if number:
                self._clock.sleep(pause_seconds)
            readback.record_check(self._folder, self._service(), self._clock, replicas=replicas)
        writes = ledger.read(self._folder)
        if not any(write.outcome is Outcome.OK for write in writes):
            raise NotMeasured("data loss", "the service has not acknowledged a single write")
        fault = self.fault_at()
        found = ledger.read_checks(self._folder, writes).complete
        return ledger.check(writes, [read for read in found if read.began >= fault])

    def applied(self) -> list[dict[str, Any]]:
        """The changes that have been applied by now, as they were planned."""
        lines = list(jsonl.read(self._folder / events.CHANGES_FILE))
        made = {line.get("change") for line in lines if line.get("state") == "applied"}
        plans = [line for line in lines if line.get("state") == "planned" and line.get("change") in made]
        return [dict(line["record"]) for line in plans if isinstance(line.get("record"), dict)]

    def events(self) -> tuple[events.Event, ...]:
        """What was seen to happen by now."""
        return events.read(self._folder)

    def writes(self) -> Sequence[Write]:
        """The writes by now."""
        return ledger.read(self._folder)

    def calls(self) -> list[dict[str, Any]]:
        """The drill's own calls of AWS by now, as its processes wrote them down."""
        return jsonl.read(self._folder / CALLS_FILE)

    def undo_at(self) -> float:
        """When putting back began; NotMeasured before that."""
        fault = self.fault_at()
        said = [each.at for each in self.events() if each.kind == "phase" and each.fields.get("name") == "undo"]
        began = [at for at in said if at >= fault]
        if not began:
            raise NotMeasured("the way home", "nothing has been put back yet")
        return min(began)

    def looks(self, pause_seconds: float = POLL_SECONDS) -> Iterator[Samples]:
        """What is on disk, again and again."""
        while True:
            yield self.samples()
            self._clock.sleep(pause_seconds)

    def origin(self) -> float:
        """The drill's origin, in seconds of the machine's monotonic clock."""
        return self._origin

    def objective(self, name: str) -> float | None:
        """The drill's objective ``name``, None when it has none; JournalUnreadable without a readable drill.json."""
        value = self._drill("objectives").get(name)
        return None if value is None else float(value)

    def _service(self) -> Service:
        try:
            return Service.model_validate(self._drill("service"))
        except ValidationError as error:
            raise JournalUnreadable(str(self._folder), DRILL_FILE, f"does not tell the service ({error})") from error

    def _drill(self, table: str) -> dict[str, Any]:
        try:
            data = json.loads((self._folder / DRILL_FILE).read_text(encoding="utf-8"))[table]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JournalUnreadable(str(self._folder), DRILL_FILE, f"does not tell the {table} ({error!r})") from error
        return dict(data)

    def _last_applied(self) -> float:
        lines = jsonl.read(self._folder / events.CHANGES_FILE)
        return max(float(line["monotonic"]) for line in lines if line.get("state") == "applied") - self._origin
