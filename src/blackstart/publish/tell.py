"""Tells everybody whom ``[publish]`` names, side by side and within ten seconds.

Nobody who is told can fail or hold up a drill: each is told by a thread of its own that may be left behind, and what
became of it is a line of ``published.jsonl``: ``at``, ``to``, ``who``, ``moment``, ``told``, ``problem``, ``seconds``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart.clock import Clock, iso
from blackstart.errors import BlackstartError, JournalUnreadable, JournalUnwritable, NotTold
from blackstart.journal_settings import Publish
from blackstart.journals import folder as folders
from blackstart.journals.measure import Measured
from blackstart.journals.verdict import Verdict
from blackstart.observer import jsonl
from blackstart.publish import facts as telling
from blackstart.publish import parties
from blackstart.publish.facts import Facts
from blackstart.publish.parties import Party
from blackstart.publish.sending import Limits, Sender

RECORD = "published.jsonl"


@dataclass(frozen=True)
class Told:
    """What became of telling one. ``to`` is its table's name, ``who`` its own; ``problem`` is a sentence, "" if it was
    told."""

    to: str
    who: str
    moment: str
    problem: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "to": self.to,
            "who": self.who,
            "moment": self.moment,
            "told": not self.problem,
            "problem": self.problem,
            "seconds": round(self.seconds, 3),
        }


def begun(folder: Path, publish: Publish, clock: Clock, limits: Limits | None = None) -> threading.Thread | None:
    """Tell that the drill in ``folder`` has begun. Returns at once; the thread ends by itself. None: nobody wants to
    know."""
    if not any(parties.of(publish, telling.STARTED)):
        return None

    def work() -> None:
        with contextlib.suppress(BlackstartError):
            _everybody(telling.begun(folder, publish.report_url), publish, clock, limits or Limits())

    thread = threading.Thread(target=work, name="blackstart-publish", daemon=True)
    thread.start()
    return thread


def ended(
    folder: Path,
    publish: Publish,
    clock: Clock,
    judged: tuple[Measured, Verdict] | None = None,
    *,
    only: Collection[str] = (),
    limits: Limits | None = None,
) -> tuple[Told, ...]:
    """Tell how the drill in ``folder`` ended: everybody, or the tables ``only``. JournalUnreadable if it cannot be
    measured, which cannot be where it is given as ``judged``."""
    if not publish.asked:
        return ()
    return _everybody(telling.ended(folder, publish.report_url, judged), publish, clock, limits or Limits(), only)


def _everybody(
    facts: Facts, publish: Publish, clock: Clock, limits: Limits, only: Collection[str] = ()
) -> tuple[Told, ...]:
    deadline = clock.monotonic() + limits.everything
    found = [party for party in parties.of(publish, facts.moment) if not only or party.to in only]
    calls = [_Call(party, facts, Sender(party.who, clock, deadline, limits)) for party in found]
    for call in calls:
        call.thread.start()
    told = tuple(call.told() for call in calls)
    with contextlib.suppress(JournalUnwritable):
        for each in told:
            folders.append(facts.folder, RECORD, {"at": iso(clock.now()), **each.to_json()})
    return told


class _Call:
    """One who is being told. ``_problem`` is None until it is known what became of it."""

    def __init__(self, party: Party, facts: Facts, sender: Sender) -> None:
        self._party, self._facts, self._sender = party, facts, sender
        self._began = sender.clock.monotonic()
        self._took = 0.0
        self._problem: str | None = None
        self.thread = threading.Thread(target=self._work, name=f"blackstart-publish-{party.to}", daemon=True)

    def _work(self) -> None:
        problem = ""
        try:
            self._party.tell(self._facts, self._sender)
        except NotTold as error:
            problem = str(error)
        self._took = self._since()
        self._problem = problem

    def _since(self) -> float:
        return self._sender.clock.monotonic() - self._began

    def told(self) -> Told:
        """Waits until it is known, or until there is no time left."""
        self.thread.join(max(self._sender.deadline - self._sender.clock.monotonic(), 0.0))
        problem, took = self._problem, self._took
        if problem is None:
            late = self.thread.is_alive()
            why = f"it took longer than {self._sender.limits.everything:g} s" if late else "telling it broke off"
            problem, took = str(self._sender.problem(why)), self._since()
        return Told(self._party.to, self._party.who, self._facts.moment, problem, took)


def problems(folder: Path) -> Iterator[str]:
    """Why somebody was not told of the drill in ``folder`` the last time that this was tried."""
    last: dict[tuple[str, str, str], str] = {}
    for line in _lines(folder):
        key = (str(line.get("to")), str(line.get("who")), str(line.get("moment")))
        last[key] = str(line.get("problem") or "")
    yield from filter(None, last.values())


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(JournalUnreadable):
        yield from jsonl.read(folder / RECORD)
