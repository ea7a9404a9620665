import asyncio

import pytest

from blackstart.clock import SystemClock
from blackstart.errors import NotMeasured
from blackstart.probes import _cluster, workloads
from blackstart.testing import FakeClock

POLICY = "/apis/policy/v1"


def test_a_budget_allows_what_its_controller_says(shop):
    shop.node("n1", "a")
    shop.deployment(replicas=0)
    budget = {
        "metadata": {"name": "orders"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "orders"}}},
    }
    shop.kube.post(shop.at("poddisruptionbudgets", group=POLICY), budget)
    assert workloads.disruptions_allowed(shop.name, "orders") == 0


def test_the_ready_share_is_that_of_the_replicas_that_are_wanted(shop):
    shop.deployment("none", replicas=0)
    with pytest.raises(NotMeasured, match="wants no pods"):
        workloads.ready_share(shop.name, "Deployment/none")
    shop.node("n1", "a")
    shop.deployment("some", replicas=2)
    assert workloads.ready_share(shop.name, "Deployment/some") == 0.0
    pods = shop.at("pods")
    until(lambda: len(shop.kube.get(pods)["items"]) == 2)
    shop.say(f"{pods}/{shop.kube.get(pods)['items'][0]['metadata']['name']}", ready=True, phase="Running")
    until(lambda: workloads.ready_share(shop.name, "Deployment/some") == 0.5)


def until(done):
    deadline = SystemClock().monotonic() + 30
    while not done():
        assert SystemClock().monotonic() < deadline
        SystemClock().sleep(0.02)


def deployment(generation, **status):
    """A deployment of four at generation 2 whose controller says this of ``generation``."""
    told = {"observedGeneration": generation, **status}
    return {"metadata": {"name": "orders", "generation": 2}, "spec": {"replicas": 4}, "status": told}


def progress(reason):
    return [{"type": "Progressing", "status": "True", "reason": reason, "message": f"because of {reason}"}]


@pytest.mark.parametrize(
    ("updated", "total", "available", "reason", "state"),
    [
        (4, 4, 4, "NewReplicaSetAvailable", "complete"),
        (4, 4, 3, "ReplicaSetUpdated", "progressing"),
        (2, 5, 3, "ReplicaSetUpdated", "progressing"),
        (2, 5, 3, "ProgressDeadlineExceeded", "stalled"),
    ],
)
def test_a_roll_out_is_as_far_as_its_replicas_are(updated, total, available, reason, state):
    counts = {"replicas": total, "updatedReplicas": updated, "readyReplicas": available, "availableReplicas": available}
    found = workloads._state(deployment(2, **counts, conditions=progress(reason)))
    assert (found["state"], found["old"], found["message"]) == (state, total - updated, f"because of {reason}")


def test_a_roll_out_that_is_paused_is_not_stalled():
    paused = deployment(2, conditions=progress("ProgressDeadlineExceeded"))
    paused["spec"]["paused"] = True
    assert workloads._state(paused)["state"] == "paused"


def test_a_roll_out_without_its_condition_is_not_measured():
    with pytest.raises(NotMeasured, match="no condition Progressing"):
        workloads._state(deployment(2, replicas=4))


def test_the_roll_out_of_a_real_deployment_is_read_once_its_controller_has_seen_it(shop):
    shop.deployment(replicas=2)
    found = workloads.rollout_state(shop.name, "orders")
    assert (found["state"], found["wanted"], found["ready"]) == ("progressing", 2, 0)
    assert workloads.rollout_stalled(shop.name, "orders") is False


class Slow:
    """A controller that looks at version 2 after so many reads."""

    def __init__(self, reads):
        self.reads = reads

    async def get(self, path):
        self.reads -= 1
        return deployment(1 if self.reads >= 0 else 2)


def test_what_a_controller_says_of_an_older_version_does_not_count():
    found = asyncio.run(_cluster.looked_at(Slow(3), "/orders", FakeClock()))
    assert found["status"]["observedGeneration"] == 2
    with pytest.raises(NotMeasured, match="state of orders was not measured: its controller has not looked"):
        asyncio.run(_cluster.looked_at(Slow(999), "/orders", FakeClock()))
