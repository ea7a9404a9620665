"""The objects that the lab writes, as its API server takes them."""

from __future__ import annotations

from blackstart.clock import SystemClock
from blackstart.lab import manifests
from blackstart.lab.kube.controllers.manager import Rounds
from blackstart.lab.kube.server import KubeSpec, build
from blackstart.lab.kube.store import Key

ORDERS = Key("shop", "orders")


def test_the_service_is_spread_has_a_budget_and_grows_from_the_size_it_was_given() -> None:
    cluster, controllers = build(KubeSpec("us-east-1", "shop", "127.0.0.1", 0), SystemClock())
    rounds = Rounds(cluster, controllers)
    named = cluster.registry.named
    cluster.create(named("namespaces"), "", manifests.namespace())
    cluster.create(named("deployments", "apps"), "shop", manifests.deployment("orders", 6))
    cluster.create(named("poddisruptionbudgets", "policy"), "shop", manifests.budget("orders"))
    cluster.create(named("horizontalpodautoscalers", "autoscaling"), "shop", manifests.autoscaler("orders", 6))
    while rounds.behind:
        rounds.round()
    budget = cluster.get(named("poddisruptionbudgets", "policy"), ORDERS).object
    assert (budget["status"]["desiredHealthy"], budget["status"]["expectedPods"]) == (3, 6)
    scaler = cluster.get(named("horizontalpodautoscalers", "autoscaling"), ORDERS).object
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (6, 9)
    assert scaler["status"]["currentReplicas"] == scaler["status"]["desiredReplicas"] == 6
    (constraint,) = cluster.store.records("pods.")[0].object["spec"]["topologySpreadConstraints"]
    assert (constraint["topologyKey"], constraint["maxSkew"]) == ("topology.kubernetes.io/zone", 1)


def test_a_service_of_one_pod_may_still_grow() -> None:
    assert manifests.autoscaler("orders", 1)["spec"]["maxReplicas"] == 2
