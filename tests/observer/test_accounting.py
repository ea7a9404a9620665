"""The ledger against histories whose truth is known: each class of write, and what read-backs can say of it."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.errors import JournalUnreadable, JournalUnwritable, NotMeasured
from blackstart.observer import ledger
from blackstart.observer.databases import READER, WRITER
from blackstart.observer.history import History
from blackstart.observer.ledger import Divergent, Ledger, ReadBack, Replica, Write
from blackstart.observer.record import Outcome

EAST, WEST = "us-east-1", "us-west-2"
CHECKED = 1000.0


@st.composite
def histories(draw):
    """Writes of several writers that overlap, each sent at a whole second and known up to 3 s later."""
    writers = draw(st.lists(st.sampled_from(["", "b", "c"]), max_size=40))
    outcomes = [draw(st.sampled_from(Outcome)) for _ in writers]
    numbers = {name: iter(range(len(writers))) for name in ("", "b", "c")}
    writes = []
    for second, (writer, outcome) in enumerate(zip(writers, outcomes, strict=True)):
        op = next(numbers[writer])
        at = second + draw(st.sampled_from([0.5, 1.5, 3.0]))
        writes.append(Write(op, ledger.key("d", op, writer), float(second), outcome, at, EAST, writer))
    return writes


@st.composite
def rows(draw, keys):
    """What a database has: any of ``keys`` in any order, some of them more than once, and a stranger now and then."""
    there = draw(st.permutations([key for key in keys if draw(st.booleans())]))
    there += draw(st.sampled_from([[], [], ["d-x"]]))
    copies = {key: 2 for key in there if draw(st.integers(0, 9)) == 0}
    return frozenset(there), copies, {key: place for place, key in enumerate(there)}


@st.composite
def checked(draw):
    """A history and its last check: through the service, and of two databases before it."""
    writes = draw(histories())
    reads = []
    sources = [(EAST, draw(st.sampled_from([WRITER, READER]))), (WEST, WRITER), ("", "")]
    for place, (source, state) in enumerate(sources):
        keys, copies, places = draw(rows([write.key for write in writes]))
        began = CHECKED + 10 * place
        reads.append(ReadBack(1, began, began + 1, keys, source, state, copies, places if source else {}))
    return writes, reads


def planted(tmp_path_factory, writes, reads):
    """The same, once through the files of a journal, in blocks of lines that other writers cut into."""
    folder = tmp_path_factory.mktemp("ledger")
    logs = {name: Ledger(folder, name, batched=name == "b") for name in ("", "b", "c")}
    for write in writes:
        logs[write.writer].sending(write.op, write.key, write.sent)
    for write in writes:
        logs[write.writer].ended(write.op, write.outcome, write.at, write.region)
    for log in logs.values():
        log.close()
    history = ledger.read(folder)
    return history, [ReadBack(**{**vars(read), "keys": frozenset(read.keys)}) for read in reads]


@settings(deadline=None, max_examples=25)
@given(checked(), st.randoms())
def test_every_class_is_exactly_what_was_planted_whatever_the_order_of_reads(made, chance):
    writes, reads = made
    service = reads[2]
    chance.shuffle(reads)
    result = ledger.check(writes, reads)
    there = {each.source: each.keys for each in reads}
    by = {outcome: {w.key for w in writes if w.outcome is outcome} for outcome in Outcome}
    assert {each.write.key for each in result.lost} == by[Outcome.OK] - service.keys
    assert {each.write.key: each.held_by for each in result.lost} == {
        key: tuple(region for region in (EAST, WEST) if key in there[region]) for key in by[Outcome.OK] - service.keys
    }
    assert {each.key for each in result.recovered} == by[Outcome.UNKNOWN] & service.keys
    assert {each.key for each in result.unknown} == by[Outcome.UNKNOWN] - service.keys
    anywhere = frozenset().union(*there.values())
    assert set(result.unexpected) == anywhere - by[Outcome.OK] - by[Outcome.UNKNOWN]
    assert {each.key for each in result.duplicated} == {key for r in reads for key in r.copies} - {"d-x"}
    assert result.acknowledged == result.found + len(result.lost) + result.unchecked
    known = {each.key for each in (*result.recovered, *result.unknown)} | {each.write.key for each in result.lost}
    assert known.isdisjoint(by[Outcome.FAILED])


@settings(deadline=None, max_examples=25)
@given(checked())
def test_databases_disagree_where_one_lacks_what_it_had_to_have(made):
    writes, reads = made
    acknowledged = {write.key for write in writes if write.outcome is Outcome.OK}
    expected = {}
    for truth in (each for each in reads if each.state != READER):
        for other in reads:
            due = other.keys if other.ended <= truth.began else other.keys & acknowledged
            for key in due - truth.keys:
                has, lacks = expected.setdefault(key, (set(), set()))
                has.add(other.source)
                lacks.add(truth.source)
    assert ledger.check(writes, reads).divergent == tuple(
        Divergent(key, tuple(sorted(has)), tuple(sorted(lacks))) for key, (has, lacks) in sorted(expected.items())
    )


@settings(deadline=None, max_examples=25)
@given(checked())
def test_out_of_order_is_what_stands_behind_something_sent_after_its_acknowledgement(made):
    writes, reads = made
    expected = set()
    for read in reads:
        placed = [write for write in writes if write.key in read.places]
        for late in (each for each in placed if each.outcome is Outcome.OK):
            if any(e.sent > late.at and read.places[e.key] < read.places[late.key] for e in placed):
                expected.add(late.key)
    found = ledger.check(writes, reads).out_of_order
    assert {each.key for each in found or ()} == expected


@settings(deadline=None, max_examples=20)
@given(checked())
def test_through_the_files_the_answer_is_the_same(tmp_path_factory, made):
    writes, reads = made
    history, copies = planted(tmp_path_factory, writes, reads)
    assert sorted(history, key=lambda w: w.sent) == writes
    assert ledger.check(history, copies) == ledger.check(writes, reads)


def test_a_reader_that_lags_is_behind_and_not_wrong():
    writes = [Write(n, f"k{n}", n, Outcome.OK, n + 0.5) for n in range(4)]
    everything = frozenset(write.key for write in writes)
    reads = [
        ReadBack(1, 10, 11, everything - {"k3"}, WEST, READER),
        ReadBack(1, 10, 11, everything, EAST, WRITER),
        ReadBack(1, 12, 13, everything),
    ]
    result = ledger.check(writes, reads)
    assert (result.lost, result.divergent, result.out_of_order) == ((), (), None)
    assert result.replicas == (Replica(EAST, WRITER, 4, 0), Replica(WEST, READER, 3, 1))


def test_without_the_service_the_only_database_that_takes_writes_decides():
    writes = [Write(n, f"k{n}", n, Outcome.OK, n + 0.5) for n in range(3)]
    lagging = ReadBack(1, 10, 11, frozenset({"k0"}), EAST, READER)
    writer = ReadBack(1, 10, 11, frozenset({"k0", "k1"}), WEST, WRITER)
    result = ledger.check(writes, [lagging, writer])
    assert (result.by, [each.write.key for each in result.lost]) == (WEST, ["k2"])
    with pytest.raises(NotMeasured, match="no database that takes writes"):
        ledger.check(writes, [lagging])
    with pytest.raises(NotMeasured, match="us-east-1 and us-west-2 both take writes"):
        ledger.check(writes, [writer, ReadBack(1, 10, 11, frozenset(), EAST, WRITER)])


def test_a_write_that_was_acknowledged_twice_is_one_write_and_stays_acknowledged(tmp_path):
    log = Ledger(tmp_path)
    log.sending(1, "d-1", 1.0)
    for outcome, at, region in (
        (Outcome.UNKNOWN, 1.1, ""), (Outcome.OK, 1.2, EAST), (Outcome.OK, 1.3, WEST), (Outcome.FAILED, 1.4, WEST),
    ):  # fmt: skip
        log.ended(1, outcome, at, region)
    log.close()
    assert list(ledger.read(tmp_path)) == [Write(1, "d-1", 1.0, Outcome.OK, 1.2, EAST)]


def test_writers_that_do_not_keep_their_keys_apart_are_refused(tmp_path):
    for name in ("", "b"):
        log = Ledger(tmp_path, name)
        log.sending(1, "d-1", 1.0)
        log.close()
    with pytest.raises(JournalUnreadable, match="two writes have the key"):
        ledger.read(tmp_path)


def test_what_is_collected_is_on_disk_once_it_is_flushed(tmp_path):
    log = Ledger(tmp_path, batched=True)
    log.sending(1, 'ü\n"', 1.0)
    assert len(ledger.read(tmp_path)) == 0
    log.flush()
    assert [write.key for write in ledger.read(tmp_path)] == ['ü\n"']
    log.ended(1, Outcome.OK, 1.1, "")
    log.close()
    assert ledger.read(tmp_path)[0].outcome is Outcome.OK


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_history_that_cannot_be_kept_is_told(tmp_path):
    (tmp_path / "ledger.jsonl").symlink_to("/dev/full")
    with pytest.raises(JournalUnwritable, match="No space left"):
        Ledger(tmp_path).sending(1, "d-1", 1.0)


@pytest.mark.parametrize(
    "line",
    ['{"op":1,"key":"d-1","sent":1}\n{"op":2,"outcome":"ok","at":1.1}', '{"op":-1,"key":"d-1","sent":1}', "7", "[]"],
)
def test_what_is_no_history_is_refused(tmp_path, line):
    (tmp_path / "ledger.jsonl").write_text(line + "\n")
    with pytest.raises(JournalUnreadable, match=r"ledger\.jsonl"):
        ledger.read(tmp_path)


@pytest.mark.parametrize("lost", [0, 7, 10_000])
def test_among_twenty_thousand_writes_exactly_the_planted_ones_are_lost(tmp_path, lost):
    chance = random.Random(lost)
    count = 20_000
    gone = set(chance.sample(range(0, count, 2), lost))
    open_fate = set(chance.sample(range(1, count, 2), 500))
    log = Ledger(tmp_path, batched=True)
    for op in range(count):
        log.sending(op, ledger.key("d", op), op / 1000)
        if op not in open_fate:
            log.ended(op, Outcome.OK, op / 1000 + 0.01, EAST)
    log.close()
    there = frozenset(ledger.key("d", op) for op in range(count) if op not in gone and op not in open_fate)
    result = ledger.check(ledger.read(tmp_path), [ReadBack(1, 100, 101, there), ReadBack(2, 102, 103, there)])
    assert {each.write.op for each in result.lost} == gone
    assert {write.op for write in result.unknown} == open_fate
    assert (result.found, result.recovered) == (count - lost - 500, ())


def test_a_history_is_a_sequence_of_writes():
    writes = [Write(n, f"k{n}", float(n), Outcome.OK, n + 0.5, EAST) for n in (3, 1, 2)]
    history = History.of(writes)
    assert [write.op for write in history] == [1, 2, 3]
    assert history[1:] == [history[1], history[2]]
    assert (history[-1], len(history)) == (writes[0], 3)
    assert History.of(history) is history
