"""Steps of a fail-over: they add up, in whatever order they come, and nothing that was not seen is a number."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackstart.observer.analysis import dns_failover
from blackstart.observer.events import Event
from blackstart.observer.steps import REST, STEPS, seen, split_steps, watched

EAST, WEST = "us-east-1", "us-west-2"
KINDS = {
    "detect": "detect",
    "decide": "decide",
    "reroute": "dns",
    "promote": "writer",
    "scale": "ready",
    "warm": "cache",
}


def micros(value):
    return round(value * 1e6)


moments = st.integers(0, 120_000_000).map(lambda micro: micro / 1e6)


@settings(max_examples=40, deadline=None)
@given(moments, moments, st.dictionaries(st.sampled_from(STEPS), moments), st.sets(st.sampled_from(STEPS)))
def test_the_parts_add_up_to_the_whole_and_what_did_not_happen_is_no_number(fault, took, after, looking):
    done = {name: fault + at for name, at in after.items()}
    rows = split_steps(fault, fault + took, done, watched=looking)
    inside = [row for row in rows if row.status == "inside"]
    assert sum(micros(row.seconds) for row in inside) == micros(took)
    assert all(row.seconds >= 0 for row in inside)
    assert inside[-1].name == REST
    assert sorted(row.name for row in rows) == sorted((*STEPS, REST))
    for row in rows:
        if row.status != "inside":
            assert row.seconds is None
        if row.name != REST and row.name not in after:
            assert (row.status, row.ended) == ("absent" if row.name in looking else "unseen", None)
    ends = [row.ended for row in inside]
    assert ends == sorted(ends)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(STEPS), st.floats(10.5, 60)), st.floats(0, 10))
def test_an_operators_word_counts_whatever_comes_first(planted, said, later):
    samples = planted([], 61)
    notes = [Event(at, KINDS[step], {"source": "operator", "reason": step}) for step, at in said.items()]
    told = seen(notes, samples, 10.0, EAST)
    assert told == said
    again = [Event(event.at + later, event.kind, event.fields) for event in notes]
    assert seen([*again, *notes], samples, 10.0, EAST) == said


def test_users_new_addresses_count_and_not_the_operators_word_for_them(planted):
    fields = {"before": ["1"], "after": ["2"], "last_old": 19.0, "first_new": 20.0, "ttl": 5}
    events = [Event(15.0, "dns", {"source": "operator", "reason": "switched"}), Event(20.0, "dns", fields)]
    assert seen(events, planted([], 30), 10.0, EAST) == {"reroute": 20.0}
    assert dns_failover(events, 10.0).seconds == 10.0
    assert dns_failover(events[:1], 10.0) is None


def test_a_database_that_was_seen_to_write_elsewhere_was_promoted(planted):
    events = [
        Event(1.0, "database", {"region": WEST, "state": "reader", "before": ""}),
        Event(18.0, "database", {"region": WEST, "state": "writer", "before": "reader"}),
        Event(23.0, "database", {"region": WEST, "state": "writer", "before": "writer"}),
    ]
    assert seen(events, planted([], 30), 10.0, EAST) == {"promote": 18.0}


@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ([], set()),
        ([Event(0.1, "dns", {"last_old": None, "first_new": 0.1})], {"reroute"}),
        ([Event(0.1, "writer", {"region": EAST})], {"promote"}),
        ([Event(0.1, "writer", {"region": EAST}), Event(12.0, "note", {"watch": "writer", "sees": False})], set()),
        ([Event(0.1, "database", {"region": WEST, "state": "reader"})], {"promote"}),
        ([Event(0.1, "database", {"region": EAST, "state": "reader"})], set()),
        ([Event(0.1, "ready", {"ready": 2, "desired": 2})], {"scale"}),
        ([Event(0.1, "ready", {"source": "operator", "reason": "scaled"})], set()),
    ],
)
def test_only_who_was_looking_can_say_that_a_step_did_not_happen(planted, events, steps):
    assert watched(events, planted([], 30), 10.0, EAST) == steps


def test_a_step_seen_within_the_error_of_the_recovery_counts_as_at_the_recovery():
    rows = {row.name: row for row in split_steps(10.0, 17.0, {"promote": 17.04, "scale": 17.2}, error_seconds=0.05)}
    assert rows["promote"].status == "inside"
    assert rows["promote"].seconds == 7.0
    assert rows["serve"].seconds == 0
    assert rows["scale"].status == "after"
