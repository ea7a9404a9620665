"""What the server answers to requests that clients get wrong, and to those that ask what there is."""

import pytest

MAPS = "/api/v1/namespaces/shop/configmaps"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
def test_health_is_plain(api, path):
    answer = api._pool.request("GET", api.url + path)
    assert (answer.status, answer.data) == (200, b"ok")


@pytest.mark.parametrize(
    ("method", "path", "code", "reason"),
    [
        ("GET", "/api/v1/nonsense", 404, "NotFound"),
        ("GET", "/apis/apps/v9/deployments", 404, "NotFound"),
        ("GET", "/nowhere", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/shop/nodes", 404, "NotFound"),
        ("GET", "/api/v1/pods/one", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/shop/pods/one/two/three", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/shop/configmaps/a/status", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/shop/pods/one", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/shop/pods/one/log", 501, "NotImplemented"),
        ("POST", "/api/v1/pods", 405, "MethodNotAllowed"),
        ("PUT", MAPS, 405, "MethodNotAllowed"),
        ("PATCH", MAPS, 405, "MethodNotAllowed"),
        ("POST", f"{MAPS}/a", 405, "MethodNotAllowed"),
        ("PURGE", MAPS, 405, "MethodNotAllowed"),
        ("DELETE", f"{MAPS}/absent", 404, "NotFound"),
    ],
)
def test_a_wrong_path_or_method_gets_a_status(api, method, path, code, reason):
    seen, status = api.call(method, path)
    assert (seen, status["kind"], status["reason"], status["code"]) == (code, "Status", reason, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=many", 400),
        ("continue=rubbish", 400),
        ("labelSelector=a%20in", 400),
        ("fieldSelector=data%3Dx", 400),
    ],
)
def test_a_wrong_query_gets_a_status(api, query, code):
    assert api.call("GET", f"{MAPS}?{query}")[0] == code


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("dryRun=Some", None),
        ("propagationPolicy=Later", None),
        ("gracePeriodSeconds=-1", None),
        ("", {"gracePeriodSeconds": "soon"}),
    ],
)
def test_wrong_delete_options_delete_nothing(api, query, body):
    api.post(MAPS, {"metadata": {"name": "a"}})
    assert api.call("DELETE", f"{MAPS}/a?{query}", body)[0] == 400
    api.get(f"{MAPS}/a")


def test_a_body_that_is_no_json_is_a_bad_request(api):
    assert api.call("POST", MAPS, b"{")[0] == 400
    assert api.call("POST", MAPS, b"k8s\x00\xff\xff", "application/vnd.kubernetes.protobuf")[0] == 400
    assert api.call("POST", MAPS, b"{}" + b" " * 3_000_000)[0] == 413


def test_a_body_may_be_yaml(api):
    code, _ = api.call("POST", MAPS, b"metadata: {name: a}\ndata: {b: c}", "application/yaml")
    assert code == 201
    assert api.get(f"{MAPS}/a")["data"] == {"b": "c"}


def test_null_means_not_given(api):
    body = {"metadata": {"name": "a", "namespace": None, "labels": None}, "data": {"b": "c", "d": None}}
    assert api.post(MAPS, body)["data"] == {"b": "c"}


def test_custom_objects_take_no_strategic_patch(api):
    versions = [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "subresources": {"scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
        }
    ]
    spec = {"group": "g.example", "scope": "Cluster", "names": {"plural": "ds", "kind": "D"}, "versions": versions}
    api.post(CRDS, {"metadata": {"name": "ds.g.example"}, "spec": spec})
    api.until("/apis/g.example/v1", lambda found: found.get("kind") == "APIResourceList")
    said = {"apiVersion": "g.example/v1", "kind": "D", "metadata": {"name": "one"}}
    api.post("/apis/g.example/v1/ds", said | {"spec": {"size": 2}})
    code, status = api.call("PATCH", "/apis/g.example/v1/ds/one", {}, "application/strategic-merge-patch+json")
    assert (code, status["reason"]) == (415, "UnsupportedMediaType")
    api.call("PATCH", "/apis/g.example/v1/ds/one/scale", {"spec": {"replicas": 5}}, MERGE)
    assert api.get("/apis/g.example/v1/ds/one")["spec"] == {"size": 5}
    assert api.get("/apis/g.example/v1/ds/one/scale")["spec"] == {"replicas": 5}


def test_a_pod_is_bound_by_hand_only_once(api, pod):
    api.post("/api/v1/namespaces/shop/pods", pod("p", schedulerName="mine"))
    path = "/api/v1/namespaces/shop/pods/p/binding"
    assert api.call("POST", path, {"target": {}})[0] == 400
    api.post(path, {"target": {"kind": "Node", "name": "n"}})
    assert api.call("POST", path, {"target": {"kind": "Node", "name": "m"}})[0] == 409


def test_a_namespace_can_be_let_go_by_hand(api):
    api.post("/api/v1/namespaces", {"metadata": {"name": "stuck"}})
    held = {"metadata": {"name": "c", "finalizers": ["x/held"]}}
    api.post("/api/v1/namespaces/stuck/configmaps", held)
    api.call("DELETE", "/api/v1/namespaces/stuck")
    assert api.get("/api/v1/namespaces/stuck")["status"]["phase"] == "Terminating"
    assert api.call("PUT", "/api/v1/namespaces/stuck/finalize", {"spec": {"finalizers": []}})[0] == 200
    assert api.call("GET", "/api/v1/namespaces/stuck")[0] == 404


def test_openapi_lets_kubectl_leave_validation_to_the_server(api):
    document = api.get(api.get("/openapi/v3")["paths"]["apis/apps/v1"]["serverRelativeURL"])
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}
