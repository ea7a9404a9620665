"""Against the lab's Kubernetes API server; a small HTTP server plays the kubelet that runs commands."""

from dataclasses import replace

import kube_server
import pytest
from exec_kubelet import started
from kube_server import PODS

from blackstart.changes.budgets import Budget
from blackstart.changes.clients import Clients
from blackstart.changes.container_kill import COMMAND, Container, ContainerKill, Containers, find_containers, plan_kills
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.pods import Pod, Pods
from blackstart.errors import Refused

KILLING = "killing containers"


@pytest.fixture
def orders(kube):
    """A deployment of four ready pods whose containers run."""
    with kube_server.orders(kube):
        for name in kube_server.names(kube):
            started(kube, name)
        yield


@pytest.fixture
def found(kube_clients, orders):
    return find_containers(kube_clients, "shop", "shop", "app=orders")


def test_the_running_containers_of_a_selection_are_found(kube, kube_clients, found):
    assert len(found.pods) == 4
    assert {(each.name, each.restarts, each.policy) for each in found.running.values()} == {("orders", 0, "Always")}
    assert find_containers(kube_clients, "shop", "shop", "app=orders", "proxy").pods == []
    stopped = found.pods[0].name
    kube.patch(f"{PODS}/{stopped}/status", {"status": {"containerStatuses": [{"name": "orders", "state": {}}]}})
    assert stopped not in {pod.name for pod in find_containers(kube_clients, "shop", "shop", "app=orders").pods}


def test_the_command_is_run_in_the_container_of_each_pod(kube_clients, found, kubelet, kube_gate):
    changes = plan_kills(found, found.pods[:2])
    inject(changes, kube_gate(), KILLING)
    places = {f"/exec/shop/{pod.name}/orders" for pod in found.pods[:2]}
    assert {place for place, _ in kubelet.ran} == places
    assert [command for _, command in kubelet.ran] == [list(COMMAND)] * 2


def test_it_is_healed_when_the_container_runs_again_and_is_ready(kube, kube_clients, found, kubelet):
    (change,), kind = plan_kills(found, found.pods[:1]), ContainerKill()
    name = found.pods[0].name

    def look():
        return kind.look([change], kube_clients)[change.id]

    kind.apply([change], kube_clients)
    assert look().ending is Ending.UNTOUCHED
    started(kube, name, restarts=1, ready=False)
    assert look().ending is Ending.WAITING
    assert look().note == f"container orders of pod {name} is not ready again"
    started(kube, name, restarts=1)
    assert look().ending is Ending.RESTORED


def test_a_container_that_has_been_started_again_is_not_killed_again(kube, kube_clients, found, kubelet):
    (change,) = plan_kills(found, found.pods[:1])
    ContainerKill().apply([change], kube_clients)
    started(kube, found.pods[0].name, restarts=1)
    ContainerKill().apply([change], kube_clients)
    assert len(kubelet.ran) == 1


def test_a_pod_that_vanished_is_no_error_and_its_controller_replaces_it(kube, kube_clients, found, kubelet):
    changes = plan_kills(found, found.pods[:2])
    kube.delete(f"{PODS}/{found.pods[0].name}", {"gracePeriodSeconds": 0})
    ContainerKill().apply(changes, kube_clients)
    assert len(kubelet.ran) == 1
    assert ContainerKill().look(changes, kube_clients)[changes[0].id].ending is Ending.RESTORED
    alone = replace(changes[0], before={**changes[0].before, "owned": False})
    assert ContainerKill().look([alone], kube_clients)[alone.id].ending is Ending.CONFLICT


def test_many_are_looked_at_with_one_list(kube_environ, found):
    calls = []
    clients = Clients(environ=kube_environ, record=calls.append)
    changes = plan_kills(found, found.pods * 3)
    outcomes = ContainerKill().look(changes, clients)
    assert {outcome.ending for outcome in outcomes.values()} == {Ending.UNTOUCHED}
    assert [str(call) for call in calls] == ["kubernetes:list pods"]
    clients.close()


@pytest.mark.parametrize("code", [0, 137, 143])
def test_a_command_may_die_with_its_container(kube_clients, found, kubelet, code):
    kubelet.code = code
    ContainerKill().apply(plan_kills(found, found.pods[:1]), kube_clients)
    assert len(kubelet.ran) == 1


def test_a_command_that_fails_is_told_in_one_sentence(kube_clients, found, kubelet):
    kubelet.code, kubelet.errors = 127, "sh: kill:\n not found"
    expected = r"not killing container orders of pod shop/\S+: `kill -TERM 1` ended with 127 \(sh: kill: not found\)"
    with pytest.raises(Refused, match=expected):
        ContainerKill().apply(plan_kills(found, found.pods[:1]), kube_clients)


def test_who_may_not_run_commands_is_told_so(kube, kube_environ, found, kubelet, tmp_path):
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    kube.post(f"{rbac}/roles", {"metadata": {"name": "reader"}, "rules": rules})
    binding = {"metadata": {"name": "reader"}, "roleRef": role, "subjects": [{"kind": "Group", "name": "readers"}]}
    kube.post(f"{rbac}/rolebindings", binding)
    clients = Clients(environ=kube_server.as_member(kube_environ, tmp_path, "readers"))
    with pytest.raises(Refused, match=r"not killing container orders of pod shop/\S+: commands may not be run in it"):
        ContainerKill().apply(plan_kills(found, found.pods[:1]), clients)
    assert kubelet.ran == []
    clients.close()
    for plural in ("rolebindings", "roles"):
        kube.delete(f"{rbac}/{plural}/reader")


def test_of_several_containers_the_default_one_is_meant(kube, kube_clients):
    spec = {"containers": [{"name": name, "image": "i"} for name in ("proxy", "app")], "nodeName": "node-a"}
    kube.post(PODS, {"metadata": {"name": "two", "labels": {"app": "two"}}, "spec": spec})
    started(kube, "two", container="app")
    with pytest.raises(Refused, match=r"a container of pod shop/two: it has proxy, app; say which one is meant"):
        find_containers(kube_clients, "shop", "shop", "app=two")
    assert len(find_containers(kube_clients, "shop", "shop", "app=two", "app").pods) == 1
    kube.patch(f"{PODS}/two", {"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "app"}}})
    (container,) = find_containers(kube_clients, "shop", "shop", "app=two").running.values()
    assert container.name == "app"
    kube.delete(f"{PODS}/two", {"gracePeriodSeconds": 0})


def of_one(policy="Always"):
    pod = Pod("a", "uid-a", {"app": "orders"}, None, "", "", "shop")
    running = {"uid-a": Container("orders", "lab://1", 0, policy)}
    return Containers(Pods("shop", "shop", "shop", "", (pod,)), running)


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_a_container_that_nothing_would_start_again_is_refused(policy):
    with pytest.raises(Refused, match=f"container orders of pod shop/a: the restart policy of its pod is {policy}"):
        plan_kills(of_one(policy), of_one(policy).pods)


def test_a_kill_that_goes_past_a_budget_is_marked():
    (change,) = plan_kills(of_one(), of_one().pods, budgets=[Budget("shop", "orders", {}, 0)])
    assert change.past_budget == "budget shop/orders"
