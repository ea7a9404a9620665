"""What the kinds that take pods away say that they call, against the calls that they make."""

import threading

import kube_server
import pytest
from exec_kubelet import started
from kube_server import PODS
from test_kind_permissions import differences, walk

from blackstart.changes.budgets import find_budgets
from blackstart.changes.clients import Clients
from blackstart.changes.container_kill import find_containers, plan_kills
from blackstart.changes.pod_deletion import plan_deletion
from blackstart.changes.pod_eviction import plan_eviction
from blackstart.changes.pod_removal import Removal
from blackstart.changes.pods import Where, find_pods
from blackstart.changes.rates import counted
from blackstart.changes.registry import Kinds
from blackstart.clock import SystemClock


@pytest.fixture
def calls():
    return []


@pytest.fixture
def heard(kube_environ, calls):
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


@pytest.mark.parametrize("plan", [plan_deletion, plan_eviction])
def test_taking_a_pod_away_calls_just_what_it_declares(found, heard, calls, plan):
    assert differences(plan(found, found.pods[:1]), walk(plan(found, found.pods[:1]), heard, calls)) == {}


def test_an_eviction_past_a_budget_needs_to_delete_and_no_other_does(kube, found, heard, calls):
    with kube_server.budget(kube, minAvailable=4):
        budgets = find_budgets(heard, "shop", "shop")
        (past,) = changes = plan_eviction(found, found.pods[:1], budgets=budgets, past_budgets=True)
        assert differences(changes, walk(changes, heard, calls)) == {}
    (within,) = plan_eviction(found, found.pods[:1], budgets=budgets)
    kind = Kinds().lookup(past.kind)
    assert {need.action for need in kind.needs(past)} - {need.action for need in kind.needs(within)} == {
        "kubernetes:delete pods"
    }
    assert past.calls == (*within.calls, "kubernetes:delete pods")


def test_killing_a_container_calls_just_what_it_declares(kube, orders, heard, calls, kubelet):
    for name in kube_server.names(kube):
        started(kube, name)
    containers = find_containers(heard, "shop", "shop", "app=orders")
    changes = plan_kills(containers, containers.pods[:1])
    assert differences(changes, walk(changes, heard, calls)) == {}


@pytest.mark.parametrize("plan", [plan_deletion, plan_eviction])
def test_the_plan_counts_the_calls_that_are_made(found, heard, calls, plan):
    changes = plan(found, found.pods)
    Kinds().lookup(changes[0].kind).apply(changes, heard)
    written = [str(call) for call in calls if not call.reads]
    said = {each.call: each.requests for each in counted(changes, Kinds())}
    assert said == {action: written.count(action) for action in set(written)}


def test_following_calls_just_what_it_declares(kube, found, heard, calls):
    ended = threading.Event()
    first = plan_deletion(found, found.pods)
    keeper = Removal().keeper(heard, found, first, Where(zone="us-east-1a"), SystemClock(), everything=True)
    assert {need.action for need in keeper.needs()} >= {"kubernetes:watch pods"}
    rounds = keeper.rounds(ended)
    kube.delete(f"{PODS}/{found.pods[0].name}", {"gracePeriodSeconds": 0})
    kube.delete(f"{PODS}/{found.pods[1].name}", {"gracePeriodSeconds": 0})
    next(rounds)
    ended.set()
    assert set(map(str, calls)) <= {need.action for need in keeper.needs()}
