"""What is counted in columns is what a loop over the rows finds, on histories with everything that can happen."""

import importlib.util
import math
import random
from dataclasses import astuple, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackstart.errors import NotMeasured
from blackstart.observer import analysis, samples, steps
from blackstart.observer.recorder import Recorder
from blackstart.observer.samples import Cache, Cause, Header, Kind, Outcome, Sample, Samples

_spec = importlib.util.spec_from_file_location("row_by_row", Path(__file__).with_name("row_by_row.py"))
row_by_row = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(row_by_row)

HOME, AWAY = "us-east-1", "us-west-2"
TIMEOUT = 0.4
REFUSED, TIMED_OUT = (Outcome.FAILED, Cause.REFUSED), (Outcome.FAILED, Cause.TIMEOUT)


def history(seed: int) -> Samples:
    """A second or ten of a service in changing moods, watched by an observer that is late, or absent, at times."""
    chance = random.Random(seed)
    rate = chance.choice([20.0, 50.0, 30.0])
    count = chance.randint(1, 200)
    header = Header(0.0, "", chance.choice([0.0, 0.5]), rate, TIMEOUT, chance.choice([0.0, 0.3, 0.5]), home_region=HOME)
    schedule, rows, mood, left, sent = header.schedule, [], "up", 0, 0.0
    for number in range(count):
        if left == 0:
            mood = chance.choice(["up", "up", "up", "refuse", "hang", "stall", "flap", "late", "unsent"])
            left = chance.choice([1, 2, 5, 20, 60])
            until = schedule.intended(number + left)
        left -= 1
        due = schedule.intended(number)
        sent = max(sent, due + (chance.choice([0.05, 0.11, 0.3]) if mood == "late" else chance.choice([0.0, 0.0002])))
        row = Sample(number, due, sent, sent + 0.005, schedule.kind(number), Outcome.OK)
        rows.append(fate(row, mood, until, chance))
    kept = [row for row in rows if chance.random() < 0.98] if chance.random() < 0.3 else rows
    known = schedule.intended(count - chance.choice([0, 0, min(count, 30)]))
    return Samples(replace(header, ended=chance.choice([None, known])), kept, known)


def fate(row: Sample, mood: str, until: float, chance: random.Random) -> Sample:
    quick = chance.choice([0.003, 0.005, 0.01, 0.05])
    ok = row._replace(
        ended=row.sent + quick,
        region=chance.choice([HOME, AWAY, AWAY, ""]),
        cache=chance.choice(list(Cache)),
        status=200,
    )
    if mood == "unsent":
        return row._replace(sent=math.nan, ended=row.intended, outcome=Outcome.FAILED, cause=Cause.UNSENT)
    if mood == "stall" and until + quick <= row.intended + TIMEOUT:
        return ok._replace(ended=max(until, row.sent) + quick)
    if mood == "refuse" or (mood in {"flap", "late"} and chance.random() < 0.4):
        return row._replace(ended=row.sent + 0.001, outcome=Outcome.FAILED, cause=Cause.REFUSED)
    if mood in {"hang", "stall"} or (mood == "flap" and chance.random() < 0.3):
        outcome = Outcome.UNKNOWN if row.kind is Kind.WRITE else Outcome.FAILED
        ended = row.intended + TIMEOUT + chance.choice([0.0, 0.001, 0.2])
        return row._replace(ended=ended, outcome=outcome, cause=Cause.TIMEOUT)
    return ok


def said(ask, *args):
    """What ``ask`` says; that it cannot tell is an answer too."""
    try:
        return ask(*args)
    except NotMeasured:
        return "not measured"


@st.composite
def spans(draw):
    start = draw(st.sampled_from([0.0, 0.5, 1.0, 2.5]))
    return start, start + draw(st.sampled_from([0.3, 1.0, 4.0, 20.0]))


agree = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 10**6)


@agree
@given(seeds, spans())
def test_figures_are_those_of_the_rows(seed, span):
    seen = history(seed)
    assert said(analysis.availability, seen, *span) == said(row_by_row.availability, seen, *span)
    assert analysis.serving_region(seen, *span) == row_by_row.serving_region(seen, *span)
    (part,) = analysis.served_by(seen, *span, span[1] - span[0])
    assert (list(part.counts.items()), part.failed) == (
        list(row_by_row.served_by(seen, *span)[0].items()), row_by_row.served_by(seen, *span)[1]
    )  # fmt: skip
    assert analysis.longest_silence(seen, *span) == row_by_row.longest_silence(seen, *span)
    without = [(1.0, 1.5)]
    assert said(analysis.latency, seen, *span, without) == said(row_by_row.latency, seen, *span, without)
    if seen.planned(*span):
        assert analysis.trust(seen, *span) == row_by_row.trust(seen, *span)


@agree
@given(seeds, spans())
def test_outages_are_those_of_the_rows(seed, span):
    seen = history(seed)
    assert list(analysis.outages(seen, *span)) == row_by_row.outages(seen, *span)
    assert analysis.longest_outage(seen, *span) == row_by_row.longest_outage(seen, *span)


@agree
@given(seeds, st.sampled_from([0.0, 0.7, 2.0]), st.sampled_from([0.9, 0.99, 1.0]), st.sampled_from([0.2, 1.0, 3.0]))
def test_recovery_is_that_of_the_rows(seed, fault, share, window):
    seen = history(seed)
    for until in (None, fault + 3):
        asked = (seen, fault, share, window, until)
        assert said(analysis.recovery, *asked) == said(row_by_row.recovery, *asked)


@agree
@given(seeds, st.sampled_from([0.0, 1.0]))
def test_a_cache_is_warm_when_the_rows_say_so(seed, fault):
    seen = history(seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(steps, "WARM_READS", 5)
        patched.setattr(steps, "FIRST_READS", 8)
        found = steps.seen([], seen, fault, HOME).get("warm")
    assert found == row_by_row.warm(seen, fault, HOME, 5, 0.9)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seeds)
def test_what_was_written_and_read_again_is_counted_as_its_rows_are(tmp_path_factory, seed):
    seen, folder = history(seed), tmp_path_factory.mktemp("journal")
    recorder = Recorder(folder, seen.header)
    for row in sorted(seen.rows, key=lambda row: row.ended):
        recorder.add(row)
    recorder.flush()
    again = samples.read(folder)
    again = Samples(replace(again.header, ended=seen.header.ended), again.table, seen.complete_until)
    for part in ("number", "intended", "sent", "ended"):
        written = [getattr(row, part) for row in seen.rows]
        assert getattr(again, part).tolist() == pytest.approx(written, abs=1e-6, nan_ok=True)
    assert [row[4:] for row in again.rows] == [row[4:] for row in seen.rows]
    assert list(analysis.outages(again, 0, 9)) == row_by_row.outages(again, 0, 9)
    assert said(analysis.recovery, again, 1, 0.9, 1) == said(row_by_row.recovery, again, 1, 0.9, 1)
    assert said(analysis.availability, again, 0, 9) == said(row_by_row.availability, again, 0, 9)
    took, exact = said(analysis.latency, again, 0, 9), said(row_by_row.latency, again, 0, 9)
    assert took == exact or astuple(took) == pytest.approx(astuple(exact), abs=1e-9)
