"""Two writers at once, from histories whose truth is known: who really took writes, and when."""

import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.observer.events import Event
from blackstart.observer.ledger import Write
from blackstart.observer.samples import Outcome
from blackstart.observer.writers import HOLD_SECONDS, merged, writers

EAST, WEST = "us-east-1", "us-west-2"
END = 30.0
POLL = 0.2


@dataclass
class Truth:
    """When each region's database took writes, and when it could not be asked."""

    wrote: dict[str, list[tuple[float, float]]]
    away: dict[str, list[tuple[float, float]]]
    seed: int = 1

    def state(self, region: str, at: float) -> str:
        if any(a <= at < b for a, b in self.away[region]):
            return "away"
        return "writer" if any(a <= at < b for a, b in self.wrote[region]) else "reader"

    def events(self) -> list[Event]:
        """What the observer notes: each look sees one moment between question and answer."""
        chance, noted = random.Random(self.seed), []
        for region in self.wrote:
            at, before, last = chance.random() * POLL, "", None
            while at < END:
                took = chance.uniform(0.001, 0.15)
                state = self.state(region, at + chance.random() * took)
                if state != before or chance.random() < 0.05:
                    fields = {"region": region, "state": state, "before": before, "asked": at, "last": last}
                    noted.append(Event(at + took, "database", fields))
                before, last = state, at
                at += took + POLL
            noted.append(Event(END + 1, "database", {**fields, "state": before, "before": before, "asked": last}))
        return noted

    def writes(self) -> list[Write]:
        """One write every 50 ms, acknowledged by a region whose database takes writes at that moment."""
        chance, made = random.Random(self.seed + 1), []
        for number in range(int(END * 20)):
            sent, took = number / 20, chance.uniform(0.002, 0.04)
            able = [r for r in self.wrote if any(a <= sent + took / 2 < b for a, b in self.wrote[r])]
            if able:
                made.append(Write(number, f"k{number}", sent, Outcome.OK, sent + took, chance.choice(able)))
            else:
                made.append(Write(number, f"k{number}", sent, Outcome.UNKNOWN, sent + 2))
        return made

    def both(self) -> list[tuple[float, float]]:
        pairs = [(max(a, c), min(b, d)) for a, b in self.wrote[EAST] for c, d in self.wrote[WEST]]
        return merged((a, b) for a, b in pairs if a < b)


def cuts(count: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(0.5, END - 0.5), min_size=count, max_size=count).map(sorted)


@st.composite
def one_after_the_other(draw):
    """East writes, then west, then east again; nobody in between; both may be out of sight at any time."""
    a, b, c, d = draw(cuts(4))
    d = max(d, c)
    if c - b < HOLD_SECONDS:
        c, d = min(b + HOLD_SECONDS + 0.1, END), END
    away = {region: [tuple(draw(cuts(2)))] for region in (EAST, WEST)}
    return Truth({EAST: [(0, a), (d, END + 9)], WEST: [(b, c)]}, away, draw(st.integers(0, 99)))


@settings(deadline=None, max_examples=12)
@given(one_after_the_other())
def test_writers_that_take_turns_are_never_two_at_once(truth):
    assert writers(truth.events(), truth.writes()).doubled == ()


@settings(deadline=None, max_examples=12)
@given(cuts(2), st.integers(0, 99))
def test_two_writers_are_found_and_never_claimed_for_longer_than_they_were(span, seed):
    began, ended = span
    truth = Truth({EAST: [(0, ended)], WEST: [(began, END + 9)]}, {EAST: [], WEST: []}, seed)
    found = writers(truth.events(), truth.writes())
    real = ended - began
    assert found.seconds <= real + 1e-9
    assert found.seconds >= real - 2 * (POLL + 0.3)
    for two in found.doubled:
        assert all(began - 1e-9 <= a < b <= ended + 1e-9 for a, b in two.stretches)
        assert {write.region for write in two.writes} <= {EAST, WEST}
        assert all(write.outcome is Outcome.OK and write.at > began and write.sent < ended for write in two.writes)


@settings(deadline=None, max_examples=8)
@given(st.floats(8, 12), st.floats(2, 8), st.integers(0, 99))
def test_a_writer_that_cannot_be_asked_is_given_away_by_what_it_acknowledges(began, took, seed):
    ended = began + took
    truth = Truth({EAST: [(0, ended)], WEST: [(began, END + 9)]}, {EAST: [(began - 1, END)], WEST: []}, seed)
    found = writers(truth.events(), truth.writes())
    assert found.seconds >= took - 2
    assert found.seconds <= took + 1e-9
    assert [span.region for span in found.blind] == [EAST]
    quiet = writers(truth.events(), [w for w in truth.writes() if w.region != EAST or w.sent < began - 1])
    assert quiet.doubled == ()


def database(at, region, state, before="", last=None):
    return Event(at, "database", {"region": region, "state": state, "before": before, "asked": at - 0.01, "last": last})


def test_writes_that_a_readers_service_passes_on_prove_nothing():
    events = [
        database(1, EAST, "reader"), database(1, WEST, "writer"),
        database(20, EAST, "reader", "reader"), database(20, WEST, "writer", "writer"),
    ]  # fmt: skip
    writes = [Write(n, f"k{n}", n / 10, Outcome.OK, n / 10 + 0.05, (EAST, WEST)[n % 2]) for n in range(20, 150)]
    assert writers(events, writes).doubled == ()


def test_without_a_look_at_its_database_a_region_proves_nothing():
    writes = [Write(n, f"k{n}", n / 10, Outcome.OK, n / 10 + 0.05, (EAST, WEST)[n % 2]) for n in range(100)]
    assert writers([], writes).doubled == ()
    assert writers([database(1, WEST, "writer"), database(20, WEST, "writer", "writer")], writes).doubled == ()


def test_a_database_that_never_answered_is_named():
    found = writers([database(1, EAST, "away"), database(1, WEST, "writer"), database(9, EAST, "away", "away")], [])
    assert (found.looked, found.unseen) == ((EAST, WEST), (EAST,))
    later = writers([database(1, EAST, "away"), database(4, EAST, "reader", "away", 3.8)], [])
    assert later.unseen == ()
    assert [(span.asked, span.before) for span in later.blind] == [(0.99, 4)]


def test_two_that_were_each_seen_once_are_not_proven():
    events = [database(5, EAST, "writer"), database(5, WEST, "writer")]
    assert writers(events, []).doubled == ()
