"""What is told of backups and restores; the lab's tests ask a restored PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blackstart.changes import velero_restore
from blackstart.errors import NotMeasured
from blackstart.lab.velero import definition
from blackstart.observer.ledger import Write
from blackstart.observer.samples import Outcome
from blackstart.probes import backups
from blackstart.probes._restored import loss

BEGAN = 100.0
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def write(op, at, outcome=Outcome.OK):
    return Write(op, f"k{op}", at - 0.1, outcome, at, "us-east-1")


WRITES = [write(op, 90.0 + op) for op in range(20)]
"""Acknowledged from 90 to 109."""


def keys(*ops):
    return frozenset(f"k{op}" for op in ops)


def test_what_was_acknowledged_after_the_backup_and_before_the_restore_is_lost():
    found = loss(WRITES, keys(0, 1, 2, 3), BEGAN, newest=7.0)
    assert (found.lost, found.found, found.acknowledged) == (7, 4, 11)
    assert found.seconds == pytest.approx(6.0)
    assert not found.by_newest_row


def test_a_hole_in_a_backup_counts_from_its_oldest_write():
    assert loss(WRITES, keys(0, 2, 3, 4, 5, 6, 7, 8, 9, 10), BEGAN, newest=0.0).seconds == pytest.approx(9.0)


def test_nothing_is_lost_where_all_is_there():
    found = loss(WRITES, keys(*range(11)), BEGAN, newest=0.0)
    assert (found.seconds, found.lost) == (0.0, 0)


def test_a_backup_from_before_the_drill_is_as_old_as_its_newest_row():
    found = loss(WRITES, keys(), BEGAN, newest=5000.0)
    assert (found.seconds, found.lost, found.by_newest_row) == (5000.0, 11, True)


def test_it_is_never_less_than_what_is_known_to_be_lost():
    assert loss(WRITES, keys(), BEGAN, newest=1.0).seconds == pytest.approx(10.0)


def test_what_cannot_be_known_is_not_measured():
    with pytest.raises(NotMeasured, match="none of this drill's writes"):
        loss(WRITES, keys(), BEGAN, newest=None)
    with pytest.raises(NotMeasured, match="no write was acknowledged"):
        loss([write(1, 101.0), write(2, 50.0, Outcome.UNKNOWN)], keys(1), BEGAN, newest=0.0)


def test_before_anything_was_restored_nothing_is_wrong(drilled):
    configuration = drilled()
    assert backups.restored_seconds(configuration=configuration) == 0.0
    assert backups.restored_loss_seconds(configuration=configuration) == 0.0
    assert backups.namespace_restored_seconds(configuration=configuration) == 0.0
    assert backups.namespace_restore_problems(configuration=configuration) == []
    with pytest.raises(NotMeasured, match="has restored nothing"):
        backups.restored_ledger(configuration=configuration)


@pytest.fixture
def velero(shop):
    """A namespace for Velero, whose kinds the cluster knows."""
    for kind in ("Backup", "Restore"):
        name = definition(kind)["metadata"]["name"]
        if shop.kube.find(f"{DEFINITIONS}/{name}") is None:
            shop.kube.post(DEFINITIONS, definition(kind))
    return f"{velero_restore.API}/namespaces/{shop.name}"


def ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def backed_up(shop, velero, name, seconds, phase="Completed", **spec):
    status = {"phase": phase, "startTimestamp": ago(seconds)}
    made(shop, velero, "Backup", name, spec=spec, status=status)


def made(shop, velero, kind, name, **fields):
    body = {"apiVersion": "velero.io/v1", "kind": kind, "metadata": {"name": name}, **fields}
    shop.kube.post(f"{velero}/{kind.lower()}s", body)


def test_the_newest_completed_backup_that_holds_the_namespace_counts(shop, velero):
    with pytest.raises(NotMeasured, match="completed none"):
        backups.velero_backup_age_seconds("shop", velero=shop.name)
    backed_up(shop, velero, "old", 1000, includedNamespaces=["*"])
    backed_up(shop, velero, "new", 100)
    backed_up(shop, velero, "of-another", 5, includedNamespaces=["other"])
    backed_up(shop, velero, "without-it", 5, excludedNamespaces=["shop"])
    backed_up(shop, velero, "half", 5, phase="PartiallyFailed")
    assert 100 <= backups.velero_backup_age_seconds("shop", velero=shop.name) < 160


@pytest.fixture
def restoring(shop, velero, drilled):
    """A restore into a namespace that Velero has put so much into."""

    def restore(status, *config_maps):
        scratch = f"{shop.name}-scratch"
        shop.kube.post(velero_restore.NAMESPACES, {"metadata": {"name": scratch}})
        for name in config_maps:
            shop.kube.post(f"{velero_restore.NAMESPACES}/{scratch}/configmaps", {"metadata": {"name": name}})
        made(shop, velero, "Restore", "bs-1", spec={}, status=status)
        before = {"context": "shop-admin", "velero": shop.name, "source": shop.name, "taken": ago(-10)}
        change = {"id": "bs-1", "kind": "velero.restore", "before": before}
        configuration = drilled(changes=[change | {"target": {"id": scratch}}])
        path = Path(configuration["blackstart_journal"]) / "changes.jsonl"
        lines = [json.loads(line) | {"change": "bs-1"} for line in path.read_text().splitlines()]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return configuration

    return restore


def test_a_restore_that_is_complete_has_all_of_the_namespace(shop, restoring):
    shop.kube.post(shop.at("configmaps"), {"metadata": {"name": "prices"}})
    configuration = restoring({"phase": "Completed"}, "prices")
    assert backups.namespace_restore_problems(configuration=configuration) == []
    took = backups.namespace_restored_seconds(configuration=configuration)
    assert took is not None
    assert took >= 0
    assert backups.namespace_restored_seconds(configuration=configuration) == pytest.approx(took, abs=0.001)


def test_what_is_missing_is_named(shop, restoring):
    for name in ("prices", "sizes"):
        shop.kube.post(shop.at("configmaps"), {"metadata": {"name": name}})
    problems = backups.namespace_restore_problems(configuration=restoring({"phase": "Completed"}, "prices"))
    assert problems == [f"configmaps sizes is not in {shop.name}-scratch"]


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"phase": "PartiallyFailed", "errors": 2}, "as PartiallyFailed: 2 errors"),
        ({"phase": "FailedValidation", "validationErrors": ["no such backup"]}, "FailedValidation: no such backup"),
        ({"phase": "Failed", "failureReason": "disk"}, "as Failed: disk"),
    ],
)
def test_a_restore_that_failed_says_so(restoring, status, problem):
    configuration = restoring(status)
    (told,) = backups.namespace_restore_problems(configuration=configuration)
    assert told.endswith(problem)
    assert backups.namespace_restored_seconds(configuration=configuration) is None


def test_a_restore_that_takes_too_long_says_so(restoring):
    configuration = restoring({"phase": "InProgress"})
    (told,) = backups.namespace_restore_problems(limit_seconds=0.1, configuration=configuration)
    assert "has not completed restore bs-1" in told
