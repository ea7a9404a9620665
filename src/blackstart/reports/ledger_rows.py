"""What became of every write, as the report and the terminal show it: the equation, and what the databases have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blackstart.journals import numbers
from blackstart.journals.measure import Measured
from blackstart.observer.databases import WRITER
from blackstart.observer.ledger import SERVICE, LedgerResult, Replica


@dataclass(frozen=True)
class Term:
    number: str
    words: str
    sign: str = ""
    bad: bool = False


def equation(measured: Measured) -> tuple[list[Term], list[Term]]:
    """acknowledged = found + lost + not yet checked; and apart from it what is allowed or open."""
    result = measured.data.result
    if result is None:
        return [], []
    terms = [
        Term(numbers.count(result.acknowledged), "acknowledged"),
        Term(numbers.count(result.found), "found again", "="),
        Term(numbers.count(len(result.lost)), "lost", "+", bad=bool(result.lost)),
        Term(numbers.count(result.unchecked), "after the last check", "+"),
    ]
    apart = [
        Term(numbers.count(len(result.recovered)), "found, never acknowledged"),
        Term(numbers.count(len(result.unknown)), "never answered, not found"),
    ]
    odd = [Term(numbers.count(count), words, bad=bad) for count, words, bad in oddities(result)]
    return terms, [*apart, *odd]


def oddities(result: LedgerResult) -> Iterator[tuple[int, str, bool]]:
    """What should not be: how many, what, and whether it is more than slowness."""
    told = (
        (result.late, "missing first, found later", False),
        (len(result.unexpected), "found, though never sent or refused", True),
        (len(result.duplicated), "there more than once", True),
        (len(result.divergent), "in one database and not in another", True),
        (len(result.out_of_order or ()), "behind a write that was sent later", True),
    )
    return (each for each in told if each[0])


def databases(measured: Measured) -> Iterator[tuple[str, bool]]:
    """A sentence for each database that the last check read or could not read, and whether it has all it should."""
    result = measured.data.result
    for replica in result.replicas if result else ():
        yield f"{replica.region} ({_state(replica)}) {_has(replica)}", not (replica.lacking and replica.state == WRITER)
    for each in measured.data.unread:
        yield f"{each.source} could not be read: {each.problem}", False


def _state(replica: Replica) -> str:
    return "takes writes" if replica.state == WRITER else "follows"


def _has(replica: Replica) -> str:
    if not replica.lacking:
        return "has every acknowledged write"
    return f"lacks {numbers.plural(replica.lacking, 'acknowledged write')}"


def still_held(measured: Measured) -> str:
    """ " us-east-1’s database still has 7 of them." where lost writes can be fetched from somewhere; else ""."""
    lost = measured.data.result.lost if measured.data.result else ()
    regions = sorted({region for each in lost for region in each.held_by})
    counts = [(region, sum(region in each.held_by for each in lost)) for region in regions]
    return "".join(f" {region}’s database still has {numbers.count(count)} of them." for region, count in counts)


def judged_by(measured: Measured) -> str:
    """ " in the database of us-west-2" where the service was not asked; else ""."""
    result = measured.data.result
    return "" if result is None or result.by == SERVICE else f" in the database of {result.by}"
