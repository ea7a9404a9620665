"""30 % of all calls go wrong; afterwards nothing is left, or it is said what is, until it is not."""

import contextlib

import pytest
from weather_proxy import Clear, Nth, Storm, Weather
from weather_world import DRILL

from blackstart.changes.gate import inject, undo
from blackstart.changes.recover import recover
from blackstart.errors import ApplyFailed, Refused, UndoIncomplete

PATIENCE_SECONDS = 60
LOST = (Weather.LOST_IN_SILENCE, Weather.LOST_BY_RESET)


def recover_in_clear_weather(world, proxy):
    proxy.sky = Clear()
    recover(world.log, lambda drill: world.reach(), DRILL, patience_seconds=PATIENCE_SECONDS)
    assert world.open() == []
    assert world.log.drills() == []


def test_a_drill_in_a_storm_leaves_nothing_or_says_what(aws, proxy, seed):
    faults = aws.plans()
    proxy.sky = Storm(seed)
    gate = aws.gate()
    for subject, changes in faults:
        with contextlib.suppress(ApplyFailed, Refused):
            inject(changes, gate, subject)
    report = undo(DRILL, gate.reach, patience_seconds=PATIENCE_SECONDS)
    assert report.conflicts == {}
    assert set(report.remaining) == set(aws.open())
    assert all(report.remaining.values())
    if report.complete:
        assert aws.dump() == aws.before
    assert len(proxy.bad()) > 3
    recover_in_clear_weather(aws, proxy)
    assert aws.dump() == aws.before


def test_pods_that_are_deleted_in_a_storm_are_back_before_it_says_so(kube, proxy, seed):
    changes = kube.plan(2)
    proxy.sky = Storm(seed)
    gate = kube.gate()
    with contextlib.suppress(ApplyFailed, Refused):
        inject(changes, gate, "deleting pods")
    report = undo(DRILL, gate.reach, patience_seconds=PATIENCE_SECONDS)
    assert report.conflicts == {}
    assert set(report.remaining) == set(kube.open())
    if report.complete:
        assert len(kube.ready()) == 4
    assert len(proxy.bad()) > 1
    recover_in_clear_weather(kube, proxy)
    assert len(kube.ready()) == 4


def test_a_fault_gets_through_one_bad_moment_and_so_does_its_undo(aws, proxy, hit):
    """More bad answers to one call than the client itself asks again."""
    operation, kind = hit
    faults, gate = aws.plans(), aws.gate()
    proxy.sky = Nth(operation, kind, count=1 if kind in LOST else 4)
    aws.run(gate, faults)
    assert proxy.bad() == {kind}
    assert aws.dump() != aws.before
    proxy.sky = Nth(
        {"CreateNetworkAcl": "DeleteNetworkAcl", "StopInstances": "StartInstances"}.get(operation, operation), kind, 4
    )
    assert undo(DRILL, gate.reach).complete
    assert aws.dump() == aws.before


def test_the_deletion_of_a_pod_gets_through_a_bad_moment(kube, proxy, moment):
    before, gate, changes = kube.ready(), kube.gate(), kube.plan(1)
    proxy.sky = Nth("DELETE", moment, count=6)
    inject(changes, gate, "deleting pods")
    assert proxy.bad() == {moment}
    assert changes[0].target.id not in kube.ready()
    proxy.sky = Nth("GET", moment, count=6)
    assert undo(DRILL, gate.reach).complete
    assert len(kube.ready()) == 4
    assert kube.ready() != before


def test_an_old_list_does_not_pass_for_pods_that_have_come_back(kube, proxy):
    """The list from before the deletion has four ready pods, too."""
    gate, (change,) = kube.gate(), kube.plan(1)
    kube.clients.kube("shop").get(kube.PODS, labelSelector="app=orders", limit="500")
    with kube.frozen():
        inject([change], gate, "deleting pods")
        proxy.sky = Nth(f"GET {kube.PODS}", Weather.STALE, count=100)
        report = undo(DRILL, gate.reach, patience_seconds=0)
    assert proxy.bad() == {Weather.STALE}
    assert "it is looked at again" in report.remaining[change.id]


def test_what_is_not_undone_is_named_tried_with_growing_pauses_and_undone_when_the_weather_clears(aws, proxy):
    gate = aws.gate()
    ((_, _), (subject, changes)) = aws.plans()
    inject(changes, gate, subject)
    proxy.sky = Storm(1, 1.0, (Weather.UNAVAILABLE,))
    seen = len(proxy.met)
    report = undo(DRILL, gate.reach, patience_seconds=12)
    assert set(report.remaining) == {change.id for change in changes} == set(aws.open())
    assert len(proxy.met) > seen + 10
    with pytest.raises(UndoIncomplete, match=r"not fully undone \(bs-.*Unavailable.*run `blackstart recover drill-1`"):
        report.require()
    recover_in_clear_weather(aws, proxy)
    assert aws.dump() == aws.before
