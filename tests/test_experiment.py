import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

import blackstart
from blackstart.errors import ConfigInvalid
from blackstart.experiment import check, effective, read
from blackstart.settings import Objectives

FILES = sorted((Path(blackstart.__file__).parent / "experiments").glob("*.yaml"))


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def shipped(request):
    return read(request.param)


@pytest.fixture(scope="module")
def whole():
    """One that is as it should be."""
    return read(next(path for path in FILES if path.stem == "zone-network-loss"))


SHIPPED = {
    "pod-kill", "pod-kill-repeated", "service-to-zero", "bad-rollout", "spot-interruption", "spot-reclaim-share",
    "no-capacity", "zone-network-loss", "zone-power-loss", "zone-shift", "node-not-ready", "autoscaler-pinned",
    "region-loss",
}  # fmt: skip


def test_experiments_are_shipped():
    assert {path.stem for path in FILES} >= SHIPPED


def test_every_shipped_experiment_holds_users_to_something_and_measures_what_they_saw(shipped):
    extension = check(shipped, "shipped")
    assert extension.fault
    assert extension.expects.model_dump(exclude_none=True)
    probes = {
        (each["provider"]["module"], each["provider"]["func"])
        for each in (*shipped["steady-state-hypothesis"]["probes"], *shipped["method"])
        if each["type"] == "probe"
    }
    assert ("blackstart.probes.users", "availability") in probes
    assert {
        ("blackstart.probes.users", "recovery_seconds"),
        ("blackstart.probes.users", "longest_outage_seconds"),
    } & probes


def test_every_shipped_experiment_of_a_cluster_holds_the_platform_to_something_too(shipped):
    modules = {each["provider"]["module"] for each in shipped["steady-state-hypothesis"]["probes"]}
    lost = "region" in shipped["tags"]  # nobody can ask its control plane any more
    assert lost or modules - {"blackstart.probes.users"}


VARIABLE = re.compile(r"\$\{(\w+)\}")


def test_every_variable_of_a_shipped_experiment_is_in_its_configuration_and_the_other_way_round(shipped):
    parts = {key: value for key, value in shipped.items() if key != "configuration"}
    assert set(VARIABLE.findall(yaml.safe_dump(parts, width=9999))) == set(shipped["configuration"])


def test_every_shipped_experiment_is_accepted_and_always_rolls_back(shipped):
    check(shipped, "shipped")
    assert shipped["runtime"]["rollbacks"]["strategy"] == "always"
    assert shipped["rollbacks"]


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("titel",), "x", "titel"),
        (("method", 0, "tpye"), "action", "method.0.tpye"),
        (("method", 0, "provider", "arguments", "zoen"), "a", "arguments.zoen"),
        (("method", 0, "provider", "func"), "no_such_function", "method"),
        (("method",), "not a list", "method"),
        (("runtime", "rollbacks", "strategy"), "default", "runtime.rollbacks.strategy"),
        (("extensions", 0, "expects", "rto_minutes"), 5, "expects.rto_minutes"),
        (("extensions", 0, "expects", "rto_seconds"), "soon", "expects.rto_seconds"),
        (("controls",), [], "controls"),
    ],
)
def test_a_mistake_is_refused_with_the_key_that_is_wrong(whole, path, value, where):
    broken = deepcopy(whole)
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ConfigInvalid) as refused:
        check(broken, "broken.yaml")
    assert where in refused.value.where
    assert "\n" not in str(refused.value)


def test_a_missing_argument_is_refused(whole):
    broken = deepcopy(whole)
    broken["method"][0]["provider"]["arguments"] = {}
    with pytest.raises(ConfigInvalid, match="needs"):
        check(broken, "broken.yaml")


def test_a_file_that_is_not_there_or_not_yaml_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ConfigInvalid, match="No such file"):
        read(tmp_path / "missing.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("title: [unclosed")
    with pytest.raises(ConfigInvalid) as refused:
        read(bad)
    assert refused.value.where.startswith("line ")
    bad.write_text(yaml.safe_dump(["a", "list"]))
    with pytest.raises(ConfigInvalid, match="mapping"):
        read(bad)


def test_an_experiment_replaces_single_objectives_and_keeps_the_others(shipped):
    extension = check(shipped, "shipped")
    merged = effective(Objectives(rto_seconds=1, p95_seconds=0.123), extension)
    assert merged.rto_seconds == extension.expects.rto_seconds
    assert merged.p95_seconds == 0.123
