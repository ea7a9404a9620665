"""With just the permissions that are printed, and enforcement on, experiments run and are undone; with less, not."""

import json
from dataclasses import dataclass, replace
from random import Random

import iam
import kube_server
import moto_server
import pytest
import yaml
from botocore.exceptions import ClientError
from test_kind_permissions import furnish, planned, walk

from blackstart import permissions, planning
from blackstart.access import everything
from blackstart.actions import pods, traffic, zones
from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.registry import Kinds
from blackstart.changes.residue import scan
from blackstart.changes.undo import undo
from blackstart.drill import DRILL_KEY
from blackstart.kube.client import KubeRefused
from blackstart.probes import pods as pod_probes
from blackstart.reports.policies import iam_policies
from blackstart.settings import Evidence

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
KINDS = Kinds()
TOML = """
undo_log = "sqlite://{folder}/plan.sqlite"
[scope]
environment = "test"
accounts = ["123456789012"]
regions = ["us-east-1"]
clusters = ["shop"]
namespaces = ["shop"]
[scope.cluster_ids]
shop = "{uid}"
[service]
name = "orders"
host = "orders.shop.test"
port = 80
home_region = "us-east-1"
"""


@dataclass
class Drill:
    """What actions see of a drill that really changes things."""

    gate: object
    random: Random

    @property
    def clients(self):
        return self.gate.reach.clients

    @property
    def kinds(self):
        return self.gate.reach.kinds

    def inject(self, changes, subject, **more):
        inject(changes, self.gate, subject, **more)

    def note(self, kind, **fields):
        pass

    def keep(self, keeper, subject, *, duration_seconds):
        pass


@pytest.fixture(scope="module")
def moto_url(tmp_path_factory):
    with moto_server.running(tmp_path_factory.mktemp("moto"), ("-c", iam.MOTO)) as url:
        yield url


@pytest.fixture(scope="module")
def kept_clients():
    kept = Clients()
    yield kept
    kept.close()


@pytest.fixture
def become(clients, moto_url, monkeypatch):
    """Gives clients that may do no more than some policies allow; from then on that is enforced."""
    opened = []

    def with_keys(keys, **more):
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        opened.append(Clients(**more))
        opened[-1].account()  # reads the credentials
        return opened[-1]

    def restricted(policies, environ=None):
        admin = iam.user(clients, "admin", EVERYTHING)
        mine = iam.user(clients, "drill", iam.actions_of(policies))
        iam.enforce(moto_url, True)
        judge = iam.Enforcer(policies, with_keys(admin))
        return with_keys(mine, environ=environ or {}, record=judge)

    yield restricted
    iam.enforce(moto_url, False)
    for each in opened:
        each.close()


def without(policies, action):
    """The policies but for one action."""
    text = json.dumps(policies)
    assert f'"{action}"' in text
    return json.loads(text.replace(f'"{action}"', '"sts:GetCallerIdentity"'))


@pytest.fixture
def changes(clients, vpc):
    return planned(clients, vpc, furnish(clients, vpc))


def of_kinds(changes):
    """Policies of what the kinds need, with proving the account."""
    needs = [need for change in changes for need in KINDS.lookup(change.kind).needs(change)]
    return iam_policies([*needs, *everything(["sts:GetCallerIdentity"], "")])


def test_the_policies_are_in_the_grammar_of_iam(changes, clients):
    for number, policy in enumerate(of_kinds(changes)):
        clients.aws("iam").create_policy(PolicyName=f"drill-{number}", PolicyDocument=json.dumps(policy))


def test_every_kind_of_aws_can_be_applied_and_undone_with_its_permissions(changes, become):
    assert set(walk(changes, become(of_kinds(changes)), [])) == {change.kind for change in changes}


@pytest.mark.parametrize("action", ["ec2:DeleteNetworkAcl", "autoscaling:ResumeProcesses", "eks:DescribeNodegroup"])
def test_without_one_of_its_permissions_a_kind_is_refused(changes, become, action):
    with pytest.raises(iam.Denied, match=action):
        walk(changes, become(without(of_kinds(changes), action)), [])


def test_moto_refuses_what_the_policy_does_not_allow(changes, become, monkeypatch):
    monkeypatch.setattr(iam.Enforcer, "__call__", lambda self, call: None)
    with pytest.raises(ClientError, match="not authorized"):
        walk(changes, become(without(of_kinds(changes), "ec2:DeleteNetworkAcl")), [])


def test_permissions_for_one_subnet_are_none_for_another(changes, become):
    fence, swap = changes[:2]
    policies = of_kinds([fence, replace(swap, target=replace(swap.target, id="subnet-00000000"))])
    with pytest.raises(iam.Denied, match=r"ReplaceNetworkAclAssociation on .*subnet/"):
        walk([fence, swap], become(policies), [])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster with a deployment of four pods."""
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        clients = Clients(environ=environ)
        kube_server.furnish(clients.kube("shop"))
        with kube_server.orders(clients.kube("shop")) as heal:
            yield environ, clients.kube("shop"), heal
        clients.close()


def activity(module, func, **arguments):
    provider = {"type": "python", "module": f"blackstart.{module}", "func": func, "arguments": arguments}
    return {"name": func, "type": module.partition(".")[0].removesuffix("s"), "provider": provider}


@pytest.fixture
def experiment(tmp_path, clients, vpc, cluster, monkeypatch):
    """An experiment with every action but the loss of a region, and a probe: its file, and arguments by action."""
    environ, kube, _ = cluster
    monkeypatch.setenv("KUBECONFIG", environ["KUBECONFIG"])
    uid = kube.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    monkeypatch.setenv("BLACKSTART_CONFIG", str(tmp_path / "blackstart.toml"))
    (tmp_path / "blackstart.toml").write_text(TOML.format(folder=tmp_path, uid=uid))
    asked = {
        zones.fail_zone: {"zone": "us-east-1a", "vpc": "shop", "by": "power"},
        traffic.fail_health_check: {"health_check": furnish(clients, vpc)},
        pods.delete_pods: {"context": "shop-admin", "namespace": "shop", "selector": "app=orders", "count": 1},
    }
    method = [activity(f"actions.{each.__module__.rpartition('.')[2]}", each.__name__, **asked[each]) for each in asked]
    method.append(activity("actions.zones", "fail_zone", zone="us-east-1b", vpc="shop"))
    method.append(activity("probes.pods", "ready_pods", namespace="shop", context="shop-admin"))
    control = {"name": "blackstart", "provider": {"type": "python", "module": "blackstart.control"}}
    data = {"title": "A test", "description": "-", "controls": [control], "method": method}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(data))
    return tmp_path / "experiment.yaml", asked


def test_an_undo_log_in_dynamodb_needs_its_table_and_the_evidence_its_sources(experiment):
    found = planning.plan(experiment[0])
    evidence = Evidence(aws_region="us-west-2", global_cluster="shop", kube_context="west", namespace="shop")
    changed = {"undo_log": "dynamodb://eu-west-1/undo", "evidence": evidence}
    told = permissions.permissions(replace(found, settings=found.settings.model_copy(update=changed)))
    statements = [each for policy in told["iam"] for each in policy["Statement"]]
    (table,) = [each for each in statements if "dynamodb:PutItem" in each["Action"]]
    assert table["Resource"] == ["arn:aws:dynamodb:eu-west-1:123456789012:table/undo"]
    assert any(each["Action"] == ["rds:DescribeGlobalClusters"] for each in statements)
    assert told["missing"] == told["not_by_blackstart"] == []


def granted(kube, manifests):
    """Make the Roles and bindings; take them away again."""
    for each in manifests:
        namespace = each["metadata"].get("namespace")
        at = f"/apis/{each['apiVersion']}" + (f"/namespaces/{namespace}" if namespace else "")
        kube.post(f"{at}/{each['kind'].lower()}s", each)
        yield f"{at}/{each['kind'].lower()}s/{each['metadata']['name']}"


def test_an_experiment_runs_and_is_undone_with_just_its_permissions(experiment, cluster, become, aws_gate, monkeypatch):
    environ, kube, heal = cluster
    path, experiment = experiment
    found = planning.plan(path)
    assert found.plan.would_run, found.plan
    told = permissions.permissions(found)
    roles = list(granted(kube, told["kubernetes"]["shop"]))
    me = kube_server.as_member(environ, path.parent, "blackstart")
    clients = become(told["iam"], me)
    gate = replace(aws_gate, scope=found.settings.scope, reach=replace(aws_gate.reach, clients=clients))
    configuration = {DRILL_KEY: Drill(gate, Random(1))}
    for action, arguments in experiment.items():
        action(**arguments, configuration=configuration)
    zones.fail_zone(zone="us-east-1b", vpc="shop", configuration=configuration)
    monkeypatch.setenv("KUBECONFIG", me["KUBECONFIG"])
    assert pod_probes.ready_pods("shop", context="shop-admin") == 3
    heal(4)
    assert undo("drill-1", gate.reach).complete
    residue = scan("drill-1", gate.reach)
    assert (residue.found, residue.problems) == ((), ())
    for role in roles:
        kube.delete(role)
    with pytest.raises(KubeRefused, match="403"):
        pods.delete_pods(**experiment[pods.delete_pods], configuration=configuration)
