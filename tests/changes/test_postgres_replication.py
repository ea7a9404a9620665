import asyncio
from dataclasses import replace

import postgres_pair
import pytest

from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.postgres import ask
from blackstart.changes.postgres_replication import PausedReplication, find_standby, plan_pause
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused
from blackstart.scope import Scope

STANDBY = "us-west-2"
KIND = PausedReplication()
RESET = ("ALTER SYSTEM RESET primary_conninfo", "SELECT pg_reload_conf()")


@pytest.fixture
def pair(postgres):
    """Both servers, replicating before and after."""
    yield postgres
    for server in (postgres.primary, postgres.standby):
        ask(server.dsn, *RESET)
    assert replicated(postgres)


def find(clients, pair, region=STANDBY):
    return find_standby(clients, pair.addresses, region)


def plan(clients, pair):
    return plan_pause(find(clients, pair))


def replicated(pair, seconds=10.0):
    """Whether what is written now arrives in time."""
    (((at,),),) = ask(pair.primary.dsn, "SELECT pg_logical_emit_message(true, 'test', 'now')::text")
    try:
        postgres_pair.until(lambda: arrived(pair, at), seconds)
    except TimeoutError:
        return False
    return True


def arrived(pair, at):
    return bool(ask(pair.standby.dsn, f"SELECT pg_last_wal_receive_lsn() >= '{at}'::pg_lsn")[0][0][0])


def ending(outcomes):
    (outcome,) = outcomes.values()
    return outcome.ending


def settled(changes, clients, wanted):
    """What a server was told to read again is in force a moment later."""
    postgres_pair.until(lambda: ending(KIND.verify(changes, clients)) is wanted)


def test_nothing_arrives_until_it_is_undone_and_then_it_is_caught_up_on(clients, pair, aws_gate):
    gate = replace(aws_gate, scope=Scope(**{**aws_gate.scope.model_dump(), "regions": (STANDBY,)}))
    changes = plan(clients, pair)
    assert replicated(pair)
    inject(changes, gate, "pausing")
    assert not replicated(pair, 1.0)
    assert undo("drill-1", gate.reach).complete
    assert replicated(pair)


def test_applying_and_undoing_again_does_nothing_more(clients, pair):
    changes = plan(clients, pair)
    assert ending(KIND.undo(changes, clients)) is Ending.UNTOUCHED
    apply(changes, clients)
    apply(changes, clients)
    settled(changes, clients, Ending.PENDING)
    assert ending(KIND.undo(changes, clients)) is Ending.RESTORED
    settled(changes, clients, Ending.UNTOUCHED)
    assert ending(KIND.undo(changes, clients)) is Ending.UNTOUCHED


def apply(changes, clients):
    """As the gate does: again, as long as it is not in force."""
    postgres_pair.until(lambda: applied(changes, clients))


def applied(changes, clients):
    try:
        KIND.apply(changes, clients)
    except NotYet as error:
        return not error.begun
    return True


def test_a_standby_that_somebody_else_told_whom_to_follow_is_left_so(clients, pair):
    changes = plan(clients, pair)
    apply(changes, clients)
    ask(pair.standby.dsn, "ALTER SYSTEM SET primary_conninfo = 'host=elsewhere.test'", "SELECT pg_reload_conf()")
    settled(changes, clients, Ending.CONFLICT)
    assert ending(KIND.undo(changes, clients)) is Ending.CONFLICT
    KIND.force(changes[0], clients)
    settled(changes, clients, Ending.UNTOUCHED)


@pytest.mark.sweep
def test_what_was_overridden_before_is_put_back(clients, pair):
    conninfo = f"host=127.0.0.1 port={pair.primary.spec.address[1]} user=replicator application_name=mine"
    ask(pair.standby.dsn, f"ALTER SYSTEM SET primary_conninfo = '{conninfo}'", "SELECT pg_reload_conf()")
    postgres_pair.until(lambda: find(clients, pair).override == conninfo and not find(clients, pair).unfit)
    changes = plan(clients, pair)
    apply(changes, clients)
    assert ending(KIND.undo(changes, clients)) is Ending.RESTORED
    settled(changes, clients, Ending.UNTOUCHED)
    assert find(clients, pair).override == conninfo
    with pytest.raises(Refused, match="holds a password"):
        plan_pause(replace(find(clients, pair), override="host=a password=b"))


def test_a_server_that_was_rewound_from_it_follows_again_too(clients, pair):
    changes = plan(clients, pair)
    apply(changes, clients)
    # pg_rewind copies the file with the override to the old primary.
    ask(pair.primary.dsn, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
    ask(pair.standby.dsn, *RESET)
    settled(changes, clients, Ending.PENDING)
    assert ending(KIND.undo(changes, clients)) is Ending.RESTORED
    settled(changes, clients, Ending.UNTOUCHED)
    assert find(clients, pair).others == {pair.primary.dsn: None}


def test_it_is_not_over_while_a_server_that_may_have_it_is_silent(clients, pair):
    (change,) = plan(clients, pair)
    silent = "host=127.0.0.1 port=1 dbname=shop user=shop"
    servers = {**change.before["servers"], silent: None}
    change = replace(change, before={**change.before, "servers": servers})
    outcome = KIND.verify([change], clients)[change.id]
    assert (outcome.ending, "shop at 127.0.0.1:1 does not answer" in outcome.note) == (Ending.PENDING, True)


def test_what_is_no_standby_that_can_be_paused_is_refused(clients, pair):
    with pytest.raises(Refused, match="because it is a primary"):
        plan_pause(find(clients, pair, "us-east-1"))
    changes = plan(clients, pair)
    apply(changes, clients)
    with pytest.raises(Refused, match="nothing is replicated to it now"):
        plan(clients, pair)
    KIND.undo(changes, clients)


def test_aurora_is_refused_in_one_sentence(clients, pair):
    ask(pair.primary.dsn, "CREATE SCHEMA s", "CREATE FUNCTION s.aurora_version() RETURNS text RETURN '16.4'")
    try:
        postgres_pair.until(lambda: find(clients, pair).database.aurora)
        with pytest.raises(Refused, match="Aurora, whose storage replicates by itself and cannot be paused"):
            plan(clients, pair)
    finally:
        ask(pair.primary.dsn, "DROP SCHEMA s CASCADE")
        postgres_pair.until(lambda: not find(clients, pair).database.aurora)


@pytest.mark.sweep
def test_a_standby_that_was_promoted_meanwhile_is_put_back_as_well(clients):
    with postgres_pair.running() as pair:
        changes = plan(clients, pair)
        apply(changes, clients)
        asyncio.run(promote(pair.standby))
        assert ending(KIND.undo(changes, clients)) is Ending.RESTORED
        settled(changes, clients, Ending.UNTOUCHED)


async def promote(server):
    from psycopg import AsyncConnection

    address = server.dsn.replace("user=shop", "user=replicator")
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute("SELECT pg_promote(true, 10)")
