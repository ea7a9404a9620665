"""A real Redis that is emptied, and fills again as its service would fill it."""

import os
from dataclasses import replace

import pytest
import redis
import redis_process

from blackstart.changes.cache_finding import Group, find_group_of
from blackstart.changes.emptied_cache import EmptiedCache, find_cache, plan_emptying
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.clock import SystemClock
from blackstart.errors import ApplyFailed, ConfigInvalid, Refused, ServiceUnreachable, TargetChanged

REGION, ACCOUNT = "us-east-1", "123456789012"
GROUP = Group("shop", ACCOUNT, {"blackstart": "allowed"})
KEYS = 100


@pytest.fixture(scope="module")
def running():
    with redis_process.running() as server:
        yield server


@pytest.fixture
def server(running):
    """A warm cache: every key read once more than it was missed."""
    running.client.replicaof("NO", "ONE")
    running.client.flushall()
    running.client.config_resetstat()
    for _ in "ab":
        running.read(range(KEYS))
    return running


@pytest.fixture
def found(server):
    return find_cache(server.address, REGION, GROUP)


@pytest.fixture
def changes(found):
    return plan_emptying(found)


@pytest.fixture
def gate(aws_gate):
    return replace(aws_gate, scope=aws_gate.scope.model_copy(update={"cold_caches": True}))


def ending(changes):
    (outcome,) = EmptiedCache().verify(changes, None).values()
    return outcome.ending


def test_a_cache_is_emptied_and_waited_for_until_it_is_warm(server, changes, gate):
    inject(changes, gate, "emptying a cache")
    assert server.client.dbsize() == 0
    report = undo("drill-1", gate.reach)
    assert not report.complete
    assert "has 0 of the 100 keys of before" in report.remaining[changes[0].id]
    server.read(range(KEYS))
    assert undo("drill-1", gate.reach).complete


class Death(BaseException):
    """The process is gone."""


SAMPLE = (1, 3, 6)


@pytest.mark.parametrize(
    "died_at",
    [pytest.param(number, marks=() if number in SAMPLE else pytest.mark.sweep) for number in range(12)],
)
def test_whoever_dies_wherever_the_next_one_waits_until_it_is_warm(server, changes, gate, died_at):
    passed = []

    def die(at, ids):
        passed.append(at)
        if len(passed) == died_at + 1:
            raise Death

    dying = replace(gate, reach=replace(gate.reach, boundary=die))
    try:
        inject(changes, dying, "emptying a cache")
        server.read(range(KEYS))
        undo("drill-1", dying.reach)
    except (Death, ApplyFailed):
        server.read(range(KEYS))
    assert undo("drill-1", gate.reach).complete
    assert server.client.dbsize() == KEYS


def test_without_the_scopes_word_nothing_is_emptied(server, changes, aws_gate):
    with pytest.raises(Refused, match="does not say cold_caches = true"):
        inject(changes, aws_gate, "emptying a cache")
    assert server.client.dbsize() == KEYS


def test_a_cache_that_has_not_opted_in_is_not_emptied(server, gate):
    changes = plan_emptying(find_cache(server.address, REGION, Group("shop", ACCOUNT)))
    with pytest.raises(Refused, match="has not opted in"):
        inject(changes, gate, "emptying a cache")
    assert server.client.dbsize() == KEYS


def test_it_is_warm_with_nine_tenths_of_its_keys(server, changes):
    assert ending(changes) is Ending.UNTOUCHED
    EmptiedCache().apply(changes, None)
    server.read(range(89))
    assert ending(changes) is Ending.WAITING
    server.read(range(90))
    assert ending(changes) is Ending.RESTORED


def test_it_is_warm_when_it_answers_as_many_reads_as_before(server, changes):
    EmptiedCache().apply(changes, None)
    server.read(range(10))
    assert ending(changes) is Ending.WAITING
    for _ in range(2):
        server.read(range(10))
    assert ending(changes) is Ending.WAITING, "so few reads say nothing"
    for _ in range(3):
        server.read(range(10))
    assert ending(changes) is Ending.RESTORED
    assert server.client.dbsize() == 10


def test_reads_of_before_do_not_make_it_warm(server, changes):
    EmptiedCache().apply(changes, None)
    for number in range(1000, 1060):
        server.client.get(f"product:{number}")
    assert ending(changes) is Ending.WAITING


def test_emptying_it_again_does_nothing_more(server, changes):
    EmptiedCache().apply(changes, None)
    server.read(range(5))
    EmptiedCache().apply(changes, None)
    assert server.client.dbsize() == 5


def test_only_what_begins_with_the_prefix_goes(server):
    server.client.set("session:1", "x")
    server.client.set("products", "x")
    changes = plan_emptying(find_cache(server.address, REGION, GROUP, "product:"))
    assert changes[0].before["keys"] == KEYS
    EmptiedCache().apply(changes, None)
    assert sorted(server.client.keys()) == [b"products", b"session:1"]
    assert ending(changes) is Ending.WAITING
    server.read(range(KEYS))
    assert ending(changes) is Ending.RESTORED


def test_a_prefix_is_no_pattern(server):
    server.client.set("product:*1", "x")
    assert find_cache(server.address, REGION, GROUP, "product:*").state["keys"] == 1


def test_more_than_a_batch_goes(server):
    server.client.mset({f"many:{number}": "x" for number in range(2500)})
    EmptiedCache().apply(plan_emptying(find_cache(server.address, REGION, GROUP, "many:")), None)
    assert server.client.dbsize() == KEYS


def test_one_database_of_several_is_emptied_if_the_address_names_it(server):
    other = redis.Redis(port=server.port, db=2, protocol=2)
    other.set("session:1", "x")
    changes = plan_emptying(find_cache(f"{server.address}/2", REGION, GROUP))
    EmptiedCache().apply(changes, None)
    assert (other.dbsize(), server.client.dbsize()) == (0, KEYS)
    other.close()


def test_an_empty_cache_is_nothing_to_change(server, gate):
    server.client.flushall()
    changes = plan_emptying(find_cache(server.address, REGION, GROUP))
    with pytest.raises(Refused, match="it holds nothing"):
        inject(changes, gate, "emptying a cache", nothing="it holds nothing")


def test_a_replica_is_refused(server, changes):
    server.client.replicaof("127.0.0.1", 1)
    with pytest.raises(Refused, match="it is a replica"):
        plan_emptying(find_cache(server.address, REGION, GROUP))
    with pytest.raises(TargetChanged, match="it is a replica"):
        EmptiedCache().apply(changes, None)


def test_another_server_at_the_address_is_left_alone_and_judged_by_its_keys(server, changes):
    server.restart()
    with pytest.raises(TargetChanged, match="another server answers"):
        EmptiedCache().apply(changes, None)
    assert ending(changes) is Ending.WAITING
    server.read(range(KEYS))
    assert ending(changes) is Ending.RESTORED


def test_a_server_that_does_not_answer_is_told_at_once(changes):
    away = [replace(changes[0], before={**changes[0].before, "address": "redis://127.0.0.1:9"})]
    began = SystemClock().monotonic()
    with pytest.raises(ServiceUnreachable, match=r"redis://127.0.0.1:9 answered"):
        EmptiedCache().undo(away, None)
    assert SystemClock().monotonic() - began < 1
    with pytest.raises(ConfigInvalid, match="http://shop"):
        find_cache("http://shop", REGION, GROUP)


def test_the_password_comes_from_the_environment(server, monkeypatch):
    server.client.config_set("requirepass", "secret")
    try:
        with pytest.raises(ServiceUnreachable, match="authenticate"):
            find_cache(server.address, REGION, GROUP)
        monkeypatch.setitem(os.environ, "REDISCLI_AUTH", "secret")
        assert find_cache(server.address, REGION, GROUP).state["keys"] == KEYS
        assert "secret" not in str(plan_emptying(find_cache(server.address, REGION, GROUP))[0].to_json())
    finally:
        server.client.execute_command("AUTH", "secret")
        server.client.config_set("requirepass", "")


@pytest.fixture
def groups(clients):
    """Makes replication groups."""
    cache = clients.aws("elasticache", REGION)

    def make(*names):
        for name in names:
            cache.create_replication_group(
                ReplicationGroupId=name,
                ReplicationGroupDescription=name,
                NumCacheClusters=2,
                Tags=[{"Key": "of", "Value": name}],
            )
        described = cache.describe_replication_groups()["ReplicationGroups"]
        return {group["ReplicationGroupId"]: group["NodeGroups"][0]["PrimaryEndpoint"] for group in described}

    return make


def test_an_endpoint_tells_whose_cache_it_is(clients, groups):
    endpoint = groups("shop", "books")["books"]["Address"]
    assert find_group_of(clients, REGION, endpoint) == Group("books", ACCOUNT, {"of": "books"})
    with pytest.raises(Refused, match="it belongs to the replication group books, not to shop"):
        find_group_of(clients, REGION, endpoint, "shop")


def test_a_host_of_no_group_belongs_to_the_one_that_is_named_or_to_the_only_one(clients, groups):
    assert find_group_of(clients, REGION, "127.0.0.1") == Group(account=ACCOUNT)
    groups("shop")
    assert find_group_of(clients, REGION, "127.0.0.1").tags == {"of": "shop"}
    groups("books")
    with pytest.raises(Refused, match="has 2 replication groups; name the one"):
        find_group_of(clients, REGION, "127.0.0.1")
    assert find_group_of(clients, REGION, "127.0.0.1", "books").name == "books"
    with pytest.raises(Refused, match="there is no replication group toys"):
        find_group_of(clients, REGION, "127.0.0.1", "toys")


def test_a_host_of_aws_that_is_no_groups_endpoint_is_refused(clients, groups):
    groups("shop")
    with pytest.raises(Refused, match="whose it is cannot be told"):
        find_group_of(clients, REGION, "gold.abc.0001.use1.cache.amazonaws.com", "shop")
