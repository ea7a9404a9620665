"""Plans against moto and the lab's Kubernetes API server."""

import io
import json
import re
from pathlib import Path

import kube_server
import pytest
import yaml
from rich.console import Console

import blackstart
from blackstart import planning
from blackstart.changes.clients import Clients
from blackstart.changes.log import Block, Drill, Fault
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.changes.owner import here
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.errors import ConfigInvalid, Refused
from blackstart.reports import plan_table, plan_view

EXPERIMENTS = Path(blackstart.__file__).parent / "experiments"
TOML = """
undo_log = "sqlite://{folder}/undo.sqlite"
[scope]
environment = "test"
accounts = ["123456789012"]
regions = ["us-east-1"]
clusters = ["shop"]
namespaces = ["shop"]
required_tag = "blackstart"
whole_region = true
[scope.cluster_ids]
shop = "{uid}"
[service]
name = "orders"
host = "orders.shop.test"
port = 80
home_region = "us-east-1"
[prices]
currency = "EUR"
[prices.once]
"kubernetes.pod_deletion" = 0.25
"""
KILL = {
    "name": "kill",
    "type": "action",
    "provider": {
        "type": "python",
        "module": "blackstart.actions.pods",
        "func": "delete_pods",
        "arguments": {"context": "shop-admin", "namespace": "shop", "selector": "app=orders", "count": 1},
    },
}
PUT_BACK = {"name": "back", "provider": {"type": "python", "module": "blackstart.actions.recovery", "func": "undo"}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster with a deployment of four pods."""
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        clients = Clients(environ=environ)
        kube_server.furnish(clients.kube("shop"))
        with kube_server.orders(clients.kube("shop")):
            yield environ, clients.kube("shop")
        clients.close()


@pytest.fixture
def world(tmp_path, monkeypatch, vpc, cluster):
    """Everything that experiments expect, and a blackstart.toml; the folder that it is in."""
    environ, kube = cluster
    uid = kube.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    (tmp_path / "blackstart.toml").write_text(TOML.format(folder=tmp_path, uid=uid))
    named = {"BLACKSTART_CONFIG": str(tmp_path / "blackstart.toml"), "BLACKSTART_CONTEXT": "shop-admin"}
    for name, value in {**environ, **named, "BLACKSTART_ZONE": "us-east-1b"}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def plan(world):
    """Plans an experiment with these activities as its method."""

    def of(*method, **more):
        control = {"name": "blackstart", "provider": {"type": "python", "module": "blackstart.control"}}
        data = {"title": "A test", "description": "-", "controls": [control], "method": list(method), **more}
        (world / "experiment.yaml").write_text(yaml.safe_dump(data))
        return planning.plan(world / "experiment.yaml", seed=1)

    return of


def kill(**arguments):
    provider = {**KILL["provider"], "arguments": {**KILL["provider"]["arguments"], **arguments}}
    return {**KILL, "provider": provider}


FURNISHED = {"pod-kill", "pod-kill-repeated", "zone-network-loss"}
"""Experiments whose targets are all in the small world here; those of the others are only in a lab."""
ELSEWHERE = {"cache-cold", "region-loss-manual", "replication-paused"}
"""Experiments that cannot even look for their targets without data stores and a second cluster."""


def acls(clients):
    found = clients.aws("ec2", "us-east-1").describe_network_acls()["NetworkAcls"]
    return {acl["NetworkAclId"]: acl["Associations"] for acl in found}


@pytest.mark.parametrize("name", sorted({path.stem for path in EXPERIMENTS.glob("*.yaml")} - ELSEWHERE))
def test_every_experiment_is_planned_and_nothing_is_changed(world, clients, cluster, name):
    before, pods = acls(clients), kube_server.names(cluster[1])
    planned = planning.plan(EXPERIMENTS / f"{name}.yaml")
    if name in FURNISHED:
        assert planned.plan.would_run, planned.plan
        assert planned.plan.changes
    assert planned.calls
    assert [call for call in planned.calls if not call.reads] == []
    assert (acls(clients), kube_server.names(cluster[1])) == (before, pods)
    assert not (world / "undo.sqlite").exists()


def test_clients_of_a_plan_refuse_whatever_changes_something(world, clients, cluster, vpc):
    before, pods, made = acls(clients), kube_server.names(cluster[1]), []
    reading = Clients(read_only=True, record=made.append)
    with pytest.raises(Refused, match="not calling ec2:CreateNetworkAcl: only reading is allowed here"):
        reading.aws("ec2", "us-east-1").create_network_acl(VpcId=vpc)
    for change in (
        lambda kube: kube.delete(f"{kube_server.PODS}/{min(pods)}"),
        lambda kube: kube.post("/api/v1/namespaces", {"metadata": {"name": "new"}}),
        lambda kube: kube.patch("/api/v1/nodes/node-a", {"metadata": {"labels": {"a": "b"}}}),
    ):
        with pytest.raises(Refused, match="only reading is allowed here"):
            change(reading.kube("shop"))
    assert made == []
    assert reading.aws("ec2", "us-east-1").describe_vpcs()["Vpcs"]
    reading.close()
    assert (acls(clients), kube_server.names(cluster[1])) == (before, pods)


def test_the_same_seed_chooses_the_same_targets(world):
    def targets(seed):
        found = planning.plan(EXPERIMENTS / "pod-kill.yaml", seed=seed).plan
        return [change.target.id for change in found.changes]

    assert len(targets(1)) == 1
    assert targets(1) == targets(1)
    assert len({tuple(targets(seed)) for seed in range(12)}) > 1


def test_the_seed_of_the_environment_is_the_drills(world, monkeypatch):
    monkeypatch.setenv("BLACKSTART_SEED", "42")
    assert planning.plan(EXPERIMENTS / "pod-kill.yaml").plan.seed == 42
    monkeypatch.setenv("BLACKSTART_SEED", "soon")
    with pytest.raises(ConfigInvalid, match=r"BLACKSTART_SEED.*not a whole number"):
        planning.plan(EXPERIMENTS / "pod-kill.yaml")


def test_what_a_guard_would_refuse_is_in_the_plan(world):
    path = world / "blackstart.toml"
    path.write_text(path.read_text().replace('regions = ["us-east-1"]', 'regions = ["us-west-2"]'))
    found = planning.plan(EXPERIMENTS / "zone-network-loss.yaml").plan
    assert not found.would_run
    (proposal,) = found.proposals
    assert [finding.guard for finding in proposal.objections] == ["scope"]
    assert len(proposal.findings) > 5


def test_what_an_action_refuses_is_in_the_plan(plan):
    found = plan(kill(selector="app=none", count=2)).plan
    assert "0 pods match app=none" in found.proposals[0].objections[0].objection
    zone = {"type": "python", "module": "blackstart.actions.zones", "func": "fail_zone"}
    gone = plan({"name": "cut", "provider": {**zone, "arguments": {"zone": "us-east-1a", "vpc": "none"}}}).plan
    assert not gone.would_run
    assert (gone.proposals[0].found, gone.changes) == (False, ())
    assert "0 VPCs there have this id or Name" in gone.proposals[0].objections[0].objection


def test_an_api_that_does_not_answer_is_an_objection(plan, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    zone = {"type": "python", "module": "blackstart.actions.zones", "func": "fail_zone"}
    found = plan({"name": "cut", "provider": {**zone, "arguments": {"zone": "us-east-1a", "vpc": "shop"}}}).plan
    assert "Could not connect to the endpoint" in found.proposals[0].objections[0].objection


def test_shares_of_several_faults_add_up_until_they_are_undone(plan):
    faults = plan(kill(count=2), kill(count=2)).plan.proposals
    assert [bool(fault.objections) for fault in faults] == [False, True]
    assert "of 4 pods" in faults[1].objections[0].objection
    faults = plan(kill(count=2), PUT_BACK, kill(count=2)).plan.proposals
    assert [bool(fault.objections) for fault in faults] == [False, False]


@pytest.fixture
def other(world, clients):
    """Another drill has a zone of the VPC in its hands."""
    log = SqliteLog(world / "undo.sqlite")
    drill = Drill("other-drill", "a test", here(), "2026-01-01T00:00:00Z", "")
    found = find_vpc(clients, "us-east-1", "shop")
    log.begin(drill)
    log.append(drill, Fault("", 0.0), plan_black_hole(found, ["us-east-1a"], find_acls(clients, found)))
    yield log
    log.close()


def test_what_another_drill_holds_is_an_objection(other):
    found = planning.plan(EXPERIMENTS / "zone-network-loss.yaml").plan
    (objection,) = found.proposals[0].objections
    assert objection.guard == "locks"
    assert "held by drill other-drill" in objection.objection
    assert len(other.drills()) == 1


def test_the_kill_switch_is_an_objection(world, other):
    other.block(Block("an incident", "me", "2026-01-01T00:00:00Z"))
    guards = {finding.guard for finding in planning.plan(EXPERIMENTS / "pod-kill.yaml").plan.proposals[0].objections}
    assert guards == {"kill switch", "locks"}


def test_an_undo_log_that_cannot_be_read_is_an_objection(world):
    (world / "undo.sqlite").write_text("no database" * 100)
    (objection,) = planning.plan(EXPERIMENTS / "pod-kill.yaml").plan.proposals[0].objections
    assert objection.guard == "locks"
    assert "cannot be used" in objection.objection


def test_what_is_not_ours_is_named_and_not_called(plan, tmp_path):
    touched = tmp_path / "touched"
    process = {"type": "process", "path": "touch", "arguments": str(touched)}
    python = {"type": "python", "module": "os", "func": "mkdir", "arguments": {"path": str(touched)}}
    found = plan({"name": "one", "provider": process}, {"name": "two", "provider": python}, {"ref": "one"}).plan
    assert found.foreign == ("one (process)", "two (os.mkdir)", "one (process)")
    assert (found.proposals, found.would_run) == ((), True)
    assert not touched.exists()


def test_values_that_an_action_cannot_use_are_bad_input(plan):
    with pytest.raises(ConfigInvalid, match=r"method\.kill\.arguments: delete_pods cannot use these values"):
        plan(kill(count="many"))


def test_a_configuration_that_a_probe_would_read_is_bad_input(plan):
    probe = {"type": "probe", "provider": {"type": "process", "path": "true"}}
    with pytest.raises(ConfigInvalid, match=r"configuration\.zone.*give it a value"):
        plan(KILL, configuration={"zone": probe})


def seen(planned):
    return plan_view.view(planned.plan, planned.calls, planned.kinds, planned.settings.prices)


def test_the_json_has_what_its_description_says(plan):
    told = plan_view.to_json(seen(plan(kill(count=2))))
    described = set(re.findall(r"``(\w+)``", plan_view.__doc__))
    assert set(told) <= described
    assert set(told["faults"][0]) <= described
    (fault,) = told["faults"]
    assert fault["calls"] == [{"call": "kubernetes:delete pods", "region": "us-east-1", "requests": 2, "resources": 2}]
    assert fault["cost"] == {"currency": "EUR", "amount": 0.5, "unpriced": (), "endless": ()}
    assert [change["restored"] for change in fault["changes"]] == [False, False]
    assert told["run"].endswith("experiment.yaml --seed 1")
    json.dumps(told)


def shown(planned, width=100, **more):
    text = io.StringIO()
    plan_table.show(Console(file=text, width=width, **more), seen(planned))
    return text.getvalue()


def test_the_table_says_targets_undo_cost_and_guards_in_100_columns(plan):
    planned = plan(kill(count=2), kill(count=1))
    text = shown(planned)
    for change in planned.plan.changes:
        assert change.summary in text
    for words in ("healed by ReplicaSet", "2 × kubernetes:delete pods", "at most 0.50 EUR", "✕ shares", "✓ targets"):
        assert words in text, words
    assert "WOULD BE REFUSED" in text
    assert max(len(line) for line in text.splitlines() if "run exactly" not in line) <= 100


def test_a_terminal_without_unicode_gets_ascii(plan):
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    plan_table.show(Console(file=file, width=100), seen(plan(KILL)))
    file.seek(0)
    assert "+ targets" in file.read()
