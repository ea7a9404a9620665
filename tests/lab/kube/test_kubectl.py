"""The lab's API server under the real kubectl, unchanged."""

import json

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, labels: {app: orders}}
spec:
  replicas: 3
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec: {containers: [{name: app, image: "orders:1", env: [{name: A, value: "1"}]}]}
"""


def names(api, kind="pods"):
    return [item["metadata"]["name"] for item in api.get(f"/api/v1/namespaces/shop/{kind}")["items"]]


def pods_of(api, count):
    return api.until("/api/v1/namespaces/shop/pods", lambda found: len(found["items"]) == count)["items"]


def test_kubectl_applies_a_file_and_then_only_what_changed_in_it(api, kubectl):
    assert "created" in kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=MANIFEST)
    changed = MANIFEST.replace('env: [{name: A, value: "1"}]', "command: [serve]").replace("replicas: 3", "replicas: 2")
    assert "configured" in kubectl("apply", "-f", "-", stdin=changed)
    spec = api.get("/apis/apps/v1/namespaces/shop/deployments/orders")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert spec["replicas"] == 2
    assert container["command"] == ["serve"]
    assert "env" not in container


def test_kubectl_prints_the_columns_that_people_know(api, kubectl, make_node):
    api.post("/api/v1/nodes", make_node("node-a"))
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    pods_of(api, 3)
    head, *rows = kubectl("get", "pods", "-o", "wide").splitlines()
    assert head.split()[:6] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    assert len(rows) == 3
    assert all("0/1" in row and "Pending" in row for row in rows)
    assert "Ready" in kubectl("get", "nodes")
    assert "0/3" in kubectl("get", "deploy", "orders")
    assert "ScalingReplicaSet" in kubectl("get", "events")
    assert "No resources found" not in kubectl("get", "all")
    assert "us-east-1a" in kubectl("get", "nodes", "-L", "topology.kubernetes.io/zone")


def test_kubectl_describes_with_events(api, kubectl):
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    pods_of(api, 3)
    told = kubectl("describe", "deployment", "orders")
    assert "3 desired" in told
    assert "Scaled up replica set" in told


def test_kubectl_creates_what_it_sends_as_protobuf(api, kubectl):
    assert "created" in kubectl("create", "deployment", "web", "--image=web:1", "--replicas=2", "--port=80")
    assert "created" in kubectl("create", "configmap", "settings", "--from-literal=a=b")
    assert "created" in kubectl("create", "secret", "generic", "keys", "--from-literal=a=b")
    assert "created" in kubectl("create", "pdb", "web", "--selector=app=web", "--min-available=1")
    web = api.get("/apis/apps/v1/namespaces/shop/deployments/web")
    assert web["spec"]["replicas"] == 2
    assert web["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] == 80
    assert api.get("/api/v1/namespaces/shop/configmaps/settings")["data"] == {"a": "b"}
    assert api.get("/api/v1/namespaces/shop/secrets/keys")["data"] == {"a": "Yg=="}
    assert api.get("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web")["spec"]["minAvailable"] == 1


def test_kubectl_scales_labels_annotates_and_patches(api, kubectl):
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    kubectl("scale", "deployment", "orders", "--replicas=5", "--current-replicas=3")
    kubectl("label", "deployment", "orders", "blackstart=allowed")
    kubectl("annotate", "deployment", "orders", "note=x")
    kubectl("patch", "deployment", "orders", "--type=json", "-p", '[{"op":"remove","path":"/metadata/labels/app"}]')
    kubectl("patch", "deployment", "orders", "--type=merge", "-p", '{"spec":{"minReadySeconds":1}}')
    found = api.get("/apis/apps/v1/namespaces/shop/deployments/orders")
    assert found["metadata"]["labels"] == {"blackstart": "allowed"}
    assert found["metadata"]["annotations"]["note"] == "x"
    assert found["spec"]["replicas"] == 5
    assert found["spec"]["minReadySeconds"] == 1


def test_kubectl_drains_a_node_and_lets_it_back(api, kubectl, make_node):
    api.post("/api/v1/nodes", make_node("node-a"))
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    api.until("/api/v1/namespaces/shop/pods?fieldSelector=spec.nodeName%3Dnode-a", lambda f: len(f["items"]) == 3)
    kubectl("drain", "node-a", "--grace-period=0", "--timeout=20s")
    node = api.get("/api/v1/nodes/node-a")
    assert node["spec"]["unschedulable"] is True
    assert not api.get("/api/v1/namespaces/shop/pods?fieldSelector=spec.nodeName%3Dnode-a")["items"]
    assert "SchedulingDisabled" in kubectl("get", "node", "node-a")
    kubectl("uncordon", "node-a")
    api.until("/api/v1/namespaces/shop/pods?fieldSelector=spec.nodeName%3Dnode-a", lambda f: len(f["items"]) == 3)


def test_kubectl_waits_for_a_roll_out_and_takes_it_back(api, kubectl):
    kubectl("apply", "-f", "-", stdin=MANIFEST.replace("replicas: 3", "replicas: 0"))
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/orders", "--timeout=10s")
    kubectl("set", "image", "deployment/orders", "app=orders:2")
    kubectl("rollout", "status", "deployment/orders", "--timeout=10s")
    kubectl("rollout", "undo", "deployment/orders")
    kubectl("rollout", "restart", "deployment/orders")
    kubectl("rollout", "status", "deployment/orders", "--timeout=10s")
    spec = api.get("/apis/apps/v1/namespaces/shop/deployments/orders")["spec"]
    assert spec["template"]["spec"]["containers"][0]["image"] == "orders:1"
    assert "kubectl.kubernetes.io/restartedAt" in spec["template"]["metadata"]["annotations"]


def test_kubectl_deletes_and_waits_until_it_is_gone(api, kubectl):
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    pods_of(api, 3)
    kubectl("delete", "deployment", "orders", "--cascade=foreground", "--timeout=10s")
    assert not names(api)
    kubectl("run", "solo", "--image=a")
    kubectl("delete", "pod", "solo", "--now", "--timeout=10s")
    kubectl("delete", "namespace", "shop", "--timeout=10s")
    assert "not found" in kubectl("get", "namespace", "shop", fails=True)


def test_kubectl_lists_resources(kubectl):
    assert "deployments" in kubectl("api-resources", "--api-group=apps", "-o", "name")
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["major"] == "1"


def test_kubectl_works_with_a_custom_resource(kubectl):
    definition = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: drills.game.example}
spec:
  group: game.example
  scope: Namespaced
  names: {plural: drills, kind: Drill, shortNames: [dr]}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    additionalPrinterColumns: [{name: Zone, type: string, jsonPath: .spec.zone}]
"""
    kubectl("apply", "-f", "-", stdin=definition)
    kubectl("wait", "--for=condition=Established", "crd/drills.game.example", "--timeout=10s")
    drill = "apiVersion: game.example/v1\nkind: Drill\nmetadata: {name: one}\nspec: {zone: a}"
    kubectl("apply", "-f", "-", stdin=drill)
    kubectl("apply", "-f", "-", stdin=drill.replace("zone: a", "zone: b"))
    assert kubectl("get", "dr").split() == ["NAME", "ZONE", "one", "b"]
    kubectl("delete", "crd", "drills.game.example", "--timeout=10s")
    assert kubectl("get", "dr", fails=True)
