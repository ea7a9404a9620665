"""The regression experiment: an experiment like any other, that would have failed at what happened."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from chaoslib.exceptions import InvalidExperiment
from chaoslib.experiment import ensure_experiment_is_valid
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart import experiment
from blackstart.errors import ConfigInvalid
from blackstart.reports.review import failures
from blackstart.reports.review.cover import Level
from blackstart.reports.review.draft import budget_seconds, draft
from blackstart.reports.review.known import Known, in_folder
from blackstart.settings import Objectives

WAYS = [(failure.kind, way) for failure in failures.FAILURES for way in (failure.ways or [None])]


def valid(text: str) -> dict:
    """The experiment in ``text``, which Blackstart and Chaos Toolkit take."""
    data = yaml.safe_load(text)
    experiment.check(data, "draft")
    try:
        ensure_experiment_is_valid(copy.deepcopy(data))
    except InvalidExperiment as error:
        pytest.fail(str(error))
    return data


def expects(text: str) -> dict:
    return yaml.safe_load(text)["extensions"][0]["expects"]


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_every_kind_of_failure_has_a_draft_that_is_an_experiment(incident, shipped, kind, way):
    made = draft(incident(failure=kind, way=way), shipped, Objectives())
    data = valid(made.text)
    assert data["runtime"]["rollbacks"]["strategy"] == "always"
    assert "regression" in data["tags"]
    if way:
        assert made.source.name in failures.of(kind).ways[way]
        assert made.level is Level.SAME
        assert {kind, way} <= set(data["tags"])
    else:
        assert made.level is None
        assert made.instead in data["description"]
        assert kind not in data["tags"]  # it is not a drill of that failure
        assert data["title"].startswith("Stand-in for INC-1: ")


def test_it_is_held_to_what_must_hold_and_says_where_that_is_less_than_before(incident, shipped):
    made = draft(incident(must_hold={"rto_seconds": "120", "lost_writes": "0"}), shipped, Objectives())
    assert expects(made.text)["rto_seconds"] == 120
    assert "database-failover has 60, which is stricter" in made.text
    assert made.text.startswith("# Draft of a regression experiment for INC-1: Orders could not be placed\n")


def test_probes_wait_for_as_long_as_must_hold(incident, shipped):
    data = yaml.safe_load(draft(incident(must_hold={"rto_seconds": "900"}), shipped, Objectives()).text)
    limits = [
        activity["provider"]["arguments"]["limit_seconds"]
        for activity in data["method"]
        if activity["provider"]["func"] == "recovery_seconds"
    ]
    assert limits == [900]


def test_what_the_course_of_an_experiment_decides_is_not_asked_of_it(incident, shipped):
    made = draft(incident(failure="certificate", way=None, must_hold={"rto_seconds": "30"}), shipped, Objectives())
    assert expects(made.text)["rto_seconds"] is None
    assert "so it cannot be 30" in made.text


def test_where_no_objective_would_have_failed_they_are_tightened_and_marked(incident, shipped):
    made = draft(incident(recovered="2026-11-20T02:13:40Z"), shipped, Objectives())
    assert expects(made.text)["rto_seconds"] == 20
    assert [held.key for held in made.held if held.guessed] == ["rto_seconds"]
    assert "(decide this)" in made.text
    failing = draft(incident(), shipped, Objectives())
    assert not [held for held in failing.held if held.guessed]


def test_lost_writes_are_never_left_without_an_objective(incident, shipped):
    made = draft(incident(failure="region", way="whole", data_loss={"lost_writes": "3"}), shipped, Objectives())
    assert expects(made.text)["lost_writes"] == 0


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from([pair for pair in WAYS if pair[1]]),
    felt=st.tuples(st.integers(1, 10**6), st.floats(0.1, 1e6), st.none() | st.floats(0, 1)),
)
def test_every_draft_would_have_failed_at_what_happened(incident, shipped, kind, felt):
    lost, seconds, availability = felt
    told = {"data_loss": {"lost_writes": str(lost)}, "duration_seconds": str(seconds), "recovered": None}
    said = {"availability": None if availability is None else str(availability)}
    made = draft(incident(failure=kind[0], way=kind[1], **told, **said), shipped, Objectives())
    held = experiment.effective(Objectives(), experiment.check(yaml.safe_load(made.text), "draft"))
    downtime = 0 if availability is None else (1 - availability) * seconds
    budget = budget_seconds(held.error_budget_share or 1e9, held.yearly_availability)
    rto = held.rto_seconds
    assert held.lost_writes == 0 or (rto is not None and seconds > rto) or downtime > budget


def test_it_is_aimed_at_what_failed(incident, shipped):
    made = draft(incident(failure="zone", way="network", where="eu-west-1a"), shipped, Objectives())
    assert valid(made.text)["configuration"]["zone"] == {
        "type": "env", "key": "BLACKSTART_ZONE", "default": "eu-west-1a",
    }  # fmt: skip


def test_it_is_made_of_what_was_drilled_last_and_of_ones_own_first(incident, shipped):
    lost = incident(failure="region", way="whole")
    assert draft(lost, shipped, Objectives()).source.name == "region-loss"
    assert draft(lost, shipped, Objectives(), "region-failback").source.name == "region-failback"
    plain = next(each for each in shipped if each.name == "region-loss")
    own = replace(plain, name="our-region", tags=("region", "whole"), shipped=False)
    assert draft(lost, (*shipped, own), Objectives()).source.name == "our-region"


def test_an_unknown_way_gets_the_plainest_experiment_of_its_kind_and_says_so(incident, shipped):
    made = draft(incident(failure="cache", way="slow"), shipped, Objectives())
    assert (made.source.name, made.level) == ("cache-failover", Level.OTHER_WAY)


HOSTILE = 'x" }\n- name: evil\r\n\u2028  type: action ${zone} {{ 1 }} \x1b[31m !!python/object <script> # y: |\n'


def test_hostile_text_stays_text(incident, shipped):
    made = draft(incident(failure="zone", way=None, title=HOSTILE, where=HOSTILE[:60]), shipped, Objectives())
    data = valid(made.text)
    plain = valid(draft(incident(failure="zone", way=None), shipped, Objectives()).text)
    assert data["method"] == plain["method"]
    assert set(data) == set(plain)
    assert "${zone}" not in data["description"]
    assert all(line.startswith("#") for line in made.text.split("\n")[: made.text.count("\n# ") + 1])


def test_experiments_of_ones_own_are_read_and_those_that_cannot_be_used_are_named(tmp_path, shipped):
    source = next(each for each in shipped if each.name == "pod-kill")
    (tmp_path / "our-queue.yaml").write_text(source.path.read_text().replace("[pod, C4]", "[queue, D5]"))
    (tmp_path / "broken.yaml").write_text("title: [")
    (tmp_path / "values.yml").write_text("a: 1")
    (tmp_path / "notes.txt").write_text("not one")
    found, problems = in_folder(tmp_path)
    assert [(each.name, each.tags) for each in found] == [("our-queue", ("queue", "D5"))]
    assert len(problems) == 2
    assert all("left out" in problem for problem in problems)
    with pytest.raises(ConfigInvalid, match="no such folder"):
        in_folder(tmp_path / "none")


def test_an_experiment_of_ones_own_without_our_extension_gets_one(incident, shipped):
    source = next(each for each in shipped if each.name == "pod-kill")
    data = {key: value for key, value in source.data.items() if key != "extensions"}
    own = Known("ours", Path("ours.yaml"), data, ("queue",))
    made = draft(incident(failure="queue", way=None, must_hold={"rto_seconds": "5"}), (*shipped, own), Objectives())
    assert made.source.name == "ours"
    assert valid(made.text)["extensions"][0]["expects"] == {"rto_seconds": 5}
