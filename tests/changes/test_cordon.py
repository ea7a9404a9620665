"""Against the lab's Kubernetes API server."""

import pytest
from kube_server import LABELS, patiently
from test_kind_permissions import differences, walk

from blackstart.changes.cordon import Cordon, plan_cordon
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.kube_nodes import Which, find_nodes
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused

CORDONING = "cordoning nodes"
NODE_A, NODE_B = (f"/api/v1/nodes/node-{letter}" for letter in "ab")


@pytest.fixture
def kube(kube_clients):
    """The nodes have opted in, and may be placed on."""
    kube = kube_clients.kube("shop")
    for path in (NODE_A, NODE_B):
        kube.patch(path, {"metadata": {"labels": LABELS}})
    yield kube
    for path in (NODE_A, NODE_B):
        kube.patch(path, {"metadata": {"labels": dict.fromkeys(LABELS)}, "spec": {"unschedulable": None}})


@pytest.fixture
def found(kube_clients, kube):
    return lambda: find_nodes(kube_clients, "shop-admin", Which())


def spec(kube, path=NODE_A):
    return {key: value for key, value in kube.get(path)["spec"].items() if key != "taints"}


def test_nodes_are_cordoned_and_placed_on_again(kube, found, wide_gate):
    before = [spec(kube, path) for path in (NODE_A, NODE_B)]
    changes = plan_cordon(found())
    assert changes[0].summary == "node node-a (us-east-1a): cordoned"
    inject(changes, wide_gate, CORDONING)
    assert [spec(kube, path)["unschedulable"] for path in (NODE_A, NODE_B)] == [True, True]
    assert undo("drill-1", wide_gate.reach).complete
    assert [spec(kube, path) for path in (NODE_A, NODE_B)] == before


def test_one_that_was_cordoned_before_stays_so(kube, found, wide_gate):
    kube.patch(NODE_A, {"spec": {"unschedulable": True}})
    changes = plan_cordon(found())
    assert [change.target.id for change in changes] == ["node-b"]
    inject(changes, wide_gate, CORDONING)
    assert undo("drill-1", wide_gate.reach).complete
    assert (spec(kube, NODE_A).get("unschedulable"), spec(kube, NODE_B).get("unschedulable")) == (True, None)


def test_one_that_somebody_else_has_opened_again_is_left_so(kube, found, kube_clients):
    change = plan_cordon(found())[0]
    patiently(lambda: Cordon().apply([change], kube_clients))
    kube.patch(NODE_A, {"spec": {"unschedulable": False}})
    assert Cordon().undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED


def test_a_namesake_that_came_meanwhile_is_not_touched(kube, found, kube_clients):
    change = plan_cordon(found())[0]
    patiently(lambda: Cordon().apply([change], kube_clients))
    change.before["uid"] = "another"
    assert Cordon().undo([change], kube_clients)[change.id].ending is Ending.CONFLICT
    assert spec(kube)["unschedulable"] is True


class Meddler(Cordon):
    """Somebody writes to the node just after it was read, as its kubelet does now and then."""

    def read(self, changes, clients):
        seen = super().read(changes, clients)
        clients.kube("shop").patch(NODE_A, {"metadata": {"annotations": {"written": changes[0].id}}})
        return seen


def test_it_is_never_written_to_blindly(kube, found, kube_clients):
    change = plan_cordon(found())[0]
    with pytest.raises(NotYet, match="node node-a is still being changed by somebody else"):
        Meddler().apply([change], kube_clients)
    assert "unschedulable" not in spec(kube)


def test_more_nodes_than_the_scope_permits_are_refused(kube, found, kube_gate):
    with pytest.raises(Refused, match="this would take all 2 nodes of shop at once"):
        inject(plan_cordon(found()), kube_gate(), CORDONING)


def test_one_that_has_not_opted_in_is_refused(kube, found, wide_gate):
    kube.patch(NODE_A, {"metadata": {"labels": dict.fromkeys(LABELS)}})
    with pytest.raises(Refused, match="node node-a does not carry blackstart"):
        inject(plan_cordon(found()), wide_gate, CORDONING)


def test_it_calls_just_what_it_declares(kube_clients, found, monkeypatch):
    changes = plan_cordon(found())[:1]
    calls = []
    monkeypatch.setattr(kube_clients, "_record", calls.append)
    assert differences(changes, patiently(lambda: walk(changes, kube_clients, calls))) == {}
