"""A service that hangs, and then answers some of what hung and lets the rest time out."""

import pytest

from blackstart.observer.outages import Edge
from blackstart.observer.samples import Cause, Header, Kind, Outcome, Sample, Samples
from blackstart.observer.streams import streams

GAP, TIMEOUT, QUICK = 0.02, 2.0, 0.01


def request(number, ended, ok):
    due = number * GAP
    outcome, cause = (Outcome.OK, Cause.NONE) if ok else (Outcome.FAILED, Cause.TIMEOUT)
    return Sample(number, due, due, ended, Kind.READ, outcome, cause)


def hanging(until, served=lambda number: True):
    """Requests every 20 ms for 6 s: down from 1 s ``until``; what waits then is answered if ``served``."""
    for number in range(300):
        due = number * GAP
        waited = until - due if 1.0 <= due < until else 0.0
        if waited > TIMEOUT or (waited and not served(number)):
            yield request(number, due + TIMEOUT, ok=False)
        else:
            yield request(number, due + waited + QUICK, ok=True)


def recovered(rows):
    (stream,) = streams(Samples(Header(0.0, "", 0.0, 1 / GAP, TIMEOUT, 0.0), rows))
    earliest, latest = stream.came_back(stream.runs[1][-1:])
    return Edge(earliest[0], latest[0])


@pytest.mark.parametrize("served", [lambda number: True, lambda number: number % 3 > 0, lambda number: number % 7 == 0])
def test_the_end_of_a_hang_is_when_answers_came_whoever_was_answered(served):
    edge = recovered(list(hanging(until=4.0, served=served)))
    assert edge.at == pytest.approx(4.0, abs=1.5 * GAP)
    assert edge.error_seconds <= 1.5 * GAP


def test_what_hung_while_others_were_answered_says_nothing_of_them():
    rows = [request(number, number * GAP + QUICK, ok=True) for number in range(100)]
    rows += [request(100, 100 * GAP + TIMEOUT, ok=False)]
    rows += [request(number, number * GAP + QUICK, ok=True) for number in range(101, 300)]
    edge = recovered(rows)
    assert edge.at == pytest.approx(100.5 * GAP, abs=1.5 * GAP)
