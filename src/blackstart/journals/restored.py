"""What stands against "everything is put back", in sentences for the verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blackstart.changes.leftovers import Found, Whose
from blackstart.changes.model import State
from blackstart.journals import numbers, reasons
from blackstart.journals.measure import Measured


def left(measured: Measured) -> Iterator[str]:
    """What may still be in place, and the command that does something about it."""
    known = measured.fault_at is not None  # a drill that was killed may not have had the time to write it down
    did = reasons.did(measured) if known else "No fault is known to have been injected"
    drill = measured.drill.drill
    conflicts = [change.id for change in measured.leftovers if change.state == State.CONFLICT]
    others = len(measured.leftovers) - len(conflicts)
    if others:
        many = numbers.plural(others, "change is", "changes are")
        yield f"{did}, but {many} not proven undone; run blackstart recover {drill}."
    if conflicts:
        many = numbers.plural(len(conflicts), "change is", "changes are")
        yield f"{did}, but {many} in conflict; run {' or '.join(ways_out(conflicts))}."
    if measured.residue:
        them = "it" if len(measured.residue) == 1 else "them"
        yield f"{did}, but left {_named(measured.residue)}; delete {them}, then run blackstart recover {drill}."


def ways_out(conflicts: Sequence[str]) -> tuple[str, str]:
    """The commands that end a conflict: put it back all the same, or keep what somebody else made of it."""
    change = conflicts[0] if len(conflicts) == 1 else "CHANGE"
    return f"blackstart recover --force {change}", f"blackstart recover --accept {change}"


def unproven(measured: Measured) -> Iterator[str]:
    """Why nobody knows whether anything is left, though nothing of the drill was seen."""
    proof, drill = measured.restoration, measured.drill.drill
    if not measured.changes:
        return
    if proof is None:
        yield f"Nobody looked for residue, so nothing proves that none is left; run blackstart recover {drill}."
        return
    for problem in proof.residue.problems:
        yield f"Whether residue is left is not known: {problem}."
    unknown = proof.of(Whose.UNKNOWN)
    if unknown:
        yield f"Something that no drill in the undo log holds carries Blackstart’s tag: {_named(unknown)}."
    known = {change.id for change in measured.leftovers}
    if proof.accepted:
        many = numbers.plural(len(proof.accepted), "change was", "changes were")
        yield f"{many} not put back but kept as somebody else made {'it' if len(proof.accepted) == 1 else 'them'}."
    doubtful = [change for change in proof.unverified if change not in known]
    if doubtful:
        many = numbers.plural(len(doubtful), "change is", "changes are")
        yield f"The undo log does not say that {many} read back; run blackstart recover {drill}."


def _named(found: Sequence[Found]) -> str:
    """The first of them, and how many more."""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0]}{more}"
