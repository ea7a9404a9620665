"""Disruption budgets: what they promise in their status, and what they keep."""

import pytest

from blackstart.lab.kube.eviction import evict
from blackstart.lab.kube.states import DeleteOptions
from blackstart.lab.kube.status import ApiError


def budget(name="b", app="orders", **spec):
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": app}}} | spec}


@pytest.fixture
def four(bench, deployment):
    """``orders`` running with four pods."""
    bench.add_node("a")
    bench.create("deployments", deployment(4))
    bench.roll()
    return bench


def status(bench):
    found = bench.get("poddisruptionbudgets", "b")["status"]
    return [found[name] for name in ("currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed")]


def evict_one(bench, number=0):
    return evict_named(bench, bench.all("pods")[number]["metadata"]["name"])


def evict_named(bench, name):
    return evict(bench.cluster, bench.key("pods", name), DeleteOptions())


def make_unready(bench, name):
    unready = [{"type": "Ready", "status": "False"}]
    bench.edit("pods", name, lambda obj: obj["status"].update(conditions=unready), "status")
    bench.settle()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 3}, [4, 3, 4, 1]),
        ({"minAvailable": "50%"}, [4, 2, 4, 2]),
        ({"maxUnavailable": 1}, [4, 3, 4, 1]),
        ({"maxUnavailable": "30%"}, [4, 2, 4, 2]),
        ({"minAvailable": 9}, [4, 9, 4, 0]),
        ({}, [4, 1, 4, 3]),
    ],
)
def test_a_budget_says_how_many_pods_may_go(four, spec, expected):
    four.create("poddisruptionbudgets", budget(**spec))
    four.settle()
    assert status(four) == expected


def test_a_budget_counts_what_its_deployment_wants_not_what_there_is(four):
    four.create("poddisruptionbudgets", budget(maxUnavailable=1))
    four.edit("deployments", "orders", lambda obj: obj["spec"].update(replicas=6))
    four.settle()
    assert status(four) == [4, 5, 6, 0]


def test_an_eviction_counts_at_once_although_the_pod_still_ends(four):
    four.create("poddisruptionbudgets", budget(minAvailable=3))
    evict_one(four, 0)
    with pytest.raises(ApiError) as caught:
        evict_one(four, 1)
    assert caught.value.code == 429
    assert caught.value.details["causes"][0]["reason"] == "DisruptionBudget"
    assert "needs 3 healthy pods and has 3 currently" in caught.value.details["causes"][0]["message"]
    four.roll()
    evict_one(four, 1)


def test_a_deletion_does_not_ask_the_budget(four):
    four.create("poddisruptionbudgets", budget(minAvailable=4))
    four.delete("pods", four.all("pods")[0]["metadata"]["name"])


def test_pods_that_are_pending_or_finished_may_always_go(bench, pod):
    bench.create("poddisruptionbudgets", budget(minAvailable=1))
    bench.create("pods", pod("p", {"app": "orders"}))
    evict_one(bench)
    assert bench.all("pods") == []


def test_an_unready_pod_may_go_only_while_enough_others_are_healthy(four):
    four.create("poddisruptionbudgets", budget(minAvailable=3))
    first, second, *_ = (pod["metadata"]["name"] for pod in four.all("pods"))
    make_unready(four, first)
    evict_named(four, first)
    make_unready(four, second)
    with pytest.raises(ApiError):
        evict_named(four, second)


def test_an_unready_pod_may_go_if_the_budget_always_allows_it(four):
    four.create("poddisruptionbudgets", budget(minAvailable=4, unhealthyPodEvictionPolicy="AlwaysAllow"))
    name = four.all("pods")[0]["metadata"]["name"]
    make_unready(four, name)
    evict_named(four, name)


def test_two_budgets_for_one_pod_are_refused(four):
    for name in ("b", "c"):
        four.create("poddisruptionbudgets", budget(name, minAvailable=0))
    with pytest.raises(ApiError) as caught:
        evict_one(four)
    assert caught.value.code == 500


def test_a_budget_for_other_pods_does_not_count(four):
    four.create("poddisruptionbudgets", budget(app="other", minAvailable=4))
    four.settle()
    assert status(four) == [0, 4, 0, 0]
    evict_one(four)


def test_a_dry_run_asks_but_does_not_evict(four):
    name = four.all("pods")[0]["metadata"]["name"]
    evict(four.cluster, four.key("pods", name), DeleteOptions(), dry_run=True)
    assert "deletionTimestamp" not in four.get("pods", name)["metadata"]
