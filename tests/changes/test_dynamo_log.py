"""What lies between a log and its table: lost answers, throttling, collisions, silence; and what a table may hold."""

import json
from pathlib import Path

import pytest
from bad_road import COLLIDED, LOST, NOTHING_FOUND, OUT_OF_CAPACITY, SILENCE, THROTTLED, leading_to
from logbook import FAULT, SHARED, SOMEBODY, change, drill, noise

from blackstart.changes.dynamo_create import PERMISSIONS as TO_CREATE
from blackstart.changes.dynamo_create import create
from blackstart.changes.dynamo_items import PIECE_BYTES
from blackstart.changes.dynamo_log import DynamoLog
from blackstart.changes.dynamo_table import PERMISSIONS, Table, put
from blackstart.changes.log import Block, Lease, Mark
from blackstart.changes.model import State, new_id
from blackstart.changes.owner import here
from blackstart.errors import DrillStopped, Refused, UndoLogGone, UndoLogUnusable
from blackstart.testing import FakeClock

WRITE, READ, LIST = "TransactWriteItems", "TransactGetItems", "Query"


@pytest.fixture
def road(dynamo_endpoint):
    with leading_to(dynamo_endpoint) as road:
        yield road


@pytest.fixture
def table(table_url, road, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", road.url)
    return Table("us-east-1", table_url.rpartition("/")[2], FakeClock())


@pytest.fixture
def log(table):
    made = DynamoLog(table)
    yield made
    made.close()


@pytest.fixture
def nowhere(dynamo_endpoint, table_url):
    """A table that is not there."""
    made = Table("us-east-1", new_id(), FakeClock())
    yield made
    made.close()


def test_an_append_whose_answer_got_lost_is_recorded_once(log, road):
    road.ahead[WRITE] = [LOST]
    assert log.append(drill(), FAULT, [change()]) == 1
    assert road.passed.count(WRITE) == 2
    assert [entry.number for entry in log.entries("drill-1")] == [1]
    road.ahead[WRITE] = [LOST]
    assert log.append(drill(), FAULT, [change()]) == 2
    assert [entry.number for entry in log.entries("drill-1")] == [1, 2]


def test_a_fault_is_recorded_in_one_write(log, road):
    log.begin(drill())
    road.passed.clear()
    log.append(drill(), FAULT, [change(f"subnet-{number}") for number in range(200)])
    assert road.passed == [READ, WRITE]


def test_every_write_whose_answer_got_lost_is_made_once_and_takes_no_more_than_the_permissions(log, road):
    ways = [
        lambda: log.begin(drill()),
        lambda: log.append(drill(), FAULT, [change()]),
        lambda: log.beat("drill-1", here()),
        lambda: log.take("drill-1", SOMEBODY, log.lease("drill-1")),
        lambda: log.mark("drill-1", {log.entries("drill-1")[0].change.id: Mark(State.APPLIED)}),
        lambda: log.stop("drill-1", "enough"),
        lambda: log.block(Block("storm", "ada", "now")),
        log.unblock,
        lambda: log.end("drill-1"),
    ]
    for way in ways:
        road.ahead[WRITE] = [LOST]
        assert way() in (None, 1, True)
        assert road.ahead[WRITE] == []
    assert log.find("drill-1") == drill()
    assert log.lease("drill-1").holder == SOMEBODY
    assert log.lease("drill-1").beats >= 2
    assert [entry.state for entry in log.entries("drill-1")] == [State.APPLIED]
    assert (log.stopping("drill-1"), log.blocked(), len(log.drills())) == ("enough", None, 1)
    assert road.needed == set(PERMISSIONS)


def test_the_manual_names_the_permissions():
    manual = (Path(__file__).parents[2] / "docs" / "undo-log.md").read_text()
    policy = json.loads(manual.partition("```json")[2].partition("```")[0])
    assert sorted(policy["Statement"][0]["Action"]) == sorted(PERMISSIONS)
    assert all(name.removeprefix("dynamodb:") in manual for name in TO_CREATE)


@pytest.mark.parametrize("trouble", [THROTTLED, COLLIDED, OUT_OF_CAPACITY])
def test_what_is_throttled_or_collides_is_tried_again(log, road, trouble):
    road.ahead |= {WRITE: [trouble] * 4, READ: [trouble] * 4}
    assert log.append(drill(), FAULT, [change()]) == 1
    log.mark("drill-1", {log.entries("drill-1")[0].change.id: Mark(State.APPLIED)})
    assert [entry.state for entry in log.entries("drill-1")] == [State.APPLIED]


def test_what_collides_for_ever_is_one_sentence_and_nothing_is_recorded(log, road):
    road.ahead[WRITE] = [COLLIDED] * 1000
    with pytest.raises(UndoLogUnusable, match="it stayed too busy: TransactionConflict"):
        log.append(drill(), FAULT, [change()])
    road.ahead[WRITE] = []
    assert (log.entries("drill-1"), log.drills()) == ([], [])


def test_a_fault_that_comes_into_sight_late_still_holds_its_targets(log, road):
    log.append(drill("drill-1"), FAULT, [change()])
    road.ahead[LIST] = [NOTHING_FOUND] * 3
    with pytest.raises(Refused, match="held by drill drill-1"):
        log.append(drill("drill-2"), FAULT, [change()])
    assert road.ahead[LIST] == []


def test_a_fault_that_never_comes_into_sight_forbids(log, road):
    log.append(drill("drill-1"), FAULT, [change()])
    road.ahead[LIST] = [NOTHING_FOUND] * 1000
    with pytest.raises(UndoLogUnusable, match="the faults of drill drill-1 are not all there"):
        log.append(drill("drill-2"), SHARED, [change("subnet-2")])


def test_whoever_recorded_first_is_seen_by_the_other(log, road, table_url):
    """Both looked before either wrote."""
    road.ahead[WRITE] = [COLLIDED]
    first = DynamoLog(Table("us-east-1", table_url.rpartition("/")[2]))
    look = log._look

    def late(*arguments):
        seen = look(*arguments)
        if log._look is late:
            log._look = look
            first.append(drill("first"), FAULT, [change()])
        return seen

    log._look = late
    with pytest.raises(Refused, match="held by drill first"):
        log.append(drill("second"), FAULT, [change()])
    assert log.find("second") is None
    first.close()


@pytest.mark.parametrize("turn", ["block", "stop", "end"])
def test_what_forbids_a_fault_at_the_last_moment_is_seen(log, turn):
    log.begin(drill())
    look = log._look

    def late(*arguments):
        seen = look(*arguments)
        log._look = look
        {
            "block": lambda: log.block(Block("storm", "ada", "now")),
            "stop": lambda: log.stop("drill-1", "enough"),
            "end": lambda: log.end("drill-1"),
        }[turn]()
        return seen

    log._look = late
    with pytest.raises(Refused):
        log.append(drill(), FAULT, [change()])
    assert log.entries("drill-1") == []


def test_a_stop_that_arrives_with_a_mark_is_told_and_the_mark_is_kept(log, road):
    done = change()
    log.append(drill(), FAULT, [done])
    log.stop("drill-1", "enough")
    road.ahead[WRITE] = [LOST]
    with pytest.raises(DrillStopped, match="enough"):
        log.mark("drill-1", {done.id: Mark(State.APPLIED)})
    assert log.entries("drill-1")[0].state is State.APPLIED


def test_a_fault_larger_than_an_item_is_kept_whole(log):
    changes = [change(f"subnet-{number}", before={"acl": noise(PIECE_BYTES * 2, number)}) for number in range(3)]
    assert log.append(drill(), FAULT, changes) == 1
    assert [entry.change for entry in log.entries("drill-1")] == changes


def test_a_table_that_is_not_there_says_how_to_make_it(nowhere):
    log = DynamoLog(nowhere)
    advice = rf"there is no table {nowhere.name} in us-east-1; make it with `blackstart log create {log.url}`"
    for ask in (lambda: log.begin(drill()), log.drills, lambda: log.entries("drill-1"), log.blocked):
        with pytest.raises(UndoLogUnusable, match=advice):
            ask()


def test_a_table_that_was_deleted_says_so(log, table):
    log.append(drill(), FAULT, [change()])
    table._client.update_table(TableName=table.name, DeletionProtectionEnabled=False)
    table._client.delete_table(TableName=table.name)
    for ask in (lambda: log.append(drill(), FAULT, [change()]), lambda: log.entries("drill-1")):
        with pytest.raises(UndoLogGone, match="has been deleted"):
            ask()


def test_a_table_out_of_reach_is_one_sentence(log, road, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    unreachable = DynamoLog(Table("us-east-1", "undo"))
    with pytest.raises(UndoLogUnusable, match="Could not connect to the endpoint URL"):
        unreachable.append(drill(), FAULT, [change()])
    unreachable.close()


def test_a_table_that_does_not_answer_is_one_sentence_after_three_tries(road, monkeypatch, table_url):
    monkeypatch.setattr("blackstart.changes.dynamo_table.TIMEOUTS", (0.2, 0.2))
    monkeypatch.setenv("AWS_ENDPOINT_URL", road.url)
    silent = DynamoLog(Table("us-east-1", table_url.rpartition("/")[2]))
    road.ahead[READ] = [SILENCE] * 10
    with pytest.raises(UndoLogUnusable, match="Read timeout"):
        silent.append(drill(), FAULT, [change()])
    assert road.passed == [READ] * 3
    silent.close()


def test_without_credentials_there_is_one_sentence(table_url, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    log = DynamoLog(Table("us-east-1", "undo"))
    with pytest.raises(UndoLogUnusable, match="Unable to locate credentials"):
        log.drills()
    log.close()


@pytest.mark.parametrize(
    "garble", [{"changes": b"no zip"}, {"fault": "{}"}, {"fault": "half a"}, {"pieces": 3}, {"token": b""}]
)
def test_a_fault_that_is_no_record_is_one_sentence_and_keeps_others_out(log, table, garble):
    log.append(drill(), FAULT, [change()])
    (found,) = (item for item in table.query("drill drill-1") if item["sk"] == "fault 00001")
    rest = {name: value for name, value in (found | garble).items() if name not in ("pk", "sk")}
    if garble == {"token": b""}:
        rest |= {"pieces": 1}
    table.write(put((found["pk"], found["sk"]), rest))
    with pytest.raises(UndoLogUnusable, match="not a record"):
        log.entries("drill-1")
    with pytest.raises(UndoLogUnusable, match="not a record"):
        log.append(drill("drill-2"), SHARED, [change("subnet-2")])


def test_a_drill_that_is_no_record_is_one_sentence(log, table):
    log.begin(drill())
    table.write(put(("drill drill-1", "drill"), {"drill": json.dumps({"id": "drill-1"})}))
    for ask in (log.drills, lambda: log.find("drill-1")):
        with pytest.raises(UndoLogUnusable, match="not a record"):
            ask()


def test_a_table_of_another_format_is_left_alone(log, table):
    table.write(put(("log", "register"), {"format": 7, "version": 3}))
    for ask in (lambda: log.append(drill(), FAULT, [change()]), log.drills, lambda: log.begin(drill())):
        with pytest.raises(UndoLogUnusable, match="it has format 7, and this Blackstart reads format 1; use the"):
            ask()
    assert table.get(("log", "register"))["version"] == 3


def test_a_lease_that_somebody_else_took_in_between_is_not_taken(log, road):
    log.begin(drill())
    seen = log.lease("drill-1")
    log.beat("drill-1", here())
    road.ahead[WRITE] = [LOST]
    assert not log.take("drill-1", SOMEBODY, seen)
    assert log.lease("drill-1") == Lease(here(), 1)


def test_making_a_table_protects_it(nowhere):
    create(nowhere)
    described = nowhere.call("describe_table")["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["DeletionProtectionEnabled"]
    backups = nowhere.call("describe_continuous_backups")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_a_table_that_was_made_by_hand_is_protected_too(nowhere):
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    _by_hand(nowhere, keys)
    create(nowhere)
    assert nowhere.call("describe_table")["Table"]["DeletionProtectionEnabled"]


def test_a_table_with_other_keys_is_refused_and_left_alone(nowhere):
    _by_hand(nowhere, [("id", "HASH")])
    with pytest.raises(UndoLogUnusable, match=r"other keys .* so it belongs to something else"):
        create(nowhere)
    assert not nowhere.call("describe_table")["Table"]["DeletionProtectionEnabled"]


@pytest.mark.parametrize("consistency", ["EVENTUAL", "STRONG"])
def test_a_global_table_is_refused_unless_its_regions_always_agree(table, road, consistency):
    described = table.call("describe_table")["Table"]
    kept = ("TableName", "TableStatus", "KeySchema", "DeletionProtectionEnabled")
    found = {name: described[name] for name in kept} | {"Replicas": [{"RegionName": "eu-west-1"}]}
    road.ahead["DescribeTable"] = [(200, {"Table": found | {"MultiRegionConsistency": consistency}})] * 2
    if consistency == "STRONG":
        create(table)
    else:
        with pytest.raises(UndoLogUnusable, match="a global table whose regions may disagree"):
            create(table)
    assert road.ahead["DescribeTable"] == []


def test_a_drill_stays_listed_if_a_change_opens_again_while_it_leaves(log, table_url):
    late = change()
    log.append(drill(), FAULT, [late])
    log.mark("drill-1", {late.id: Mark(State.VERIFIED)})
    log.end("drill-1")
    other = DynamoLog(Table("us-east-1", table_url.rpartition("/")[2]))
    attempt = other._try

    def slowly(*acts):
        with pytest.raises(DrillStopped):
            log.mark("drill-1", {late.id: Mark(State.APPLIED)})
        return attempt(*acts)

    other._try = slowly
    assert other.drills() == []
    other._try = attempt
    assert other.drills() == [drill()]
    other.close()


def _by_hand(table, keys):
    table.call(
        "create_table",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
    )
