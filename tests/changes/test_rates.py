"""With the installed kinds, which are only looked up."""

import pytest

from blackstart.changes.model import Change
from blackstart.changes.rates import buckets, counted, estimated
from blackstart.changes.registry import Kinds
from blackstart.scope import Target

KINDS = Kinds()


def changes(kind, call, count, step=0):
    targets = [Target("thing", str(number), region="us-east-1") for number in range(count)]
    return [Change(target.id, kind, target, {}, {}, "", "", (call,), step) for target in targets]


def swaps(count, step=1):
    return changes("ec2.subnet_acl", "ec2:ReplaceNetworkAclAssociation", count, step)


def stops(count):
    return changes("ec2.instance_power", "ec2:StopInstances", count)


def test_calls_for_each_change_are_counted_one_by_one():
    (calls,) = counted(swaps(20), KINDS)
    assert (calls.call, calls.requests, calls.resources) == ("ec2:ReplaceNetworkAclAssociation", 20, 20)


def test_calls_that_take_a_whole_batch_are_counted_by_batch():
    (calls,) = counted(stops(1200), KINDS)
    assert (calls.requests, calls.resources) == (3, 1200)


def test_without_changes_there_are_no_calls_and_no_time():
    assert counted([], KINDS) == ()
    assert estimated([], KINDS).seconds == 0


def test_steps_come_one_after_the_other_and_the_calls_of_one_at_the_same_time():
    fence = changes("ec2.deny_all_acl", "ec2:CreateNetworkAcl", 1)
    # the fence: a read and a write; then a read and sixteen writes
    assert estimated([*fence, *swaps(16)], KINDS).seconds == pytest.approx(0.2 + 0.2)
    assert estimated([*fence, *swaps(17)], KINDS).seconds == pytest.approx(0.2 + 0.3)


def test_a_kind_that_allows_more_at_once_takes_less_time():
    deletions = changes("kubernetes.pod_deletion", "kubernetes:delete pods", 64)
    found = estimated(deletions, KINDS)
    assert (found.seconds, found.at_once) == (pytest.approx(0.2), 64)


def test_what_is_over_the_burst_waits_for_the_bucket():
    found = estimated(swaps(200), KINDS)
    assert found.waits == (200 - 50) / 5
    assert found.limited.call == "ec2:ReplaceNetworkAclAssociation"


def test_what_is_within_the_burst_does_not_wait():
    found = estimated(swaps(50), KINDS)
    assert (found.waits, found.limited) == (0, None)


def test_resources_have_a_bucket_of_their_own():
    assert estimated(stops(1000), KINDS).waits == 0
    assert estimated(stops(1200), KINDS).waits == (1200 - 1000) / 20


def test_the_longest_name_that_fits_decides():
    assert [bucket.burst for bucket in buckets("ec2:DescribeSubnets")] == [100]
    assert [bucket.per_second for bucket in buckets("route53:UpdateHealthCheck")] == [5]
    assert all(bucket.source for bucket in buckets("ec2:StartInstances"))


def test_a_service_that_publishes_no_limit_has_none():
    assert buckets("autoscaling:SuspendProcesses") == ()
    assert buckets("kubernetes:delete pods") == ()
