"""Probes of backups and of a standby's AWS side, asked of moto."""

import pytest

from blackstart.errors import ConfigInvalid, NotMeasured, ServiceUnreachable
from blackstart.probes import _standby, backups

REGION, ENGINE = "us-east-1", "aurora-postgresql"
ACCOUNT = {"MasterUsername": "shop", "MasterUserPassword": "not-a-secret"}


@pytest.fixture
def rds(clients):
    return clients.aws("rds", REGION)


def test_the_age_of_a_backup_is_that_of_the_newest(rds):
    rds.create_db_cluster(DBClusterIdentifier="orders", Engine=ENGINE, **ACCOUNT)
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="daily", DBClusterIdentifier="orders")
    for of in ("any", "snapshot", "point-in-time"):
        assert 0 <= backups.backup_age_seconds("orders", REGION, of) < 60
    with pytest.raises(ConfigInvalid, match="'tape' is none"):
        backups.backup_age_seconds("orders", REGION, "tape")
    with pytest.raises(NotMeasured, match="no such database cluster"):
        backups.backup_age_seconds("other", REGION)


def test_an_aws_that_does_not_answer_is_told(clients, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ServiceUnreachable, match="could not look for backups"):
        backups.backup_age_seconds("orders", REGION)


def database(rds, name, size, ceiling=16.0):
    scaling = {"ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": ceiling}}
    rds.create_db_cluster(DBClusterIdentifier=name, Engine=ENGINE, **scaling, **ACCOUNT)
    if size:
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-1", DBClusterIdentifier=name, Engine=ENGINE, DBInstanceClass=size
        )
    return _standby.Database.found(REGION, name)


@pytest.mark.parametrize(
    ("home", "standby", "share"),
    [
        (("db.r7g.2xlarge",), ("db.r7g.xlarge",), 0.5),
        (("db.r7g.large",), ("db.r7g.large",), 1.0),
        (("db.serverless", 16.0), ("db.serverless", 4.0), 0.25),
        (("db.serverless",), ("",), 0.0),
    ],
)
def test_a_standby_database_is_measured_against_the_one_at_home(rds, home, standby, share):
    (check,) = _standby.databases(database(rds, "home", *home), database(rds, "standby", *standby))
    assert check.share == share


def test_databases_that_cannot_be_compared_are_not(rds):
    with pytest.raises(NotMeasured, match="cannot be compared"):
        list(_standby.databases(database(rds, "home", "db.serverless"), database(rds, "standby", "db.r7g.large")))
    with pytest.raises(NotMeasured, match="no database cluster nowhere"):
        _standby.Database.found(REGION, "nowhere")


def test_node_groups_tell_how_far_they_may_grow(clients):
    eks = clients.aws("eks", REGION)
    role = "arn:aws:iam::123456789012:role/eks"
    eks.create_cluster(name="shop", roleArn=role, resourcesVpcConfig={})
    for name, desired in (("spot", 1), ("on-demand", 3)):
        sizes = {"minSize": 0, "maxSize": 4, "desiredSize": desired}
        eks.create_nodegroup(clusterName="shop", nodegroupName=name, scalingConfig=sizes, subnets=[], nodeRole=role)
    assert _standby.growth(REGION, "shop").nodes == 4


def test_a_quota_that_nobody_tells_is_not_measured(clients):
    with pytest.raises(NotMeasured, match="Service Quotas answered"):
        _standby.vcpus(REGION, 8)
