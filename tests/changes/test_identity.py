"""Against moto's STS and the lab's Kubernetes API server."""

import json
import tomllib
from pathlib import Path

import kube_server
import moto_server
import pytest

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.identity import SYSTEM, needs, objection
from blackstart.changes.model import Change, new_id
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.changes.recover import recover
from blackstart.errors import ConfigInvalid, ServiceUnreachable
from blackstart.scope import Scope, Target

ACCOUNT, OTHER = "123456789012", "999999999999"
SCOPE = Scope(environment="test", accounts=(ACCOUNT, OTHER), clusters=("shop", "away"))


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory):
    """A cluster ``shop``, and a cluster ``away`` that does not answer."""
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        path = Path(environ["KUBECONFIG"])
        config = json.loads(path.read_text())
        config["clusters"].append({"name": "away", "cluster": {"server": "http://127.0.0.1:9"}})
        config["contexts"].append({"name": "far", "context": {"cluster": "away", "user": "me"}})
        path.write_text(json.dumps(config))
        yield str(path)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def us(moto_url, kubeconfig, monkeypatch, calls):
    """Clients that have not asked anything yet, and write down what they ask."""
    for name, value in moto_server.environ(moto_url).items():
        monkeypatch.setenv(name, value)
    found = Clients(environ={"KUBECONFIG": kubeconfig}, attempts=1, record=calls.append)
    yield found
    found.close()


def of_account(account=ACCOUNT, **where):
    return Change(new_id(), "ec2.subnet_acl", Target("subnet", "subnet-1", account, **where), {}, {}, "", "")


def of_cluster(cluster="shop", **before):
    return Change(new_id(), "kubernetes.pod_deletion", Target("pod", "orders-1", cluster=cluster), before, {}, "", "")


def proven(us, **ids):
    uid = us.kube("shop").get(SYSTEM)["metadata"]["uid"]
    return SCOPE.model_copy(update={"cluster_ids": {"shop": uid} | ids})


def test_the_account_that_is_meant_permitted_and_reached_is_fine(us):
    assert objection(SCOPE, [of_account()], us) is None


def test_an_account_outside_the_scope_is_refused_whatever_the_targets_say(us):
    elsewhere = SCOPE.model_copy(update={"accounts": (OTHER,)})
    for account in (ACCOUNT, OTHER):
        assert objection(elsewhere, [of_account(account)], us) == (
            f"the credentials reach account {ACCOUNT}, which is outside the scope ({OTHER})"
        )


@pytest.mark.parametrize(("account", "where"), [(OTHER, f"in account {OTHER}"), ("", "in no account")])
def test_one_target_of_another_account_is_enough(us, account, where):
    assert objection(SCOPE, [of_account(), of_account(account)], us) == (
        f"subnet subnet-1 is {where}, but the credentials reach account {ACCOUNT}"
    )


def test_a_target_that_only_claims_to_be_in_a_cluster_needs_its_account_all_the_same(us):
    assert "in no account" in objection(proven(us), [of_account("", cluster="shop")], us)


def test_an_account_that_cannot_be_told_is_not_answered_for(us, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnreachable, match="could not tell which AWS account this is"):
        objection(SCOPE, [of_account()], us)


def test_without_credentials_there_is_no_account(us, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ServiceUnreachable, match="could not tell which AWS account this is"):
        objection(SCOPE, [of_account()], us)


def test_a_cluster_is_known_by_its_id_not_by_its_name(us):
    assert objection(proven(us), [of_cluster()], us) is None
    assert "but shop has the id 1-2-3" in objection(proven(us, shop="1-2-3"), [of_cluster()], us)


def test_a_cluster_without_an_id_is_refused_with_the_line_to_write(us):
    reason = objection(SCOPE, [of_cluster()], us)
    line = reason.split("write ")[1].removesuffix(" under [scope.cluster_ids]")
    learnt = tomllib.loads(f"environment = 'test'\nclusters = ['shop']\n[cluster_ids]\n{line}")
    assert objection(Scope.model_validate(learnt), [of_cluster()], us) is None


@pytest.mark.parametrize("cluster", ["bank", ""])
def test_a_cluster_outside_the_scope_is_not_even_asked(us, calls, cluster):
    assert "is outside the scope (shop, away)" in objection(SCOPE, [of_cluster(cluster)], us)
    assert calls == []


def test_the_context_that_the_change_is_made_through_is_the_one_that_is_asked(us):
    scope = proven(us, away="4-5-6")
    assert objection(scope, [of_cluster(context="shop")], us) is None
    with pytest.raises(ServiceUnreachable, match="away did not answer"):
        objection(scope, [of_cluster(), of_cluster(context="far")], us)
    assert "context shop reaches a cluster with the id" in objection(scope, [of_cluster("away", context="shop")], us)


def test_a_cluster_that_cannot_be_told_is_not_answered_for(us):
    with pytest.raises(ServiceUnreachable, match="away did not answer"):
        objection(proven(us, away="4-5-6"), [of_cluster("away")], us)
    with pytest.raises(ConfigInvalid, match="no context has this name"):
        objection(proven(us), [of_cluster(context="nobody")], us)


def test_a_thousand_changes_are_two_questions(us, calls):
    scope = proven(us)
    calls.clear()
    assert objection(scope, [change for _ in range(500) for change in (of_account(), of_cluster())], us) is None
    assert [str(call) for call in calls] == ["sts:GetCallerIdentity", "kubernetes:get namespaces"]


def test_what_proving_takes_is_what_is_called(us, calls):
    changes = [of_account(), of_cluster()]
    scope = proven(us)
    calls.clear()
    objection(scope, changes, us)
    assert [need.action for need in needs(changes)] == [str(call) for call in calls]
    assert needs(changes)[1].names == (calls[1].name,) == ("kube-system",)


@pytest.mark.parametrize("reaches", ["another account", "nothing"])
def test_whoever_recovers_from_elsewhere_touches_nothing_in_the_wrong_account(reaches, aws_gate, vpc, monkeypatch):
    reach, clients = aws_gate.reach, aws_gate.reach.clients
    found = find_vpc(clients, "us-east-1", vpc)
    inject(plan_black_hole(found, ["us-east-1a"], find_acls(clients, found)), aws_gate, "failing zone us-east-1a")
    with monkeypatch.context() as elsewhere:
        if reaches == "nothing":  # STS only: what has to be put back can be
            elsewhere.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
        else:
            role = {"RoleArn": f"arn:aws:iam::{OTHER}:role/ops", "RoleSessionName": "ops"}
            keys = clients.aws("sts", "us-east-1").assume_role(**role)["Credentials"]
            elsewhere.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
            elsewhere.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
            elsewhere.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
        (report,) = recover(reach.log, lambda drill: reach, "drill-1").reports
    if reaches == "nothing":
        assert report.complete
        return
    assert set(report.remaining) == {entry.change.id for entry in reach.log.entries("drill-1")}
    assert f"is in account {ACCOUNT}, but the credentials reach account {OTHER}" in str(report.remaining)
    assert {entry.state for entry in reach.log.entries("drill-1")} == {"applied"}
    assert reach.log.stopping("drill-1") == ""
    assert recover(reach.log, lambda drill: reach, "drill-1").complete
