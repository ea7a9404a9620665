"""What ``kubectl get`` prints."""

import pytest

from blackstart.lab.kube.columns import definitions, row, since
from blackstart.lab.kube.resources import METRICS, builtin

NOW = "2026-01-01T01:00:00Z"
RESOURCES = {resource.plural: resource for resource in builtin() if resource.group != METRICS}


def cells(plural, **obj):
    obj.setdefault("metadata", {}).setdefault("name", "x")
    obj["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
    return row(RESOURCES[plural], obj, NOW)


@pytest.mark.parametrize(
    ("then", "text"),
    [
        ("2026-01-01T00:59:01Z", "59s"),
        ("2026-01-01T00:56:48Z", "3m12s"),
        ("2026-01-01T00:58:00Z", "2m"),
        ("2025-12-31T23:00:00Z", "120m"),
        ("2025-12-31T21:00:00Z", "4h"),
        ("2025-12-28T00:00:00Z", "4d"),
        ("2026-01-01T02:00:00Z", "0s"),
        (None, "<unknown>"),
    ],
)
def test_ages_read_like_kubectl_writes_them(then, text):
    assert since(then, NOW) == text


def test_a_pod_shows_how_many_containers_are_ready_and_why_not():
    spec = {"containers": [{"name": "a"}, {"name": "b"}], "nodeName": "n"}
    statuses = [{"ready": True, "restartCount": 2, "state": {"running": {}}}, {"ready": False, "restartCount": 1}]
    status = {"phase": "Running", "podIP": "127.0.0.1", "containerStatuses": statuses}
    assert cells("pods", spec=spec, status=status)[:7] == ["x", "1/2", "Running", "3", "60m", "127.0.0.1", "n"]
    waiting = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    assert cells("pods", spec=spec, status=waiting)[2] == "ImagePullBackOff"
    ending = {"name": "x", "deletionTimestamp": NOW}
    assert cells("pods", spec=spec, status=status, metadata=ending)[2] == "Terminating"


@pytest.mark.parametrize(
    ("conditions", "spec", "text"),
    [
        ([{"type": "Ready", "status": "True"}], {}, "Ready"),
        ([{"type": "Ready", "status": "Unknown"}], {}, "NotReady"),
        ([{"type": "Ready", "status": "True"}], {"unschedulable": True}, "Ready,SchedulingDisabled"),
        ([], {}, "Unknown"),
    ],
)
def test_a_node_shows_whether_it_takes_pods(conditions, spec, text):
    assert cells("nodes", spec=spec, status={"conditions": conditions})[1] == text


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.plural)
def test_every_row_has_a_cell_for_each_column(resource):
    template = {"spec": {"containers": [{"name": "a", "image": "i"}]}}
    spec = {"containers": [{}], "replicas": 1, "template": template, "selector": {}, "type": "ClusterIP", "ports": []}
    assert len(cells(resource.plural, spec=spec)) == len(definitions(resource))
