"""Deployments and ReplicaSets, with pods that run when the test says so."""

from collections import Counter

import pytest


def images(bench):
    return Counter(pod["spec"]["containers"][0]["image"] for pod in bench.all("pods"))


def conditions(obj):
    return {found["type"]: (found["status"], found["reason"]) for found in obj["status"]["conditions"]}


@pytest.fixture
def running(bench, deployment):
    """A bench on which ``orders`` runs with four pods."""
    bench.add_node("a")
    bench.create("deployments", deployment(4))
    bench.roll()
    return bench


def set_image(bench, image):
    def change(obj):
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

    bench.edit("deployments", "orders", change)


def test_a_deployment_reports_what_it_has(bench, deployment):
    bench.add_node("a")
    bench.create("deployments", deployment(4))
    bench.settle()
    found = bench.get("deployments", "orders")
    assert found["status"]["unavailableReplicas"] == 4
    assert conditions(found)["Available"] == ("False", "MinimumReplicasUnavailable")
    bench.roll()
    found = bench.get("deployments", "orders")
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    assert [found["status"][count] for count in counts] == [4, 4, 4, 4]
    assert conditions(found) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }


def test_a_deleted_pod_is_replaced_at_once(running):
    gone = running.all("pods")[0]["metadata"]["name"]
    running.delete("pods", gone)
    running.settle()
    names = {pod["metadata"]["name"] for pod in running.all("pods")}
    assert len(names) == 5, "the marked pod is still ending"
    running.roll()
    names = {pod["metadata"]["name"] for pod in running.all("pods")}
    assert len(names) == 4
    assert gone not in names


def test_a_new_image_is_rolled_out_within_its_limits(running):
    set_image(running, "orders:2")
    running.settle()
    # 25 % of 4: one more and one fewer
    assert images(running) == {"orders:1": 4, "orders:2": 2}
    going = [pod for pod in running.all("pods") if "deletionTimestamp" in pod["metadata"]]
    assert len(going) == 1
    running.roll()
    assert images(running) == {"orders:2": 4}
    assert running.get("deployments", "orders")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


def test_a_roll_out_that_is_never_ready_stops_and_is_called_late(running):
    set_image(running, "orders:broken")
    running.settle()
    for pod in running.all("pods"):
        if "deletionTimestamp" in pod["metadata"]:
            running.delete("pods", pod["metadata"]["name"], grace=0)
    running.settle()
    assert images(running)["orders:1"] == 3
    assert running.settle(599) == pytest.approx(1)
    assert conditions(running.get("deployments", "orders"))["Progressing"][0] == "True"
    running.settle(1)
    progress = conditions(running.get("deployments", "orders"))["Progressing"]
    assert progress == ("False", "ProgressDeadlineExceeded")


def test_going_back_uses_the_old_replica_set_again(running):
    first = running.all("replicasets")[0]["metadata"]["name"]
    set_image(running, "orders:2")
    running.roll()
    set_image(running, "orders:1")
    running.roll()
    sizes = {found["metadata"]["name"]: found["spec"]["replicas"] for found in running.all("replicasets")}
    assert len(sizes) == 2
    assert sizes[first] == 4
    annotations = running.get("replicasets", first)["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "3"


def test_going_back_from_an_image_that_cannot_be_pulled_keeps_the_pods_that_served_all_along(running):
    before = {pod["metadata"]["uid"] for pod in running.all("pods")}
    set_image(running, "orders:missing")
    for _ in range(3):
        # the kubelets of this bench end what is deleted, and never get the new pods to run
        running.settle()
        for pod in running.all("pods"):
            if "deletionTimestamp" in pod["metadata"]:
                running.delete("pods", pod["metadata"]["name"], grace=0)
    serving = {pod["metadata"]["uid"] for pod in running.all("pods") if pod["status"]["phase"] == "Running"}
    assert len(serving) == 3
    assert images(running)["orders:missing"] == 2
    set_image(running, "orders:1")
    running.roll()
    after = {pod["metadata"]["uid"]: pod["metadata"]["labels"]["pod-template-hash"] for pod in running.all("pods")}
    assert serving < set(after)
    assert len(before | set(after)) == 5, "only the one that went for the new image is another one"
    assert len(set(after.values())) == 1
    assert conditions(running.get("deployments", "orders"))["Progressing"] == ("True", "NewReplicaSetAvailable")


def test_old_replica_sets_are_kept_up_to_the_limit(running):
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(revisionHistoryLimit=1))
    for number in range(2, 6):
        set_image(running, f"orders:{number}")
        running.roll()
    assert len(running.all("replicasets")) == 2


def test_recreating_ends_the_old_pods_before_the_new_ones_start(bench, deployment):
    bench.add_node("a")
    bench.create("deployments", deployment(3, strategy={"type": "Recreate"}))
    bench.roll()
    set_image(bench, "orders:2")
    bench.settle()
    assert images(bench) == {"orders:1": 3}
    bench.roll()
    assert images(bench) == {"orders:2": 3}


def test_a_paused_deployment_scales_but_does_not_roll(running):
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(paused=True))
    set_image(running, "orders:2")
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(replicas=6))
    running.roll()
    assert images(running)["orders:2"] == 0
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(paused=False))
    running.roll()
    assert images(running) == {"orders:2": 6}


def test_a_pod_counts_as_available_only_after_its_minimum_time(bench, deployment):
    bench.add_node("a")
    bench.create("deployments", deployment(2, minReadySeconds=10))
    bench.roll()
    assert bench.get("deployments", "orders")["status"].get("availableReplicas", 0) == 0
    bench.settle(10)
    assert bench.get("deployments", "orders")["status"]["availableReplicas"] == 2


def test_scaling_down_takes_the_pods_that_are_missed_least(running):
    broken = running.all("pods")[2]["metadata"]["name"]
    unready = [{"type": "Ready", "status": "False"}]
    running.edit("pods", broken, lambda obj: obj["status"].update(conditions=unready), "status")
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(replicas=3))
    running.settle()
    marked = [pod["metadata"]["name"] for pod in running.all("pods") if "deletionTimestamp" in pod["metadata"]]
    assert marked == [broken]


def test_scaling_to_zero_and_back_works(running):
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(replicas=0))
    running.roll()
    assert running.all("pods") == []
    running.edit("deployments", "orders", lambda obj: obj["spec"].update(replicas=2))
    running.roll()
    assert len(running.all("pods")) == 2


def test_a_pod_whose_labels_leave_the_selector_is_let_go_and_replaced(running):
    name = running.all("pods")[0]["metadata"]["name"]
    running.edit("pods", name, lambda obj: obj["metadata"].update(labels={"app": "quarantine"}))
    running.roll()
    assert not running.get("pods", name)["metadata"].get("ownerReferences")
    assert len(running.all("pods")) == 5


def test_an_orphan_that_matches_is_adopted(running, pod):
    name = running.all("pods")[0]["metadata"]["name"]
    labels = running.get("pods", name)["metadata"]["labels"]
    running.create("pods", pod("orphan", labels))
    running.settle()
    owners = running.all("replicasets")[0]["metadata"]["uid"]
    adopted = [found for found in running.all("pods") if found["metadata"].get("ownerReferences")]
    assert {found["metadata"]["ownerReferences"][0]["uid"] for found in adopted} == {owners}
    running.roll()
    assert len(running.all("pods")) == 4


def test_a_finished_pod_is_replaced(running):
    name = running.all("pods")[0]["metadata"]["name"]
    running.edit("pods", name, lambda obj: obj["status"].update(phase="Failed"), "status")
    running.settle()
    assert len(running.all("pods")) == 5
