"""A permission is missing in the middle of a drill, or of its undo."""

import pytest
from weather_proxy import Clear, Forbidding
from weather_world import DRILL

from blackstart.changes.gate import inject, undo
from blackstart.errors import ApplyFailed, UndoIncomplete
from blackstart.testing import FakeClock


def test_whichever_change_is_denied_the_ones_before_it_are_undone_and_the_permission_is_named(aws, proxy, nth):
    faults, gate = aws.plans(), aws.gate()
    proxy.sky = Forbidding(nth, once=True)
    with pytest.raises(ApplyFailed, match="nothing is left") as failed:
        aws.run(gate, faults)
    denied = next(call for call, weather in proxy.met if weather)
    assert f"the permission {_permission(denied)} is missing" in str(failed.value)
    assert undo(DRILL, gate.reach).complete
    assert aws.open() == []
    assert aws.dump() == aws.before


def _permission(call) -> str:
    rest = {"POST": "route53:UpdateHealthCheck"}
    return rest.get(call.operation.partition(" ")[0], f"{call.service}:{call.operation}")


def test_a_role_without_one_permission_changes_nothing_for_good(aws, proxy, forbidden):
    faults, gate = aws.plans(), aws.gate()
    proxy.sky = Forbidding(operation=forbidden)
    with pytest.raises(ApplyFailed, match=r"the permission \w+:\w+ is missing .*nothing is left$"):
        aws.run(gate, faults)
    undo(DRILL, gate.reach).require()
    assert aws.dump() == aws.before


def test_what_must_not_be_undone_is_named_with_the_permission_and_tried_until_it_may(aws, proxy):
    gate = aws.gate()
    aws.run(gate, aws.plans())
    proxy.sky = Forbidding(operation="StartInstances")
    report = undo(DRILL, gate.reach, patience_seconds=8)
    stopped = {entry.change.id for entry in aws.log.entries(DRILL) if entry.change.kind == "ec2.instance_power"}
    assert stopped <= set(report.remaining)
    assert set(report.remaining) == set(aws.open())
    for change in stopped:
        assert "the permission ec2:StartInstances is missing" in report.remaining[change]
    with pytest.raises(UndoIncomplete, match="ec2:StartInstances is missing"):
        report.require()
    tries = [call for call, weather in proxy.met if weather]
    assert len(tries) > 3
    after = aws.dump()
    assert (after["acls"], after["check"]) == (aws.before["acls"], aws.before["check"])
    proxy.sky = Clear()
    assert undo(DRILL, gate.reach).complete
    assert aws.dump() == aws.before


def test_a_fault_whose_undo_is_denied_too_says_exactly_what_is_left(aws, proxy):
    gate = aws.gate(aws.reach(FakeClock()))
    (subject, changes) = aws.plans()[1]
    proxy.sky = Forbidding(3, "ReplaceNetworkAclAssociation")
    with pytest.raises(ApplyFailed, match=r"not undone: bs-.*; run `blackstart recover`") as failed:
        inject(changes, gate, subject)
    assert set(failed.value.remaining) == set(aws.open())
    proxy.sky = Clear()
    assert undo(DRILL, gate.reach).complete
    assert aws.dump() == aws.before


def test_a_pod_that_must_not_be_deleted_is_left_and_the_others_come_back(kube, proxy):
    changes, gate = kube.plan(3), kube.gate()
    proxy.sky = Forbidding(2, "DELETE", once=True)
    with pytest.raises(ApplyFailed, match=r"could not DELETE /api/v1/namespaces/shop/pods/.* answered 403") as failed:
        inject(changes, gate, "deleting pods")
    assert failed.value.remaining == ()
    assert undo(DRILL, gate.reach).complete
    assert len(kube.ready()) == 4
