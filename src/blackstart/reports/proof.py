"""The lines of the report that prove that everything is put back, or say what to do where it is not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from blackstart.changes.leftovers import Found, Residue, Whose
from blackstart.changes.model import State
from blackstart.journals import numbers, restored
from blackstart.journals.measure import Measured
from blackstart.journals.restoration import Restoration
from blackstart.reports.trust import Line

NOBODY = "nobody looked for any"
_WHOSE = {
    Whose.OURS: ("✕", "left by this drill"),
    Whose.THEIRS: ("", "held by drill {}, which puts it back itself"),
    Whose.UNKNOWN: ("?", "held by no drill in the undo log"),
}


def lines(measured: Measured) -> list[Line]:
    """Read back, residue, conflicts; empty for a drill that changed nothing."""
    made, proof = len(measured.changes), measured.restoration
    if not made:
        return []
    accepted = len(proof.accepted) if proof else 0
    verified = made - len(measured.leftovers) - accepted
    told = [Line("Read back", f"{verified} of {numbers.plural(made, 'change')}", "✓" if verified == made else "✕")]
    if accepted:
        told.append(Line("Accepted", f"{numbers.plural(accepted, 'change')} kept as somebody else made it", "?"))
    told += _conflicts(measured)
    if proof is None:
        return [*told, Line("Residue", NOBODY, "?")]
    return [*told, *_residue(proof.residue), Line("Proven", _by(proof))]


def ways_out(measured: Measured) -> list[tuple[str, str]]:
    """What to do about what is left, each with its command."""
    conflicts = [change.id for change in measured.leftovers if change.state == State.CONFLICT]
    ways = []
    if len(measured.leftovers) > len(conflicts) or measured.residue:
        residue_alone = len(measured.leftovers) == len(conflicts)
        first = "Delete it, then have it looked for again:" if residue_alone else "To remove it:"
        ways.append((first, f"blackstart recover {measured.drill.drill}"))
    if conflicts:
        force, accept = restored.ways_out(conflicts)
        ways += [("To put back what somebody else changed:", force), ("To keep it so:", accept)]
    return ways


def residue_words(measured: Measured) -> str:
    """``no residue``, or how much, or that it is not known; for the terminal, after "read back, "."""
    proof = measured.restoration
    if proof is None:
        return f"residue: {NOBODY}"
    if measured.residue:
        return f"residue: {'; '.join(map(str, measured.residue))}"
    if proof.residue.problems or proof.of(Whose.UNKNOWN):
        return "residue: not proven that none is left"
    return "no residue"


def _conflicts(measured: Measured) -> Iterator[Line]:
    for change in measured.leftovers:
        if change.state == State.CONFLICT:
            seen = change.note or f"somebody else changed {change.target}"
            force, accept = restored.ways_out([change.id])
            yield Line("Conflict", f"{seen}; left so. To put it back all the same: {force}. To keep it: {accept}", "✕")


def _residue(residue: Residue) -> Iterator[Line]:
    label = "Residue"
    for found in sorted(residue.found, key=lambda each: list(Whose).index(each.whose)):
        yield _found(label, found)
        label = ""
    for problem in residue.problems:
        yield Line(label, f"not known: {problem}", "?")
        label = ""
    others = "else " if residue.found else ""
    if residue.looked:
        yield Line(label, f"nothing {others}found in {', '.join(residue.looked)}", "" if label == "" else "✓")
    elif label:
        yield Line(label, "nothing that this drill touched can carry a tag or a label", "✓")


def _found(label: str, found: Found) -> Line:
    glyph, words = _WHOSE[found.whose]
    return Line(label, f"{found} (change {found.change}), {words.format(found.drill)}", glyph)


def _by(proof: Restoration) -> str:
    who = "blackstart recover" if proof.by == "recover" else f"the {proof.by}"
    return f"by {who} at {numbers.clock_time(datetime.fromisoformat(proof.at))}"
