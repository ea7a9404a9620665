"""The probes of databases: real PostgreSQL for what they ask it, ministack for what they ask AWS."""

import sys
from pathlib import Path

import psycopg
import pytest

sys.path.append(str(Path(__file__).parent.parent))
import ministack_server
import moto_server
import postgres_pair

from blackstart import settings
from blackstart.changes.postgres import ask
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured, ServiceUnreachable
from blackstart.probes import databases
from blackstart.scope import Scope

HOME, STANDBY, NOWHERE = "us-east-1", "us-west-2", "eu-west-1"


@pytest.fixture(scope="module")
def pair():
    with postgres_pair.running() as pair:
        ask(pair.primary.dsn, "CREATE TABLE marks (at timestamptz)", "INSERT INTO marks VALUES (now())")
        yield pair


@pytest.fixture
def known(pair, monkeypatch):
    """The settings name both databases, and one that is not there."""
    service = settings.Service(name="orders", host="orders.test", port=1, home_region=HOME)
    addresses = {**pair.addresses, NOWHERE: "host=127.0.0.1 port=1 dbname=shop"}
    found = settings.Settings(
        scope=Scope(environment="test"), service=service, stores=settings.Stores(databases=addresses)
    )
    monkeypatch.setattr(settings, "current", lambda: found)
    return pair


@pytest.fixture
def behind(known):
    """A standby that has not replayed the newest commit, and a row that it does not have."""
    assert databases.caught_up_seconds(STANDBY, HOME) < 10
    ask(known.standby.dsn, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
    receiving = "SELECT count(*)::int FROM pg_stat_wal_receiver"
    postgres_pair.until(lambda: ask(known.standby.dsn, receiving) == [[(0,)]])
    ask(known.primary.dsn, "INSERT INTO marks VALUES (now())", "SELECT pg_sleep(0.3)")
    yield known
    ask(known.standby.dsn, "ALTER SYSTEM RESET primary_conninfo", "SELECT pg_reload_conf()")


def test_the_lag_is_told_two_ways_by_the_databases_and_is_caught_up(behind):
    assert databases.replication_lag_seconds(STANDBY, HOME) > 0.3
    rows = databases.replication_lag_seconds(STANDBY, HOME, "rows", "marks", "at")
    assert rows > 0
    assert databases.caught_up_seconds(STANDBY, HOME, limit_seconds=0.2) is None
    ask(behind.standby.dsn, "ALTER SYSTEM RESET primary_conninfo", "SELECT pg_reload_conf()")
    assert 0 < databases.caught_up_seconds(STANDBY, HOME) < 10
    assert databases.replication_lag_seconds(STANDBY, HOME, "rows", "public.marks", "at") == 0.0


def test_no_data_is_no_lag(known):
    with pytest.raises(NotMeasured, match="is a standby itself"):
        databases.replication_lag_seconds(HOME, STANDBY)
    with pytest.raises(NotMeasured, match="is no standby"):
        databases.replication_lag_seconds(HOME, HOME)
    ask(known.primary.dsn, "CREATE TABLE IF NOT EXISTS none (at timestamptz)")
    databases.caught_up_seconds(STANDBY, HOME)
    with pytest.raises(NotMeasured, match=r"none of shop at .* has no rows"):
        databases.replication_lag_seconds(STANDBY, HOME, "rows", "none", "at")
    for probe in (databases.connections_share, lambda region: databases.replication_lag_seconds(region, HOME)):
        with pytest.raises(ServiceUnreachable):
            probe(NOWHERE)


def test_connections_are_a_share_of_what_is_allowed(known):
    before = databases.connections_share(HOME)
    with psycopg.connect(known.primary.dsn):
        assert databases.connections_share(HOME) == pytest.approx(before + 1 / 200, abs=1 / 400)


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"region": "ap-south-1"}, "stores.databases"),
        ({"region": STANDBY, "from_region": HOME, "source": "rumour"}, "replication_lag_seconds"),
        ({"region": STANDBY, "from_region": HOME, "source": "rows"}, "replication_lag_seconds"),
        ({"region": STANDBY, "source": "cloudwatch"}, "the probe"),
    ],
)
def test_a_question_that_is_none_is_refused(known, arguments, where):
    with pytest.raises(ConfigInvalid, match=where):
        databases.replication_lag_seconds(**arguments)


@pytest.fixture(scope="module")
def ministack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ministack")
    with ministack_server.running(folder) as url, pytest.MonkeyPatch.context() as patch:
        for name, value in moto_server.environ(url).items():
            patch.setenv(name, value)
        yield url


@pytest.fixture(scope="module")
def aws(ministack):
    """A global database with the cluster orders, and what CloudWatch has of it."""
    import boto3

    rds = boto3.client("rds", region_name=HOME)
    made = rds.create_db_cluster(
        DBClusterIdentifier="orders", Engine="aurora-postgresql", MasterUsername="a", MasterUserPassword="bbbbbbbb"
    )
    rds.create_db_instance(
        DBInstanceIdentifier="orders-1",
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        DBInstanceClass="db.r7g.large",
    )
    source = made["DBCluster"]["DBClusterArn"]
    rds.create_global_cluster(GlobalClusterIdentifier="shop", SourceDBClusterIdentifier=source)
    now, dimensions = SystemClock().now(), [{"Name": "DBClusterIdentifier", "Value": "orders"}]
    points = [("AuroraGlobalDBReplicationLag", 250.0), ("ServerlessDatabaseCapacity", 3.5)]
    boto3.client("cloudwatch", region_name=HOME).put_metric_data(
        Namespace="AWS/RDS",
        MetricData=[
            {"MetricName": name, "Dimensions": dimensions, "Value": value, "Timestamp": now} for name, value in points
        ],
    )
    return rds


def test_aws_says_who_writes_and_how_much_there_is(aws):
    assert databases.writer("orders", HOME) == "orders-1"
    assert databases.writer_region("shop", HOME) == HOME
    assert databases.capacity_units("orders", HOME) == 3.5
    assert databases.replication_lag_seconds(HOME, source="cloudwatch", cluster="orders") == 0.25


def test_what_aws_does_not_know_is_not_measured(aws):
    for probe in (databases.writer, databases.writer_region, databases.capacity_units):
        with pytest.raises(NotMeasured):
            probe("billing", HOME)


def test_an_api_that_does_not_answer_is_told(monkeypatch, aws):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ServiceUnreachable, match="tell who writes"):
        databases.writer("orders", HOME)
