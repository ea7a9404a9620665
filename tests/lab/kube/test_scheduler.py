from collections import Counter

import pytest


def places(bench):
    return Counter(pod["spec"].get("nodeName") for pod in bench.all("pods"))


def unscheduled(bench, name):
    found = {c["type"]: c for c in bench.get("pods", name)["status"].get("conditions", ())}
    return found["PodScheduled"]["message"]


def test_pods_spread_over_zones_first_and_nodes_second(bench, deployment):
    for name, zone in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c")):
        bench.add_node(name, zone)
    bench.create("deployments", deployment(6))
    bench.settle()
    assert places(bench) == {"a1": 1, "a2": 1, "b1": 1, "b2": 1, "c1": 2}


def test_each_deployment_is_spread_on_its_own(bench, deployment):
    for zone in "abc":
        bench.add_node(zone, zone)
    bench.create("deployments", deployment(1))
    other = deployment(1)
    other["metadata"]["name"] = "worker"
    bench.create("deployments", other)
    bench.settle()
    assert len(places(bench)) == 2


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"unschedulable": True}, "untolerated taint {node.kubernetes.io/unschedulable"),
        ({"taints": [{"key": "spot", "effect": "NoSchedule"}]}, "untolerated taint {spot"),
    ],
)
def test_a_closed_node_gets_no_pods_until_it_opens(bench, pod, spec, words):
    bench.add_node("a", **spec)
    bench.settle()
    bench.create("pods", pod("p"))
    bench.settle()
    assert "0/1 nodes are available" in unscheduled(bench, "p")
    assert words in unscheduled(bench, "p")
    assert "FailedScheduling" in {event["reason"] for event in bench.all("events")}
    bench.edit("nodes", "a", lambda obj: obj.update(spec={}))
    bench.settle()
    assert places(bench) == {"a": 1}


def test_a_node_that_is_not_ready_gets_no_pods(bench, pod, make_node):
    silent = make_node("a")
    silent["status"]["conditions"][0]["status"] = "False"
    bench.create("nodes", silent)
    bench.create("pods", pod("p"))
    bench.settle()
    assert places(bench) == {None: 1}


def test_without_nodes_a_pod_waits_for_the_first(bench, pod):
    bench.create("pods", pod("p"))
    bench.settle()
    assert unscheduled(bench, "p") == "no nodes available to schedule pods"
    bench.add_node("a")
    bench.settle()
    assert places(bench) == {"a": 1}


def test_a_toleration_opens_a_tainted_node(bench, pod):
    bench.add_node("a", taints=[{"key": "spot", "value": "yes", "effect": "NoSchedule"}])
    tolerated = [{"key": "spot", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}]
    bench.create("pods", pod("p", tolerations=tolerated))
    bench.create("pods", pod("q", tolerations=[{"key": "spot", "value": "no"}]))
    bench.settle()
    assert bench.get("pods", "p")["spec"]["nodeName"] == "a"
    assert "nodeName" not in bench.get("pods", "q")["spec"]


def test_a_node_selector_and_affinity_are_respected(bench, pod):
    bench.add_node("a", "zone-a")
    bench.add_node("b", "zone-b")
    bench.create("pods", pod("chosen", nodeSelector={"topology.kubernetes.io/zone": "zone-b"}))
    wanted = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone-b"]}
    required = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [wanted]}]}
    }
    bench.create("pods", pod("affine", affinity={"nodeAffinity": required}))
    bench.create("pods", pod("lost", nodeSelector={"topology.kubernetes.io/zone": "zone-c"}))
    bench.settle()
    assert places(bench) == {"b": 2, None: 1}
    assert "2 node(s) didn't match Pod's node affinity/selector" in unscheduled(bench, "lost")


def test_a_full_node_makes_pods_wait_until_one_leaves(bench, pod, make_node):
    small = make_node("a")
    small["status"]["allocatable"] = {"cpu": "1", "memory": "1Gi", "pods": "110"}
    bench.create("nodes", small)
    for name in ("p", "q", "r"):
        asked = pod(name)
        asked["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "500m"}}
        bench.create("pods", asked)
    bench.settle()
    assert places(bench) == {"a": 2, None: 1}
    assert "1 Insufficient cpu" in unscheduled(bench, "r")
    bench.delete("pods", "p", grace=0)
    bench.settle()
    assert places(bench) == {"a": 2}


def test_a_limit_of_pods_is_respected_within_one_round(bench, pod, make_node):
    small = make_node("a")
    small["status"]["allocatable"] = {"pods": "2"}
    bench.create("nodes", small)
    for name in ("p", "q", "r"):
        bench.create("pods", pod(name))
    bench.settle()
    assert places(bench) == {"a": 2, None: 1}
    assert "Too many pods" in unscheduled(bench, "r")


def test_pods_of_other_schedulers_and_gated_pods_are_left_alone(bench, pod):
    bench.add_node("a")
    bench.create("pods", pod("own", schedulerName="mine"))
    bench.create("pods", pod("gated", schedulingGates=[{"name": "wait"}]))
    bench.settle()
    assert places(bench) == {None: 2}
    bench.edit("pods", "gated", lambda obj: obj["spec"].pop("schedulingGates"))
    bench.settle()
    assert bench.get("pods", "gated")["spec"]["nodeName"] == "a"


def test_after_the_loss_of_a_zone_the_others_carry_its_pods(bench, deployment):
    for zone in "abc":
        bench.add_node(zone, zone)
    bench.create("deployments", deployment(6))
    bench.roll()
    assert places(bench) == {"a": 2, "b": 2, "c": 2}
    bench.delete("nodes", "a")
    bench.roll()
    assert places(bench) == {"b": 3, "c": 3}
