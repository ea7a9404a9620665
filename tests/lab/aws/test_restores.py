"""Restores of database clusters, with an emulator that says no more than is needed."""

import asyncio
from urllib.parse import parse_qs

import pytest

from blackstart.lab.aws import proxy
from blackstart.lab.aws.restores import CLUSTER, FROM_SNAPSHOT, TO_POINT_IN_TIME, Restores

RDS = "http://rds.amazonaws.com/doc/2014-10-31/"
REGION = "us-east-1"


def described(kind, name, **more):
    inside = "".join(f"<{key}>{value}</{key}>" for key, value in more.items())
    body = f'<R xmlns="{RDS}"><{kind}><{kind}Identifier>{name}</{kind}Identifier>{inside}</{kind}></R>'
    return proxy.Whole(200, {}, body.encode())


@pytest.fixture
def asked():
    return []


@pytest.fixture
def ask(asked):
    async def answer(body):
        given = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        asked.append(given)
        if given["Action"] == "CreateDBCluster":
            return described("DBCluster", given["DBClusterIdentifier"], Status="available")
        if given.get("DBClusterSnapshotIdentifier") == "gone":
            return proxy.refusal(404, "DBClusterSnapshotNotFoundFault", "gone", json_protocol=False)
        kind = given["Action"].removeprefix("Describe").removesuffix("s")
        return described(kind, "shop", DBClusterIdentifier="shop", Engine="aurora-postgresql")

    return answer


@pytest.mark.parametrize(
    ("operation", "source", "snapshot"),
    [(FROM_SNAPSHOT, "SnapshotIdentifier=daily", "daily"), (TO_POINT_IN_TIME, "SourceDBClusterIdentifier=shop", "")],
)
def test_a_restore_makes_a_cluster_that_is_being_created_until_somebody_says_otherwise(
    ask, asked, operation, source, snapshot
):
    restores = Restores()
    body = f"Action={operation}&DBClusterIdentifier=new&{source}&Tags.member.1.Key=a&DBSubnetGroupName=private"
    answer = asyncio.run(restores.restore(operation, REGION, body.encode(), ask))
    assert b"<Status>creating</Status>" in answer.body
    made = asked[-1]
    assert (made["Engine"], made["Tags.member.1.Key"]) == ("aurora-postgresql", "a")
    assert made["DBSubnetGroupName"] == "private"
    assert not {"SnapshotIdentifier", "SourceDBClusterIdentifier"} & set(made)
    wanted = {"region": REGION, "cluster": "new", "source": "shop", "snapshot": snapshot}
    assert restores.wanted() == [wanted]


def test_a_snapshot_that_is_not_there_is_told_as_the_emulator_tells_it(ask):
    restores = Restores()
    answer = asyncio.run(
        restores.restore(FROM_SNAPSHOT, REGION, b"DBClusterIdentifier=new&SnapshotIdentifier=gone", ask)
    )
    assert (answer.status, restores.wanted()) == (404, [])


def test_facts_are_put_into_what_is_described_of_their_region_alone():
    restores = Restores()
    restores.tell({"region": REGION, "kind": CLUSTER, "id": "new", "fields": {"Port": 5433, "Endpoint": "127.0.0.1"}})
    told = restores.corrected(REGION, described("DBCluster", "new", Port=5432))
    assert b"<Port>5433</Port>" in told.body
    assert b"<Endpoint>127.0.0.1</Endpoint>" in told.body
    for region, name in ((REGION, "old"), ("us-west-2", "new")):
        assert b"<Port>5432</Port>" in restores.corrected(region, described("DBCluster", name, Port=5432)).body
    restores.tell({"region": REGION, "kind": CLUSTER, "id": "new", "fields": None})
    assert b"<Port>5432</Port>" in restores.corrected(REGION, described("DBCluster", "new", Port=5432)).body
