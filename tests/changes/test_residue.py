"""Whatever still carries the tag is found, whoever knows of it; what could not be asked is never taken for clean."""

import json
from dataclasses import replace
from pathlib import Path

import kube_server
import pytest
from file_text import FileText

from blackstart.changes import residue
from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Kind
from blackstart.changes.leftovers import Residue, Tagged, Whose
from blackstart.changes.log import Drill, Fault, Mark
from blackstart.changes.model import TAG, Change, State, new_id
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.changes.owner import here
from blackstart.changes.registry import Kinds
from blackstart.changes.residue import scan
from blackstart.changes.undo import undo
from blackstart.errors import ServiceUnreachable
from blackstart.scope import Target
from blackstart.testing import FakeClock

ACCOUNT, HERE = "123456789012", "us-east-1"
SHARED = Fault("a test", 1000.0, shared=True)


class Meanwhile(FakeClock):
    """A clock on which something happens as soon as ``after`` seconds have passed."""

    def __init__(self, after, happens) -> None:
        super().__init__()
        self._at, self._happens = self.monotonic() + after, happens

    def sleep(self, seconds):
        super().sleep(seconds)
        if self._happens and self.monotonic() >= self._at:
            self._happens, happens = None, self._happens
            happens()


@pytest.fixture
def ec2(clients):
    return clients.aws("ec2", HERE)


@pytest.fixture
def tagged(ec2, vpc):
    """Makes a network ACL that carries the tag of a change; its id."""

    def made(change):
        tags = [{"ResourceType": "network-acl", "Tags": [{"Key": TAG, "Value": change}]}]
        return ec2.create_network_acl(VpcId=vpc, TagSpecifications=tags)["NetworkAcl"]["NetworkAclId"]

    return made


def change(kind="ec2.deny_all_acl", **target):
    return Change(new_id(), kind, Target("thing", new_id(), **target), {}, {}, "made", "making it again")


def record(reach, *changes, drill="drill-1", state=State.VERIFIED):
    """As if ``drill`` had made these changes, and put them back."""
    changes = changes or (change(account=ACCOUNT, region=HERE),)
    reach.log.append(Drill(drill, "a test", here(), "2026-01-01T00:00:00Z", ""), SHARED, changes)
    reach.log.mark(drill, {each.id: Mark(state) for each in changes})
    return changes[0].id


def test_a_drill_that_changed_nothing_leaves_nothing_to_look_for(aws_reach):
    assert scan("drill-1", aws_reach) == Residue()


def test_after_an_undo_nothing_is_found_although_tags_outlive_what_carried_them(aws_gate, clients, ec2, vpc):
    found = find_vpc(clients, HERE, "shop")
    inject(plan_black_hole(found, ["us-east-1a"], find_acls(clients, found)), aws_gate, "cutting off us-east-1a")
    assert undo("drill-1", aws_gate.reach).complete
    assert ec2.describe_tags(Filters=[{"Name": "key", "Values": [TAG]}])["Tags"]
    assert scan("drill-1", aws_gate.reach) == Residue(("us-east-1 (EC2 tags)",))


def test_an_acl_that_is_left_is_found_and_known_as_ours(aws_reach, tagged):
    mine = record(aws_reach)
    left = tagged(mine)
    (found,) = scan("drill-1", aws_reach).found
    assert (found.id, found.change, found.place, found.whose) == (left, mine, HERE, Whose.OURS)
    assert str(found) == f"network-acl {left} in us-east-1"


def test_what_an_open_change_made_is_not_waited_for(aws_reach, tagged):
    tagged(record(aws_reach, state=State.CONFLICT))
    began = aws_reach.clock.monotonic()
    assert [found.whose for found in scan("drill-1", aws_reach).found] == [Whose.OURS]
    assert aws_reach.clock.monotonic() == began


def test_what_another_drill_holds_open_is_that_drills(aws_reach, tagged):
    record(aws_reach)
    tagged(record(aws_reach, drill="drill-2", state=State.APPLIED))
    began = aws_reach.clock.monotonic()
    (found,) = scan("drill-1", aws_reach).found
    assert (found.whose, found.drill) == (Whose.THEIRS, "drill-2")
    assert aws_reach.clock.monotonic() == began


def test_what_no_drill_holds_is_nobodys(aws_reach, tagged):
    record(aws_reach)
    tagged(record(aws_reach, drill="drill-2", state=State.VERIFIED))
    tagged("bs-of-no-log")
    assert [(found.whose, found.drill) for found in scan("drill-1", aws_reach).found] == [(Whose.UNKNOWN, "")] * 2


def test_a_deletion_that_takes_time_to_show_is_waited_for(aws_reach, ec2, tagged):
    left = tagged(record(aws_reach))
    clock = Meanwhile(10.0, lambda: ec2.delete_network_acl(NetworkAclId=left))
    assert scan("drill-1", replace(aws_reach, clock=clock)).found == ()
    assert clock.monotonic() < FakeClock().monotonic() + 20


def test_but_not_for_ever(aws_reach, ec2, tagged):
    left = tagged(record(aws_reach))
    clock = Meanwhile(60.0, lambda: ec2.delete_network_acl(NetworkAclId=left))
    assert [found.id for found in scan("drill-1", replace(aws_reach, clock=clock)).found] == [left]


def test_a_terminated_instance_is_gone_although_it_can_be_seen(aws_reach, ec2):
    tags = [{"ResourceType": "instance", "Tags": [{"Key": TAG, "Value": record(aws_reach)}]}]
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=2, MaxCount=2, TagSpecifications=tags)["Instances"]
    gone, stays = (instance["InstanceId"] for instance in made)
    ec2.terminate_instances(InstanceIds=[gone])
    assert [found.id for found in scan("drill-1", aws_reach).found] == [stays]


def test_a_thing_of_another_type_counts_by_its_tag(aws_reach, ec2, vpc):
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": TAG, "Value": record(aws_reach)}])
    assert [str(found) for found in scan("drill-1", aws_reach).found] == [f"vpc {vpc} in us-east-1"]


def test_a_region_that_does_not_answer_is_a_problem_and_never_clean(aws_reach, monkeypatch):
    record(aws_reach)
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9")
    found = scan("drill-1", replace(aws_reach, clients=Clients(attempts=1), clock=FakeClock()))
    assert (found.looked, found.found) == ((), ())
    assert found.problems[0].startswith("us-east-1 (EC2 tags): Could not connect to the endpoint URL")


def test_a_region_that_answers_again_in_time_is_no_problem(aws_reach, monkeypatch):
    record(aws_reach)
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9")
    clients = Clients(attempts=1)

    def back():
        monkeypatch.delenv("AWS_ENDPOINT_URL_EC2")
        clients.close()

    found = scan("drill-1", replace(aws_reach, clients=clients, clock=Meanwhile(5.0, back)))
    assert found == Residue(("us-east-1 (EC2 tags)",))


def test_credentials_of_another_account_prove_nothing(aws_reach):
    record(aws_reach, change(account="999999999999", region=HERE))
    assert scan("drill-1", aws_reach).problems == (
        "us-east-1 (EC2 tags): the AWS credentials: they are of account 123456789012, the changes in 999999999999",
    )


def test_an_undo_log_that_is_gone_proves_nothing(aws_reach):
    record(aws_reach)
    aws_reach.log.path.unlink()
    assert "it has been deleted" in scan("drill-1", aws_reach).problems[0]


def test_a_kind_that_is_not_installed_proves_nothing(aws_reach):
    record(aws_reach, change(kind="other.kind"))
    assert scan("drill-1", aws_reach).problems[0].startswith("other.kind (what it makes): ")


class Elsewhere(FileText):
    """A kind that makes things which no general scan sees."""

    name = "test.elsewhere"
    answers = True

    def tagged(self, targets, clients):
        if not self.answers:
            raise ServiceUnreachable("list records", "the name server", "did not answer")
        return [Tagged("record", f"of {target.id}", "bs-unknown") for target in targets]


def test_a_kind_that_makes_things_elsewhere_is_asked_for_them(aws_reach):
    kind: Kind = Elsewhere()
    made = change(kind=kind.name)
    record(aws_reach, made)
    reach = replace(aws_reach, kinds=Kinds([kind]))
    assert [str(found) for found in scan("drill-1", reach).found] == [f"record of {made.target.id} in test.elsewhere"]
    kind.answers = False
    assert scan("drill-1", reach).problems == (
        "test.elsewhere (what it makes): could not list records: the name server did not answer",
    )


def test_aws_is_asked_with_no_other_permissions_than_are_declared(aws_reach, tagged, ec2):
    mine = record(aws_reach)
    tagged(mine)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": TAG, "Value": mine}]}]
    ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, TagSpecifications=tags)
    clients, called = Clients(), set()
    for service in ("ec2", "sts"):
        events = clients.aws(service, HERE).meta.events
        events.register(
            "before-call", lambda model, **_: called.add(f"{model.service_model.endpoint_prefix}:{model.name}")
        )
    scan("drill-1", replace(aws_reach, clients=clients))
    clients.close()
    assert called == set(residue.AWS_PERMISSIONS)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """What points at a cluster that has the namespace ``shop``."""
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        clients = Clients(environ=environ)
        kube_server.furnish(clients.kube("shop"))
        clients.close()
        yield environ


@pytest.fixture
def kube_reach(aws_reach, cluster):
    clients = Clients(environ=cluster)
    yield replace(aws_reach, clients=clients)
    clients.close()


IN_SHOP = {"cluster": "shop", "namespace": "shop", "region": HERE}


def test_labelled_objects_in_the_namespace_are_found(kube_reach):
    mine = record(kube_reach, change(kind="kubernetes.pod_deletion", **IN_SHOP))
    kube = kube_reach.clients.kube("shop")
    labelled = {"metadata": {"name": "left", "labels": {TAG: mine}}}
    kube.post("/api/v1/namespaces/shop/configmaps", labelled)
    found = scan("drill-1", kube_reach)
    kube.delete("/api/v1/namespaces/shop/configmaps/left")
    assert [(each.whose, str(each)) for each in found.found] == [(Whose.OURS, "configmaps shop/left in cluster shop")]
    assert scan("drill-1", kube_reach) == Residue(("cluster shop (labels in shop)",))


def test_a_type_that_the_cluster_does_not_serve_is_passed_over(kube_reach, monkeypatch):
    record(kube_reach, change(kind="kubernetes.pod_deletion", **IN_SHOP))
    monkeypatch.setitem(residue.OBJECTS, "gadgets", "/apis/gadgets.test/v1")
    assert scan("drill-1", kube_reach) == Residue(("cluster shop (labels in shop)",))


def test_a_server_that_does_not_even_know_pods_is_a_problem(kube_reach, cluster, moto_url, tmp_path):
    record(kube_reach, change(kind="kubernetes.pod_deletion", **IN_SHOP))
    config = json.loads(Path(cluster["KUBECONFIG"]).read_text())
    config["clusters"][0]["cluster"]["server"] = moto_url
    (tmp_path / "config").write_text(json.dumps(config))
    clients = Clients(environ={"KUBECONFIG": str(tmp_path / "config")})
    (problem,) = scan("drill-1", replace(kube_reach, clients=clients)).problems
    clients.close()
    assert problem.startswith("cluster shop (labels in shop): could not GET /api/v1/namespaces/shop/pods")


def test_a_missing_permission_is_a_problem_that_is_not_waited_for(kube_reach, cluster, tmp_path):
    record(kube_reach, change(kind="kubernetes.pod_deletion", **IN_SHOP))
    clients = Clients(environ=kube_server.as_member(cluster, tmp_path, "nobody"))
    began = kube_reach.clock.monotonic()
    (problem,) = scan("drill-1", replace(kube_reach, clients=clients)).problems
    clients.close()
    assert "the Kubernetes API answered 403" in problem
    assert kube_reach.clock.monotonic() == began


def test_a_cluster_that_cannot_be_reached_is_a_problem(kube_reach):
    record(kube_reach, change(kind="kubernetes.pod_deletion", **IN_SHOP | {"cluster": "gone"}))
    assert "no context has this name" in scan("drill-1", kube_reach).problems[0]
