"""Backups of a running lab: what was committed before one is in it, what came later is not."""

import json
import os
import time
import uuid

import psycopg
import pytest

from blackstart.changes.clients import Clients
from blackstart.changes.database_backups import find_source
from blackstart.changes.kind import Ending
from blackstart.changes.restored_cluster import RestoredCluster, plan_restore
from blackstart.clock import SystemClock, iso
from blackstart.errors import NotYet
from blackstart.lab.status import environment
from blackstart.observer import jsonl, ledger
from blackstart.observer.samples import Header, Outcome
from blackstart.probes import backups

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]
REGION, CLUSTER = "us-east-1", "shop-us-east-1"


@pytest.fixture
def clients(lab, monkeypatch):
    for name, value in environment(lab).items():
        monkeypatch.setenv(name, value)
    found = Clients()
    yield found
    found.close()


@pytest.fixture
def order(lab):
    """Commits an order under a key."""
    connection = psycopg.connect(lab.endpoints.regions[REGION].database, autocommit=True)

    def commit(key):
        connection.execute("INSERT INTO orders (key, item, quantity) VALUES (%s, 1, 1)", (key,))

    yield commit
    connection.close()


@pytest.fixture
def drill(tmp_path, order):
    """A journal: its writes are committed as they are acknowledged, its restore is told."""
    clock = SystemClock()
    origin = clock.monotonic()
    prefix = f"test-{uuid.uuid4().hex}-"
    tables = {"origin_monotonic": origin, "objectives": {}, "service": {}}
    (tmp_path / "drill.json").write_text(json.dumps(tables))
    Header(origin, iso(clock.now()), 0.0, 10.0, 2.0, 1.0, prefix=prefix).write(tmp_path)
    history = ledger.Ledger(tmp_path)

    def write(op):
        key = f"{prefix}{op:010d}"
        history.sending(op, key, clock.monotonic() - origin)
        order(key)
        history.ended(op, Outcome.OK, clock.monotonic() - origin, REGION)

    def restored(change, began):
        for state, more in {"planned": {"record": change.to_json()}, "applied": {"began": began}}.items():
            line = {"change": change.id, "state": state, "monotonic": clock.monotonic(), **more}
            jsonl.append(tmp_path / "changes.jsonl", line)

    yield write, restored, {"blackstart_journal": str(tmp_path)}
    history.close()


def patiently(work, seconds=30.0):
    end = time.monotonic() + seconds
    while True:
        try:
            return work()
        except NotYet:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_a_restored_snapshot_has_what_was_committed_before_it_and_nothing_later(clients, drill):
    write, restored, configuration = drill
    rds, name = clients.aws("rds", REGION), f"test-{os.getpid()}"
    assert backups.backup_age_seconds(CLUSTER, REGION) < 120
    for op in range(3):
        write(op)
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier=CLUSTER)
    time.sleep(2.0)  # a snapshot of the lab is copied once it is seen
    for op in range(3, 5):
        write(op)
    oldest, began = time.monotonic(), SystemClock().monotonic()
    (change,) = plan_restore(find_source(clients, REGION, CLUSTER))
    assert change.before["snapshot"] == name
    patiently(lambda: RestoredCluster().apply([change], clients))
    try:
        restored(change, began)
        took = backups.restored_seconds(limit_seconds=60, configuration=configuration)
        assert took is not None
        assert 0 < took < 60
        assert backups.restored_seconds(configuration=configuration) == pytest.approx(took, abs=0.001)
        found = backups.restored_ledger(configuration=configuration)
        assert (found["lost"], found["found"], found["acknowledged"], found["by_newest_row"]) == (2, 3, 5, False)
        assert 0 < found["seconds"] < 3 + time.monotonic() - oldest
    finally:
        patiently(lambda: undone(change, clients))
        rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)


def undone(change, clients):
    outcome = RestoredCluster().undo([change], clients)[change.id]
    if not outcome.done:
        raise NotYet(str(change.target), outcome.note)
    assert RestoredCluster().verify([change], clients)[change.id].ending is Ending.UNTOUCHED
