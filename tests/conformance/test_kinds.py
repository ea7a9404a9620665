"""The kinds that drills read and change: autoscalers, leases, events, budgets."""

import bodies

SCALERS = "horizontalpodautoscalers"


def scaler(**spec):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    utilization = {"type": "Utilization", "averageUtilization": 80}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}]
    usual = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9, "metrics": metrics}
    return {"metadata": {"name": "d"}, "spec": usual | spec}


def test_the_bounds_of_an_autoscaler_are_changed_and_put_back(api, space):
    scalers = space.path(SCALERS, group="autoscaling/v2")
    api.create(scalers, scaler())
    path = f"{scalers}/d"
    pinned = api.patch(path, {"spec": {"minReplicas": 1, "maxReplicas": 1}})["spec"]
    assert (pinned["minReplicas"], pinned["maxReplicas"]) == (1, 1)
    assert pinned["metrics"] == scaler()["spec"]["metrics"]
    assert api.patch(path, {"spec": {"minReplicas": 2, "maxReplicas": 9}})["spec"]["maxReplicas"] == 9


def test_an_autoscaler_that_makes_no_sense_is_invalid(api, space):
    scalers = space.path(SCALERS, group="autoscaling/v2")
    api.refused(422, "Invalid", "POST", scalers, scaler(maxReplicas=0))
    status = api.refused(422, "Invalid", "POST", scalers, scaler(minReplicas=5, maxReplicas=3))
    assert {cause["field"] for cause in status["details"]["causes"]} == {"spec.maxReplicas"}
    api.create(scalers, scaler(minReplicas=None))
    assert api.get(f"{scalers}/d")["spec"]["minReplicas"] == 1


def test_the_status_of_an_autoscaler_has_a_path_of_its_own(api, space):
    scalers = space.path(SCALERS, group="autoscaling/v2")
    api.create(scalers, scaler())
    status = {"currentReplicas": 9, "desiredReplicas": 9}
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "message": "the most there are"}
    told = api.patch(f"{scalers}/d/status", {"status": status | {"conditions": [limited]}})
    assert told["status"]["desiredReplicas"] == 9
    assert api.patch(f"{scalers}/d", {"status": {"desiredReplicas": 1}})["status"]["desiredReplicas"] == 9


def test_a_lease_has_one_holder(api, space):
    leases = space.path("leases", group="coordination.k8s.io/v1")
    spec = {"holderIdentity": "one", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    free = api.create(leases, {"metadata": {"name": "l"}, "spec": spec})
    api.refused(409, "AlreadyExists", "POST", leases, {"metadata": {"name": "l"}, "spec": spec})
    taken = api.put(f"{leases}/l", free | {"spec": spec | {"holderIdentity": "two", "leaseTransitions": 1}})
    assert taken["spec"]["holderIdentity"] == "two"
    api.refused(409, "Conflict", "PUT", f"{leases}/l", free | {"spec": spec | {"holderIdentity": "three"}})
    assert api.get(f"{leases}/l")["spec"] == taken["spec"]
    assert taken["spec"]["renewTime"] == spec["renewTime"]


def test_an_event_is_told_about_an_object_and_found_by_it(api, space):
    made = space.running("p")
    about = {"kind": "Pod", "apiVersion": "v1", "name": "p", "namespace": space.name, "uid": made["metadata"]["uid"]}
    when = "2026-01-01T00:00:00Z"
    event = {"metadata": {"generateName": "p."}, "involvedObject": about, "type": "Warning", "reason": "Drill"}
    event |= {"message": "m", "source": {"component": "conformance"}, "firstTimestamp": when, "lastTimestamp": when}
    api.create(space.path("events"), event | {"count": 1})
    chosen = f"involvedObject.uid={made['metadata']['uid']},involvedObject.kind=Pod,reason=Drill,type=Warning"
    found = api.get(space.path("events"), fieldSelector=chosen)["items"]
    assert [each["message"] for each in found] == ["m"]
    modern = api.get(space.path("events", group="events.k8s.io/v1"))["items"]
    assert [each["note"] for each in modern if each["reason"] == "Drill"] == ["m"]


def test_an_image_is_changed_and_put_back(api, space):
    """What a bad roll-out does, by a patch that names the container."""
    api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
    path = space.apps("deployments", "d")

    def roll(image):
        containers = [{"name": "app", "image": image}]
        changed = api.patch(path, {"spec": {"template": {"spec": {"containers": containers}}}}, "strategic")
        return changed["spec"]["template"]["spec"]["containers"][0], changed["metadata"]["generation"]

    before = bodies.deployment("d")["spec"]["template"]["spec"]["containers"][0]
    bad, second = roll("registry.invalid/bad:1")
    good, third = roll(before["image"])
    assert (bad["image"], good["image"], third - second) == ("registry.invalid/bad:1", before["image"], 1)
    assert good["resources"]["requests"] == before["resources"]["requests"]


def test_a_config_map_that_is_immutable_stays(api, space):
    api.create(space.configmaps(), {"metadata": {"name": "a"}, "data": {"n": "1"}, "immutable": True})
    kind = "application/merge-patch+json"
    api.refused(422, "Invalid", "PATCH", space.configmaps("a"), {"data": {"n": "2"}}, kind=kind)
