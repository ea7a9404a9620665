"""Against the lab's Kubernetes API server; the tests play the kubelet, while whoever waits does."""

import threading

import kube_server
import pytest
from kube_server import PODS, names

from blackstart.changes.budgets import Budget, find_budgets
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.pod_deletion import plan_deletion
from blackstart.changes.pod_eviction import PodEviction, plan_eviction
from blackstart.changes.pods import Pod, Pods, find_pods
from blackstart.errors import ApplyFailed, NotYet, Refused
from blackstart.kube.client import KubeRefused
from blackstart.testing import FakeClock

EVICTING = "evicting pods"


class Meanwhile(FakeClock):
    """A clock on which ``act`` happens each time that somebody sleeps."""

    def __init__(self, act):
        super().__init__()
        self._act = act
        self._lock = threading.Lock()
        self.slept = []

    def sleep(self, seconds):
        with self._lock:
            self.slept.append(seconds)
            super().sleep(seconds)
            self._act()


class Answers:
    """Clients of an API that answers every eviction with this."""

    def __init__(self, status, problem):
        self._error = KubeRefused("POST eviction", status, problem)
        self.deleted = []

    def kube(self, context):
        return self

    def post(self, path, body):
        raise self._error

    def delete(self, path, options):
        self.deleted.append(path)


def of(*pods):
    return Pods("shop", "shop", "shop", "", pods)


POD = Pod("a", "uid-a", {"app": "orders"}, ("ReplicaSet", "orders"), "", "", "shop")
BUDGETS = (Budget("shop", "orders", {}, 0),)


@pytest.fixture
def orders(kube):
    with kube_server.orders(kube, 6) as heal:
        yield heal


@pytest.fixture
def found(kube_clients, orders):
    return find_pods(kube_clients, "shop", "shop", "app=orders")


def test_pods_without_a_budget_are_evicted(kube, found, kube_gate, orders, kube_clients):
    changes = plan_eviction(found, found.pods[:3])
    inject(changes, kube_gate(), EVICTING)
    assert not {pod.name for pod in found.pods[:3]} & names(kube)
    assert {each.ending for each in PodEviction().verify(changes, kube_clients).values()} == {Ending.WAITING}
    orders(6)
    assert {each.ending for each in PodEviction().verify(changes, kube_clients).values()} == {Ending.RESTORED}


def test_a_budget_is_never_gone_past_however_many_are_evicted_at_once(kube, found, kube_gate, kube_clients):
    clock = Meanwhile(lambda: kube_server.make_ready(kube))
    with kube_server.budget(kube, minAvailable=5), kube_server.least_ready(kube) as least:
        budgets = find_budgets(kube_clients, "shop", "shop")
        changes = plan_eviction(found, found.pods, patience_seconds=600, budgets=budgets)
        inject(changes, kube_gate(clock, largest_share=1), EVICTING)
        assert not {pod.name for pod in found.pods} & names(kube)
        assert least() == 5


def test_a_deletion_that_asks_no_budget_is_seen_to_go_past_it(kube, found, kube_gate):
    with kube_server.budget(kube, minAvailable=5), kube_server.least_ready(kube) as least:
        inject(plan_deletion(found, found.pods), kube_gate(largest_share=1), "deleting pods")
        assert least() < 5


def test_an_eviction_that_its_budget_refuses_is_tried_again_until_it_lets_the_pod_go(kube, found, kube_gate):
    with kube_server.budget(kube, minAvailable=6) as change:

        def relent():
            if len(clock.slept) == 3:
                change(minAvailable=0)

        clock = Meanwhile(relent)
        inject(plan_eviction(found, found.pods[:1]), kube_gate(clock), EVICTING)
    assert found.pods[0].name not in names(kube)
    assert len(clock.slept) == 3
    assert clock.slept == sorted(clock.slept)


def test_after_its_patience_the_error_names_the_budget_and_nothing_was_evicted(kube, found, kube_gate):
    before = names(kube)
    with kube_server.budget(kube, minAvailable=6):
        changes = plan_eviction(found, found.pods[:1], patience_seconds=5)
        with pytest.raises(ApplyFailed, match=r"pod shop/\S+ is still protected by budget shop/orders"):
            inject(changes, kube_gate(), EVICTING)
    assert names(kube) == before


def test_past_its_budget_a_pod_is_deleted_if_the_scope_says_so(kube, found, kube_gate, kube_clients):
    with kube_server.budget(kube, minAvailable=6):
        budgets = find_budgets(kube_clients, "shop", "shop")
        changes = plan_eviction(found, found.pods[:1], budgets=budgets, past_budgets=True)
        with pytest.raises(Refused, match="would go past budget shop/orders"):
            inject(changes, kube_gate(), EVICTING)
        inject(changes, kube_gate(past_budgets=True), EVICTING)
    assert found.pods[0].name not in names(kube)


def test_two_budgets_are_refused_where_they_are_known_and_where_the_api_says_so(kube, found, kube_clients):
    with kube_server.budget(kube, minAvailable=0), kube_server.budget(kube, "more", minAvailable=0):
        budgets = find_budgets(kube_clients, "shop", "shop")
        with pytest.raises(Refused, match="budget shop/more and budget shop/orders cover it"):
            plan_eviction(found, found.pods[:1], budgets=budgets)
        with pytest.raises(Refused, match=r"not evicting pod shop/\S+: several disruption budgets cover it"):
            PodEviction().apply(plan_eviction(found, found.pods[:1]), kube_clients)


def test_pods_that_vanished_or_have_a_namesake_do_not_keep_the_others_alive(kube, found, kube_gate):
    gone, other = found.pods[0], found.pods[1]._replace(uid="00000000-0000-0000-0000-000000000000")
    kube.delete(f"{PODS}/{gone.name}", {"gracePeriodSeconds": 0})
    inject(plan_eviction(found, [gone, other, found.pods[2]]), kube_gate(), EVICTING)
    assert found.pods[2].name not in names(kube)
    assert other.name in names(kube)


@pytest.mark.parametrize(
    ("status", "problem", "error"),
    [
        (429, "too many requests, please try again later", KubeRefused),
        (500, "etcd is slow", KubeRefused),
        (429, "Cannot evict pod as it would violate the pod's disruption budget.", NotYet),
    ],
)
def test_what_is_no_budgets_doing_is_told_from_what_is(status, problem, error):
    (change,) = plan_eviction(of(POD), [POD], budgets=BUDGETS)
    with pytest.raises(error):
        PodEviction().apply([change], Answers(status, problem))


def test_the_budget_that_is_named_is_the_one_that_the_api_names():
    refusal = "Cannot evict pod as it would violate the pod's disruption budget."
    (change,) = plan_eviction(of(POD), [POD], patience_seconds=7, budgets=BUDGETS)
    for said, name in (("", "orders"), (" The disruption budget late needs 2 healthy pods", "late")):
        with pytest.raises(NotYet, match=f"pod shop/a is still protected by budget shop/{name}") as caught:
            PodEviction().apply([change], Answers(429, refusal + said))
        assert caught.value.patience_seconds == 7


def test_a_pod_that_nothing_would_bring_back_is_not_evicted():
    with pytest.raises(Refused, match="not evicting pod shop/a: no controller owns it"):
        plan_eviction(of(POD), [POD._replace(owner=None)])
