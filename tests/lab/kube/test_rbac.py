"""A group that has a Role and a ClusterRole, against the server over HTTP."""

import pytest

PODS, NODES = "/api/v1/namespaces/shop/pods", "/api/v1/nodes"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ME = {"Authorization": "Bearer group:drills"}


def rule(resources, verbs, group="", names=()):
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **({"resourceNames": names} if names else {})}


@pytest.fixture
def grant(api):
    """Makes a Role in the namespace shop, or a ClusterRole, and binds the group drills to it."""

    def granted(rules, kind="Role"):
        at = f"{RBAC}/namespaces/shop/roles" if kind == "Role" else f"{RBAC}/clusterroles"
        api.post(at, {"metadata": {"name": "drills"}, "rules": rules})
        subjects = [{"kind": "Group", "name": "drills", "apiGroup": "rbac.authorization.k8s.io"}]
        role = {"kind": kind, "name": "drills", "apiGroup": "rbac.authorization.k8s.io"}
        body = {"metadata": {"name": "drills"}, "roleRef": role, "subjects": subjects}
        api.post(at.replace("roles", "rolebindings"), body)

    return granted


def code(api, method, path, **headers):
    return api.call(method, path, **(headers or ME))[0]


def test_without_a_role_a_group_may_do_nothing(api, grant):
    seen, status = api.call("GET", PODS, **ME)
    assert (seen, status["reason"]) == (403, "Forbidden")
    assert 'cannot list resource "pods" in API group "" in the namespace "shop"' in status["message"]


def test_who_brings_no_such_token_is_the_administrator(api, grant):
    assert api.call("GET", PODS)[0] == 200
    assert code(api, "GET", PODS, Authorization="Bearer something") == 200


def test_a_role_allows_its_verbs_in_its_namespace_only(api, grant):
    grant([rule(["pods"], ["list", "get"])])
    assert code(api, "GET", PODS) == 200
    assert code(api, "GET", f"{PODS}/absent") == 404
    assert code(api, "DELETE", f"{PODS}/absent") == 403
    assert code(api, "DELETE", PODS) == 403
    assert code(api, "POST", f"{PODS}/absent/eviction") == 403
    assert code(api, "GET", "/api/v1/namespaces/default/pods") == 403
    assert code(api, "GET", "/api/v1/pods") == 403
    assert code(api, "GET", NODES) == 403


def test_a_cluster_role_allows_everywhere(api, grant):
    grant([rule(["pods"], ["list"]), rule(["nodes"], ["list"])], "ClusterRole")
    assert {code(api, "GET", path) for path in (PODS, NODES, "/api/v1/pods")} == {200}


def test_a_rule_with_names_allows_these_only(api, grant):
    grant([rule(["namespaces"], ["get"], names=["kube-system"])], "ClusterRole")
    assert code(api, "GET", "/api/v1/namespaces/kube-system") == 200
    assert code(api, "GET", "/api/v1/namespaces/shop") == 403
    assert code(api, "GET", "/api/v1/namespaces") == 403


def test_a_rule_is_for_its_api_group(api, grant):
    grant([rule(["deployments"], ["list"], group="extensions")])
    assert code(api, "GET", "/apis/apps/v1/namespaces/shop/deployments") == 403
