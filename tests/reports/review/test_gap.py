"""Why no drill kept the incident from happening: from an incident and rows of journals to the causes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.journals.coverage import Catalogue
from blackstart.journals.index import Row
from blackstart.reports.review import failures, known
from blackstart.reports.review.command import examine
from blackstart.reports.review.compare import METRICS, compare, measured
from blackstart.reports.review.cover import Level, cover, nearness
from blackstart.reports.review.markdown import page
from blackstart.settings import Objectives

SHIPPED = known.shipped()


def review(incident, *rows):
    return examine(incident, rows, Objectives(), SHIPPED)


def causes(incident, *rows):
    return [finding.cause.value for finding in review(incident, *rows).findings]


def test_without_a_journal_it_was_not_drilled_and_the_shipped_experiment_would_have_caught_it(incident):
    found = review(incident())
    assert [finding.cause for finding in found.findings] == ["not drilled"]
    assert "there is no journal at all" in found.findings[0].seen
    assert [(each.metric.key, each.target, each.of, each.drilled) for each in found.catching] == [
        ("rto_seconds", 60, "database-failover", False)
    ]
    assert found.gap


def test_a_drill_of_something_else_does_not_cover_it(incident, drill):
    other = drill(experiment="pod-kill", tags=("pod", "C4"))
    found = review(incident(), other)
    assert found.findings[0].seen.endswith("none of 1\u00a0journal is of it.")
    assert not found.covered.before


@pytest.mark.parametrize(
    ("of", "level", "cause"),
    [
        (("database-connections-exhausted", ("database", "D1")), Level.OTHER_WAY, "drilled another way"),
        (("region-loss", ("region", "R3")), Level.WIDER, "drilled another way"),
        (("backup-restore", ("backup", "R1", "D1")), Level.SYSTEM, "not drilled"),
        (("our-database", ("database",)), Level.OTHER_WAY, "drilled another way"),
        (("our-database", ("database", "writer")), Level.SAME, "felt less in the drill"),
    ],
)
def test_what_comes_near_is_told_as_such(incident, drill, of, level, cause):
    found = review(incident(), drill(experiment=of[0], tags=of[1]))
    assert [each.level for each in found.covered.before] == [level]
    assert found.findings[0].cause == cause
    assert of[0] in page(found)


def test_a_drill_that_passed_and_was_felt_less(incident, drill):
    found = review(incident(), drill())
    assert [finding.cause for finding in found.findings] == ["felt less in the drill"]
    assert (
        "recovery time 21.0\u00a0s in the drill, 10\u00a0min\u00a000\u00a0s in the incident" in found.findings[0].seen
    )
    assert [(each.metric.key, each.of, each.met) for each in found.catching] == [("rto_seconds", "drill-3", True)]


def test_a_drill_that_had_shown_it(incident, drill):
    missed = {"rto_seconds": {"target": 60, "measured": None, "met": False}}
    found = review(incident(), drill(verdict="failed", rto_seconds=None, objectives=missed))
    assert found.findings[0].cause == "known, not mended"
    assert "drill-3 missed its recovery time, 3\u00a0days before the incident" in found.findings[0].seen
    assert "did not recover" in page(found)


def test_a_newer_drill_that_passed_outweighs_an_older_one_that_failed(incident, drill):
    missed = {"rto_seconds": {"target": 60, "measured": 99.0, "met": False}}
    failed = drill(days=40, verdict="failed", rto_seconds=99.0, objectives=missed)
    found = review(incident(), failed, drill())
    assert found.findings[0].cause == "felt less in the drill"
    worst = next(line for line in found.lines if line.metric.key == "rto_seconds")
    assert (worst.newest, worst.worst, worst.worst_of.name) == (21.0, 99.0, "drill-40")


def test_inconclusive_drills_prove_nothing_and_never_hide_a_conclusive_one(incident, drill):
    unsure = drill(days=1, verdict="inconclusive", reason="The drill was cut off.", rto_seconds=None, objectives={})
    assert causes(incident(), unsure)[0] == "inconclusive"
    assert "cut off" in review(incident(), unsure).findings[0].seen
    assert causes(incident(), unsure, drill(days=30))[0] == "felt less in the drill"


def test_a_stale_drill(incident, drill):
    assert causes(incident(), drill(days=91))[0] == "drill stale"
    assert causes(incident(), drill(days=89))[0] == "felt less in the drill"


def test_the_catalogue_says_for_how_long_a_drill_counts(incident, drill):
    often = Catalogue.model_validate(
        {"entries": [{"system": "Aurora", "failure": "fail-over", "experiment": "database-failover", "every_days": 7}]}
    )
    rows = (drill(days=8),)
    asked = examine(incident(), rows, Objectives(), SHIPPED, catalogue=often)
    assert asked.findings[0].cause == "drill stale"
    assert "it counts for 7\u00a0days" in asked.findings[0].seen
    said = examine(incident(), rows, Objectives(), SHIPPED, catalogue=often, stale_days=30)
    assert said.findings[0].cause == "felt less in the drill"


@pytest.mark.parametrize("wrong", [{"problem": "verdict.json: “rpo_seconds” is not a number"}, {"cut_off": True}])
def test_a_journal_that_is_damaged_or_was_cut_off_proves_nothing(incident, drill, wrong):
    found = review(incident(), drill(**wrong))
    assert found.findings[0].cause == "inconclusive"
    assert "✓" not in page(found).partition("## Drills")[2]


def test_objectives_that_the_incident_keeps_are_too_loose(incident, drill):
    found = review(incident(recovered="2026-11-20T02:13:40Z"), drill())
    assert found.findings[0].cause == "objective too loose"
    assert found.gap
    assert not found.catching


def test_unless_somebody_says_that_this_must_hold_and_it_did(incident, drill):
    held = incident(recovered="2026-11-20T02:13:40Z", must_hold={"rto_seconds": "50"})
    assert causes(held, drill()) == ["as promised"]
    assert not review(held, drill()).gap
    stricter = incident(recovered="2026-11-20T02:13:40Z", must_hold={"rto_seconds": "30"})
    assert causes(stricter, drill())[0] == "objective too loose"


def test_what_must_hold_and_nobody_knows_is_never_good_news(incident, drill):
    unknown = incident(recovered="2026-11-20T02:13:40Z", must_hold={"rto_seconds": "50", "lost_writes": "0"})
    found = review(unknown, drill())
    assert found.findings[0].cause == "not comparable"
    assert "lost_writes" in found.findings[0].seen
    assert found.gap


def test_an_incident_without_numbers_compares_with_nothing(incident, drill):
    assert causes(incident(recovered=None), drill())[0] == "not comparable"
    assert causes(incident(recovered=None, p99_seconds="3"), drill())[0] == "no objective"


def test_what_no_objective_was_held_to_is_named_beside_the_cause(incident, drill):
    noticed = incident(detected="2026-11-20T02:20:00Z")
    assert causes(noticed, drill()) == ["felt less in the drill", "no objective"]
    assert "time to detect (420.0\u00a0s)" in review(noticed, drill()).findings[1].seen
    assert "[monitoring]" in review(noticed, drill()).findings[1].advice


def test_what_else_was_different_only_adds_to_the_cause(incident, drill):
    there = incident(where="eu-west-1", ended="2026-11-20T05:00:00Z")
    found = review(there, drill(environment="lab"))
    assert [finding.cause for finding in found.findings] == [
        "felt less in the drill", "another place", "shorter in the drill", "another environment",
    ]  # fmt: skip
    lasting = incident(recovered="2026-11-20T02:13:40Z", must_hold={"rto_seconds": "50"})
    assert not review(lasting, drill(environment="lab")).gap


def test_a_drill_that_was_running_is_looked_into_first(incident, drill):
    running = drill(days=30 / 86_400, experiment="pod-kill", tags=("pod",))
    assert "a drill was running" in causes(incident(), running)
    just_over = drill(days=5 / 1440, experiment="pod-kill", tags=("pod",))  # it took 90 s
    assert "a drill was running" in causes(incident(), just_over)
    long_over = drill(days=0.5, experiment="pod-kill", tags=("pod",))
    assert causes(incident(), long_over) == ["not drilled"]


def test_drills_of_other_services_and_damaged_journals_are_named_but_do_not_count(incident, drill):
    damaged = Row(folder="x/20261101T000000Z", problem="drill.json: not JSON <b>")
    found = review(incident(), drill(service="search"), damaged)
    assert found.findings[0].cause == "not drilled"
    text = page(found)
    assert "1\u00a0drill near it, of other services: search." in text
    assert "Journal x/20261101T000000Z cannot be placed: drill.json: not JSON \\<b\\>." in text
    assert causes(incident(service=None), drill(service="search"))[0] == "felt less in the drill"


def test_drills_since_the_incident_are_listed_apart(incident, drill):
    found = review(incident(), drill(days=-2))
    assert found.findings[0].cause == "not drilled"
    assert [each.name for each in found.covered.since] == ["drill--2"]
    assert "Since the incident:" in page(found)
    assert "2\u00a0days after" in page(found)


def test_tags_of_the_shipped_file_count_where_the_journal_has_none(incident, drill):
    found = review(incident(failure="replication", way="paused"), drill(experiment="region-loss", tags=()))
    assert [each.level for each in found.covered.before] == [Level.SYSTEM]


def test_downtime_and_availability_are_reckoned_and_availability_is_not_judged(incident, drill):
    felt, held = incident(availability="0.5"), {"target": 0.9, "measured": 0.97, "met": True}
    row = drill(objectives={**drill().objectives, "availability": held}, availability=0.97)
    lines = {line.metric.key: line for line in compare(felt, cover(felt, [row], {}))}
    assert lines["error_budget_share"].happened == 300.0
    assert lines["error_budget_share"].broken is True
    assert lines["error_budget_share"].reading == "worse: 25 × the worst drill"
    assert lines["availability"].broken is None
    assert lines["availability"].reading.startswith("not comparable")


def test_the_time_to_detect_of_a_drill_is_its_alert_else_its_first_step(drill):
    step = {"name": "detect", "status": "inside", "seconds": 8.5}
    assert measured(drill(steps=(step,)), "time_to_detect_seconds") == 8.5
    alert = {"time_to_detect_seconds": {"target": 60, "measured": 4.0, "met": True}}
    assert measured(drill(steps=(step,), objectives=alert), "time_to_detect_seconds") == 4.0
    assert measured(drill(steps=({**step, "status": "after"},)), "time_to_detect_seconds") is None


def test_every_shipped_experiment_has_a_kind_of_failure(shipped):
    without = {
        each.name
        for each in shipped
        if not any(failures.ways(failure, each.name, each.tags) for failure in failures.FAILURES)
    }
    assert without == {"zone-shift"}  # nothing fails in it


def test_the_kinds_name_experiments_and_kinds_that_there_are(shipped):
    names = {each.name for each in shipped}
    for failure in failures.FAILURES:
        assert {name for group in failure.ways.values() for name in group} <= names
        assert set(failure.wider) <= set(failures.KINDS)
        assert bool(failure.ways) is not bool(failure.stand_in), failure.kind
        assert not failure.stand_in or (failure.stand_in in names and failure.instead)


@pytest.mark.parametrize("kind", failures.KINDS)
def test_an_experiment_of_ones_own_is_of_the_kind_and_way_that_its_tags_say(incident, kind):
    assert nearness(incident(failure=kind, way=None), "our-own", (kind,)) is Level.SAME
    assert nearness(incident(failure=kind, way="slowly"), "our-own", (kind, "slowly")) is Level.SAME
    assert nearness(incident(failure=kind, way="slowly"), "our-own", (kind,)) is Level.OTHER_WAY


numbers = st.none() | st.floats(0, 1e6)
DRILLED = st.tuples(numbers, numbers, st.sampled_from([True, False, None]), st.floats(-400, 400))


@settings(max_examples=20, deadline=None)
@given(drilled=DRILLED, happened=st.floats(0, 1e6))
def test_there_is_always_a_main_cause_and_only_kept_promises_are_no_gap(incident, drill, drilled, happened):
    rto, target, met, days = drilled
    row = drill(days=days, rto_seconds=rto, objectives={"rto_seconds": {"target": target, "met": met}})
    found = review(incident(recovered=None, duration_seconds=str(happened), must_hold={"rto_seconds": "100"}), row)
    assert found.findings
    if not found.gap:
        assert target is not None
        assert happened <= min(target, 100)
        assert 0 < days <= 90
    assert page(found)


def test_a_drill_with_odd_numbers_is_shown_all_the_same(incident, drill):
    odd = {metric.key: {"target": "x", "measured": [], "met": "yes"} for metric in METRICS}
    row = replace(drill(), objectives=odd, ended=drill().started - timedelta(days=1), rto_seconds=float("inf"))
    assert page(review(incident(availability="0.1"), row))
