"""Node lifecycle: a silent node, its taints, and its pods."""

import pytest


def state(bench, name):
    return next(c for c in bench.get("nodes", name)["status"]["conditions"] if c["type"] == "Ready")


def taints(bench, name):
    found = bench.get("nodes", name)["spec"].get("taints") or []
    return {(taint["key"].removeprefix("node.kubernetes.io/"), taint["effect"]) for taint in found}


def marked(bench):
    return sorted(pod["metadata"]["name"] for pod in bench.all("pods") if "deletionTimestamp" in pod["metadata"])


UNREACHABLE = {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}


class Leases:
    """Heartbeats of nodes, as kubelets send them."""

    def __init__(self, bench):
        self.bench = bench
        self.resource = bench.resource("leases")
        self.count = 0

    def renew(self, *names):
        from blackstart.lab.kube.store import Key

        self.count += 1
        spec = {"holderIdentity": "x", "renewTime": f"2026-01-01T00:00:{self.count:02}.000000Z"}
        for name in names:
            key = Key("kube-node-lease", name)
            if self.bench.cluster.store.get(self.resource.store_key, key):
                self.bench.cluster.change(self.resource, key, lambda obj: obj.update(spec=spec))
            else:
                self.bench.cluster.create(self.resource, "kube-node-lease", {"metadata": {"name": name}, "spec": spec})


@pytest.fixture
def nodes(impatient):
    """Two nodes in two zones; a pod on the first."""
    for name in ("a", "b"):
        impatient.add_node(name, name)
    impatient.settle()
    return impatient


@pytest.fixture
def leases(nodes):
    return Leases(nodes)


def pass_time(bench, leases, seconds, *heard):
    """Let time pass in steps, with heartbeats of ``heard`` in between."""
    for _ in range(int(seconds)):
        leases.renew(*heard)
        bench.settle(1.0)


def test_a_node_whose_lease_is_renewed_stays_ready(nodes, leases):
    pass_time(nodes, leases, 20, "a", "b")
    assert state(nodes, "a")["status"] == "True"
    assert taints(nodes, "a") == set()


def test_a_silent_node_becomes_unknown_and_tainted_just_after_its_grace(nodes, leases):
    leases.renew("b")
    nodes.settle(2.9)
    leases.renew("b")
    assert nodes.settle(0.0) == pytest.approx(0.101)
    assert state(nodes, "a")["status"] == "True"
    nodes.settle(0.11)
    assert (state(nodes, "a")["status"], state(nodes, "a")["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert taints(nodes, "a") == UNREACHABLE
    assert state(nodes, "b")["status"] == "True"
    assert "NodeNotReady" in {event["reason"] for event in nodes.all("events")}


def test_the_pods_of_a_silent_node_are_not_ready_and_after_a_while_evicted(nodes, leases, pod):
    nodes.create("pods", pod("p", nodeName="a"))
    nodes.run_pods()
    nodes.settle()
    pass_time(nodes, leases, 4, "b")
    ready = next(c for c in nodes.get("pods", "p")["status"]["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "False"
    assert marked(nodes) == []
    pass_time(nodes, leases, 4, "b")
    assert marked(nodes) == []
    pass_time(nodes, leases, 1, "b")
    assert marked(nodes) == ["p"]
    assert "TaintManagerEviction" in {event["reason"] for event in nodes.all("events")}


def test_a_node_that_is_heard_again_keeps_its_pods(nodes, leases, pod):
    nodes.create("pods", pod("p", nodeName="a"))
    pass_time(nodes, leases, 5, "b")
    assert taints(nodes, "a") == UNREACHABLE
    pass_time(nodes, leases, 20, "a", "b")
    assert state(nodes, "a")["status"] == "True"
    assert taints(nodes, "a") == set()
    assert marked(nodes) == []


def test_a_second_silence_starts_a_new_count(nodes, leases, pod):
    nodes.create("pods", pod("p", nodeName="a"))
    pass_time(nodes, leases, 6, "b")
    pass_time(nodes, leases, 2, "a", "b")
    pass_time(nodes, leases, 7, "b")
    assert marked(nodes) == []
    pass_time(nodes, leases, 3, "b")
    assert marked(nodes) == ["p"]


def test_a_heartbeat_in_the_status_counts_too(nodes, leases):
    for second in range(10):
        leases.renew("b")
        beat = {"type": "Ready", "status": "True", "lastHeartbeatTime": f"2026-01-01T00:01:{second:02}Z"}
        nodes.edit("nodes", "a", lambda obj, beat=beat: obj["status"].update(conditions=[beat]), "status")
        nodes.settle(1.0)
    assert state(nodes, "a")["status"] == "True"


def test_a_kubelet_that_says_not_ready_is_believed(nodes, leases):
    bad = {"type": "Ready", "status": "False", "reason": "KubeletNotReady"}
    nodes.edit("nodes", "a", lambda obj: obj["status"].update(conditions=[bad]), "status")
    pass_time(nodes, leases, 2, "a", "b")
    assert taints(nodes, "a") == {("not-ready", "NoSchedule"), ("not-ready", "NoExecute")}


def test_when_every_node_is_silent_nothing_is_evicted(nodes, leases, pod):
    nodes.create("pods", pod("p", nodeName="a"))
    pass_time(nodes, leases, 60)
    assert state(nodes, "a")["status"] == "Unknown"
    assert taints(nodes, "a") == {("unreachable", "NoSchedule")}
    assert marked(nodes) == []
    # the other node is back, so this one alone is silent
    pass_time(nodes, leases, 6, "b")
    assert marked(nodes) == ["p"]


def test_a_pod_that_tolerates_the_loss_stays(nodes, leases, pod):
    forever = [{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}]
    nodes.create("pods", pod("patient", nodeName="a", tolerations=forever))
    nodes.create("pods", pod("p", nodeName="a"))
    pass_time(nodes, leases, 30, "b")
    assert marked(nodes) == ["p"]


def test_a_taint_that_people_set_evicts_at_once_and_stays(nodes, leases, pod):
    nodes.create("pods", pod("p", nodeName="a"))
    own = [{"key": "maintenance", "effect": "NoExecute"}]
    nodes.edit("nodes", "a", lambda obj: obj["spec"].update(taints=own))
    pass_time(nodes, leases, 1, "a", "b")
    assert marked(nodes) == ["p"]
    assert taints(nodes, "a") == {("maintenance", "NoExecute")}


def test_a_cordoned_node_is_tainted_and_untainted(nodes, leases):
    nodes.edit("nodes", "a", lambda obj: obj["spec"].update(unschedulable=True))
    nodes.settle()
    assert taints(nodes, "a") == {("unschedulable", "NoSchedule")}
    nodes.edit("nodes", "a", lambda obj: obj["spec"].update(unschedulable=False))
    nodes.settle()
    assert taints(nodes, "a") == set()


def test_the_pods_of_a_deleted_node_are_gone(nodes, pod):
    nodes.create("pods", pod("p", nodeName="a"))
    nodes.create("pods", pod("q", nodeName="b"))
    nodes.delete("pods", "p")
    nodes.settle()
    nodes.delete("nodes", "a")
    nodes.settle()
    assert [found["metadata"]["name"] for found in nodes.all("pods")] == ["q"]


def test_evicted_pods_are_replaced_on_other_nodes_while_they_end(nodes, leases, deployment):
    nodes.create("deployments", deployment(2))
    nodes.roll()
    pass_time(nodes, leases, 10, "b")
    places = sorted((pod["spec"]["nodeName"], "deletionTimestamp" in pod["metadata"]) for pod in nodes.all("pods"))
    assert places == [("a", True), ("b", False), ("b", False)]
