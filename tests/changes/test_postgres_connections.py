import subprocess
import sys
import time
from dataclasses import replace

import postgres_pair
import psutil
import psycopg
import pytest

from blackstart.changes import postgres_holder
from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.postgres import ServerFull, ask, find_database, name_of
from blackstart.changes.postgres_connections import HeldConnections, find_room, plan_connections
from blackstart.changes.undo import undo
from blackstart.errors import Refused, ServiceUnreachable

REGION = "us-east-1"
KIND = HeldConnections()
LIMITS = ("max_connections", "superuser_reserved_connections")


@pytest.fixture
def pair(postgres):
    return postgres


@pytest.fixture
def plan(clients, pair):
    """Plans to hold as many connections as make that share; none of them is left when the test is over."""
    made = []

    def plan(share=0.1, **more):
        made.extend(plan_connections(find_room(clients, pair.addresses, REGION), share, **more))
        return made[-1:]

    yield plan
    for change in made:
        postgres_holder.end(change.id)
        postgres_pair.until(lambda change=change: held(pair, change) == 0)


def held(pair, change):
    query = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{change.id}'"
    return postgres_pair.rows(pair.standby.dsn if "standby" in change.summary else pair.primary.dsn, query)[0][0]


def holders(change):
    return [each for each in psutil.process_iter(["cmdline"]) if change.id in (each.info["cmdline"] or [])]


def ending(outcomes):
    (outcome,) = outcomes.values()
    return outcome.ending


def test_connections_are_held_until_they_are_released(pair, plan, clients, aws_gate):
    (change,) = plan(0.1)
    inject([change], aws_gate, "exhausting")
    assert held(pair, change) == change.after["held"] > 10
    assert ending(KIND.verify([change], clients)) is Ending.PENDING
    assert undo("drill-1", aws_gate.reach).complete
    assert held(pair, change) == 0
    postgres_pair.until(lambda: not holders(change))


@pytest.mark.sweep
def test_applying_and_undoing_again_does_nothing_more(pair, plan, clients):
    changes = plan(0.05)
    assert ending(KIND.undo(changes, clients)) is Ending.UNTOUCHED
    for _ in range(2):
        KIND.apply(changes, clients)
        assert held(pair, changes[0]) == changes[0].after["held"]
    assert ending(KIND.undo(changes, clients)) is Ending.RESTORED
    postgres_pair.until(lambda: ending(KIND.verify(changes, clients)) is Ending.UNTOUCHED)
    assert ending(KIND.undo(changes, clients)) is Ending.UNTOUCHED


def test_what_others_give_back_is_taken_too(pair, plan, clients):
    with psycopg.connect(pair.primary.dsn):
        (change,) = plan(0.05)
        KIND.apply([change], clients)
        assert held(pair, change) == change.after["held"]
    postgres_pair.until(lambda: held(pair, change) == change.after["held"] + 1)
    assert ending(KIND.undo([change], clients)) is Ending.RESTORED


@pytest.mark.sweep
def test_a_full_server_lets_nobody_in_but_the_undo(pair, plan, clients):
    (change,) = plan(1.0)
    most, reserved = (int(postgres_pair.rows(pair.primary.dsn, f"SHOW {name}")[0][0]) for name in LIMITS)
    KIND.apply([change], clients)
    with pytest.raises(ServerFull, match=r"shop at 127\.0\.0\.1:\d+ .*remaining connection slots"):
        ask(pair.primary.dsn, "SELECT 1")
    assert change.after["held"] <= most - reserved
    assert ending(KIND.undo([change], clients)) is Ending.RESTORED
    postgres_pair.until(lambda: ending(verify(change, clients)) is Ending.UNTOUCHED)


def verify(change, clients):
    try:
        return KIND.verify([change], clients)
    except ServerFull:
        return KIND.undo([change], clients)


def test_they_are_gone_when_the_drill_is(pair, plan):
    (change,) = plan(0.05)
    script = "import os, subprocess, sys, time; subprocess.run([*sys.argv[1:], str(os.getpid())], stdin=0, check=True)"
    argv = [sys.executable, "-c", f"{script}; time.sleep(60)", sys.executable, "-m", postgres_holder.__name__]
    drill = subprocess.Popen(
        [*argv, change.id, str(change.after["total"])], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        drill.stdin.write(pair.primary.dsn)
        drill.stdin.close()
        postgres_pair.until(lambda: held(pair, change) >= change.after["held"])
        time.sleep(2 * postgres_holder.CHECK_SECONDS)
        assert held(pair, change) >= change.after["held"]
    finally:
        drill.kill()
        drill.wait()
    postgres_pair.until(lambda: held(pair, change) == 0)
    postgres_pair.until(lambda: not holders(change))


@pytest.mark.parametrize(("share", "why"), [(0.0001, "which is as many as are wanted"), (1.5, "not a share")])
def test_a_share_that_is_none_is_refused(plan, share, why):
    with pytest.raises(Refused, match=why):
        plan(share)


def test_what_the_role_may_not_have_is_refused(clients, pair):
    room = find_room(clients, pair.addresses, REGION)
    with pytest.raises(Refused, match="2 are what our role or the database may have"):
        plan_connections(replace(room, limit=2), 0.5)


def test_a_database_opts_in_by_its_comment(clients, pair):
    found = find_database(clients, pair.addresses, REGION)
    assert found.tags == {"blackstart": "allowed", "of": "", "the": "", "lab": ""}
    assert (found.target.account, found.target.region, found.aurora) == ("123456789012", REGION, False)
    with pytest.raises(Refused, match="does not say how to reach it"):
        find_database(clients, pair.addresses, "eu-west-1")


def test_a_server_that_is_not_there_is_told_by_its_name(pair, plan, clients):
    address = "host=127.0.0.1 port=1 dbname=shop user=shop"
    with pytest.raises(ServiceUnreachable, match=r"shop at 127\.0\.0\.1:1 .*refused"):
        ask(address, "SELECT 1")
    (change,) = plan(0.05)
    elsewhere = {**change.before, "address": address}
    with pytest.raises(ServiceUnreachable):
        KIND.apply([replace(change, before=elsewhere)], Clients())
    assert name_of("postgresql://shop@db.test/orders") == "orders at db.test:5432"
