import json

import pytest

from blackstart.errors import ConfigInvalid, NotMeasured, ServiceUnreachable
from blackstart.probes import pods


@pytest.fixture
def furnished(shop):
    """Two zones; ready pods in one of them, and pods that are not."""
    shop.node("n1", "a")
    shop.node("n2", "b")
    for name in ("p1", "p2"):
        shop.pod(name, "n1")
    shop.pod("p3", "n2", ready=False)
    shop.pod("other", "n2", labels={"app": "other"})
    return shop


def test_ready_pods_are_counted_by_the_zone_of_their_node(furnished):
    name = furnished.name
    assert pods.ready_pods_by_zone(name, "app=orders") == {"a": 2, "b": 0}
    assert pods.ready_pods_by_zone(name) == {"a": 2, "b": 1}
    assert (pods.ready_pods(name), pods.ready_pods(name, zone="b"), pods.ready_pods(name, "app=none")) == (3, 1, 0)


def test_a_pod_that_is_being_deleted_is_not_ready(furnished):
    path = furnished.at("pods", "p1")
    furnished.kube.patch(path, {"metadata": {"finalizers": ["test.dev/hold"]}})
    furnished.kube.delete(path)
    assert pods.ready_pods(furnished.name, "app=orders") == 1
    furnished.kube.patch(path, {"metadata": {"finalizers": None}})


def test_an_api_that_does_not_answer_is_no_zero(shop, tmp_path, monkeypatch):
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "x", "context": {"cluster": "c"}}
    config = {"clusters": [cluster], "contexts": [context], "current-context": "x"}
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    for probe in (pods.ready_pods, pods.pending_pods):
        with pytest.raises(ServiceUnreachable):
            probe(shop.name)


def test_pending_pods_are_counted_with_what_keeps_them(furnished):
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "name": "c"}
    furnished.pod("bad", "n1", ready=False, phase="Pending", containerStatuses=[waiting])
    furnished.pod("new", "n1", ready=False, phase="Pending")
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
    for name in ("full-1", "full-2"):
        body = {
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": "c"}], "nodeSelector": {"no": "node"}},
        }
        furnished.kube.post(furnished.at("pods"), body)
        furnished.kube.patch(furnished.at("pods", name) + "/status", {"status": {"conditions": [unplaced]}})
    found = pods.pending_reasons(furnished.name)
    assert found["ImagePullBackOff"] == found["starting"] == 1
    # the server's own scheduler may have had its say too, about either pod
    assert sum(number for said, number in found.items() if said.startswith("Unschedulable: 0/")) == 2
    assert pods.pending_pods(furnished.name) == 4
    assert pods.pending_pods(furnished.name, "app=orders") == 2


def test_pods_that_were_ready_all_along_took_no_time(furnished, drilled):
    configuration = drilled(0.0)
    furnished_at = {"selector": "app=orders", "wanted": 2, "limit_seconds": 5.0, "configuration": configuration}
    assert 0 <= pods.pods_ready_again_seconds(furnished.name, **furnished_at) < 2


def test_pods_that_do_not_come_back_in_time_are_none_and_not_a_number(furnished, drilled):
    more = {"selector": "app=orders", "wanted": 3, "limit_seconds": 5.0, "configuration": drilled(ago=6.0)}
    assert pods.pods_ready_again_seconds(furnished.name, **more) is None


def test_a_workload_that_the_drill_has_emptied_still_wants_what_it_had(shop, drilled):
    shop.node("n1", "a")
    shop.deployment("orders", replicas=0)
    shop.pod("p1", "n1")
    change = {"target": {"kind": "deployment", "id": "orders"}, "before": {"replicas": 6}}
    asked = {"workload": "Deployment/orders", "limit_seconds": 1.0}
    emptied = drilled(ago=2.0, changes=[change])
    assert pods.pods_ready_again_seconds(shop.name, **asked, configuration=emptied) is None


def test_a_workload_that_wants_no_pods_is_not_ready_again(shop, drilled):
    shop.deployment("orders", replicas=0)
    with pytest.raises(NotMeasured, match="wants no pods"):
        pods.pods_ready_again_seconds(
            shop.name, workload="Deployment/orders", limit_seconds=1.0, configuration=drilled()
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"selector": "app=orders"},
        {"selector": "app=orders", "workload": "Deployment/orders", "wanted": 1},
        {"workload": "orders"},
        {"workload": "Job/orders"},
    ],
)
def test_it_must_be_clear_which_pods_are_meant(shop, drilled, wrong):
    with pytest.raises(ConfigInvalid, match="workload"):
        pods.pods_ready_again_seconds(shop.name, **wrong, limit_seconds=1.0, configuration=drilled())
