"""Eviction: a deletion that a disruption budget may refuse."""

import bodies
import pytest


def evict(api, space, name, **more):
    """The answer to an eviction of the pod ``name``; ``more`` goes into its deleteOptions."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space.name}}
    return api.call("POST", f"{space.pods(name)}/eviction", body | ({"deleteOptions": more} if more else {}))


def settled(api, path, controllers, healthy, desired):
    """Wait until the status of the budget of two pods says so; where nobody writes it, write it."""
    status = {"currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": 2}
    status |= {"disruptionsAllowed": max(0, healthy - desired)}
    found = api.get(path)
    if not controllers:
        status["observedGeneration"] = found["metadata"]["generation"]
        return api.put(f"{path}/status", found | {"status": status})

    def says_so(budget):
        seen = budget.get("status") or {}
        up_to_date = seen.get("observedGeneration") == budget["metadata"]["generation"]
        return up_to_date and all(seen.get(field) == value for field, value in status.items())

    assert api.until(path, says_so), api.get(path)
    return found


@pytest.fixture
def two(api, space, controllers):
    """Two running pods of the app ``web`` whose budget lets ``allowed`` of them go."""

    def made(allowed, ready=True):
        for name in "ab":
            space.running(name, {"app": "web"}, ready)
        budgets = space.path("poddisruptionbudgets", group="policy/v1")
        api.create(budgets, bodies.budget("web", "web", minAvailable=2 - allowed))
        settled(api, f"{budgets}/web", controllers, 2 if ready else 0, 2 - allowed)

    return made


def test_a_pod_without_a_budget_goes(api, space):
    space.running("a")
    answer = evict(api, space, "a")
    assert (answer.code, answer.body["kind"], answer.body["status"]) == (201, "Status", "Success")
    assert not api.exists(space.pods("a"))


def test_a_budget_lets_as_many_go_as_it_says(api, space, two):
    two(allowed=1)
    assert evict(api, space, "a").code == 201
    refused = evict(api, space, "b")
    assert (refused.code, refused.body["reason"]) == (429, "TooManyRequests")
    assert api.exists(space.pods("b"))


def test_a_budget_that_refuses_says_so(api, space, two):
    two(allowed=0)
    status = evict(api, space, "a").body
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 429, "TooManyRequests")
    assert "disruption budget" in status["message"]
    cause = status["details"]["causes"][0]
    assert cause["reason"] == "DisruptionBudget"
    assert "web" in cause["message"]
    assert "needs 2 healthy pods and has 2 currently" in cause["message"]


def test_a_deletion_does_not_ask_the_budget(api, space, two):
    two(allowed=0)
    api.delete(space.pods("a"))
    assert not api.exists(space.pods("a"))


def test_a_pod_that_is_not_ready_goes_only_while_enough_others_are_healthy(api, space, two):
    two(allowed=0, ready=False)
    assert evict(api, space, "a").code == 429


def test_a_pod_that_has_not_begun_or_has_ended_may_always_go(api, space, two):
    two(allowed=0)
    api.create(space.pods(), bodies.pod("pending", {"app": "web"}))
    assert evict(api, space, "pending").code == 201
    api.patch(f"{space.pods('a')}/status", {"status": {"phase": "Succeeded"}})
    assert evict(api, space, "a").code == 201


def test_two_budgets_of_one_pod_are_refused(api, space, two):
    two(allowed=2)
    budgets = space.path("poddisruptionbudgets", group="policy/v1")
    api.create(budgets, bodies.budget("second", "web", minAvailable=0))
    answer = evict(api, space, "a")
    assert (answer.code, answer.body["kind"]) == (500, "Status")
    assert "more than one PodDisruptionBudget" in answer.body["message"]
    assert api.exists(space.pods("a"))


def test_a_dry_run_asks_the_budget_and_does_nothing(api, space, two):
    two(allowed=1)
    assert evict(api, space, "a", dryRun=["All"]).code == 201
    assert "deletionTimestamp" not in api.get(space.pods("a"))["metadata"]
    assert evict(api, space, "b").code == 201


def test_an_eviction_of_something_else_is_refused(api, space):
    made = space.running("a")
    answer = evict(api, space, "a", preconditions={"uid": "11111111-2222-3333-4444-555555555555"})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert evict(api, space, "a", preconditions={"uid": made["metadata"]["uid"]}).code == 201


def test_what_is_not_there_is_not_evicted(api, space):
    answer = evict(api, space, "absent")
    assert (answer.code, answer.body["reason"], answer.body["details"]["name"]) == (404, "NotFound", "absent")


def test_an_evicted_pod_is_given_its_grace(api, space):
    api.create(space.pods(), bodies.pod("a", nodeName="conformance-nowhere", terminationGracePeriodSeconds=30))
    assert evict(api, space, "a", gracePeriodSeconds=7).code == 201
    assert api.get(space.pods("a"))["metadata"]["deletionGracePeriodSeconds"] == 7
    api.delete(space.pods("a"), {"gracePeriodSeconds": 0})


def test_a_budget_is_either_of_pods_kept_or_of_pods_missing(api, space):
    budgets = space.path("poddisruptionbudgets", group="policy/v1")
    both = bodies.budget("web", "web", minAvailable=1, maxUnavailable=1)
    api.refused(422, "Invalid", "POST", budgets, both)
    made = api.create(budgets, bodies.budget("web", "web", maxUnavailable="50%"))
    assert made["metadata"]["generation"] == 1
    changed = api.patch(f"{budgets}/web", {"spec": {"maxUnavailable": 0}})
    assert (changed["spec"]["maxUnavailable"], changed["metadata"]["generation"]) == (0, 2)
