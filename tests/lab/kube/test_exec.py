"""Which commands in pods are refused, before anything runs; the rest is in ``test_kubelet``."""

import pytest

from blackstart.lab.kube.exec import status

PODS = "/api/v1/namespaces/shop/pods"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
}


@pytest.fixture
def at_node(api, pod, make_node):
    """A pod on a node whose kubelet nobody knows."""
    api.post("/api/v1/nodes", make_node("a"))
    api.post(PODS, pod("one", nodeName="a"))
    return api


def refused(api, query, name="one", **changed):
    headers = {key: value for key, value in (UPGRADE | changed).items() if value}
    code, found = api.call("GET", f"{PODS}/{name}/exec?{query}", **headers)
    assert code == found["code"], found
    return code, found["message"]


def test_what_cannot_be_run_is_refused_in_words(at_node):
    command = "command=kill&command=1"
    assert refused(at_node, command, name="two")[0] == 404
    assert refused(at_node, "stdout=1") == (400, "you must specify at least 1 command for the container")
    assert refused(at_node, f"{command}&container=web") == (400, "container web is not valid for pod one")
    assert refused(at_node, command, Upgrade="") == (400, "Upgrade request required")
    assert refused(at_node, command, **{"Sec-WebSocket-Protocol": "channel.k8s.io"})[0] == 400
    code, message = refused(at_node, command)
    assert (code, "error dialing backend: no kubelet is known for node a" in message) == (500, True)


def test_a_pod_without_a_node_runs_nothing(api, pod):
    api.post(PODS, pod("one"))
    assert refused(api, "command=kill") == (400, "pod one does not have a host assigned")


def test_of_several_containers_one_must_be_named(api, pod):
    two = pod("one")
    two["spec"]["containers"].append({"name": "side", "image": "side:1"})
    api.post(PODS, two)
    code, message = refused(api, "command=kill")
    assert (code, message) == (400, "a container name must be specified for pod one, choose one of: [app side]")


@pytest.mark.parametrize(("verbs", "code"), [(["get"], 403), (["create"], 403), (["get", "create"], 500)])
def test_it_takes_the_right_to_create_and_to_get(at_node, verbs, code):
    rules = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}]
    at = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop"
    at_node.post(f"{at}/roles", {"metadata": {"name": "drills"}, "rules": rules})
    role = {"kind": "Role", "name": "drills", "apiGroup": "rbac.authorization.k8s.io"}
    subjects = [{"kind": "Group", "name": "drills"}]
    at_node.post(f"{at}/rolebindings", {"metadata": {"name": "drills"}, "roleRef": role, "subjects": subjects})
    assert refused(at_node, "command=kill", Authorization="Bearer group:drills")[0] == code


def test_the_end_of_a_command_is_told_as_a_status():
    assert status(0)["status"] == "Success"
    failed = status(127)
    assert (failed["reason"], failed["details"]["causes"]) == (
        "NonZeroExitCode",
        [{"reason": "ExitCode", "message": "127"}],
    )
