from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.database_backups import find_source
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.residue import scan
from blackstart.changes.restored_cluster import RestoredCluster, instance_name, plan_restore, scratch_name
from blackstart.changes.undo import undo
from blackstart.errors import ApplyFailed, NotYet, Refused, TargetChanged

REGION = "us-east-1"
RESTORING = "restoring orders"
GROUP = "sg-0123456789abcdef0"
ENGINE = "aurora-postgresql"


@pytest.fixture
def rds(clients):
    return clients.aws("rds", REGION)


@pytest.fixture
def source(rds):
    """The cluster orders with a writer, a reader, two snapshots, and somebody else's cluster beside it."""
    account = {"MasterUsername": "shop", "MasterUserPassword": "not-a-secret"}
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine=ENGINE,
        VpcSecurityGroupIds=[GROUP],
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 16.0},
        Tags=[{"Key": "blackstart", "Value": "allowed"}],
        **account,
    )
    for number, size in enumerate(("db.serverless", "db.r7g.large")):
        name = f"orders-{number}"
        rds.create_db_instance(
            DBInstanceIdentifier=name, DBClusterIdentifier="orders", Engine=ENGINE, DBInstanceClass=size
        )
    for name in ("daily", "newer"):
        rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier="orders")
    rds.create_db_cluster(DBClusterIdentifier="other", Engine=ENGINE, **account)


@pytest.fixture
def plan(clients, source):
    return lambda from_="snapshot": plan_restore(find_source(clients, REGION, "orders"), from_)


def clusters(rds):
    return {item["DBClusterIdentifier"]: item for item in rds.describe_db_clusters()["DBClusters"]}


def state(rds):
    """Everything but what changes by itself."""
    return {
        name: (item["Status"], item["DeletionProtection"], item["TagList"], item["DBClusterMembers"])
        for name, item in clusters(rds).items()
    }


@pytest.mark.parametrize("from_", ["snapshot", "point-in-time"])
def test_a_backup_becomes_a_private_cluster_like_its_source_and_is_deleted_again(plan, rds, aws_gate, from_):
    # moto's snapshots keep the protection of their cluster, whatever a restore asks for
    rds.modify_db_cluster(DBClusterIdentifier="orders", DeletionProtection=from_ == "point-in-time")
    before = state(rds)
    (change,) = plan(from_)
    inject([change], aws_gate, RESTORING)
    made = clusters(rds)[change.target.id]
    assert change.id in made["DBClusterIdentifier"]
    assert not made["DeletionProtection"]
    assert {"Key": "blackstart-change", "Value": change.id} in made["TagList"]
    assert [group["VpcSecurityGroupId"] for group in made["VpcSecurityGroups"]] == [GROUP]
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=instance_name(change.target.id))["DBInstances"]
    assert (instance["DBInstanceClass"], instance["PubliclyAccessible"]) == ("db.serverless", False)
    assert undo("drill-1", aws_gate.reach).complete
    assert state(rds) == before
    assert scan("drill-1", aws_gate.reach, 0).found == ()


def test_the_newest_snapshot_is_taken(plan):
    (change,) = plan()
    assert change.before["snapshot"] == "newer"
    assert change.calls[0] == "rds:RestoreDBClusterFromSnapshot"


def test_a_cluster_without_a_backup_or_an_instance_is_refused(clients, source, rds):
    rds.create_db_instance(
        DBInstanceIdentifier="other-1", DBClusterIdentifier="other", Engine=ENGINE, DBInstanceClass="db.r7g.large"
    )
    other = find_source(clients, REGION, "other")
    with pytest.raises(Refused, match="no snapshot that is available"):
        plan_restore(replace(other, snapshot=None))
    with pytest.raises(Refused, match="keeps no automated backups"):
        plan_restore(replace(other, restorable=""), "point-in-time")
    with pytest.raises(Refused, match="there is no such cluster"):
        find_source(clients, REGION, "nothing")
    rds.delete_db_instance(DBInstanceIdentifier="other-1", SkipFinalSnapshot=True)
    with pytest.raises(Refused, match="it has no instance"):
        find_source(clients, REGION, "other")


def test_names_are_such_that_rds_takes_them():
    name = scratch_name("bs-0123456789ab", "Some-Very-Long-Name-Of-A-Cluster-That-Goes-On-And-On-x-and-on")
    assert len(instance_name(name)) <= 63
    assert name.startswith("bs-0123456789ab-some-very")
    assert "--" not in instance_name(name)


def test_what_was_made_although_the_answer_got_lost_is_taken_for_ours(plan, clients, rds):
    (change,) = plan()
    RestoredCluster().apply([change], clients)
    rds.delete_db_instance(DBInstanceIdentifier=instance_name(change.target.id), SkipFinalSnapshot=True)
    RestoredCluster().apply([change], clients)  # half an apply is completed
    RestoredCluster().apply([change], clients)
    assert len(clusters(rds)[change.target.id]["DBClusterMembers"]) == 1


def test_an_instance_waits_for_as_long_as_a_restore_takes(plan, clients, rds, monkeypatch):
    (change,) = plan()
    real = rds.describe_db_clusters

    def creating(**query):
        answer = real(**query)
        answer["DBClusters"][0]["Status"] = "creating"
        return answer

    monkeypatch.setattr(rds, "describe_db_clusters", creating)
    with pytest.raises(NotYet, match="creating") as raised:
        RestoredCluster().apply([change], clients)
    assert raised.value.patience_seconds >= 3600
    assert not rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": [change.target.id]}])[
        "DBInstances"
    ]


def theirs(rds, name):
    account = {"MasterUsername": "shop", "MasterUserPassword": "not-a-secret"}
    rds.create_db_cluster(DBClusterIdentifier=name, Engine=ENGINE, **account)


def test_somebody_elses_cluster_of_that_name_is_neither_used_nor_deleted(plan, clients, rds, aws_gate):
    (change,) = plan()
    theirs(rds, change.target.id)
    with pytest.raises(TargetChanged, match="did not make"):
        RestoredCluster().apply([change], clients)
    with pytest.raises(ApplyFailed):
        inject([change], aws_gate, RESTORING)
    assert RestoredCluster().undo([change], clients)[change.id].ending is Ending.CONFLICT
    assert change.target.id in clusters(rds)


def test_somebody_elses_instance_keeps_the_scratch_cluster(plan, clients, rds):
    (change,) = plan()
    RestoredCluster().apply([change], clients)
    rds.create_db_instance(
        DBInstanceIdentifier="theirs",
        DBClusterIdentifier=change.target.id,
        Engine=ENGINE,
        DBInstanceClass="db.r7g.large",
    )
    outcome = RestoredCluster().undo([change], clients)[change.id]
    assert outcome.ending is Ending.CONFLICT
    assert "theirs" in outcome.note
    assert change.target.id in clusters(rds)


def test_undo_works_without_an_apply_half_way_twice_and_in_another_process(plan, clients, rds):
    (change,) = plan()
    kind, fresh = RestoredCluster(), Clients()
    assert kind.undo([change], clients)[change.id].ending is Ending.UNTOUCHED
    kind.apply([change], clients)
    rds.delete_db_instance(DBInstanceIdentifier=instance_name(change.target.id), SkipFinalSnapshot=True)
    assert kind.verify([change], clients)[change.id].ending is Ending.PENDING
    assert RestoredCluster().undo([change], fresh)[change.id].ending is Ending.RESTORED
    assert kind.undo([change], clients)[change.id].ending is Ending.UNTOUCHED
    fresh.close()


def test_a_cluster_that_rds_deletes_is_waited_for(plan, clients, rds, monkeypatch):
    (change,) = plan()
    RestoredCluster().apply([change], clients)
    real = rds.describe_db_clusters
    monkeypatch.setattr(rds, "delete_db_cluster", lambda **_: None)

    def deleting(**query):
        answer = real(**query)
        answer["DBClusters"][0]["Status"] = "deleting"
        return answer

    RestoredCluster().undo([change], clients)
    monkeypatch.setattr(rds, "describe_db_clusters", deleting)
    assert RestoredCluster().undo([change], clients)[change.id].ending is Ending.WAITING
    assert RestoredCluster().verify([change], clients)[change.id].ending is Ending.WAITING


def test_a_snapshot_that_is_gone_is_told(plan, clients, rds):
    (change,) = plan()
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="newer")
    with pytest.raises(TargetChanged, match="the backup of database cluster orders"):
        RestoredCluster().apply([change], clients)


def test_a_scratch_cluster_that_nobody_deletes_is_found_by_the_residue_scan(plan, rds, aws_gate):
    (change,) = plan()
    inject([change], aws_gate, RESTORING)
    found = {(each.what, each.id) for each in scan("drill-1", aws_gate.reach, 0).found}
    assert found == {("db-cluster", change.target.id), ("db-instance", instance_name(change.target.id))}
    assert undo("drill-1", aws_gate.reach).complete


def test_the_source_cannot_be_deleted_by_what_undo_may_delete(plan):
    (change,) = plan()
    for need in RestoredCluster().needs(change):
        if need.action.startswith("rds:Delete"):
            assert all(change.id in resource for resource in need.resources)


@pytest.mark.parametrize("from_", ["snapshot", "point-in-time"])
def test_it_calls_just_what_it_declares(plan, from_):
    calls = []
    heard = Clients(record=calls.append)
    changes = plan(from_)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()


def test_a_call_that_aws_refuses_is_not_taken_for_something_else(plan, clients, rds, monkeypatch):
    (change,) = plan()

    def denied(**_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "RestoreDBClusterFromSnapshot")

    monkeypatch.setattr(rds, "restore_db_cluster_from_snapshot", denied)
    with pytest.raises(ClientError):
        RestoredCluster().apply([change], clients)
