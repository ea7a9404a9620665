"""The experiments on caches in a lab: what users saw, what the servers did, and that nothing is left."""

import json

import pytest
from labs import experiment

pytestmark = [pytest.mark.lab, pytest.mark.sweep, pytest.mark.timeout(300)]


def outputs(done):
    journal = json.loads((done.journal / "journal.json").read_text())
    return {each["activity"]["name"]: each.get("output") for each in journal["run"]}


def test_a_cache_that_was_emptied_is_told_and_is_warm_again(lab):
    done = lab.run("blackstart", "run", experiment("cache-cold"))
    assert done.code == 0, done.output
    assert (done.verdict["verdict"], done.verdict["leftovers"]) == ("passed", [])
    told = outputs(done)
    assert told["hit-ratio-while-cold"] < 0.2
    assert told["hit-ratio-when-warm"] > 0.9
    assert 5 < told["seconds-until-the-cache-is-warm-as-users-see-it"] < 60


def test_a_cache_that_fails_over_has_another_primary_and_answers_again(lab):
    done = lab.run("blackstart", "run", experiment("cache-failover"))
    assert done.code == 0, done.output
    assert done.verdict["verdict"] == "passed"
    told = outputs(done)
    assert told["primary-before"] != told["primary-after"]
    assert told["hit-ratio-afterwards"] > 0.9
