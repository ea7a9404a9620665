"""Nodes: cordon, taints, status. The node of each test is one that nobody runs."""


def path(name):
    return f"/api/v1/nodes/{name}"


def test_a_cordon_is_set_and_lifted(api, node):
    assert api.get(path(node))["spec"]["unschedulable"] is True
    lifted = api.patch(path(node), {"spec": {"unschedulable": None}})
    assert not lifted["spec"].get("unschedulable", False)
    again = api.patch(path(node), {"spec": {"unschedulable": True}}, "strategic")
    assert again["spec"]["unschedulable"] is True


def test_taints_are_replaced_as_a_whole_by_every_patch(api, node):
    """So whoever adds one must say which version of the node it read."""
    added = {"key": "conformance.example.com/a", "value": "x", "effect": "NoSchedule"}

    def guarded(held):
        version = {"metadata": {"resourceVersion": held["metadata"]["resourceVersion"]}}
        return version | {"spec": {"taints": [*held["spec"]["taints"], added]}}

    sent, made = api.until_no_conflict("PATCH", path(node), guarded, kind="application/merge-patch+json")
    assert {"conformance", added["key"]} <= {each["key"] for each in made["spec"]["taints"]}
    api.refused(409, "Conflict", "PATCH", path(node), sent, kind="application/merge-patch+json")
    alone = api.patch(path(node), {"spec": {"taints": [added]}}, "strategic")["spec"]["taints"]
    assert "conformance" not in {each["key"] for each in alone}


def test_a_taint_without_a_known_effect_is_invalid(api, node):
    taints = {"spec": {"taints": [{"key": "a", "effect": "Maybe"}]}}
    api.refused(422, "Invalid", "PATCH", path(node), taints, kind="application/merge-patch+json")


def test_the_status_is_told_by_its_own_path(api, node):
    condition = {"type": "conformance.example.com/x", "status": "True", "reason": "Played", "message": "m"}
    status = {"status": {"conditions": [condition], "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"}}}
    told = api.patch(f"{path(node)}/status", status, "strategic")["status"]
    assert condition["type"] in {each["type"] for each in told["conditions"]}
    assert told["capacity"] == status["status"]["capacity"]
    api.patch(path(node), {"status": {"capacity": {"cpu": "1"}}})
    assert api.get(path(node))["status"]["capacity"]["cpu"] == "4"


def test_nodes_are_chosen_by_label_and_name(api, node):
    zone = f"zone-{node}"
    api.patch(path(node), {"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}})

    def found(**query):
        return [item["metadata"]["name"] for item in api.get("/api/v1/nodes", **query)["items"]]

    assert found(labelSelector=f"topology.kubernetes.io/zone={zone}") == [node]
    assert found(fieldSelector=f"metadata.name={node}") == [node]
    assert node not in found(fieldSelector="spec.unschedulable=false")
    assert node in found(fieldSelector="spec.unschedulable=true")


def test_the_provider_of_a_node_is_set_once(api, node):
    provider = "aws:///us-east-1a/i-0123456789abcdef0"
    assert api.patch(path(node), {"spec": {"providerID": provider}})["spec"]["providerID"] == provider
    other = {"spec": {"providerID": "aws:///us-east-1b/i-0"}}
    answer = api.call("PATCH", path(node), other, "application/merge-patch+json")
    assert answer.code in (403, 422)


def test_a_stale_node_is_not_written_over(api, node):
    old = api.get(path(node))
    api.patch(path(node), {"metadata": {"labels": {"a": "b"}}})
    api.refused(409, "Conflict", "PUT", path(node), old)
