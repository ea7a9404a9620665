"""The actions on pods, through a gate, against the lab's Kubernetes API server."""

from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace

import exec_kubelet
import kube_server
import pytest

from blackstart.actions import pods
from blackstart.changes.gate import Gate, inject
from blackstart.drill import DRILL_KEY
from blackstart.errors import ConfigInvalid, Refused

ORDERS = {"context": "shop-admin", "namespace": "shop", "selector": "app=orders"}


@dataclass
class Drill:
    """As much of a drill as actions see; what is kept up is taken down."""

    gate: Gate
    random: Random = field(default_factory=lambda: Random(1))
    kept: list = field(default_factory=list)

    @property
    def clients(self):
        return self.gate.reach.clients

    @property
    def kinds(self):
        return self.gate.reach.kinds

    def inject(self, changes, subject, **more):
        inject(changes, self.gate, subject, **more)

    def note(self, kind, **fields):
        pass

    def keep(self, keeper, subject, *, duration_seconds):
        self.kept.append(SimpleNamespace(keeper=keeper, subject=subject, seconds=duration_seconds))


@pytest.fixture
def drill(kube_gate):
    return Drill(kube_gate())


@pytest.fixture
def orders(kube):
    with kube_server.orders(kube) as heal:
        yield heal


def delete(drill, **asked):
    return pods.delete_pods(**{**ORDERS, **asked}, configuration={DRILL_KEY: drill})["changes"]


@pytest.mark.parametrize("mode", ["delete", "evict"])
def test_a_share_of_the_pods_of_an_owner_is_taken(kube, orders, drill, mode):
    before = kube_server.names(kube)
    (said,) = delete(drill, selector="", owner="Deployment/orders", share=0.4, mode=mode)
    assert said.endswith({"delete": "deleted", "evict": "evicted"}[mode])
    assert len(before - kube_server.names(kube)) == 1


def test_pods_that_are_kept_away_are_kept_so_for_as_long_as_the_fault_lasts(orders, drill):
    delete(drill, count=1, repeat=True, duration_seconds=30)
    assert [(kept.subject, kept.seconds) for kept in drill.kept] == [("deleting pods app=orders of shop", 30)]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({}, "either a count of pods or a share"),
        ({"count": 1, "mode": "kill"}, "'kill' is not one of"),
        ({"count": 1, "repeat": True, "min_age_seconds": 5}, "what has just come back is never that old"),
        ({"count": 1, "namespace": ""}, "say which one"),
        ({"count": 1, "phase": "Failed"}, "is no phase of a live pod"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_read(drill, asked, problem):
    with pytest.raises(ConfigInvalid, match=problem):
        delete(drill, **asked)


def test_where_nothing_matches_it_says_what_was_looked_for(orders, drill):
    with pytest.raises(Refused, match="4 pods match app=orders, 0 of them in us-east-1z"):
        delete(drill, count=1, zone="us-east-1z")


def test_containers_are_killed_by_the_command_that_is_asked_for(kube, orders, drill, kubelet):
    for name in kube_server.names(kube):
        exec_kubelet.started(kube, name)
    asked = {**ORDERS, "count": 1, "command": "sh -c 'kill -9 7'"}
    (said,) = pods.kill_containers(**asked, configuration={DRILL_KEY: drill})["changes"]
    assert said.endswith("container orders killed")
    assert [command for _, command in kubelet.ran] == [["sh", "-c", "kill -9 7"]]


def test_a_command_that_cannot_be_read_is_told(drill):
    with pytest.raises(ConfigInvalid, match="is no command"):
        pods.kill_containers(**ORDERS, count=1, command="sh 'c", configuration={DRILL_KEY: drill})
