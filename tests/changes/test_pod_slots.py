import pytest

from blackstart.changes.budgets import Budget
from blackstart.changes.pod_deletion import plan_deletion
from blackstart.changes.pod_slots import Slots
from blackstart.changes.pods import Pod, Pods


def pod(name, owner="orders", kind="ReplicaSet"):
    return Pod(name, f"uid-{name}", {"app": owner}, (kind, owner), "", "", "shop")


FOUND = Pods("shop", "shop", "shop", "", tuple(pod(name) for name in "abcd"))


@pytest.fixture
def slots():
    """Two of four pods were taken."""
    return Slots(FOUND, plan_deletion(FOUND, FOUND.pods[:2]))


def test_pods_that_come_back_take_the_slots_of_those_that_were_taken(slots):
    slots.appeared(pod("e"))
    slots.appeared(pod("f"))
    assert [(each.pod.name, each.member) for each in slots.due()] == [("e", "a"), ("f", "b")]


def test_no_pod_is_due_twice(slots):
    slots.appeared(pod("e"))
    assert len(slots.due()) == 1
    slots.appeared(pod("e"))
    assert slots.due() == []


def test_a_slot_is_free_again_when_its_pod_is_gone(slots):
    for name in "ef":
        slots.appeared(pod(name))
    slots.due()
    for gone, name, member in (("f", "g", "b"), ("g", "h", "b"), ("e", "i", "a")):
        slots.went(pod(gone).uid)
        slots.appeared(pod(name))
        assert [(each.pod.name, each.member) for each in slots.due()] == [(name, member)]


def test_what_comes_and_goes_between_two_rounds_is_left_out(slots):
    slots.appeared(pod("e"))
    slots.went(pod("e").uid)
    assert slots.due() == []


def test_pods_that_were_not_chosen_are_left_alone(slots):
    for each in FOUND.pods:
        slots.appeared(each)
    assert slots.due() == []


def test_a_pod_in_nobodys_place_is_left_alone_for_good(slots):
    for name in "efg":
        slots.appeared(pod(name))
    assert [each.pod.name for each in slots.due()] == ["e", "f"]
    slots.went(pod("e").uid)
    slots.appeared(pod("g"))
    assert slots.due() == []


def test_a_pod_of_another_workload_takes_no_slot(slots):
    slots.appeared(pod("w", "web"))
    assert slots.due() == []


def test_what_nothing_would_bring_back_is_left_alone():
    slots = Slots(FOUND, plan_deletion(FOUND, FOUND.pods), everything=True)
    slots.appeared(pod("job", kind="Job"))
    slots.appeared(pod("bare")._replace(owner=None))
    assert slots.due() == []


def test_where_everything_is_meant_what_is_new_counts_for_itself_and_goes_past_its_budget():
    budgets = (Budget("shop", "orders", {"matchLabels": {"app": "orders"}}, 4),)
    slots = Slots(FOUND, plan_deletion(FOUND, FOUND.pods, budgets=budgets), True, budgets)
    for name in "efghi":
        slots.appeared(pod(name))
    due = slots.due()
    assert [each.member for each in due] == ["a", "b", "c", "d", "i"]
    assert [each.past_budget for each in due] == ["", "", "", "", "budget shop/orders"]
    assert slots.found.share(due[-1].pod, "i").total == 5


def test_where_everything_is_meant_a_pod_that_was_there_and_matches_only_now_is_due():
    slots = Slots(FOUND, plan_deletion(FOUND, FOUND.pods[:3]), everything=True)
    slots.appeared(FOUND.pods[3])
    (due,) = slots.due()
    assert due.member == "a"
    assert slots.found.sizes["shop ReplicaSet orders"] == 4


def test_a_pod_that_comes_back_goes_past_the_budget_that_the_one_before_went_past():
    budgets = (Budget("shop", "orders", {}, 1),)
    slots = Slots(FOUND, plan_deletion(FOUND, FOUND.pods[:2], budgets=budgets))
    for name in "ef":
        slots.appeared(pod(name))
    assert [each.past_budget for each in slots.due()] == ["", "budget shop/orders"]
