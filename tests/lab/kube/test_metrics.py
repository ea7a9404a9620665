"""What pods use, from what kubelets tell twice."""

import pytest

from blackstart.lab.kube.metrics import METRICS, Metrics

NANO = 1_000_000_000


@pytest.fixture
def metrics(bench, pod):
    bench.create("pods", pod("one", {"app": "orders"}))
    return Metrics(bench.cluster)


def summary(bench, second, used, began="2026-01-01T00:00:00Z", uid=None):
    cpu = {"time": f"2026-01-01T00:00:{second:04.1f}Z", "usageCoreNanoSeconds": round(used * NANO)}
    container = {"name": "app", "startTime": began, "cpu": cpu, "memory": {"workingSetBytes": 2048}}
    uid = uid or bench.get("pods", "one")["metadata"]["uid"]
    return {"pods": [{"podRef": {"name": "one", "namespace": "shop", "uid": uid}, "containers": [container]}]}


def usage(bench):
    return [record.object["containers"][0]["usage"] for record in bench.cluster.store.records(METRICS)]


def test_two_answers_give_a_rate(bench, metrics):
    metrics.take([summary(bench, 10, 1.0)])
    assert usage(bench) == []
    metrics.take([summary(bench, 12, 1.5)])
    assert usage(bench) == [{"cpu": "250000000n", "memory": "2Ki"}]
    (record,) = bench.cluster.store.records(METRICS)
    assert record.object["metadata"]["labels"] == {"app": "orders"}
    assert record.object["window"] == "2s"


def test_answers_too_close_to_each_other_give_none(bench, metrics):
    for second in (10, 10.2, 10.4):
        metrics.take([summary(bench, second, second)])
    assert usage(bench) == []
    metrics.take([summary(bench, 12, 10.5)])
    assert usage(bench)[0]["cpu"] == "250000000n"


def test_a_container_that_began_anew_is_measured_anew(bench, metrics):
    metrics.take([summary(bench, 10, 5.0)])
    metrics.take([summary(bench, 12, 0.1, began="2026-01-01T00:00:11Z")])
    assert usage(bench) == []
    metrics.take([summary(bench, 14, 0.3, began="2026-01-01T00:00:11Z")])
    assert usage(bench)[0]["cpu"] == "100000000n"


def test_what_no_kubelet_tells_of_any_more_is_forgotten(bench, metrics):
    metrics.take([summary(bench, 10, 1.0)])
    metrics.take([summary(bench, 12, 1.5)])
    metrics.take([{}])
    assert usage(bench) == []
    metrics.take([summary(bench, 14, 2.0)])
    assert usage(bench) == [], "what was before the silence is no longer counted from"


def test_a_pod_of_the_same_name_is_another_one(bench, metrics):
    metrics.take([summary(bench, 10, 1.0, uid="other")])
    metrics.take([summary(bench, 12, 1.5, uid="other")])
    assert usage(bench) == []


def test_metrics_are_read_and_not_written(api):
    path = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"
    assert api.get(path)["kind"] == "PodMetricsList"
    assert api.call("POST", path, {"metadata": {"name": "x"}})[0] == 405
    (resource,) = api.get("/apis/metrics.k8s.io/v1beta1")["resources"]
    assert resource["verbs"] == ["get", "list"]
