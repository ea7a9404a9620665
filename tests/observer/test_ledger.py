import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.observer import ledger
from blackstart.observer.ledger import Ledger, ReadBack, Write
from blackstart.observer.samples import Outcome


@st.composite
def planted(draw):
    """A history, and which of its writes are really there: not the failed ones, unless planted as ``ghosts``."""
    outcomes = draw(st.lists(st.sampled_from(Outcome), max_size=60))
    writes = [Write(n, f"d-{n:03}", float(n), each, n + 0.5, "us-east-1") for n, each in enumerate(outcomes)]
    there = {write.key for write in writes if draw(st.booleans())}
    strangers = draw(st.sets(st.sampled_from(["x-1", "x-2"])))
    return writes, there, strangers


@settings(deadline=None)
@given(planted())
def test_every_write_is_accounted_for_once_and_an_unknown_one_is_never_lost(made):
    writes, there, strangers = made
    result = ledger.check(writes, [ReadBack(1, 1000, 1001, frozenset(there | strangers))])
    by = {outcome: {w.key for w in writes if w.outcome is outcome} for outcome in Outcome}
    assert {each.write.key for each in result.lost} == by[Outcome.OK] - there
    assert result.acknowledged == len(by[Outcome.OK]) == result.found + len(result.lost) + result.unchecked
    assert {w.key for w in result.recovered} == by[Outcome.UNKNOWN] & there
    assert {w.key for w in result.unknown} == by[Outcome.UNKNOWN] - there
    assert set(result.unexpected) == (by[Outcome.FAILED] & there) | strangers
    assert result.attempted == len(writes)


@settings(deadline=None)
@given(planted(), st.floats(0, 60))
def test_a_write_acknowledged_after_the_read_began_is_not_lost(made, began):
    writes, there, _ = made
    result = ledger.check(writes, [ReadBack(1, began, began + 1, frozenset(there))])
    assert all(each.acknowledged <= began for each in result.lost)
    assert result.acknowledged == result.found + len(result.lost) + result.unchecked


def test_the_last_read_decides_and_earlier_ones_tell_what_was_late():
    write = Write(0, "k", 1.0, Outcome.OK, 1.1)
    without, with_it = ReadBack(1, 2, 3, frozenset()), ReadBack(2, 4, 5, frozenset({"k"}))
    assert (ledger.check([write], [without, with_it]).late, ledger.check([write], [without, with_it]).lost) == (1, ())
    gone = ledger.check([write], [with_it, ReadBack(3, 6, 7, frozenset())])
    assert [each.checked for each in gone.lost] == [(7,)]
    twice = ledger.check([write], [without, ReadBack(2, 4, 5, frozenset())])
    assert twice.lost[0].checked == (3, 5)


def test_without_a_complete_read_nothing_is_said():
    with pytest.raises(NotMeasured, match="never read back"):
        ledger.check([], [])


@pytest.mark.parametrize(("fault_at", "seconds"), [(10.0, 6.5), (3.0, 0.0)])
def test_data_loss_is_the_age_of_the_oldest_lost_write(fault_at, seconds):
    writes = [Write(n, f"k{n}", float(n), Outcome.OK, n + 0.5) for n in range(8)]
    result = ledger.check(writes, [ReadBack(1, 20, 21, frozenset({"k0", "k1", "k2", "k5"}))])
    loss = ledger.data_loss(result, fault_at)
    assert (loss.seconds, loss.writes) == (seconds, 4)


def test_nothing_lost_is_zero():
    result = ledger.check([], [ReadBack(1, 20, 21, frozenset())])
    assert ledger.data_loss(result, 5) == ledger.DataLoss(0.0, 0.0, 0)


def test_a_history_is_read_as_it_was_written_also_when_cut_off_anywhere(tmp_path):
    history = Ledger(tmp_path)
    for op, outcome in enumerate(Outcome):
        history.sending(op, ledger.key("d", op), op + 0.1)
        history.ended(op, outcome, op + 0.2, "us-east-1")
    history.sending(3, ledger.key("d", 3), 3.1)
    history.close()
    data = (tmp_path / "ledger.jsonl").read_bytes()
    whole = ledger.read(tmp_path)
    assert [write.outcome for write in whole] == [*Outcome, Outcome.UNKNOWN]
    assert whole[3].at is None
    for length in range(len(data)):
        (tmp_path / "ledger.jsonl").write_bytes(data[:length])
        for write, full in zip(ledger.read(tmp_path), whole, strict=False):
            assert write == full or write.outcome is Outcome.UNKNOWN


def test_a_line_of_something_else_is_named(tmp_path):
    (tmp_path / "ledger.jsonl").write_text('{"op": 1, "outcome": "ok"}\n')
    with pytest.raises(JournalUnreadable, match=r"ledger\.jsonl"):
        ledger.read(tmp_path)


def test_a_read_back_that_was_not_finished_is_not_used(tmp_path):
    (tmp_path / "found.jsonl").write_text(
        '{"check": 1, "at": 1, "keys": ["a"]}\n'
        '{"check": 2, "at": 2, "keys": ["a"]}\n{"check": 2, "at": 3, "keys": ["b"]}\n'
        '{"check": 2, "began": 1.5, "at": 4, "complete": true}\n{"check": 3, "at": 5, "ke'
    )
    assert ledger.read_found(tmp_path) == (ReadBack(2, 1.5, 4, frozenset({"a", "b"})),)
