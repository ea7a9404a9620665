"""The experiments on pods, nodes and zones, one after the other in one lab. Every run tries a sample; --sweep all."""

import json

import pytest
import world
from labs import ROOT, experiment, spread, states

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

AS_IT_IS = {"BLACKSTART_EVICTED_AFTER_SECONDS": "20"}
SAMPLE = ["spot-interruption"]
ELSEWHERE = {"pod-kill", "region-loss", "region-loss-100k", "zone-network-loss"}
EVERY = sorted({path.stem for path in (ROOT / "experiments").glob("*.yaml")} - ELSEWHERE)


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", EVERY if metafunc.config.getoption("--sweep") else SAMPLE)


def test_an_experiment_passes_as_it_is_and_leaves_nothing(lab, name):
    spread(lab)
    before = world.dump(lab.environment())
    done = lab.run("blackstart", "run", experiment(name), **AS_IT_IS)
    assert done.code == 0, done.output
    assert done.verdict["verdict"] == "passed"
    assert {each[-1] for each in states(done.journal).values()} == {"verified"}
    assert list(world.differences(before, world.settled(lab.environment(), before))) == []
    assert json.loads(lab.run("blackstart", "status", "--json").output) == {"blocked": None, "drills": []}
