"""StatefulSets, with pods that run when the test says so."""

import pytest


def names(bench, *, active=True):
    return [
        pod["metadata"]["name"] for pod in bench.all("pods") if "deletionTimestamp" not in pod["metadata"] or not active
    ]


@pytest.fixture
def make(bench, deployment):
    bench.add_node("a")

    def made(replicas=3, **spec):
        obj = deployment(replicas, **spec)
        obj["metadata"]["name"] = "db"
        return bench.create("statefulsets", obj)

    return made


def status(bench):
    found = bench.get("statefulsets", "db")["status"]
    return found["replicas"], found["readyReplicas"], found["updatedReplicas"]


def image(bench, name):
    bench.edit("statefulsets", "db", lambda obj: obj["spec"]["template"]["spec"]["containers"][0].update(image=name))


def test_pods_are_made_one_after_the_other(bench, make):
    make()
    bench.settle()
    assert names(bench) == ["db-0"]
    bench.run_pods()
    bench.settle()
    assert names(bench) == ["db-0", "db-1"]
    bench.roll()
    assert names(bench) == ["db-0", "db-1", "db-2"]
    assert status(bench) == (3, 3, 3)


def test_in_parallel_they_are_made_at_once(bench, make):
    make(podManagementPolicy="Parallel")
    bench.settle()
    assert names(bench) == ["db-0", "db-1", "db-2"]


def test_a_deleted_pod_comes_back_by_its_name_once_it_is_gone(bench, make):
    make()
    bench.roll()
    before = bench.get("pods", "db-1")["metadata"]["uid"]
    bench.delete("pods", "db-1")
    bench.settle()
    assert names(bench) == ["db-0", "db-2"], "its name is not free yet"
    bench.roll()
    assert names(bench) == ["db-0", "db-1", "db-2"]
    assert bench.get("pods", "db-1")["metadata"]["uid"] != before


def test_it_shrinks_from_the_end_one_at_a_time(bench, make):
    make()
    bench.roll()
    bench.edit("statefulsets", "db", lambda obj: obj["spec"].update(replicas=0))
    bench.settle()
    assert names(bench) == ["db-0", "db-1"]
    bench.settle()
    assert names(bench) == ["db-0", "db-1"], "the next goes when the last is gone"
    bench.roll()
    assert names(bench, active=False) == []
    bench.edit("statefulsets", "db", lambda obj: obj["spec"].update(replicas=2))
    bench.roll()
    assert names(bench) == ["db-0", "db-1"]


def test_a_new_template_replaces_the_pods_from_the_end_and_stops_at_one_that_never_gets_ready(bench, make):
    make()
    bench.roll()
    image(bench, "orders:2")
    bench.settle()
    assert names(bench) == ["db-0", "db-1"]
    bench.delete("pods", "db-2", grace=0)
    bench.settle()
    assert names(bench) == ["db-0", "db-1", "db-2"]
    assert status(bench) == (3, 2, 1), "the new one is not ready, so the others stay"
    bench.roll()
    images = {pod["spec"]["containers"][0]["image"] for pod in bench.all("pods")}
    assert images == {"orders:2"}
    found = bench.get("statefulsets", "db")["status"]
    assert found["currentRevision"] == found["updateRevision"]


def test_its_pods_go_with_it(bench, make):
    make()
    bench.roll()
    bench.delete("statefulsets", "db")
    bench.roll()
    assert names(bench, active=False) == []
