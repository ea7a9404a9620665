from blackstart.journals.effects import effects, felt
from blackstart.observer.events import Event
from blackstart.observer.samples import Cause, Header, Kind, Outcome, Sample, Samples

HEADER = Header(0.0, "2026-11-23T14:03:00Z", 0.0, 10.0, 2.0, 0.0, regions=("a",))


def served(pod_at, zone_at=lambda second: "a1", ok_at=lambda second: True):
    """40 s of ten requests a second; the fault is at 20 s. Functions say what held at a second."""
    rows = []
    for number in range(400):
        due = number / 10
        good = ok_at(due)
        fate = (Outcome.OK, Cause.NONE) if good else (Outcome.FAILED, Cause.STATUS)
        pod, zone = (pod_at(number, due), zone_at(due)) if good else ("", "")
        rows.append(
            Sample(number, due, due, due + 0.01, Kind.READ, *fate, region="a" if good else "", zone=zone, pod=pod)
        )
    return Samples(HEADER, tuple(rows), 40.0)


def shown(samples, events=()):
    return [sentence.replace("\u00a0", " ") for sentence in effects(samples, events, 20.0, 40.0, 40.0)]


def test_nothing_shows_when_everybody_goes_on():
    assert shown(served(lambda n, due: f"p{n % 3}")) == []


def test_a_pod_that_answered_before_and_not_after_is_an_effect_even_if_no_request_failed():
    samples = served(lambda n, due: f"p{n % 3}" if due < 20 else f"p{n % 2}")
    assert shown(samples) == ["pod p2 answered 66 requests before the fault and none from the fault on"]


def test_a_zone_that_fell_silent_is_told_instead_of_its_pods():
    samples = served(lambda n, due: f"p{due < 20}", zone_at=lambda second: "a1" if second < 21 else "a2")
    assert shown(samples) == ["zone a1 answered 200 requests before the fault and none after +0.90 s"]


def test_a_pod_that_rarely_answers_is_not_taken_for_gone():
    samples = served(lambda n, due: "rare" if n in (3, 90) else "p0")
    assert shown(samples) == []


def test_failures_are_an_effect_and_so_is_what_the_platform_shows():
    samples = served(lambda n, due: "p0", ok_at=lambda second: not 22 <= second < 23)
    events = (
        Event(1.0, "writer", {"region": "a"}),
        Event(1.0, "ready", {"ready": 6, "desired": 6}),
        Event(24.0, "ready", {"ready": 5, "desired": 6}),
        Event(25.0, "writer", {"region": "b"}),
        Event(26.0, "dns", {"before": ["127.0.0.11"], "after": ["127.0.0.12"]}),
    )
    assert shown(samples, events) == [
        "10 of 200 requests failed, the first due at +2.00 s",
        "the service's name moved from 127.0.0.11 to 127.0.0.12 at +6.00 s",
        "the database's writer moved from a to b at +5.00 s",
        "ready replicas fell from 6 to 5",
    ]


def test_what_is_felt_by_now_is_what_failed_or_has_been_silent_for_long_enough():
    calm = served(lambda n, due: f"p{n % 3}")
    assert felt(calm, 20.0, 40.0) == ()
    silent = served(lambda n, due: f"p{n % 3}" if due < 20 else f"p{n % 2}")
    assert felt(silent, 20.0, 23.0) == ()
    assert felt(silent, 20.0, 30.0)
    hurt = served(lambda n, due: "p0", ok_at=lambda second: not 22 <= second < 23)
    assert felt(hurt, 20.0, 22.0) == ()
    assert felt(hurt, 20.0, 22.5)
