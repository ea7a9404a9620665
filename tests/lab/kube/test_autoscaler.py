"""Horizontal pod autoscalers, on pods whose use of CPU the test says."""

import pytest

from blackstart.lab.kube.controllers.autoscaler import SYNC_SECONDS
from blackstart.lab.kube.metrics import METRICS
from blackstart.lab.kube.objects import key_of
from blackstart.lab.kube.status import ApiError


def condition(bench, kind):
    found = bench.get("horizontalpodautoscalers", "orders")["status"]["conditions"]
    return next((one["status"], one["reason"]) for one in found if one["type"] == kind)


def replicas(bench):
    return bench.get("deployments", "orders")["spec"]["replicas"]


def status(bench):
    found = bench.get("horizontalpodautoscalers", "orders")["status"]
    return found["currentReplicas"], found["desiredReplicas"]


def scaler(least=4, most=8, **spec):
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"}
    limits = {"scaleTargetRef": reference, "minReplicas": least, "maxReplicas": most}
    return {
        "metadata": {"name": "orders"},
        "spec": limits | {"metrics": [{"type": "Resource", "resource": cpu}]} | spec,
    }


@pytest.fixture
def running(bench, deployment):
    """Four pods that request 100m each, under an autoscaler of 4-8 that wants 50 %."""
    bench.add_node("a")
    made = deployment(4)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    bench.create("deployments", made)
    bench.roll()
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 10}}
    bench.create("horizontalpodautoscalers", scaler(behavior=behavior))
    return bench


def use(bench, millicores, at="2026-01-01T01:00:00Z"):
    """Every pod uses so much in the second before ``at``, when the autoscaler looks next."""
    for pod in bench.all("pods"):
        containers = [{"name": "app", "usage": {"cpu": f"{millicores}m", "memory": "1Ki"}}]
        name = pod["metadata"]["name"]
        measured = {"metadata": {"name": name, "namespace": "shop"}, "containers": containers}
        measured |= {"kind": "PodMetrics", "timestamp": at, "window": "1s"}
        bench.cluster.store.put(METRICS, key_of(pod), measured)
    bench.settle(SYNC_SECONDS)
    bench.roll()


def pin(bench, most):
    bench.edit("horizontalpodautoscalers", "orders", lambda obj: obj["spec"].update(maxReplicas=most))
    bench.settle()


def test_without_metrics_nothing_is_scaled_and_it_says_so(running):
    running.settle()
    assert replicas(running) == 4
    assert condition(running, "ScalingActive") == ("False", "FailedGetResourceMetric")
    running.settle(SYNC_SECONDS)
    told = [event for event in running.all("events") if event["reason"] == "FailedGetResourceMetric"]
    assert len(told) == 1


def test_load_makes_it_grow_as_far_as_its_ceiling(running):
    use(running, 70)
    assert replicas(running) == 6
    assert status(running) == (4, 6)
    assert condition(running, "ScalingLimited") == ("False", "DesiredWithinRange")
    use(running, 200)
    assert replicas(running) == 8
    assert condition(running, "ScalingLimited") == ("True", "TooManyReplicas")
    assert "SuccessfulRescale" in {event["reason"] for event in running.all("events")}


def test_it_shrinks_when_the_load_is_gone_for_a_while_but_not_under_its_floor(running):
    use(running, 200)
    use(running, 1)
    assert replicas(running) == 8
    assert condition(running, "AbleToScale") == ("True", "ScaleDownStabilized")
    running.settle(10)
    running.settle(SYNC_SECONDS)
    assert replicas(running) == 4
    assert condition(running, "ScalingLimited") == ("True", "TooFewReplicas")


def test_what_pods_use_to_start_is_no_reason_to_grow(running):
    use(running, 200, at="2026-01-01T00:00:00Z")
    assert replicas(running) == 4
    use(running, 200, at="2026-01-01T00:00:01Z")
    assert replicas(running) == 8


def test_a_lowered_ceiling_holds_at_once(running):
    use(running, 200)
    pin(running, 5)
    assert replicas(running) == 5
    assert status(running) == (8, 5)
    running.roll()
    use(running, 200)
    assert replicas(running) == 5
    assert status(running) == (5, 5)
    assert condition(running, "ScalingLimited") == ("True", "TooManyReplicas")
    pin(running, 8)
    running.settle(SYNC_SECONDS)
    assert replicas(running) == 8


def test_what_was_scaled_to_zero_is_left_alone(running):
    use(running, 200)
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(replicas=0))
    running.roll()
    running.settle(SYNC_SECONDS)
    assert replicas(running) == 0
    assert condition(running, "ScalingActive") == ("False", "ScalingDisabled")
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(replicas=2))
    running.settle(SYNC_SECONDS)
    assert replicas(running) == 4, "fewer than its floor are made up for"


def test_a_target_that_does_not_exist_is_told(bench):
    bench.create("horizontalpodautoscalers", scaler())
    bench.settle()
    assert condition(bench, "AbleToScale") == ("False", "FailedGetScale")


def test_pods_without_a_request_cannot_be_judged(bench, deployment):
    bench.add_node("a")
    bench.create("deployments", deployment(4))
    bench.create("horizontalpodautoscalers", scaler())
    bench.roll()
    use(bench, 200)
    assert condition(bench, "ScalingActive") == ("False", "FailedGetResourceMetric")
    assert replicas(bench) == 4


def test_a_ceiling_below_the_floor_is_refused(running):
    with pytest.raises(ApiError, match="greater than or equal to `minReplicas`"):
        pin(running, 3)


def test_an_autoscaler_at_rest_writes_nothing(running):
    use(running, 50)
    running.settle(SYNC_SECONDS)
    before = running.cluster.store.version
    running.settle(SYNC_SECONDS)
    assert running.cluster.store.version == before
