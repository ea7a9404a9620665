"""Answers in columns, as kubectl prints them."""

import bodies

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"


def table(api, path, **query):
    found = api.call("GET", path, accept=TABLE, **query).body
    assert (found["kind"], found["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    return [column["name"] for column in found["columnDefinitions"]], found["rows"], found["metadata"]


def test_pods_are_shown_in_columns(api, space):
    space.running("p")
    columns, rows, metadata = table(api, space.pods())
    assert columns[:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert (rows[0]["cells"][0], rows[0]["cells"][2]) == ("p", "Running")
    assert (rows[0]["object"]["kind"], rows[0]["object"]["metadata"]["name"]) == ("PartialObjectMetadata", "p")
    assert metadata["resourceVersion"]


def test_deployments_are_shown_in_columns(api, space):
    api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
    columns, rows, _ = table(api, space.apps("deployments"))
    assert columns[:5] == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert rows[0]["cells"][:2] == ["d", "0/0"]


def test_a_cordoned_node_says_so(api, node):
    columns, rows, _ = table(api, f"/api/v1/nodes/{node}")
    assert columns[:3] == ["Name", "Status", "Roles"]
    assert "SchedulingDisabled" in rows[0]["cells"][1]


def test_rows_carry_as_much_of_the_object_as_is_asked_for(api, space):
    space.running("p")
    _, rows, _ = table(api, space.pods(), includeObject="Object")
    assert rows[0]["object"]["spec"]["containers"]
    _, rows, _ = table(api, space.pods(), includeObject="None")
    assert not rows[0].get("object")


def test_tables_come_in_pages(api, space):
    for name in "ab":
        space.running(name)
    _, rows, metadata = table(api, space.pods(), limit=1)
    assert (len(rows), bool(metadata["continue"])) == (1, True)


def test_a_list_may_be_of_metadata_only(api, space):
    space.running("p")
    found = api.call("GET", space.pods(), accept=PARTIAL).body
    assert found["kind"] == "PartialObjectMetadataList"
    assert found["items"][0]["metadata"]["name"] == "p"
    assert "spec" not in found["items"][0]
