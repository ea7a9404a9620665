"""Reads and writes of each journey for themselves: none hides behind another, and none that is tiny decides alone."""

from dataclasses import replace

import pytest

from blackstart.journals import users
from blackstart.observer import analysis, samples
from blackstart.observer.events import Event
from blackstart.observer.evidence import evidence
from blackstart.observer.lateness import allow_for_outage, allow_for_recovery
from blackstart.observer.recorder import Recorder
from blackstart.observer.samples import Cause, Header, JourneyInfo, Kind, Outcome, Samples
from blackstart.settings import Observing

WATCHED = Observing(rate=100, timeout_seconds=0.5, recovery_window_seconds=1.0)


def several(seen: Samples, journey) -> Samples:
    """``seen`` as if ``journey`` said, by its number, whose each request was."""
    rows = [row._replace(journey=journey(row.number)) for row in seen.rows]
    return Samples(seen.header, rows, seen.complete_until)


def failing(seen: Samples, journey: str, start: float, end: float) -> Samples:
    rows = [
        row._replace(outcome=Outcome.FAILED, cause=Cause.STATUS)
        if row.journey == journey and start <= row.intended < end
        else row
        for row in seen.rows
    ]
    return Samples(seen.header, rows, seen.complete_until)


def shop(number: int) -> str:
    return "search" if number % 10 < 8 else "checkout"


def test_a_journey_that_works_does_not_hide_one_that_does_not(planted):
    seen = failing(several(planted([], 8), shop), "checkout", 2, 5)
    assert analysis.recovery(seen, 2, 0.99, 1).seconds == pytest.approx(3, abs=0.1)
    (outage,) = analysis.outages(seen, 0, 8)
    assert outage.seconds == pytest.approx(3, abs=0.1)
    never = failing(seen, "checkout", 2, 9)
    assert analysis.recovery(never, 2, 0.99, 1).seconds is None


def test_each_journey_has_figures_of_its_own_and_a_single_one_none(planted):
    seen = failing(several(planted([], 8), shop), "checkout", 2, 5)
    found = {each.name: each for each in users.watched(seen, [], 2.0, None, WATCHED).journeys}
    assert (found["search"].requests, found["search"].failed, found["search"].longest) == (640, 0, None)
    assert (found["checkout"].requests, found["checkout"].failed) == (160, 60)
    assert found["checkout"].availability == pytest.approx(100 / 160)
    assert found["checkout"].longest.seconds == pytest.approx(3, abs=0.1)
    assert found["search"].latency.p50 == pytest.approx(0.004, abs=1e-4)
    assert users.watched(planted([], 8), [], 2.0, None, WATCHED).journeys == ()


def rare(number: int) -> str:
    return "export" if number % 50 == 0 else "search"


def test_one_failure_of_a_journey_with_few_requests_does_not_decide_but_its_end_does(planted):
    seen = several(planted([], 10), rare)
    assert analysis.recovery(failing(seen, "export", 5.0, 5.1), 2, 0.9, 1).seconds == 0
    assert analysis.recovery(failing(seen, "search", 5.0, 6.0), 2, 0.9, 1).seconds == pytest.approx(4, abs=0.1)
    assert analysis.recovery(failing(seen, "export", 2.0, 11.0), 2, 0.999, 1).seconds is None


def test_an_answer_that_is_too_slow_is_no_recovery(planted):
    seen = planted([], 8)
    slow = [row._replace(ended=row.ended + 0.2) if 2 <= row.intended < 4 else row for row in seen.rows]
    seen = Samples(seen.header, slow, seen.complete_until)
    assert analysis.recovery(seen, 2, 0.99, 1).seconds == 0
    found = analysis.recovery(seen, 2, 0.99, 1, slowest=0.1)
    assert (found.seconds, found.hurt_at) == (pytest.approx(2, abs=0.03), pytest.approx(2, abs=0.011))
    assert "took longer than 0.1 s" in analysis.recovery(seen.between(0, 3.5), 2, 0.99, 1, 3.5, slowest=0.1).reason


def test_the_journey_of_each_request_is_on_disk(tmp_path, planted):
    seen = several(planted([], 1), shop)
    names = {name: place for place, name in enumerate(samples.Samples(seen.header, seen.rows).names("journey")) if name}
    with (tmp_path / "samples.bin").open("wb") as file:
        for row in seen.rows:
            file.write(samples.pack(row, 65535, 0, 255, 255, names[row.journey]))
    journeys = tuple(JourneyInfo(name, 0.5, "http/2", target="x:1") for name in names)
    replace(seen.header, journeys=journeys).write(tmp_path)
    again = samples.read(tmp_path)
    assert [row.journey for row in again.rows] == [row.journey for row in seen.rows]
    assert again.header.journeys == journeys
    assert len(again.of_journey("checkout")) == 20


def test_samples_of_the_first_format_are_still_read(tmp_path, planted):
    seen = planted([], 1)
    recorder = Recorder(tmp_path, replace(seen.header, format=1, record="<IIqIHHBBBBBBBx"))
    for row in seen.rows:
        recorder.add(row)
    recorder.close(1.0)
    assert {row.journey for row in samples.read(tmp_path).rows} == {""}


def late(seen: Samples, start: float, end: float, by: float) -> Samples:
    rows = [
        row._replace(sent=row.sent + by, ended=row.ended + by) if start <= row.intended < end else row
        for row in seen.rows
    ]
    return Samples(seen.header, rows, seen.complete_until)


def test_the_observers_own_lateness_is_in_the_error_bar_and_too_much_of_it_is_a_doubt(planted, trouble):
    seen = planted([trouble(2, 3)], 8)
    exact = analysis.recovery(seen, 2, 0.99, 1)
    calm = allow_for_recovery(seen, exact, 2)
    assert (calm.error_seconds, calm.doubt) == (exact.error_seconds, "")
    held_up = late(seen, 3.0, 3.2, 0.08)
    found = allow_for_recovery(held_up, analysis.recovery(held_up, 2, 0.99, 1), 2)
    assert found.lowest <= 1.0 <= found.highest
    assert (found.error_seconds >= 0.08, found.doubt) == (True, "")
    lost = late(seen, 3.0, 3.2, 0.3)
    assert "late by 0.30 s" in allow_for_recovery(lost, analysis.recovery(lost, 2, 0.99, 1), 2).doubt
    outage, doubt = allow_for_outage(lost, analysis.longest_outage(lost, 0, 8))
    assert outage.error_seconds >= 0.15
    assert "where 0.12 s are allowed" in doubt


def test_every_step_names_what_shows_it():
    told = [
        Event(1.0, "detect", {"reason": "PrimaryUnhealthy", "source": "kubernetes event"}),
        Event(2.2, "dns", {"name": "shop.test", "first_new": 2.0, "last_old": 1.0, "server": "127.0.0.1:5300"}),
        Event(3.0, "writer", {"region": "us-west-2", "source": "rds"}),
        Event(4.0, "ready", {"source": "operator", "reason": "scaled"}),
    ]
    seen = {"detect": 1.0, "reroute": 2.0, "promote": 3.0, "scale": 4.0, "warm": 5.0}
    assert evidence(told, seen) == {
        "detect": "Kubernetes Event PrimaryUnhealthy",
        "reroute": "DNS answer of 127.0.0.1:5300 for shop.test",
        "promote": "RDS DescribeGlobalClusters",
        "scale": "word of the operator scaled",
        "warm": "reads that another region answered from its cache",
    }


def test_a_header_says_which_journeys_there_are(tmp_path):
    header = Header(0.0, "", 0.0, 10.0, 2.0, 0.5, journeys=(JourneyInfo("search", 0.8, kind="read"),))
    header.write(tmp_path)
    assert samples.read_header(tmp_path) == header
    assert Kind.READ == 0
