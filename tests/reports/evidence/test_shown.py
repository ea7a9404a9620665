import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackstart.reports.evidence.shown import Kind, shown


def objective(met, text="Recovery time: 9.74 s, required ≤ 60 s"):
    return {"met": met, "text": text}


def verdict(word="passed", **more):
    return {"verdict": word, "fault_at": "2026-11-23T14:03:10.000Z", "requests": 1000, "objectives": {}, **more}


def held(found):
    return {each.kind: each.held for each in found}


def test_a_drill_that_passed_shows_what_an_objective_was_met_for():
    found = shown(verdict(objectives={"rto_seconds": objective(True)}), ())
    assert held(found) == {Kind.RECOVERY: True}
    assert found[0].words == ("Recovery time: 9.74 s, required ≤ 60 s",)


def test_without_an_objective_nothing_is_shown_however_good_the_numbers_are():
    found = held(shown(verdict(acknowledged_writes=500, lost_writes=0), ()))
    assert found == {Kind.RECOVERY: None, Kind.DATA: None}


@pytest.mark.parametrize(("word", "expected"), [("failed", False), ("inconclusive", None), ("", None), (None, None)])
def test_a_drill_that_did_not_pass_shows_nothing_even_where_its_objective_was_met(word, expected):
    assert held(shown(verdict(word, objectives={"rto_seconds": objective(True)}), ())) == {Kind.RECOVERY: expected}


def test_a_drill_without_a_fault_or_without_requests_tried_nothing():
    assert shown(verdict(fault_at=None, objectives={"rto_seconds": objective(True)}), ("velero.restore",)) == ()
    assert shown(verdict(requests=None), ()) == ()


def test_a_fault_that_nobody_was_to_feel_shows_no_recovery():
    found = shown(verdict(objectives={"error_budget_share": objective(True)}), ("rds.restored_cluster",), felt=False)
    assert held(found) == {Kind.RESTORE: True}


def test_a_lost_region_and_a_new_dns_answer_are_another_place():
    met = {"rto_seconds": objective(True)}
    lost = verdict(objectives=met, calls_to_lost_region={"region": "us-east-1"})
    assert held(shown(lost, ()))[Kind.ELSEWHERE] is True
    assert held(shown(verdict(objectives=met, dns_failover_seconds=4.4), ()))[Kind.ELSEWHERE] is True
    assert Kind.ELSEWHERE not in held(shown(verdict(objectives=met), ()))


def test_the_way_home_is_shown_by_its_own_objective():
    back = {"duration_seconds": 23.0}
    missed = {"failback_downtime_seconds": objective(False), "rto_seconds": objective(True)}
    found = held(shown(verdict("failed", failback=back, objectives=missed), ()))
    assert found[Kind.RETURN] is False
    assert Kind.RETURN not in held(shown(verdict(failback={"duration_seconds": None}), ()))


@pytest.mark.parametrize(
    ("outcomes", "word", "expected"),
    [
        (["fired", "fired"], "passed", True),
        (["fired", "silent"], "passed", False),
        (["fired", "suppressed"], "passed", False),
        (["fired", "unknown"], "passed", None),
        (["firing before the fault"], "passed", None),
        (["fired"], "failed", None),
    ],
)
def test_alerts_are_shown_only_if_every_one_fired(outcomes, word, expected):
    alerts = {f"alert-{number}": {"outcome": outcome} for number, outcome in enumerate(outcomes)}
    assert held(shown(verdict(word, alerts=alerts), ()))[Kind.ALERTS] is expected


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
KEYS = [
    "verdict", "fault_at", "requests", "objectives", "alerts", "failback", "lost_writes", "acknowledged_writes",
    "calls_to_lost_region", "dns_failover_seconds",
]  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_a_garbled_verdict_shows_nothing(garbled):
    assert not any(each.held for each in shown(garbled, ("velero.restore",)) if garbled.get("verdict") != "passed")
