import kube_server
import pytest

from blackstart.changes.budgets import Budget, covering, find_budgets, read_budget, selects, within
from blackstart.changes.gate import inject
from blackstart.changes.pod_deletion import plan_deletion
from blackstart.changes.pods import Pod, find_pods
from blackstart.errors import Refused


def pod(name, app="orders", namespace="shop"):
    return Pod(name, f"uid-{name}", {"app": app}, ("ReplicaSet", app), "", "", namespace)


def budget(name="orders", allowed=1, selector=None, namespace="shop"):
    return Budget(namespace, name, {"matchLabels": {"app": "orders"}} if selector is None else selector, allowed)


def rule(operator, *values, key="app"):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "does"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "orders"}}, True),
        ({"matchLabels": {"app": "orders", "tier": "web"}}, False),
        (rule("In", "orders", "db"), True),
        (rule("In", "db"), False),
        (rule("NotIn", "db"), True),
        (rule("NotIn", "orders"), False),
        (rule("NotIn", "web", key="tier"), True),
        (rule("In", "", key="tier"), False),
        (rule("Exists"), True),
        (rule("Exists", key="tier"), False),
        (rule("DoesNotExist"), False),
        (rule("DoesNotExist", key="tier"), True),
        ({"matchLabels": {"app": "orders"}, **rule("In", "db")}, False),
    ],
)
def test_a_budget_covers_the_pods_that_its_selector_selects(selector, does):
    assert selects(selector, {"app": "orders"}) is does


def test_a_budget_covers_pods_of_its_own_namespace():
    assert covering([budget()], pod("a"))
    assert not covering([budget()], pod("a", namespace="other"))


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        ({"observedGeneration": 2, "disruptionsAllowed": 3}, 3),
        ({"observedGeneration": 1, "disruptionsAllowed": 3}, 0),
        ({"disruptionsAllowed": 3}, 0),
        ({}, 0),
        (None, 0),
    ],
)
def test_a_budget_whose_status_is_not_current_lets_nothing_go(status, allowed):
    item = {"metadata": {"namespace": "shop", "name": "orders", "generation": 2}, "spec": {}, "status": status}
    assert read_budget(item).allowed == allowed


def test_deletions_beyond_what_a_budget_lets_go_are_marked():
    chosen = within([budget(allowed=2)], [pod("a"), pod("x", app="web"), pod("b"), pod("c")])
    assert [each.past_budget for each in chosen] == ["", "", "", "budget shop/orders"]
    assert [each.member for each in chosen] == ["a", "x", "b", "c"]


def test_a_pod_with_two_budgets_needs_room_in_both():
    chosen = within([budget(allowed=2), budget("all", 1, {})], [pod("a"), pod("b")])
    assert [each.past_budget for each in chosen] == ["", "budget shop/all"]


def test_a_pod_that_goes_past_one_budget_takes_nothing_from_another():
    chosen = within([budget("none", 0, rule("In", "web")), budget("all", 1, {})], [pod("a", app="web"), pod("b")])
    assert [each.past_budget for each in chosen] == ["budget shop/none", ""]


def test_the_gate_lets_deletions_keep_to_a_budget_but_not_go_past_it_unless_the_scope_says_so(
    kube, kube_clients, kube_gate
):
    with kube_server.orders(kube) as heal, kube_server.budget(kube, minAvailable=3):
        found = find_pods(kube_clients, "shop", "shop", "app=orders")
        budgets = find_budgets(kube_clients, "shop", "shop")
        assert [(str(each), each.allowed) for each in budgets] == [("budget shop/orders", 1)]
        changes = plan_deletion(found, found.pods[:2], budgets=budgets)
        with pytest.raises(Refused, match="1 of the changes would go past budget shop/orders"):
            inject(changes, kube_gate(), "deleting pods")
        assert len(kube_server.names(kube)) == 4
        inject(plan_deletion(found, found.pods[:1], budgets=budgets), kube_gate(), "deleting pods")
        heal(4)
        inject(changes[1:], kube_gate(past_budgets=True), "deleting pods")


def test_the_budgets_of_all_namespaces_are_found(kube, kube_clients):
    with kube_server.budget(kube, minAvailable=1):
        assert [str(each) for each in find_budgets(kube_clients, "shop", "")] == ["budget shop/orders"]
