"""Replication paused, then the region killed: the writes in between are lost, exactly those, and no others."""

from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.journals.data import accounted
from blackstart.observer.ledger import ReadBack, Write
from blackstart.observer.samples import Outcome

PAUSED, KILLED, RECOVERED, UNDO = 20.0, 30.0, 45.0, 60.0


@st.composite
def paused(draw):
    """A history, and what the standby has: all that was stored until replication paused, all after the fail-over; of
    writes of unknown fate, any. Each write 0.25 s after the one before, acknowledged 0.1 s later."""
    writes, there = [], set()
    for number in range(240):
        sent = number / 4
        up = sent + 0.1 < KILLED or sent >= RECOVERED
        outcome = draw(st.sampled_from([Outcome.OK] * 6 + [Outcome.UNKNOWN])) if up else Outcome.UNKNOWN
        write = Write(number, f"k{number:03}", sent, outcome, sent + 0.1, "us-east-1")
        kept = sent < PAUSED or sent >= RECOVERED
        if kept if outcome is Outcome.OK else draw(st.booleans()):
            there.add(write.key)
        writes.append(write)
    return writes, frozenset(there)


@settings(deadline=None, max_examples=10)
@given(paused())
def test_exactly_what_was_acknowledged_while_replication_was_paused_is_lost(made):
    writes, there = made
    data = accounted(writes, [ReadBack(1, 50, 51, there)], KILLED, RECOVERED, UNDO)
    lost = [w for w in writes if w.outcome is Outcome.OK and PAUSED <= w.sent < KILLED]
    assert {each.write.key for each in data.result.lost} == {write.key for write in lost}
    unknown = {write.key for write in writes if write.outcome is Outcome.UNKNOWN}
    assert {write.key for write in data.result.recovered} == unknown & there
    assert {write.key for write in data.result.unknown} == unknown - there
    oldest = min((write.at for write in lost), default=KILLED)
    assert abs(data.loss.seconds - (KILLED - oldest)) < 1e-9


@settings(deadline=None, max_examples=10)
@given(paused(), st.data())
def test_a_write_that_shows_up_late_is_late_and_not_lost(made, data):
    writes, there = made
    acknowledged = sorted(there & {write.key for write in writes if write.outcome is Outcome.OK and write.at < 50})
    late = data.draw(st.sets(st.sampled_from(acknowledged)))
    found = accounted(writes, [ReadBack(1, 50, 51, there - late), ReadBack(2, 70, 71, there)], KILLED, RECOVERED, UNDO)
    assert found.result.late == len(late)
    assert not late & {each.write.key for each in found.result.lost}


def test_the_age_of_what_the_way_home_lost_counts_from_the_undo():
    times = [29.0, 29.5, 50.0, 58.5, 59.0]
    writes = [Write(n, f"k{n}", at - 0.1, Outcome.OK, at) for n, at in enumerate(times)]
    read = ReadBack(1, 70, 71, frozenset({"k2"}))
    loss = accounted(writes, [read], KILLED, RECOVERED, UNDO).loss
    assert (loss.seconds, loss.writes) == (1.5, 4)
