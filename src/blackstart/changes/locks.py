"""What the undo log would say to a fault, asked without writing: the kill switch, and what other drills hold.

For plans. The log itself decides, in the same breath in which it records the changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from blackstart.changes.guards import Finding
from blackstart.changes.log import Entry, Fault, UndoLog, refuse, refuse_held
from blackstart.changes.model import Change
from blackstart.errors import BlackstartError, Refused


def findings(log: UndoLog, changes: Sequence[Change], shared: bool) -> tuple[Finding, ...]:
    """Whether a new drill could record ``changes`` now. A log that cannot be read is an objection."""
    fault = Fault("", 0.0, shared=shared)
    return (
        Finding("kill switch", _objection(lambda: refuse("", log.blocked()))),
        Finding("locks", _objection(partial(_locks, log, fault, changes))),
    )


def _locks(log: UndoLog, fault: Fault, changes: Sequence[Change]) -> None:
    others: list[Entry] = [entry for drill in log.drills() for entry in log.entries(drill.id)]
    refuse_held(fault, changes, others)


def _objection(ask: Callable[[], None]) -> str | None:
    try:
        ask()
    except Refused as error:
        return error.reason
    except BlackstartError as error:
        return str(error)
    return None
