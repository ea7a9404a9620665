"""Against the lab's Kubernetes API server, whose controllers bring pods back; the tests play the kubelet."""

import threading
from collections import Counter
from queue import SimpleQueue

import kube_server
import pytest
from kube_server import PODS, WORKLOADS, names

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.keeping import Keeping
from blackstart.changes.pod_removal import Removal
from blackstart.changes.pods import Where, find_pods
from blackstart.changes.undo import undo
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid

DELETING = "deleting pods"
HOW = Removal()


@pytest.fixture
def calls():
    return []


@pytest.fixture
def heard(kube_environ, calls):
    """Clients to whom a recorder listens."""
    clients = Clients(environ=kube_environ, record=calls.append)
    yield clients
    clients.close()


@pytest.fixture
def orders(kube):
    with kube_server.orders(kube) as heal:
        yield heal


@pytest.fixture
def found(kube_clients, orders):
    return find_pods(kube_clients, "shop", "shop", "app=orders")


@pytest.fixture
def keep(heard, found):
    """The rounds of a keeper of the pods that ``first`` took."""
    ended, kept = threading.Event(), []

    def rounds(first, where=None, everything=False):
        keeper = HOW.keeper(heard, found, first, where or Where(), SystemClock(), everything=everything)
        kept.append(keeper.rounds(ended))
        return kept[-1]

    yield rounds
    ended.set()
    assert [list(each) for each in kept] == [[]] * len(kept)


def some(rounds, count):
    """So many changes, in however many rounds they come."""
    changes = []
    while len(changes) < count:
        changes += next(rounds)
    return changes


def uids(changes):
    return {change.before["uid"] for change in changes}


def members(changes):
    return sorted(member for change in changes for member in change.share.members)


def test_pods_that_come_back_are_deleted_again_in_the_slots_of_the_first(found, kube_gate, keep):
    gate, taken = kube_gate(), []
    first = HOW.plan(found, found.pods[:2])
    inject(first, gate, DELETING)
    rounds = keep(first)
    for _ in range(3):
        again = some(rounds, 2)
        assert members(again) == members(first)
        assert not uids(again) & uids([*first, *taken])
        inject(again, gate, DELETING)  # the scope's half of them is what the first two are
        taken += again
    assert len(uids(taken)) == 6


def test_a_pod_is_known_as_it_appears_without_asking_again(found, kube_clients, kube, calls, keep):
    first = HOW.plan(found, found.pods[:1])
    rounds = keep(first)
    kube.delete(f"{PODS}/{found.pods[0].name}", {"gracePeriodSeconds": 0})
    for _ in range(5):
        (change,) = next(rounds)
        pod = kube.get(f"{PODS}/{change.target.id}")
        assert not kube_server.is_ready(pod)
        kube.delete(f"{PODS}/{change.target.id}", {"gracePeriodSeconds": 0})
    assert Counter(map(str, calls)) == {"kubernetes:list pods": 1, "kubernetes:watch pods": 1}


def test_what_came_while_a_round_was_under_way_is_in_the_next(found, kube, keep):
    first = HOW.plan(found, found.pods)
    rounds = keep(first)
    kube.delete(f"{PODS}/{found.pods[0].name}", {"gracePeriodSeconds": 0})
    assert len(next(rounds)) == 1
    for pod in found.pods[1:]:
        kube.delete(f"{PODS}/{pod.name}", {"gracePeriodSeconds": 0})
    kube_server.heal(kube, 4)
    rest = some(rounds, 3)
    assert len(rest) == len(uids(rest)) == 3


def test_the_pods_of_a_scaled_up_deployment_are_left_alone_unless_everything_is_meant(found, kube, keep, orders):
    first = HOW.plan(found, found.pods)
    every, chosen = keep(first, everything=True), keep(first[:1])
    for pod in found.pods[:1]:
        kube.delete(f"{PODS}/{pod.name}", {"gracePeriodSeconds": 0})
    kube.patch(f"{WORKLOADS}/deployments/orders", {"spec": {"replicas": 6}})
    orders(6)
    assert len(some(every, 3)) == 3
    assert len(next(chosen)) == 1


def test_a_pod_counts_from_when_it_is_placed_where_it_is_kept_away(found, kube, calls, keep):
    labels = {"topology.kubernetes.io/zone": "us-east-1c", "topology.kubernetes.io/region": "us-east-1"}
    first = HOW.plan(found, found.pods)
    rounds = keep(first, Where(zone="us-east-1c"), everything=True)
    for node in ("node-a", "node-b"):
        kube.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
    kube.post("/api/v1/nodes", {"metadata": {"name": "node-c", "labels": labels}, "spec": {}})
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    kube.patch("/api/v1/nodes/node-c/status", {"status": ready})
    kube.delete(f"{PODS}/{found.pods[0].name}", {"gracePeriodSeconds": 0})
    (change,) = next(rounds)
    assert (change.target.zone, change.target.region) == ("us-east-1c", "us-east-1")
    assert "kubernetes:list nodes" in set(map(str, calls))
    for node in ("node-a", "node-b"):
        kube.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})
    kube.delete("/api/v1/nodes/node-c")


def test_through_the_gate_pods_are_kept_away_until_it_ends_and_heal_after_that(kube, found, kube_gate, heard, orders):
    gate, rounds, said = kube_gate(), SimpleQueue(), SimpleQueue()
    first = HOW.plan(found, found.pods[:1])
    inject(first, gate, DELETING, duration_seconds=60)

    def again(changes, left):
        inject(changes, gate, DELETING, duration_seconds=left)
        rounds.put(changes)

    clock = SystemClock()
    keeper = HOW.keeper(heard, found, first, Where(), clock, everything=False)
    keeping = Keeping(keeper, 60, clock, again, said.put)
    keeping.start()
    gone = {change.target.id for _ in range(3) for change in rounds.get(timeout=20)}
    keeping.end()
    assert keeping.join()
    assert said.empty()
    orders(4)
    assert not gone & names(kube)
    assert undo("drill-1", gate.reach).complete


def test_what_the_gate_refuses_ends_the_keeping_with_the_reason(found, kube_gate, heard):
    gate, said = kube_gate(), SimpleQueue()
    first = HOW.plan(found, found.pods[:2])
    inject(first, gate, DELETING)
    clock = SystemClock()
    keeper = HOW.keeper(heard, found, first, Where(), clock, everything=True)
    keeping = Keeping(keeper, 60, clock, lambda changes, left: inject(changes, gate, DELETING), said.put)
    keeping.start()
    # the other two match as well, so this is more than the half that the scope permits
    assert said.get(timeout=20).startswith("not deleting pods: this would take ")
    keeping.end()
    assert keeping.join()


def test_an_api_that_forbids_to_follow_ends_the_keeping_with_the_reason(kube_environ, found, tmp_path):
    member = Clients(environ=kube_server.as_member(kube_environ, tmp_path, "nobody"))
    said = SimpleQueue()
    keeper = HOW.keeper(member, found, HOW.plan(found, found.pods[:1]), Where(), SystemClock(), everything=False)
    keeping = Keeping(keeper, 60, SystemClock(), lambda changes, left: None, said.put)
    keeping.start()
    assert "403" in said.get(timeout=20)
    keeping.end()
    assert keeping.join()
    member.close()


def test_there_are_two_ways_to_take_pods_away():
    with pytest.raises(ConfigInvalid, match="'kill' is not one of delete, evict"):
        Removal("kill")
