import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.errors import NotMeasured
from blackstart.observer import analysis
from blackstart.observer.events import Event
from blackstart.observer.samples import Cache, Header, Kind, Outcome, Sample, Samples
from blackstart.observer.steps import REST, STEPS, seen, split_steps


def test_availability_is_the_share_of_planned_requests_that_were_ok_in_time(planted, trouble):
    samples = planted([trouble(1, 2, "hole")], 4)
    found = analysis.availability(samples, 0, 4)
    assert (found.planned, found.ok, found.failed, found.unknown, found.unobserved) == (400, 300, 50, 50, 0)
    assert (found.share, found.lowest, found.highest) == (0.75, 0.75, 0.75)


def test_requests_that_nobody_saw_widen_availability_to_both_sides(planted):
    samples = planted([], 4)
    partial = Samples(samples.header, samples.rows[:300] + samples.rows[320:], samples.complete_until)
    found = analysis.availability(partial, 0, 4)
    assert (found.unobserved, found.lowest, found.highest) == (20, 0.95, 1)


def test_without_a_request_there_is_no_availability(planted):
    with pytest.raises(NotMeasured):
        analysis.availability(planted([], 4), 10, 12)


def test_availability_by_time_adds_up_to_availability(planted, trouble):
    samples = planted([trouble(1.1, 2.3)], 4)
    parts = analysis.availability_by_time(samples, 0, 5, 0.3)
    assert parts[-1] == (pytest.approx(4.8), None)
    known = [part for _, part in parts if part]
    assert sum(part.planned for part in known) == 400
    assert sum(part.ok for part in known) == analysis.availability(samples, 0, 4).ok


def test_latency_counts_from_when_a_request_was_due(planted, trouble):
    slow = analysis.latency(planted([], 4, late=0.05), 0, 4)
    assert (slow.p50, slow.count) == (pytest.approx(0.054, rel=0.01), 400)
    stalled = analysis.latency(planted([trouble(1, 1.3, "stall")], 4), 0, 4)
    assert stalled.maximum == pytest.approx(0.304, abs=0.02)
    assert stalled.p50 == pytest.approx(0.004, rel=0.01)
    without = analysis.latency(planted([trouble(1, 1.3, "stall")], 4), 0, 4, excluding=[(1, 1.3)])
    assert (without.maximum, without.count) == (pytest.approx(0.004, rel=0.01), 370)
    with pytest.raises(NotMeasured):
        analysis.latency(planted([trouble(0, 9)], 4), 0, 4)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=300))
def test_percentiles_are_within_a_part_in_a_thousand_of_sorted_values(values):
    rows = tuple(Sample(n, float(n), float(n), n + each, Kind.READ, Outcome.OK) for n, each in enumerate(values))
    samples = Samples(Header(0, "", 0, 1, 60, 0), rows, len(rows))
    found = analysis.latency(samples, 0, len(rows))
    ordered = sorted(values)
    for share, value in ((50, found.p50), (95, found.p95), (99, found.p99)):
        exact = ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]
        assert value == pytest.approx(exact, rel=2e-3)
        assert analysis.percentile(samples, 0, len(rows), share) == pytest.approx(exact, abs=1e-6)


def moved(samples: Samples, at: float) -> Samples:
    rows = tuple(row if row.intended < at else row._replace(region="us-west-2") for row in samples.rows)
    return Samples(samples.header, rows, samples.complete_until)


def test_who_served_when(planted, trouble):
    samples = moved(planted([trouble(1, 2)], 4), 2)
    parts = analysis.served_by(samples, 0, 4, 1)
    assert [(dict(part.counts), part.failed) for part in parts] == [
        ({"us-east-1": 100}, 0),
        ({}, 100),
        ({"us-west-2": 100}, 0),
        ({"us-west-2": 100}, 0),
    ]
    assert analysis.serving_region(samples, 0, 1) == "us-east-1"
    assert analysis.serving_region(samples, 1, 2) is None
    assert analysis.serving_region(samples, 2, 4) == "us-west-2"


def dns(at: float, last_old: float | None) -> Event:
    fields = {"name": "n", "before": ["1.1.1.1"], "after": ["2.2.2.2"], "last_old": last_old, "first_new": at, "ttl": 2}
    return Event(at, "dns", fields)


def test_dns_fail_over_is_from_the_fault_to_the_first_new_answer():
    found = analysis.dns_failover([dns(0.1, None), dns(9, 7.5), dns(40, 38)], fault_at=3)
    assert (found.seconds, found.last_old_seconds, found.after) == (6, 4.5, ("2.2.2.2",))
    assert analysis.dns_failover([dns(0.1, None), dns(2, 1)], fault_at=3) is None
    assert analysis.dns_failover([dns(4, None)], fault_at=3) is None


moments = st.dictionaries(st.sampled_from(STEPS), st.floats(-5, 200, allow_nan=False))


@settings(deadline=None)
@given(st.floats(0, 50), st.floats(0, 100), moments)
def test_steps_share_edges_and_sum_to_the_recovery_time(fault, length, known):
    rows = split_steps(fault, fault + length, known)
    inside = [row for row in rows if row.status == "inside"]
    assert inside[-1].name == REST
    assert inside[0].began == fault
    assert all(earlier.ended == later.began for earlier, later in pairwise(inside))
    assert math.fsum(row.seconds for row in inside) == pytest.approx(length, abs=1e-6)
    assert all(row.seconds >= 0 for row in inside)
    assert {row.name for row in rows} == {*STEPS, REST}
    for row in rows:
        at = known.get(row.name)
        if row.status == "unseen":
            assert (at is None or at < fault, row.began, row.ended, row.seconds) == (True, None, None, None)
        if row.status == "after":
            assert (at > fault + length, row.ended, row.seconds) == (True, at, None)


def test_steps_are_seen_only_after_the_fault_and_only_when_shown(planted):
    told = [
        Event(0.5, "ready", {"ready": 2, "desired": 2, "source": "deployment"}),
        Event(0.6, "writer", {"region": "us-east-1", "before": "", "source": "rds"}),
        Event(0.7, "decide", {"reason": "FailoverDecided"}),
        Event(2.0, "detect", {"reason": "PrimaryUnhealthy"}),
        dns(3.0, 1.0),
        Event(3.5, "writer", {"region": "us-west-2", "before": "us-east-1", "source": "rds"}),
        Event(3.6, "ready", {"ready": 2, "desired": 6, "source": "deployment"}),
        Event(3.7, "ready", {"ready": 6, "desired": 6, "source": "deployment"}),
    ]
    found = seen(told, planted([], 4), fault_at=1.0, home_region="us-east-1")
    assert found == {"detect": 2.0, "reroute": 3.0, "promote": 3.5, "scale": 3.7}


def test_a_cache_is_warm_once_nine_of_ten_reads_elsewhere_hit(planted):
    samples = moved(planted([], 4), 1)
    cold = tuple(row._replace(cache=Cache.HIT if row.intended >= 2 else Cache.MISS) for row in samples.rows)
    found = seen([], Samples(samples.header, cold, samples.complete_until), fault_at=1, home_region="us-east-1")
    assert found["warm"] == pytest.approx(2.45, abs=0.05)
    assert seen([], Samples(samples.header, cold, 4), fault_at=1, home_region="us-west-2") == {}


def test_trust_tells_how_late_the_observer_was(planted):
    found = analysis.trust(planted([], 4, late=0.03))
    assert (found.planned, found.sent) == (400, 400)
    assert found.worst_lateness_seconds == pytest.approx(0.03)
    samples = planted([], 4)
    gone = Samples(samples.header, tuple(r for r in samples.rows if not 1 <= r.intended < 2), samples.complete_until)
    assert analysis.trust(gone).longest_gap_seconds == pytest.approx(1.01)


def promotion(*told: Event) -> list[Event]:
    return [Event(3.0, "writer", {"region": "us-west-2", "before": "us-east-1", "source": "rds"}), *told]


def test_a_database_is_promoted_when_all_who_tell_say_so_but_not_after_it_took_writes(planted, trouble):
    down = planted([trouble(1, 9)], 5)
    says_so = Event(3.5, "writer", {"reason": "DatabasePromoted", "source": "kubernetes event"})
    assert seen(promotion(), down, 1, "us-east-1") == {"promote": 3.0}
    assert seen(promotion(says_so), down, 1, "us-east-1") == {"promote": 3.5}
    assert seen([says_so], down, 1, "us-east-1") == {"promote": 3.5}
    back = moved(planted([trouble(1, 3.2)], 5), 3.2)
    assert seen(promotion(says_so), back, 1, "us-east-1") == {"promote": pytest.approx(3.21, abs=0.02)}
