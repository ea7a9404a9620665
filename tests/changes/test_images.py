"""Against the lab's Kubernetes API server; the tests play the kubelet."""

from dataclasses import replace

import kube_server
import pytest
from kube_server import ORDERS, PODS, WORKLOADS, await_field, patiently
from test_kind_permissions import differences, walk

from blackstart.changes.gate import inject
from blackstart.changes.images import NO_IMAGE, ContainerImage, plan_bad_image, unavailable
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.changes.workloads import find_workload
from blackstart.errors import NotYet, Refused

ROLLING = "rolling out a bad image"


@pytest.fixture
def settle(kube):
    with kube_server.settled_orders(kube) as settle:
        yield settle


@pytest.fixture
def found(kube_clients, settle):
    return find_workload(kube_clients, "shop", "Deployment", "shop", "orders")


def image(kube):
    return kube.get(ORDERS)["spec"]["template"]["spec"]["containers"][0]["image"]


def set_image(kube, to):
    containers = [{"name": "orders", "image": to}]
    kube.patch(ORDERS, {"spec": {"template": {"spec": {"containers": containers}}}}, "strategic")


def _updated(deployment):
    return deployment["status"].get("updatedReplicas", 0)


def images(kube):
    return {pod["spec"]["containers"][0]["image"] for pod in kube.get(PODS, labelSelector="app=orders")["items"]}


def test_a_bad_image_is_rolled_out_and_the_old_pods_are_used_again(kube, found, settle, wide_gate):
    sets = {item["metadata"]["name"] for item in kube.get(f"{WORKLOADS}/replicasets")["items"]}
    inject(plan_bad_image(found), wide_gate, ROLLING)
    await_field(kube, ORDERS, lambda item: item["status"].get("readyReplicas") == 3 and _updated(item) > 0)
    assert image(kube) == NO_IMAGE
    assert len(kube.get(f"{WORKLOADS}/replicasets")["items"]) == 2
    (reason,) = undo("drill-1", wide_gate.reach).remaining.values()
    assert "deployment orders is not what it was yet" in reason
    assert image(kube) == "orders:1"
    await_field(kube, ORDERS, lambda item: _updated(item) == 4)
    settle()
    assert undo("drill-1", wide_gate.reach).complete
    in_use = [
        item["metadata"]["name"] for item in kube.get(f"{WORKLOADS}/replicasets")["items"] if item["spec"]["replicas"]
    ]
    assert set(in_use) == sets
    assert images(kube) == {"orders:1"}


def test_an_image_that_somebody_else_has_rolled_out_meanwhile_is_a_conflict_and_kept(kube, found, wide_gate):
    inject(plan_bad_image(found), wide_gate, ROLLING)
    set_image(kube, "orders:2")
    (reason,) = undo("drill-1", wide_gate.reach).conflicts.values()
    assert "changed by somebody else: image 'orders:2'" in reason
    assert image(kube) == "orders:2"


def test_other_fields_that_somebody_else_has_changed_meanwhile_are_kept(kube, found, kube_clients):
    (change,) = plan_bad_image(found)
    patiently(lambda: ContainerImage().apply([change], kube_clients))
    kube.patch(ORDERS, {"spec": {"template": {"metadata": {"annotations": {"by": "them"}}}}})
    outcome = patiently(lambda: ContainerImage().undo([change], kube_clients))[change.id]
    assert outcome.ending is Ending.RESTORED
    template = kube.get(ORDERS)["spec"]["template"]
    assert template["metadata"]["annotations"] == {"by": "them"}
    assert [container["image"] for container in template["spec"]["containers"]] == ["orders:1"]


class Meddler(ContainerImage):
    """Somebody writes to the deployment just after it was read."""

    def read(self, changes, clients):
        seen = super().read(changes, clients)
        clients.kube("shop").patch(ORDERS, {"metadata": {"annotations": {"written": changes[0].id}}})
        return seen


def test_it_is_never_written_to_blindly(kube, found, kube_clients):
    (change,) = plan_bad_image(found)
    with pytest.raises(NotYet, match="being changed by somebody else"):
        Meddler().apply([change], kube_clients)
    assert image(kube) == "orders:1"


def test_a_container_that_is_gone_is_a_conflict(found, kube_clients):
    (change,) = plan_bad_image(found)
    change.before["container"] = "sidecar"
    assert ContainerImage().undo([change], kube_clients)[change.id].ending is Ending.CONFLICT


def test_the_share_is_what_the_strategy_lets_go(found):
    def taken(strategy, replicas=10):
        return unavailable(replace(found, replicas=replicas, spec={"strategy": strategy}))

    rolling = {"type": "RollingUpdate"}
    assert taken(rolling) == 2
    assert taken(rolling | {"rollingUpdate": {"maxUnavailable": "50%"}}) == 5
    assert taken(rolling | {"rollingUpdate": {"maxUnavailable": 3}}) == 3
    assert taken(rolling | {"rollingUpdate": {"maxUnavailable": 0}}) == 1
    assert taken(rolling | {"rollingUpdate": {"maxUnavailable": 30}}) == 10
    assert taken({"type": "Recreate"}) == 10
    (change,) = plan_bad_image(found)
    assert (len(change.share.members), change.share.total) == (1, 4)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"paused": True}, "it is paused, so nothing would be rolled out"),
        ({"strategy": {"type": "Recreate"}}, "allow_outage = true permits that"),
    ],
)
def test_what_cannot_be_rolled_out_and_back_is_refused(found, more, reason):
    changed = replace(found, spec={**found.spec, **more})
    with pytest.raises(Refused, match=reason):
        plan_bad_image(changed)
    with pytest.raises(Refused, match="a StatefulSet would stay stuck"):
        plan_bad_image(replace(found, kind="StatefulSet"))
    with pytest.raises(Refused, match="it has no container sidecar, only orders"):
        plan_bad_image(found, "sidecar")
    with pytest.raises(Refused, match="runs this image already"):
        plan_bad_image(found, image="orders:1")
    with pytest.raises(Refused, match="it has no replicas"):
        plan_bad_image(replace(found, replicas=0))
    with pytest.raises(Refused, match="not well to begin with: it has 1 of 4"):
        plan_bad_image(replace(found, unready="it has 1 of 4 pods ready"))
    assert plan_bad_image(replace(found, unready="it has 1 of 4 pods ready"), even_unready=True)


def test_all_pods_at_once_have_to_be_asked_for(found):
    (change,) = plan_bad_image(replace(found, spec={**found.spec, "strategy": {"type": "Recreate"}}), allow_outage=True)
    assert len(change.share.members) == 4


def test_it_calls_just_what_it_declares(kube_clients, found, monkeypatch):
    calls = []
    monkeypatch.setattr(kube_clients, "_record", calls.append)
    changes = plan_bad_image(found)
    assert differences(changes, patiently(lambda: walk(changes, kube_clients, calls))) == {}
