import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.observer import samples
from blackstart.observer.recorder import Recorder
from blackstart.observer.samples import RECORD, Cache, Cause, Header, Kind, Outcome, Sample

HEADER = Header(100.0, "2026-11-23T14:04:41.000Z", begin=1.0, rate=10, timeout_seconds=2, write_share=0.5)
micros = st.integers(0, 4_000_000_000).map(lambda each: each / 1e6)
names = st.sampled_from(["", "us-east-1", "us-west-2", "a", "b"])


@st.composite
def rows(draw):
    intended = draw(micros)
    return Sample(
        number=draw(st.integers(0, 2**32 - 1)),
        intended=intended,
        sent=draw(st.one_of(st.just(math.nan), micros.map(lambda late: intended + late))),
        ended=intended + draw(micros),
        kind=draw(st.sampled_from(Kind)),
        outcome=draw(st.sampled_from(Outcome)),
        cause=draw(st.sampled_from(Cause)),
        status=draw(st.integers(0, 599)),
        cache=draw(st.sampled_from(Cache)),
        region=draw(names),
        zone=draw(names),
        pod=draw(names),
        address=draw(names),
    )


@given(st.lists(rows(), unique_by=lambda row: row.number))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_what_was_written_is_read_again(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("journal")
    recorder = Recorder(folder, HEADER)
    for row in made:
        recorder.add(row)
    recorder.close(ended=9.0)
    seen = samples.read(folder)
    assert [exact(row) for row in seen.rows] == [exact(row) for row in sorted(made)]
    assert seen.header.ended == 9.0


def exact(row: Sample) -> tuple:
    """Times as whole microseconds, which is what the format holds."""
    sent = None if math.isnan(row.sent) else round(row.sent * 1e6)
    return (round(row.intended * 1e6), sent, round(row.ended * 1e6), *row[:1], *row[4:])


def sample(number: int, **values) -> Sample:
    due = HEADER.schedule.intended(number)
    return Sample(number, due, due, due + 0.01, Kind.READ, Outcome.OK, **values)


def write(folder: Path, numbers) -> None:
    recorder = Recorder(folder, HEADER)
    for number in numbers:
        recorder.add(sample(number, region="us-east-1"))
    recorder.flush()


def test_a_cut_off_tail_costs_one_record_and_no_more(tmp_path):
    write(tmp_path, range(5))
    data = (tmp_path / "samples.bin").read_bytes()
    for length in range(len(data) + 1):
        (tmp_path / "samples.bin").write_bytes(data[:length])
        assert len(samples.read(tmp_path)) == length // RECORD.size


def test_everything_is_known_up_to_the_first_request_that_is_missing(tmp_path):
    write(tmp_path, [0, 1, 2, 5, 4])
    assert samples.read(tmp_path).complete_until == pytest.approx(1.3)


def test_a_tail_reads_on_where_it_was_and_knows_names_that_turned_up_since(tmp_path):
    recorder = Recorder(tmp_path, HEADER)
    tail = samples.Tail(tmp_path)
    assert len(tail.samples()) == 0
    for number, region in enumerate(["us-east-1", "us-east-1", "us-west-2"]):
        recorder.add(sample(number, region=region))
        recorder.flush()
        assert [row.region for row in tail.samples().rows][-1] == region
    assert [row.number for row in tail.samples().rows] == [0, 1, 2]


def test_a_sample_takes_less_than_forty_bytes_on_disk(tmp_path):
    write(tmp_path, range(1000))
    assert (tmp_path / "samples.bin").stat().st_size <= 40 * 1000


def test_without_an_observer_there_is_nothing_to_read(tmp_path):
    with pytest.raises(NotMeasured, match="no observer has begun"):
        samples.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', '{"rate": 3'])
def test_a_garbled_header_is_named(tmp_path, text):
    (tmp_path / "observer.json").write_text(text)
    with pytest.raises(JournalUnreadable, match=r"observer\.json"):
        samples.read(tmp_path)


def test_a_record_that_no_observer_writes_is_named(tmp_path):
    write(tmp_path, [0])
    (tmp_path / "samples.bin").write_bytes(b"\xff" * RECORD.size)
    with pytest.raises(JournalUnreadable, match=r"samples\.bin"):
        samples.read(tmp_path)


def test_a_stranger_reads_the_file_by_the_documented_offsets(tmp_path):
    recorder = Recorder(tmp_path, HEADER)
    recorder.add(
        Sample(7, 1.7, 1.701, 1.75, Kind.WRITE, Outcome.UNKNOWN, Cause.STATUS, 503, Cache.MISS, "r", "z", "p", "a")
    )
    recorder.flush()
    data = (tmp_path / "samples.bin").read_bytes()
    at = lambda start, size: int.from_bytes(data[start : start + size], "little")  # noqa: E731
    assert [at(0, 4), at(4, 4), at(8, 8), at(16, 4), at(20, 2), at(22, 2)] == [7, 1000, 1_700_000, 50_000, 503, 0]
    assert list(data[24:32]) == [1, 2, 4, 2, 0, 0, 0, 0]
