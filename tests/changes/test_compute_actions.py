"""The actions on workloads and nodes as a plan runs them: they find their targets, and change nothing."""

import os
from random import Random

import kube_server
import pytest
from kube_machines import machines
from kube_server import LABELS, ORDERS

from blackstart.actions.nodes import cordon_nodes, drain_nodes, fail_kubelet, kill_nodes
from blackstart.actions.workloads import pin_autoscaler, roll_out_bad_image, scale
from blackstart.changes.clients import Clients
from blackstart.changes.mirror import Mirror
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.drill import DRILL_KEY
from blackstart.errors import ConfigInvalid, Refused
from blackstart.planning import PlannedDrill
from blackstart.testing import FakeClock

AUTOSCALERS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
HERE = {"context": "shop-admin", "namespace": "shop"}


@pytest.fixture
def drill(tmp_path, clients, kube_environ, wide_gate):
    """A drill that is only planned, of a whole AWS account and a cluster."""
    reading = Clients(environ={**os.environ, **kube_environ}, read_only=True)
    log, clock = SqliteLog(tmp_path / "plan.sqlite"), FakeClock()
    reach = Reach(log, Kinds(), reading, clock, Mirror(None, "plan", clock))
    scope = wide_gate.scope.model_copy(update={"accounts": ("123456789012",)})
    yield PlannedDrill(scope, reach, Random(1))
    reading.close()
    log.close()


@pytest.fixture
def orders(kube):
    with kube_server.settled_orders(kube):
        aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"}
        spec = {"scaleTargetRef": aim, "minReplicas": 2, "maxReplicas": 8}
        kube.post(AUTOSCALERS, {"metadata": {"name": "orders", "labels": LABELS}, "spec": spec})
        yield
        kube.delete(f"{AUTOSCALERS}/orders")


@pytest.fixture
def world(clients, kube_environ):
    both = Clients(environ={**os.environ, **kube_environ})
    with machines(both, count=3) as found:
        yield found
    both.close()


def kinds(drill):
    (proposal,) = drill.proposals
    assert proposal.objections == ()
    return [change.kind for change in proposal.changes]


def test_workloads_are_planned_and_left_as_they_are(orders, kube, drill):
    before = kube.get(ORDERS)["spec"], kube.get(f"{AUTOSCALERS}/orders")["spec"]
    configuration = {DRILL_KEY: drill}
    told = [
        scale(**HERE, name="orders", configuration=configuration),
        roll_out_bad_image(**HERE, deployment="orders", configuration=configuration),
        pin_autoscaler(**HERE, autoscaler="orders", configuration=configuration),
    ]
    assert [change.kind for each in drill.proposals for change in each.changes] == [
        "kubernetes.replicas",
        "kubernetes.image",
        "kubernetes.autoscaler_ceiling",
    ]
    assert [finding.objection for each in drill.proposals[:1] for finding in each.findings if finding.objection] == []
    assert told[0] == {"changes": ["Deployment shop/orders: 4 → 0 replicas"]}
    assert (kube.get(ORDERS)["spec"], kube.get(f"{AUTOSCALERS}/orders")["spec"]) == before


@pytest.mark.parametrize(
    ("action", "kind"),
    [(cordon_nodes, "kubernetes.cordon"), (kill_nodes, "ec2.instance_power"), (fail_kubelet, "ssm.kubelet")],
)
def test_nodes_are_drawn_and_planned(world, drill, action, kind):
    told = action("shop-admin", selector="team=machines", count=2, configuration={DRILL_KEY: drill})
    assert kinds(drill) == [kind, kind]
    assert len(told["changes"]) == 2


def test_a_drain_is_planned_with_the_pods_that_would_go(orders, kube, drill):
    node = "node-a"
    kube.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": LABELS}})
    drain_nodes("shop-admin", names=[node], configuration={DRILL_KEY: drill})
    kube.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": dict.fromkeys(LABELS)}})
    assert kinds(drill) == ["kubernetes.cordon", "kubernetes.pod_eviction", "kubernetes.pod_eviction"]


def test_what_matches_nothing_is_an_objection(world, drill):
    for action in (cordon_nodes, drain_nodes, kill_nodes, fail_kubelet):
        action("shop-admin", zone="mars", count=1, configuration={DRILL_KEY: drill})
    said = [proposal.objections[0].objection for proposal in drill.proposals]
    assert said[0] == "of 0 nodes that match (in mars), 0 are not cordoned already"
    assert set(said[1:]) == {"no node of shop matches (in mars)"}


def test_it_has_to_be_said_how_much_is_meant(world, drill):
    for action in (cordon_nodes, drain_nodes, kill_nodes, fail_kubelet):
        with pytest.raises(ConfigInvalid, match="either a count"):
            action("shop-admin", configuration={DRILL_KEY: drill})
    with pytest.raises(ConfigInvalid, match="a share above 0"):
        pin_autoscaler(**HERE, autoscaler="orders", share=1.5, configuration={DRILL_KEY: drill})


def test_without_a_drill_nothing_happens():
    with pytest.raises(Refused, match="no drill is open"):
        scale(**HERE, name="orders")
    with pytest.raises(Refused, match="no drill is open"):
        fail_kubelet("shop-admin", count=1)
