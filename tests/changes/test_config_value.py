"""Against the lab's Kubernetes API server."""

import pytest
from kube_server import LABELS, NAMESPACE
from test_kind_permissions import differences, walk

from blackstart.changes.config_value import ConfigValue, find_config_key, plan_config_value
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.model import TAG, new_id
from blackstart.changes.undo import undo
from blackstart.errors import ApplyFailed, NotYet, Refused

SETTING = "setting the mode"
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
HERS = f"{MAPS}/failover"


@pytest.fixture
def home(kube):
    """A namespace that has opted in."""
    kube.patch(f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"labels": LABELS}})
    yield
    if kube.find(HERS):
        kube.delete(HERS)


@pytest.fixture
def made(kube, home):
    """A ConfigMap that somebody has made."""
    return lambda **data: kube.post(MAPS, {"metadata": {"name": "failover", "labels": LABELS}, "data": data})


@pytest.fixture
def plan(kube_clients, home):
    return lambda value="manual": plan_config_value(
        find_config_key(kube_clients, "shop-admin", NAMESPACE, "failover", "mode"), value
    )


def data(kube):
    found = kube.find(HERS)
    return found and found.get("data")


def test_a_value_is_set_and_restored(kube, made, plan, wide_gate):
    made(mode="automatic", other="kept")
    (change,) = changes = plan()
    assert change.summary == "ConfigMap shop/failover: mode 'automatic' → 'manual'"
    inject(changes, wide_gate, SETTING)
    assert data(kube) == {"mode": "manual", "other": "kept"}
    assert undo("drill-1", wide_gate.reach).complete
    assert data(kube) == {"mode": "automatic", "other": "kept"}


def test_a_key_that_was_not_there_is_taken_out_again(kube, made, plan, wide_gate):
    made(other="kept")
    inject(plan(), wide_gate, SETTING)
    assert data(kube) == {"mode": "manual", "other": "kept"}
    assert undo("drill-1", wide_gate.reach).complete
    assert data(kube) == {"other": "kept"}


def test_a_map_that_was_not_there_is_made_with_the_label_of_the_change_and_deleted(kube, plan, wide_gate):
    (change,) = changes = plan()
    assert change.summary == "ConfigMap shop/failover (made for it): mode not there → 'manual'"
    inject(changes, wide_gate, SETTING)
    found = kube.get(HERS)
    assert (found["data"], found["metadata"]["labels"][TAG]) == ({"mode": "manual"}, change.id)
    assert undo("drill-1", wide_gate.reach).complete
    assert kube.find(HERS) is None


@pytest.mark.parametrize("there", [True, False])
def test_undo_without_apply_and_twice_does_nothing(kube, made, plan, kube_clients, there):
    if there:
        made(mode="automatic")
    (change,) = plan()
    kind, before = ConfigValue(), data(kube)
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED
    kind.apply([change], kube_clients)
    kind.apply([change], kube_clients)
    assert data(kube) == {"mode": "manual"}
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.RESTORED
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED
    assert kind.verify([change], kube_clients)[change.id].ending is Ending.UNTOUCHED
    assert data(kube) == before


def test_what_somebody_else_has_written_meanwhile_is_a_conflict_and_kept(kube, made, plan, wide_gate):
    made(mode="automatic")
    inject(plan(), wide_gate, SETTING)
    kube.patch(HERS, {"data": {"mode": "paused"}})
    (reason,) = undo("drill-1", wide_gate.reach).conflicts.values()
    assert "changed by somebody else: value 'paused'" in reason
    assert data(kube) == {"mode": "paused"}


def test_a_map_of_ours_that_somebody_else_uses_as_well_is_not_deleted(kube, plan, wide_gate):
    inject(plan(), wide_gate, SETTING)
    kube.patch(HERS, {"data": {"theirs": "1"}})
    (reason,) = undo("drill-1", wide_gate.reach).conflicts.values()
    assert "value 'manual, beside theirs'" in reason
    assert data(kube) == {"mode": "manual", "theirs": "1"}


def test_one_that_somebody_else_makes_meanwhile_is_left_alone(kube, made, plan, wide_gate):
    changes = plan()
    made(mode="manual")
    with pytest.raises(ApplyFailed, match="somebody else has made it"):
        inject(changes, wide_gate, SETTING)
    assert data(kube) == {"mode": "manual"}


class Meddler(ConfigValue):
    """Somebody writes to the map just after it was read."""

    def read(self, changes, clients):
        seen = super().read(changes, clients)
        clients.kube("shop").patch(HERS, {"metadata": {"annotations": {"written": new_id()}}})
        return seen


def test_it_is_never_written_to_or_deleted_blindly(kube, plan, kube_clients):
    (change,) = plan()
    ConfigValue().apply([change], kube_clients)
    with pytest.raises(NotYet, match="being changed by somebody else"):
        Meddler().undo([change], kube_clients)
    assert data(kube) == {"mode": "manual"}
    change.before["exists"] = True
    with pytest.raises(NotYet, match="being changed by somebody else"):
        Meddler().undo([change], kube_clients)


def test_one_that_is_gone_is_a_conflict(kube, made, plan, kube_clients):
    made(mode="automatic")
    (change,) = plan()
    kube.delete(HERS)
    assert ConfigValue().undo([change], kube_clients)[change.id].ending is Ending.CONFLICT


def test_a_value_that_it_has_already_and_a_namespace_that_is_not_there_are_refused(made, plan, kube_clients):
    made(mode="manual")
    with pytest.raises(Refused, match="not setting mode of ConfigMap shop/failover: it is 'manual' already"):
        plan()
    with pytest.raises(Refused, match="shop has no namespace none"):
        find_config_key(kube_clients, "shop", "none", "failover", "mode")


def test_one_that_has_not_opted_in_is_refused_by_the_gate(kube, plan, made, wide_gate):
    made(mode="automatic")
    kube.patch(HERS, {"metadata": {"labels": {"blackstart": None}}})
    with pytest.raises(Refused, match="blackstart"):
        inject(plan(), wide_gate, SETTING)
    assert data(kube) == {"mode": "automatic"}


@pytest.mark.parametrize("there", [True, False])
def test_it_calls_just_what_it_declares(made, plan, kube_clients, monkeypatch, there):
    if there:
        made(mode="automatic")
    calls, changes = [], plan()
    monkeypatch.setattr(kube_clients, "_record", calls.append)
    assert differences(changes, walk(changes, kube_clients, calls)) == {}
