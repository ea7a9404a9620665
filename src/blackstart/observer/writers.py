"""Whether two regions took writes at the same time. Pure; times in seconds since the origin.

Two things tell. *Looks*: each region's database was asked again and again whether it is a writer. What a look says was
so at some moment between question and answer, and what two looks in a row say was so between them. Two writers are
proven where a region was a writer from the answer of one look to the question of a later one, and so was another.

*Acknowledgements*: a write that region A acknowledged, from being sent to being acknowledged,

- while another region's database was a writer for certain, or
- between two writes of another region that were acknowledged and sent at most `HOLD_SECONDS` apart: nobody hands the
  writing over and back in so short a time.

Either shows a second writer, unless A's database may have been a reader at that time: then A's service writes to
another region's database, as it may. Regions whose databases nobody asks prove nothing by their acknowledgements.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from blackstart.observer.databases import AWAY, READER, WRITER
from blackstart.observer.events import Event
from blackstart.observer.ledger import Write
from blackstart.observer.samples import Outcome

HOLD_SECONDS = 1.0

Stretch = tuple[float, float]


@dataclass(frozen=True)
class Span:
    """A region's database was in ``state`` for certain from ``first`` to ``last`` (never, if ``last`` is earlier: it
    was seen once), perhaps from ``after`` to ``before``. ``asked``: when the look that first saw it was asked."""

    region: str
    state: str
    asked: float
    first: float
    last: float
    after: float
    before: float
    problem: str = ""


@dataclass(frozen=True)
class Doubled:
    """Two ``regions`` were writers at once, in these ``stretches``, for ``seconds`` in all. ``writes``: those that
    either of them acknowledged then."""

    regions: tuple[str, str]
    stretches: tuple[Stretch, ...]
    writes: tuple[Write, ...]

    @property
    def seconds(self) -> float:
        return sum((ended - began for began, ended in self.stretches), 0.0)


@dataclass(frozen=True)
class Writers:
    """``looked``: the regions whose databases were asked. ``blind``: when one of them could not be asked."""

    looked: tuple[str, ...] = ()
    doubled: tuple[Doubled, ...] = ()
    blind: tuple[Span, ...] = ()

    @property
    def seconds(self) -> float:
        """For how long at least two regions were writers at once."""
        stretches = merged(each for two in self.doubled for each in two.stretches)
        return sum((ended - began for began, ended in stretches), 0.0)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Regions that never answered at all."""
        gone = {span.region: span for span in self.blind if span.after == float("-inf")}
        return tuple(sorted(region for region, span in gone.items() if span.before == float("inf")))


def writers(events: Sequence[Event], writes: Sequence[Write]) -> Writers:
    """What is known of who took writes, from events of kind ``database`` and the history of writes."""
    known = spans(events)
    looked = tuple(sorted(known))
    acknowledged = _acknowledged(writes, known)
    found = [_doubled(known, acknowledged, pair) for pair in combinations(looked, 2)]
    blind = tuple(span for region in looked for span in known[region] if span.state == AWAY)
    return Writers(looked, tuple(two for two in found if two.stretches), blind)


def spans(events: Sequence[Event]) -> dict[str, list[Span]]:
    """By region, what its database was, in the order of time."""
    found: dict[str, list[Span]] = {}
    for event in sorted(events, key=lambda each: each.at):
        if event.kind == "database":
            _extend(found.setdefault(str(event.fields["region"]), []), event)
    return found


def _extend(known: list[Span], event: Event) -> None:
    fields = event.fields
    state, asked = str(fields["state"]), float(fields["asked"])
    current = known[-1] if known else None
    if current is not None and current.state == state:
        known[-1] = replace(current, last=max(current.last, asked))
        return
    after = float("-inf")
    if current is not None:
        last = fields.get("last")
        after = current.last if last is None else max(current.last, float(last))
        known[-1] = replace(current, last=after, before=event.at)
    region, problem = str(fields["region"]), str(fields.get("problem") or "")
    known.append(Span(region, state, asked, event.at, asked, after, float("inf"), problem))


def merged(stretches: Iterable[Stretch], gap: float = 0.0) -> list[Stretch]:
    """The same time as stretches that do not touch; those at most ``gap`` apart become one."""
    joined: list[Stretch] = []
    for began, ended in sorted(stretches):
        if joined and began <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ended))
        else:
            joined.append((began, ended))
    return joined


def _acknowledged(writes: Sequence[Write], known: Mapping[str, Sequence[Span]]) -> dict[str, list[Write]]:
    """By region, the acknowledged writes that its own database must have taken, in the order of being sent."""
    found: dict[str, list[Write]] = {region: [] for region in known}
    if not known:
        return found
    for write in sorted(writes, key=lambda each: each.sent):
        if write.outcome is Outcome.OK and write.at is not None and write.region in known:
            perhaps = (span for span in known[write.region] if span.state == READER)
            if not any(span.after < write.at and write.sent < span.before for span in perhaps):
                found[write.region].append(write)
    return found


def _doubled(
    known: Mapping[str, Sequence[Span]], acknowledged: Mapping[str, Sequence[Write]], pair: tuple[str, str]
) -> Doubled:
    one, other = pair
    looks = [
        (max(a.first, b.first), min(a.last, b.last))
        for a in known[one]
        for b in known[other]
        if a.state == b.state == WRITER
    ]
    proofs = [
        (write.sent, _at(write))
        for a, b in ((one, other), (other, one))
        for write in (*_beside(acknowledged[a], known[b]), *_within(acknowledged[a], acknowledged[b]))
    ]
    stretches = merged([*((a, b) for a, b in looks if a < b), *merged(proofs, HOLD_SECONDS)])
    writes = [write for region in pair for write in acknowledged[region] if _during(write, stretches)]
    return Doubled(pair, tuple(stretches), tuple(sorted(writes, key=lambda write: write.sent)))


def _beside(writes: Sequence[Write], others: Sequence[Span]) -> Iterator[Write]:
    """Those that were taken while the other region's database was a writer for certain."""
    sure = [(span.first, span.last) for span in others if span.state == WRITER]
    for write in writes:
        if any(first <= write.sent and _at(write) <= last for first, last in sure):
            yield write


def _within(writes: Sequence[Write], others: Sequence[Write]) -> Iterator[Write]:
    """Those that were taken between two of the other region's, less than a hand-over and back apart."""
    sent = [write.sent for write in others]
    acknowledged = sorted(_at(write) for write in others)
    for write in writes:
        before = bisect_right(acknowledged, write.sent)
        after = bisect_left(sent, _at(write))
        if before and after < len(sent) and sent[after] - acknowledged[before - 1] <= HOLD_SECONDS:
            yield write


def _during(write: Write, stretches: Sequence[Stretch]) -> bool:
    return any(began < _at(write) and write.sent < ended for began, ended in stretches)


def _at(write: Write) -> float:
    return write.sent if write.at is None else write.at
