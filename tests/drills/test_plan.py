"""Plans of the experiments as they are, on a real lab; and a drill with just the permissions that are printed.

What a plan calls is read from the lab's AWS router. Kubernetes is asked as a user who may only read, and who is
refused everything else by the API server.
"""

import json
import os
import re
from pathlib import Path

import pytest
import redis
import urllib3
import world
import yaml
from labs import ROOT, experiment

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

READS = re.compile("(Describe|Get|List)")
RBAC = "rbac.authorization.k8s.io"
SAMPLE = {"pod-kill", "region-loss"}
EXPERIMENTS = [
    path.stem if path.stem in SAMPLE else pytest.param(path.stem, marks=pytest.mark.sweep)
    for path in sorted((ROOT / "experiments").glob("*.yaml"))
]
READ_ALL = [
    {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "readers"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
    },
    {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "readers"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "readers"},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": "readers"}],
    },
]


@pytest.fixture(scope="module")
def calls(lab):
    """Every call of AWS since it was asked the last time, as operation and service."""
    pool, seen = urllib3.PoolManager(), [0]

    def since():
        found = pool.request("GET", f"{lab.status.endpoints.aws_admin}/calls?since={seen[0]}").json()["calls"]
        seen[0] = max((call["seq"] for call in found), default=seen[0])
        return [f"{call['service']}:{call['operation']}" for call in found if "Boto3" in call["user_agent"]]

    yield since
    pool.clear()


@pytest.fixture(scope="module")
def grant(lab):
    """Makes Roles and bindings by cluster, and gives a kubeconfig for a member of the group that they are bound to."""
    pool = urllib3.PoolManager()
    config = yaml.safe_load(Path(os.environ.get("KUBECONFIG", "") or lab.environment()["KUBECONFIG"]).read_text())
    servers = {each["name"]: each["cluster"]["server"] for each in config["clusters"]}

    def granted(manifests, group):
        for cluster, each in ((cluster, each) for cluster, all_ in manifests.items() for each in all_):
            namespace = each["metadata"].get("namespace")
            at = f"/apis/{RBAC}/v1" + (f"/namespaces/{namespace}" if namespace else "") + f"/{each['kind'].lower()}s"
            answer = pool.request("POST", f"{servers[cluster]}{at}", json=each)
            assert answer.status == 201, answer.data
        mine = config | {"users": [{"name": "lab", "user": {"token": f"group:{group}"}}]}
        path = lab.folder / f"{group}.kubeconfig"
        path.write_text(yaml.safe_dump(mine))
        return str(path)

    yield granted
    pool.clear()


@pytest.fixture(scope="module")
def reading(grant, lab):
    return grant(dict.fromkeys((f"shop-{region}" for region in world.REGIONS), READ_ALL), "readers")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_planned_with_reads_only(lab, calls, reading, name):
    if name == "cache-cold":
        _fill_cache(lab)
    before = world.dump(lab.environment())
    calls()
    done = lab.run("blackstart", "plan", experiment(name), "--json", KUBECONFIG=reading)
    assert done.code == 0, done.output
    plan = json.loads(done.output)
    assert plan["would_run"] is True
    assert plan["faults"][0]["changes"]
    made = calls()
    assert made or name not in ("region-loss", "zone-network-loss")
    assert [call for call in made if not READS.match(call.partition(":")[2])] == []
    assert world.dump(lab.environment()) == before


def _fill_cache(lab):
    """Nobody has read from this lab, and what is empty cannot be emptied."""
    with redis.Redis.from_url(f"redis://{lab.status.endpoints.regions[world.REGIONS[0]].redis}") as cache:
        cache.set("product:1", "{}")


@pytest.mark.sweep
def test_a_user_who_may_only_read_cannot_do_what_was_planned(lab, reading):
    done = lab.run("blackstart", "run", experiment("pod-kill"), KUBECONFIG=reading)
    assert done.code != 0
    assert "403" in (done.journal / "journal.json").read_text()


@pytest.mark.sweep
def test_a_drill_passes_with_just_its_permissions_and_meets_the_targets_that_were_planned(lab, grant, calls):
    told = json.loads(lab.run("blackstart", "permissions", experiment("pod-kill"), "--json").output)
    mine = grant(told["kubernetes"], "blackstart")
    plan = json.loads(lab.run("blackstart", "plan", experiment("pod-kill"), "--json", "--seed", "7").output)
    calls()
    done = lab.run("blackstart", "run", experiment("pod-kill"), "--seed", "7", KUBECONFIG=mine)
    assert done.code == 0, done.output
    assert done.verdict["leftovers"] == []
    killed = [line["record"]["target"]["id"] for line in done.changes if line["state"] == "planned"]
    assert killed == [change["target"]["id"] for change in plan["faults"][0]["changes"]]
    allowed = {action for policy in told["iam"] for each in policy["Statement"] for action in each["Action"]}
    assert set(calls()) <= allowed
