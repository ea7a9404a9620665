import pytest
from spot_world import REGION
from test_kind_permissions import differences, walk

from blackstart.changes.kind import Ending
from blackstart.changes.spot import spot_nodes_of_cluster, spot_nodes_of_vpc
from blackstart.changes.spot_notice import (
    INTERRUPTION,
    REBALANCE,
    Announcement,
    SpotNotice,
    plan_notices,
    queue_url,
)
from blackstart.errors import Refused
from blackstart.testing import FakeClock

pytest_plugins = ["spot_fixtures"]


NOW = FakeClock().now()


def notices(found, queue, event=INTERRUPTION, count=1):
    return plan_notices(found, found.nodes[:count], Announcement(queue, event, NOW))


def test_the_handler_is_told_what_eventbridge_would_say(found, both, queue, messages, nodes):
    changes = [*notices(found, queue, REBALANCE), *notices(found, queue)]
    SpotNotice().apply(changes, both)
    recommendation, warning = sorted(messages(), key=lambda event: event["detail-type"])
    assert recommendation["detail"] == {"instance-id": nodes[0]}
    assert warning == {
        "version": "0",
        "id": warning["id"],
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:ec2:us-east-1a:instance/{nodes[0]}"],
        "detail": {"instance-id": nodes[0], "instance-action": "terminate"},
    }


def test_a_notice_that_is_sent_twice_has_one_id(found, both, queue, messages):
    changes = notices(found, queue)
    for _ in range(2):
        SpotNotice().apply(changes, both)
    assert len({event["id"] for event in messages()}) == 1


def cordon(spot_kube, name="node-0"):
    spot_kube.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})


def cordoned(spot_kube, name="node-0"):
    return bool(spot_kube.get(f"/api/v1/nodes/{name}")["spec"].get("unschedulable"))


def endings(changes, both, times=2):
    return [SpotNotice().undo(changes, both)[changes[0].id].ending for _ in range(times)]


def test_a_node_that_survives_its_notice_takes_pods_again(found, both, spot_kube, queue):
    changes = notices(found, queue)
    assert endings(changes, both, 1) == [Ending.UNTOUCHED]
    SpotNotice().apply(changes, both)
    cordon(spot_kube)  # the handler did
    assert SpotNotice().verify(changes, both)[changes[0].id].ending is Ending.PENDING
    assert endings(changes, both) == [Ending.RESTORED, Ending.UNTOUCHED]
    assert not cordoned(spot_kube)


def test_a_node_that_was_cordoned_before_stays_so(both, spot_kube, nodes, queue):
    cordon(spot_kube)
    changes = notices(spot_nodes_of_cluster(both, REGION, "shop"), queue)
    assert endings(changes, both) == [Ending.UNTOUCHED, Ending.UNTOUCHED]
    assert cordoned(spot_kube)


def test_a_node_whose_instance_is_lost_is_not_opened(found, both, spot_kube, queue, nodes):
    changes = notices(found, queue)
    cordon(spot_kube)
    both.aws("ec2", REGION).terminate_instances(InstanceIds=nodes[:1])
    assert endings(changes, both, 1) == [Ending.UNTOUCHED]
    assert cordoned(spot_kube)


def test_announcing_calls_just_what_it_declares(found, both, spot_kube, queue, calls):
    changes = notices(found, queue)
    made = walk(changes, both, calls)
    cordon(spot_kube)
    calls.clear()
    SpotNotice().undo(changes, both)
    made["ec2.spot_notice"] |= set(map(str, calls))
    assert differences(changes, made) == {}


def test_without_a_cluster_announcing_needs_the_queue_alone(both, nodes, vpc, queue, calls):
    changes = notices(spot_nodes_of_vpc(both, REGION, vpc), queue)
    assert differences(changes, walk(changes, both, calls)) == {}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("", "name the queue"),
        ("elsewhere", "us-east-1 has no such queue"),
        ("https://example.org/no-queue", "not the URL of an SQS queue"),
        ("https://sqs.us-east-1.amazonaws.com/210987654321/interruptions", "in account 210987654321"),
    ],
)
def test_a_queue_that_cannot_be_meant_is_refused(both, queue, asked, reason):
    assert queue_url(both, REGION, "interruptions") == queue
    assert queue_url(both, REGION, queue) == queue
    with pytest.raises(Refused, match=reason):
        queue_url(both, REGION, asked)
