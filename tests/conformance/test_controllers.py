"""What controllers and the scheduler make of objects. Skipped where none of them run."""

import bodies
import pytest

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture
def web(api, space, with_controllers):
    """A Deployment of two pods, which nobody schedules; its pods."""
    api.create(space.apps("deployments"), bodies.deployment("web"))
    return api.until(space.pods(), lambda found: len(found["items"]) == 2)["items"]


def ready(api, space, pods):
    for pod in pods:
        api.patch(f"{space.pods(pod['metadata']['name'])}/status", {"status": READY})


def test_pods_belong_to_a_replica_set_and_that_to_its_deployment(api, space, web):
    owner = web[0]["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["controller"], owner["apiVersion"]) == ("ReplicaSet", True, "apps/v1")
    above = api.get(space.apps("replicasets", owner["name"]))["metadata"]["ownerReferences"][0]
    assert (above["kind"], above["name"], above["controller"]) == ("Deployment", "web", True)
    assert web[0]["metadata"]["labels"]["pod-template-hash"]


def test_a_pod_that_goes_is_replaced(api, space, web):
    gone = web[0]["metadata"]
    api.delete(space.pods(gone["name"]))

    def replaced(found):
        return len(found["items"]) == 2 and gone["uid"] not in {pod["metadata"]["uid"] for pod in found["items"]}

    assert api.until(space.pods(), replaced)


def test_a_deployment_tells_how_many_of_its_pods_are_ready(api, space, web):
    ready(api, space, web)
    path = space.apps("deployments", "web")
    assert api.until(path, lambda found: found["status"].get("readyReplicas") == 2)
    api.patch(f"{path}/scale", {"spec": {"replicas": 0}})
    assert api.until(space.pods(), lambda found: found["items"] == [])
    seen = api.until(path, lambda found: not found["status"].get("replicas"))
    assert seen["status"]["observedGeneration"] == seen["metadata"]["generation"]


def test_a_bad_image_makes_a_second_replica_set_and_the_old_one_comes_back(api, space, web):
    ready(api, space, web)
    path = space.apps("deployments", "web")

    def roll(image):
        containers = [{"name": "app", "image": image}]
        api.patch(path, {"spec": {"template": {"spec": {"containers": containers}}}}, "strategic")

    roll("registry.invalid/bad:1")
    sets = space.apps("replicasets")
    assert api.until(sets, lambda found: len(found["items"]) == 2)
    roll(web[0]["spec"]["containers"][0]["image"])

    def back(found):
        wanted = {each["metadata"]["name"]: each["spec"]["replicas"] for each in found["items"]}
        return wanted[web[0]["metadata"]["ownerReferences"][0]["name"]] == 2 and sorted(wanted.values()) == [0, 2]

    assert api.until(sets, back)


def test_what_an_owner_leaves_behind_is_collected(api, space, web):
    api.delete(space.apps("deployments", "web"), {"propagationPolicy": "Background"})
    assert api.until(space.pods(), lambda found: found["items"] == [])
    assert api.until(space.apps("replicasets"), lambda found: found["items"] == [])


def test_an_orphan_stays(api, space, web):
    api.delete(space.apps("deployments", "web"), {"propagationPolicy": "Orphan"})
    assert api.until(space.apps("deployments", "web"), lambda found: found["kind"] == "Status")
    left = api.until(
        space.apps("replicasets"),
        lambda found: not any(each["metadata"].get("ownerReferences") for each in found["items"]),
    )
    assert len(left["items"]) == 1


def test_a_budget_counts_the_pods_of_a_deployment(api, space, web):
    ready(api, space, web)
    budgets = space.path("poddisruptionbudgets", group="policy/v1")
    api.create(budgets, bodies.budget("web", "web", maxUnavailable=1))
    seen = api.until(f"{budgets}/web", lambda found: found.get("status", {}).get("disruptionsAllowed") == 1)
    assert (seen["status"]["currentHealthy"], seen["status"]["expectedPods"]) == (2, 2)


def test_a_namespace_goes_with_all_that_it_holds(api, space, with_controllers):
    space.configmap("a")
    made = api.create("/api/v1/namespaces", {"metadata": {"generateName": "conformance-"}})
    path = f"/api/v1/namespaces/{made['metadata']['name']}"
    api.create(f"{path}/configmaps", {"metadata": {"name": "a"}})
    api.delete(path)
    assert api.until(path, lambda found: found["kind"] == "Status", seconds=60)


def test_a_pod_that_fits_nowhere_is_said_to_be_unschedulable(api, space, with_scheduler):
    nowhere = {"conformance.example.com/nowhere": "yes"}
    api.create(space.pods(), bodies.pod("p", schedulerName="default-scheduler", nodeSelector=nowhere))

    def unschedulable(pod):
        conditions = pod["status"].get("conditions", ())
        return any((each["type"], each.get("reason")) == ("PodScheduled", "Unschedulable") for each in conditions)

    assert api.until(space.pods("p"), unschedulable)
