"""Against the lab's Kubernetes API server; the tests play the kubelet."""

from dataclasses import replace

import kube_server
import pytest
from kube_server import ORDERS, patiently
from test_kind_permissions import differences, walk

from blackstart.changes.autoscaler import AutoscalerCeiling, find_ceiling, plan_ceiling
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused

PINNING = "pinning the autoscaler"
ALL = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
HERS = f"{ALL}/orders"


@pytest.fixture
def found(kube, kube_clients):
    """An autoscaler of four pods, which may be two to eight."""
    with kube_server.settled_orders(kube):
        aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"}
        spec = {"scaleTargetRef": aim, "minReplicas": 2, "maxReplicas": 8}
        kube.post(ALL, {"metadata": {"name": "orders", "labels": kube_server.LABELS}, "spec": spec})
        yield find_ceiling(kube_clients, "shop", "shop", "orders")
        kube.delete(HERS)


def limits(kube):
    spec = kube.get(HERS)["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


def test_it_may_not_grow_and_then_it_may_again(kube, found, wide_gate):
    (change,) = changes = plan_ceiling(found)
    assert change.summary == "HorizontalPodAutoscaler shop/orders: 8 → 4 pods at most (4 now)"
    inject(changes, wide_gate, PINNING)
    assert limits(kube) == (2, 4)
    assert undo("drill-1", wide_gate.reach).complete
    assert limits(kube) == (2, 8)


def test_a_ceiling_below_its_least_takes_that_along_and_brings_it_back(kube, found, kube_clients):
    (change,) = plan_ceiling(found, 1)
    assert "8 → 1 pods at most, and 2 → 1 at least" in change.summary
    kind = AutoscalerCeiling()
    patiently(lambda: kind.apply([change], kube_clients))
    assert limits(kube) == (1, 1)
    assert patiently(lambda: kind.undo([change], kube_clients))[change.id].ending is Ending.RESTORED
    assert limits(kube) == (2, 8)


def test_the_share_is_of_the_pods_that_there_are(found):
    assert plan_ceiling(found, share=0.5)[0].after == {"maxReplicas": 2}
    assert plan_ceiling(found, share=0.6)[0].after == {"maxReplicas": 3}
    (change,) = plan_ceiling(found, 1)
    assert (change.share.of, change.share.total) == ("shop/shop Deployment orders", 4)
    assert change.share.members == found.workload.pods[1:]
    assert len(plan_ceiling(found, 6)[0].share.members) == 1


def test_one_that_may_not_have_more_is_refused(found):
    with pytest.raises(Refused, match="it may have 8 pods, so that would be no limit"):
        plan_ceiling(found, 8)
    with pytest.raises(Refused, match="it may have 4 pods"):
        plan_ceiling(replace(found, most=4))


def test_one_that_does_not_exist_is_refused(kube_clients):
    with pytest.raises(Refused, match="no such HorizontalPodAutoscaler"):
        find_ceiling(kube_clients, "shop", "shop", "none")


def test_a_limit_that_somebody_else_has_set_meanwhile_is_a_conflict_and_kept(kube, found, wide_gate):
    inject(plan_ceiling(found, 1), wide_gate, PINNING)
    kube.patch(HERS, {"spec": {"maxReplicas": 6}})
    (reason,) = undo("drill-1", wide_gate.reach).conflicts.values()
    assert "changed by somebody else: maxReplicas 6" in reason
    assert limits(kube) == (2, 6)


class Meddler(AutoscalerCeiling):
    """Somebody writes to the autoscaler just after it was read."""

    def read(self, changes, clients):
        seen = super().read(changes, clients)
        clients.kube("shop").patch(HERS, {"metadata": {"annotations": {"written": changes[0].id}}})
        return seen


def test_it_is_never_written_to_blindly(kube, found, kube_clients):
    (change,) = plan_ceiling(found)
    with pytest.raises(NotYet, match="being changed by somebody else"):
        Meddler().apply([change], kube_clients)
    assert limits(kube) == (2, 8)


def test_one_that_is_gone_or_new_is_a_conflict(found, kube_clients):
    (change,) = plan_ceiling(found)
    change.before["uid"] = "another"
    assert AutoscalerCeiling().undo([change], kube_clients)[change.id].ending is Ending.CONFLICT


def test_it_calls_just_what_it_declares(kube_clients, found, monkeypatch):
    calls = []
    monkeypatch.setattr(kube_clients, "_record", calls.append)
    changes = plan_ceiling(found)
    assert differences(changes, patiently(lambda: walk(changes, kube_clients, calls))) == {}


def test_its_workload_stays_as_it_is(kube, found, kube_clients):
    (change,) = plan_ceiling(found)
    patiently(lambda: AutoscalerCeiling().apply([change], kube_clients))
    patiently(lambda: AutoscalerCeiling().undo([change], kube_clients))
    assert kube.get(ORDERS)["spec"]["replicas"] == 4
